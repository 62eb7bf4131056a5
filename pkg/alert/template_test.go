package alert_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
)

// heard keeps what it is told.
type heard struct{ last alert.Message }

// Send keeps a message.
func (h *heard) Send(_ context.Context, m alert.Message) error {
	h.last = m
	return nil
}

func TestTemplated(t *testing.T) {
	m := message()
	m.At = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
	m.Images, m.Links = []string{"a", "b"}, []alert.Link{{Title: "t", URL: "https://a.example"}}
	m.Check = &alert.Check{Name: "errors", Value: "3", Baseline: "1", Message: "no"}
	m.Digest = []alert.Message{message()}
	for written, want := range map[string]string{
		"{{ .Severity }} {{ .Namespace }}/{{ .Name }} {{ .Cluster }}: {{ .Text }}": "error shop/podinfo eu-1: " + m.Text,
		"{{ .Reason }} {{ .At }}":                                                           "RolledBack 2026-11-23T11:00:00Z",
		"{{ range .Images }}{{ . }};{{ end }}":                                              "a;b;",
		"{{ range .Links }}{{ .Title }}={{ .URL }}{{ end }}":                                "t=https://a.example",
		"{{ range .Digest }}{{ .Name }}{{ end }}":                                           "podinfo",
		"{{ with .Check }}{{ .Name }} {{ .Value }} {{ .Baseline }} {{ .Message }}{{ end }}": "errors 3 1 no",
		`{{ if eq .Severity "error" }}bad{{ end }}`:                                         "bad",
	} {
		h := &heard{}
		c, err := alert.Templated(h, written)
		require.NoError(t, err, written)
		require.NoError(t, c.Send(t.Context(), m), written)
		assert.Equal(t, want, h.last.Body, written)
		assert.Equal(t, m.Text, h.last.Text)
	}
	h := &heard{}
	c, err := alert.Templated(h, "")
	require.NoError(t, err)
	require.Same(t, h, c)
}

func TestBadTemplates(t *testing.T) {
	for written, says := range map[string]string{
		"{{ .Text":                   "spec.template is not a template",
		"{{ range .Text }}{{ end }}": "spec.template may range over .Images, .Links, .Digest alone",
		`{{ template "x" }}`:         "spec.template may not call templates",
	} {
		_, err := alert.Templated(&heard{}, written)
		require.ErrorIs(t, err, alert.Rejected)
		assert.ErrorContains(t, err, says)
	}
	for written, says := range map[string]string{
		"{{ .Password }}": "can't evaluate field Password",
		"{{ .Step }}":     "spec.template is empty",
		// What could be called could make strings without a bound.
		`{{ .At.Format "1" }}`: "can't evaluate field Format",
		"{{ .Title.X }}":       "can't evaluate field X",
	} {
		c, err := alert.Templated(&heard{}, written)
		require.NoError(t, err)
		err = c.Send(t.Context(), message())
		require.ErrorIs(t, err, alert.Rejected)
		assert.ErrorContains(t, err, says)
	}
}
