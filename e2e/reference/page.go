// Package reference makes the pages of docs/reference out of what they are about: the definitions of Weir's kinds, the
// flags of its programs, and the constants that are reasons. The tests that call it fail when a page says something
// else, and with -rewrite they write it anew.
package reference

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
)

// Hold compares a page of docs/reference with what it ought to be. The package is that of the test, as in ./cmd/weir.
func Hold(t *testing.T, page, now, pkg string) {
	t.Helper()
	tree, err := sandbox.Tree(t.Context())
	require.NoError(t, err)
	file := filepath.Join(tree, "docs", "reference", page)
	if seen.Rewriting() {
		require.NoError(t, os.WriteFile(file, []byte(now), 0o644))
		return
	}
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(before), now, "docs/reference/%s is out of date; run go test %s -run TestReference -rewrite", page, pkg)
}

// cell is a text as it stands in a table: in one line, and with nothing that Markdown takes for something else.
func cell(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
	return outsideCode(text, strings.NewReplacer("<", "&lt;", "*", `\*`, "[", `\[`, "]", `\]`))
}

// outsideCode changes a text where it is not between backquotes.
func outsideCode(text string, change *strings.Replacer) string {
	code := regexp.MustCompile("`[^`]*`")
	var said strings.Builder
	from := 0
	for _, at := range code.FindAllStringIndex(text, -1) {
		said.WriteString(change.Replace(text[from:at[0]]) + text[at[0]:at[1]])
		from = at[1]
	}
	return said.String() + change.Replace(text[from:])
}

// row of a table.
func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// head of a table, with the line below it.
func head(columns ...string) string {
	return row(columns...) + strings.Repeat("|---", len(columns)) + "|\n"
}

// code marks a text as code. Nothing stays nothing.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
