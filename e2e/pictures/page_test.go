package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryMessageIsDrawn: nothing that Slack is sent is unknown here.
func TestEveryMessageIsDrawn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("../..", golden, "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 5)
	for _, file := range files {
		m, err := read(file)
		require.NoError(t, err)
		page, err := m.page()
		require.NoError(t, err, file)
		assert.Contains(t, page, "<h1>")
		assert.NotContains(t, page, "javascript:")
	}
}

func TestPage(t *testing.T) {
	m, err := read(filepath.Join("../..", golden, "rolledback.json"))
	require.NoError(t, err)
	page, err := m.page()
	require.NoError(t, err)
	for _, part := range []string{
		"<h1>shop/podinfo: rolled back</h1>", "background: #cf222e", "<div><b>Canary</b><br>podinfo</div>",
		`<a href="https://wiki.example/podinfo">Runbook</a> · <a href="https://grafana.example/d/podinfo?`,
		`?var-namespace=shop&amp;from=now-1h">Dashboard</a>`,
	} {
		assert.Contains(t, page, part)
	}
	_, err = (&message{Blocks: []block{{Type: "video"}}}).page()
	require.ErrorContains(t, err, "a block of type video is not known")
}

func TestWords(t *testing.T) {
	for said, want := range map[string]string{
		"a &lt;b&gt; &amp;amp; c": "a &lt;b&gt; &amp;amp; c", "*a* b\nc": "<b>a</b> b<br>c",
		"<https://a.example|x &lt;y&gt;>": `<a href="https://a.example">x &lt;y&gt;</a>`, "<!channel>": "&lt;!channel&gt;",
	} {
		assert.Equal(t, want, words(text{"mrkdwn", said}))
	}
	assert.Equal(t, "*a*", words(text{"plain_text", "*a*"}))
}
