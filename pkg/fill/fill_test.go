package fill_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/fill"
)

type order struct {
	Name  string
	Items []string
	Price map[string]string
}

func language() fill.Language {
	return fill.Language{Text: "the bill", Over: []string{".Items", ".Price"}}
}

func TestFill(t *testing.T) {
	data := order{Name: "tea", Items: []string{"a", "b"}, Price: map[string]string{"a": "1"}}
	for written, want := range map[string]string{
		"{{ .Name }}":                                     "tea",
		"{{ range .Items }}{{ . }};{{ end }}":             "a;b;",
		"{{ range $i, $x := .Items }}{{ $i }}{{ end }}":   "01",
		"{{ with .Price }}{{ .a }}{{ end }}":              "1",
		`{{ printf "%s %d" .Name (len .Items) }}`:         "tea 2",
		`{{ if eq .Name "tea" }}yes{{ end }}`:             "yes",
		`{{ .Name }}{{ range .Price }}{{ . }}{{ end }}`:   "tea1",
		`{{ html "<" }}{{ urlquery " " }}{{ js "'" }}`:    `&lt;+\'`,
		`{{ define "bill" }}{{ end }}{{ .Name }}`:         "tea",
		`{{ range .Items }}{{ break }}{{ end }}{{ "x" }}`: "x",
	} {
		template, err := language().Parse(written)
		require.NoError(t, err, written)
		for range 2 {
			got, err := template.Fill(data)
			require.NoError(t, err, written)
			assert.Equal(t, want, got, written)
		}
	}
}

func TestRefuses(t *testing.T) {
	for written, says := range map[string]string{
		"{{":                           "the bill is not a template: bill:1:",
		"{{ password }}":               `"password" not defined`,
		"{{ range .Name }}{{ end }}":   "the bill may range over .Items, .Price alone, and not within another range",
		"{{ range 9 }}{{ end }}":       "may range over",
		"{{ range $.Items }}{{ end }}": "may range over",
		`{{ template "bill" }}`:        "the bill may not call templates; write it in one piece",
		"{{ range .Items }}{{ range .Items }}{{ end }}{{ end }}": "not within another range",
	} {
		_, err := language().Parse(written)
		assert.ErrorContains(t, err, says, written)
	}
}

func TestCannotBeFilledIn(t *testing.T) {
	data := order{Price: map[string]string{}}
	for written, says := range map[string]string{
		" {{ .Name }}":              "the bill is empty",
		"{{ .Price.a }}":            "the bill cannot be filled in: bill:1:",
		"{{ .Nothing }}":            "can't evaluate field Nothing",
		"{{ print .Price }}":        "a map is no text; name one of its keys",
		`{{ printf "%999999d" 1 }}`: "longer than 65536 bytes",
		`{{ $x := "0123456789" }}` + strings.Repeat("{{ $x = print $x $x }}", 200): "longer than 65536 bytes",
	} {
		template, err := language().Parse(written)
		require.NoError(t, err, written)
		_, err = template.Fill(data)
		assert.ErrorContains(t, err, says, written)
	}
}
