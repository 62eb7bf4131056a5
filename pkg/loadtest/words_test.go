package loadtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWords: what a shell would do with a line, and whether it takes one.
func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"hey -z 1m http://a.test/?b=c":            {"hey", "-z", "1m", "http://a.test/?b=c"},
		"hey -d '{\"a\": \"b & c\"}' \"-H A: $\"": {"hey", "-d", `{"a": "b & c"}`, "-H A: $"},
		"hey \\\n  -z 1m\n":                       {"hey", "-z", "1m"},
		"hey -d '; $HOME | < > ( )' x":            {"hey", "-d", "; $HOME | < > ( )", "x"},
		"a '' b":                                  {"a", "", "b"},
	} {
		words, plain, err := wordsOf(line)
		require.NoError(t, err, line)
		assert.True(t, plain, line)
		assert.Equal(t, want, words, line)
	}
	for _, line := range []string{
		"a; b", "a && b", "a | b", "a > b", "a < b", "a &", "(a)", "a $(b)", "a `b`", "a $HOME", `a "$HOME"`, "a ${HOME}", "a)",
		`a "$(b)"`, "a \"`b`\"",
	} {
		_, plain, err := wordsOf(line)
		require.NoError(t, err, line)
		assert.False(t, plain, line)
	}
	for line, want := range map[string]string{"a 'b": "a quote that does not end", "  \n": "is empty"} {
		_, _, err := wordsOf(line)
		assert.ErrorContains(t, err, want, line)
	}
}

func TestTail(t *testing.T) {
	out := &tail{most: 5}
	for _, part := range []string{"ab", "cd", "efg", "hé"} {
		_, err := out.Write([]byte(part))
		require.NoError(t, err)
	}
	assert.Equal(t, "…fghé", out.String())
	assert.Equal(t, "b", lastLine("a\n b \n\n"))
	assert.Equal(t, "ab…", shortened("abécd", 3), "not within a character")
}
