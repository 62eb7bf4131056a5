package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/web"
)

func answer(expr, body string) metricstest.Exchange {
	return metricstest.Exchange{Expr: expr, Server: metricstest.Answer(http.StatusOK, body)}
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		config  web.Config
		secrets []string
	}{
		"get with a token": {web.Config{Token: "secret-token"}, []string{"secret-token"}},
		"get with a password": {web.Config{Method: http.MethodGet, Username: "reader", Password: "secret-password"},
			[]string{"secret-password", "cmVhZGVyOnNlY3JldC1wYXNzd29yZA=="}},
		"post with a header": {
			web.Config{Method: http.MethodPost, Site: metrics.Site{Headers: map[string]string{"X-Key": "secret-key"}}},
			[]string{"secret-key"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			metricstest.Run(t, metricstest.Suite{
				New: func(address string) (metrics.Provider, error) {
					config := c.config
					config.Address = address
					config.Value = "body.scores"
					return web.New(config)
				},
				Secrets: c.secrets,
				Value:   answer("score?app=podinfo", `{"scores":42}`),
				Several: answer("score", `{"scores":[1,2]}`),
				NoData: map[string]metricstest.Exchange{
					"null":     answer("score", `{"scores":null}`),
					"no items": answer("score", `{"scores":[]}`),
					"nulls":    answer("score", `{"scores":[null,null]}`),
				},
				Rejected: map[string]metricstest.Exchange{
					"no such key":    answer("score", `{"marks":1}`),
					"a string":       answer("score", `{"scores":"1"}`),
					"a list of some": answer("score", `{"scores":[1,"2"]}`),
					"an object":      answer("score", `{"scores":{}}`),
					"another shape":  answer("score", `[1]`),
					"many":           answer("score", `{"scores":[1`+strings.Repeat(",1", 1000)+`]}`),
					"not there":      {Expr: "score", Server: http.NotFoundHandler()},
					"a bad request":  {Expr: "score", Server: metricstest.Answer(http.StatusBadRequest, `{"error":"x"}`)},
				},
			})
		})
	}
}

func ask(t *testing.T, c web.Config, expr string, handler http.Handler) ([]metrics.Sample, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	c.Address = server.URL + c.Address
	p, err := web.New(c)
	require.NoError(t, err)
	return p.Query(t.Context(), metrics.Query{Expr: expr})
}

func TestValue(t *testing.T) {
	const body = `{"data":{"result":[{"value":"0.5"},{"value":"1.5"}]},"ok":true,"count":3,"big":9007199254740993}`
	for expr, want := range map[string][]float64{
		"double(body.data.result[0].value)":        {0.5},
		"body.data.result.map(r, double(r.value))": {0.5, 1.5},
		"body.ok":                              {1},
		"!body.ok":                             {0},
		"body.count == 3":                      {1},
		"body.count * 2.0":                     {6},
		"size(body.data.result)":               {2},
		"uint(body.count)":                     {3},
		"body.?missing.orValue(7)":             {7},
		"has(body.missing) ? body.missing : 7": {7},
		"body.data.result.filter(r, double(r.value) > 1).size()": {1},
		"body['count']": {3},
	} {
		samples, err := ask(t, web.Config{Value: expr}, "x", metricstest.Answer(http.StatusOK, body))
		require.NoError(t, err, expr)
		var got []float64
		for _, s := range samples {
			got = append(got, s.Value)
		}
		require.Equal(t, want, got, expr)
	}
	for _, expr := range []string{"body.?missing.orValue(null)", "null", "[]", "1.0 / 0.0", "body.data.result.map(r, null)"} {
		_, err := ask(t, web.Config{Value: expr}, "x", metricstest.Answer(http.StatusOK, body))
		require.ErrorIs(t, err, metrics.NoData, expr)
	}
}

// TestDearValue: an answer may be long, and who writes the expression need not be who runs Weir.
func TestDearValue(t *testing.T) {
	long := `{"a":[0` + strings.Repeat(",1", 5000) + `]}`
	_, err := ask(t, web.Config{Value: "body.a.all(x, body.a.all(y, body.a.all(z, x + y + z >= 0.0)))"}, "x",
		metricstest.Answer(http.StatusOK, long))
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "cost limit")

	samples, err := ask(t, web.Config{Value: "body.a.map(x, x + 1.0).size()"}, "x",
		metricstest.Answer(http.StatusOK, long))
	require.NoError(t, err)
	require.Equal(t, []metrics.Sample{{Value: 5001}}, samples)
}

func TestNewRejects(t *testing.T) {
	for says, c := range map[string]web.Config{
		"undeclared reference to 'bodi'": {Value: "bodi.x"},
		"Syntax error":                   {Value: "body."},
		"gives a value of type string":   {Value: "'a' + 'b'"},
		"of type map(string, int)":       {Value: "{'a': 1}"},
		"of type list(string)":           {Value: "['a']"},
		"no expression in CEL":           {Value: ""},
		"must be GET or POST":            {Value: "1", Method: "DELETE"},
		"must be an http or https URL":   {Value: "1", Site: metrics.Site{Address: "ftp://x"}},
	} {
		if c.Address == "" {
			c.Address = "http://server"
		}
		_, err := web.New(c)
		require.ErrorIs(t, err, metrics.Rejected, says)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestGet(t *testing.T) {
	for expr, want := range map[string]string{
		"score?app=podinfo&since=60s\n": "/api/score?app=podinfo&key=1&since=60s",
		"/score":                        "/api/score?key=1",
		"?app=a%26b":                    "/api?app=a%26b&key=1",
		"score/x%2Fy?q=a b":             "/api/score/x%2Fy?key=1&q=a+b",
		"score?key=2":                   "/api/score?key=2",
	} {
		samples, err := ask(t, web.Config{Site: metrics.Site{Address: "/api?key=1"}, Value: "body"}, expr,
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, http.MethodGet, r.Method)
				assert.Equal(t, want, r.RequestURI)
				_, _ = io.WriteString(w, "42")
			}))
		require.NoError(t, err, expr)
		require.Equal(t, []metrics.Sample{{Value: 42}}, samples)
	}
}

// TestNoWayOut: what a Canary's variables make of a query goes to the server of the template, below its address.
func TestNoWayOut(t *testing.T) {
	for _, expr := range []string{
		"http://other/score", "//other/score", "../admin", "score/../../admin", "score/%2e%2e/admin", "mailto:a", "http:score",
		"score?a=%zz", "score?a;b", ":", "\x00",
	} {
		_, err := ask(t, web.Config{Site: metrics.Site{Address: "/api"}, Value: "body"}, expr,
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("%q led to %s", expr, r.RequestURI)
			}))
		require.ErrorIs(t, err, metrics.Rejected, expr)
	}
}

func TestPost(t *testing.T) {
	for want, c := range map[string]web.Config{
		"application/json": {Method: http.MethodPost, Value: "body"},
		"text/plain": {Method: http.MethodPost, Value: "body",
			Site: metrics.Site{Headers: map[string]string{"content-type": "text/plain"}}},
	} {
		c.Address = "/api/?key=1"
		_, err := ask(t, c, `{"app":"podinfo"}`, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, http.MethodPost, r.Method)
			assert.Equal(t, "/api/?key=1", r.RequestURI)
			assert.Equal(t, want, r.Header.Get("Content-Type"))
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			assert.Equal(t, `{"app":"podinfo"}`, string(body))
			_, _ = io.WriteString(w, "42")
		}))
		require.NoError(t, err)
	}
}
