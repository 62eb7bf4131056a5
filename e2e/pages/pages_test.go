package pages

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const text = "# Top\n\n```yaml\n# mine/a.yaml\na: 1\n```\n\n## Next\n\n1. First\n\n   ```sh\n   one \\\n     --two   # why\n\n" +
	"   for s in a b; do\n     three $s\n   done\n   four\n   ```\n\n" +
	"```yaml\nb: 1\n```\n\n```console\n$ five\nsaid\n$ six\n```\n\n" +
	"A `word`.\n"

func TestSteps(t *testing.T) {
	p := Page{File: "a.md", Text: text}
	assert.Equal(t, []Step{
		{Page: "a.md", Heading: "Top", Block: 1, File: "mine/a.yaml", Content: "# mine/a.yaml\na: 1\n"},
		{Page: "a.md", Heading: "Next", Block: 2, Command: "one --two   # why"},
		{Page: "a.md", Heading: "Next", Block: 2, Command: "for s in a b; do\n  three $s\ndone"},
		{Page: "a.md", Heading: "Next", Block: 2, Command: "four"},
		{Page: "a.md", Heading: "Next", Block: 4, Command: "five"},
		{Page: "a.md", Heading: "Next", Block: 4, Command: "six"},
	}, p.Steps())
	assert.Equal(t, "a.md, Next: four", p.Steps()[3].String())
	assert.Equal(t, "a.md, Top: write mine/a.yaml", p.Steps()[0].String())
	assert.Equal(t, []string{"# mine/a.yaml\na: 1", "b: 1"}, p.Blocks("yaml"))
	assert.Equal(t, map[string]bool{"top": true, "next": true}, p.Anchors())
	assert.NotContains(t, p.Prose(), "word`")
}
