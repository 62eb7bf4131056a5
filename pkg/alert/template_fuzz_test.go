package alert_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
)

// FuzzTemplate: whatever is written is refused, or it makes a text that is not empty and has a bound.
func FuzzTemplate(f *testing.F) {
	for _, written := range []string{
		"{{ .Severity }} {{ .Namespace }}/{{ .Name }}", "{{ range .Images }}{{ . }};{{ end }}", `{{ js .Text }}`,
		`{{ with .Check }}{{ printf "%999999d" 1 }}{{ end }}`, `{{ $x := .Text }}{{ $x = print $x $x }}{{ $x }}`, `{{ template "x" }}`,
		`{{ range .Digest }}{{ range .Images }}{{ range .Links }}x{{ end }}{{ end }}{{ end }}`, `{{ .At.Format "1" }}`,
		`{{ slice .Text 0 3 }}`, `{{ index .Images 0 }}`, `{{ call .Text }}`, `{{ len .Links }}`, `{{- /* none */ -}}`, "\xff{{",
	} {
		f.Add(written)
	}
	f.Fuzz(func(t *testing.T, written string) {
		h := &heard{}
		c, err := alert.Templated(h, written)
		if err != nil {
			require.ErrorIs(t, err, alert.Rejected)
			return
		}
		m := message()
		m.Images, m.Links = []string{"a", "b"}, []alert.Link{{Title: "t", URL: "https://a.example"}}
		m.Digest = []alert.Message{message(), message()}
		err = c.Send(t.Context(), m)
		switch {
		case err != nil:
			require.ErrorIs(t, err, alert.Rejected)
			require.Empty(t, h.last)
		case written == "":
			require.Equal(t, m, h.last, "without a template it is the message as it is")
		default:
			require.NotEmpty(t, h.last.Body)
			require.LessOrEqual(t, len(h.last.Body), 64<<10)
		}
	})
}
