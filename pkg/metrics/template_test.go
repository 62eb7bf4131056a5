package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// longest is the most bytes that a query may become.
const longest = 64 << 10

func vars() Vars {
	return Vars{
		Name: "shop", Namespace: "team", Target: "podinfo", Service: "podinfo", Ingress: "web", Route: "podinfo",
		Revision: "canary", Hash: "5d89c7b6f4", ReplicaSet: "podinfo-5d89c7b6f4", Weight: 20, Interval: time.Minute,
		Variables: map[string]string{"code": "5..", "path": "/api"},
	}
}

func TestRender(t *testing.T) {
	for query, want := range map[string]string{
		"up": "up",
		`{{ name }} {{ namespace }} {{ target }}`:                            "shop team podinfo",
		`{{ service }} {{ ingress }} {{ route }}`:                            "podinfo web podinfo",
		`{{ revision }} {{ hash }} {{ weight }} {{ interval }}`:              "canary 5d89c7b6f4 20 60s",
		`up{pod=~"{{ pods }}"}`:                                              `up{pod=~"podinfo-5d89c7b6f4-[a-z0-9]{5}"}`,
		`up{code=~"{{ variables.code }}"}`:                                   `up{code=~"5.."}`,
		`{{ index variables "path" }}`:                                       "/api",
		`{{ if gt weight 50 }}late{{ else }}early{{ end }}`:                  "early",
		`{{ with index variables "none" }}{{ . }}{{ else }}nothing{{ end }}`: "nothing",
		`{{ range $k, $v := variables }}{{ $k }}={{ $v }};{{ end }}`:         "code=5..;path=/api;",
		`{{ printf "%s-%d" name weight }} {{ print name weight }}`:           "shop-20 shop20",
		`{{ define "unused" }}x{{ end }}up`:                                  "up",
	} {
		got, err := Render(query, vars())
		if assert.NoError(t, err, query) {
			assert.Equal(t, want, got, query)
		}
		assert.NoError(t, Parse(query), query)
	}
}

// TestRenderRejects: those that Parse refuses too are known before a run, the others when they are filled in.
func TestRenderRejects(t *testing.T) {
	double := `{{ $x := "0123456789abcdef" }}` + strings.Repeat(`{{ $x = print $x $x }}`, 200) + `{{ $x }}`
	for query, c := range map[string]struct {
		early bool
		says  string
	}{
		"":                                    {false, "empty"},
		`{{ define "a" }}x{{ end }}`:          {false, "empty"},
		`{{ `:                                 {true, "not a template"},
		`{{ password }}`:                      {true, `"password" not defined`},
		`{{ variables.none }}`:                {false, `"none"`},
		`{{ range (slice "ab" 1) }}{{ end }}`: {true, "range over variables alone"},
		`{{ range 1000000000 }}x{{ end }}`:    {true, "range over variables alone"},
		`{{ range variables }}{{ range variables }}{{ end }}{{ end }}`: {true, "range over variables alone"},
		`{{ if true }}{{ range 9 }}{{ end }}{{ end }}`:                 {true, "range over variables alone"},
		`{{ if false }}{{ else }}{{ range 9 }}{{ end }}{{ end }}`:      {true, "range over variables alone"},
		`{{ with name }}{{ range 9 }}{{ end }}{{ end }}`:               {true, "range over variables alone"},
		`{{ template "query" }}`:                                       {true, "may not call templates"},
		`{{ define "query" }}{{ template "query" }}{{ end }}`:          {true, "may not call templates"},
		`{{ block "a" . }}x{{ end }}`:                                  {true, "may not call templates"},
		`{{ if . }}{{ template "query" (print . "a") }}{{ end }}`:      {true, "may not call templates"},
		`{{ print variables }}`:                                        {false, "name one of its keys"},
		`{{ printf "%999999d" 1 }}`:                                    {false, "longer than"},
		`{{ printf "` + strings.Repeat("%d", 17) + `" }}`:              {false, "more than 16 verbs"},
		double:                         {false, "longer than"},
		strings.Repeat("x", longest+1): {false, "longer than"},
	} {
		_, err := Render(query, vars())
		if assert.ErrorIs(t, err, Rejected, "%.60s", query) {
			assert.ErrorContains(t, err, c.says, "%.60s", query)
		}
		if early := Parse(query); c.early {
			assert.ErrorIs(t, early, Rejected, "%.60s", query)
		} else {
			assert.NoError(t, early, "%.60s", query)
		}
	}
}

func TestPods(t *testing.T) {
	of := func(deployment string) (string, error) {
		const hash = "5d89c7b6f4"
		return Vars{Hash: hash, ReplicaSet: deployment + "-" + hash}.Pods()
	}
	for deployment, want := range map[string]string{
		"podinfo":               "podinfo-5d89c7b6f4-[a-z0-9]{5}",
		"pod.info":              "pod[.]info-5d89c7b6f4-[a-z0-9]{5}",
		strings.Repeat("a", 46): strings.Repeat("a", 46) + "-5d89c7b6f4-[a-z0-9]{5}",
		strings.Repeat("a", 47): strings.Repeat("a", 47) + "-5d89c7b6f4[a-z0-9]{5}",
		strings.Repeat("a", 52): strings.Repeat("a", 52) + "-5d89c[a-z0-9]{5}",
	} {
		got, err := of(deployment)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := of(strings.Repeat("a", 53))
	require.ErrorIs(t, err, Rejected)
	_, err = Render("{{ pods }}", Vars{Hash: "5d89c7b6f4", ReplicaSet: strings.Repeat("a", 53) + "-5d89c7b6f4"})
	require.ErrorIs(t, err, Rejected)
	require.ErrorContains(t, err, "shorten the name of the Deployment")
}

func TestPromInterval(t *testing.T) {
	for interval, want := range map[time.Duration]string{
		time.Second: "1s", 90 * time.Second: "90s", time.Hour: "3600s", 1500 * time.Millisecond: "1500ms",
		time.Microsecond: "1ms",
	} {
		assert.Equal(t, want, Vars{Interval: interval}.PromInterval())
	}
}

// FuzzRender: whatever is written, it is refused or it becomes a query of bounded length, and what Parse
// refuses is not rendered. That every run of it ends, the fuzzer sees by itself.
func FuzzRender(f *testing.F) {
	for _, query := range []string{
		"up", `{{ pods }}`, `{{ variables.code }}`, `{{ range $k, $v := variables }}{{ $k }}{{ end }}`,
		`{{ template "query" (print . "a") }}`, `{{ define "query" }}{{ template "query" }}{{ end }}`,
		`{{ $x := "a" }}{{ $x = print $x $x }}{{ $x }}`, `{{ printf "%[1]*[2]d" 999999 1 }}`, `{{ html "<" | js }}`,
		`{{ block "a" . }}{{ end }}`, `{{ range 9 }}{{ break }}{{ end }}`, `{{ with variables }}{{ .code }}{{ end }}`,
		`{{- /* no query */ -}}`, `{{ slice "abc" 1 2 }}{{ index variables "path" | len }}`, `{{ call name }}`,
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := Render(query, vars())
		if err != nil {
			require.ErrorIs(t, err, Rejected)
			require.Empty(t, got)
			return
		}
		require.NoError(t, Parse(query))
		require.LessOrEqual(t, len(got), longest)
		require.NotEmpty(t, strings.TrimSpace(got))
	})
}
