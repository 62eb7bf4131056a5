package reference

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/artifacts"
	"weir.dev/weir/e2e/sandbox"
)

var _ = flag.Bool("rewrite", false, "write the pages anew")

const here = "./e2e/reference"

func TestReferenceAPI(t *testing.T) {
	definitions, err := artifacts.CRDs()
	require.NoError(t, err)
	page, err := API(definitions)
	require.NoError(t, err)
	Hold(t, "api.md", page, here)
}

func TestReferenceReasons(t *testing.T) {
	groups, sections := reasons(t)
	Hold(t, "reasons.md", Reasons(groups, sections), here)
}

// TestTroubleshooting: whoever adds a reason says in docs/troubleshooting.md what people do about it.
func TestTroubleshooting(t *testing.T) {
	groups, sections := reasons(t)
	known := map[string]bool{}
	for _, group := range groups {
		for _, reason := range group.Reasons {
			known[reason.Word] = true
			assert.Contains(t, sections, reason.Word, "docs/troubleshooting.md has no section on it")
		}
	}
	assert.Greater(t, len(known), 80)
	for word := range sections {
		assert.True(t, known[word], "docs/troubleshooting.md has a section on %s, which is no reason", word)
	}
}

func reasons(t *testing.T) ([]Group, map[string]string) {
	t.Helper()
	tree, err := sandbox.Tree(t.Context())
	require.NoError(t, err)
	groups, err := Known(tree)
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(tree, "docs/troubleshooting.md"))
	require.NoError(t, err)
	return groups, Sections(string(page))
}

// TestReasonsBite: a constant without a comment is refused, and a section may be about several.
func TestReasonsBite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reasons.go")
	write := func(code string) {
		require.NoError(t, os.WriteFile(file, []byte(code), 0o600))
	}
	write("package a\n\n// Odd ones: what is odd.\nconst (\n\t// ReasonOdd is told of it.\n\tReasonOdd = \"Odd\"\n)\n")
	groups, err := constants(file, "Reason")
	require.NoError(t, err)
	require.Equal(t, []Group{{Title: "Odd ones", About: "What is odd.", Reasons: []Reason{{"Odd", "Told of it."}}}}, groups)
	write("package a\n\nconst ReasonOdd = \"Odd\"\n")
	_, err = constants(file, "Reason")
	require.ErrorContains(t, err, "the comment on ReasonOdd")
	require.Equal(t, map[string]string{"Odd": "odd-even", "Even": "odd-even", "Last": "last"},
		Sections("# Page\n\n### Odd, Even\n\ntext\n\n### Last\n"))
}
