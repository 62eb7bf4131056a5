package graphite_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/graphite"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// render is an answer as in https://graphite.readthedocs.io/en/latest/render_api.html#json.
func render(body string) metricstest.Exchange {
	return metricstest.Exchange{Expr: "entries", Server: metricstest.Answer(http.StatusOK, body)}
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		config  graphite.Config
		secrets []string
	}{
		"username and password": {graphite.Config{Username: "reader", Password: "secret-password"},
			[]string{"secret-password", "cmVhZGVyOnNlY3JldC1wYXNzd29yZA=="}},
		"a header": {graphite.Config{Site: metrics.Site{Headers: map[string]string{"X-Key": "secret-key"}}}, []string{"secret-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			metricstest.Run(t, metricstest.Suite{
				New: func(address string) (metrics.Provider, error) {
					config := c.config
					config.Address = address
					return graphite.New(config)
				},
				Secrets: c.secrets,
				Value: render(`[{"target":"entries","tags":{"name":"entries"},"datapoints":
					[[1.0,1311836008],[42.0,1311836009],[null,1311836010]]}]`),
				Several: render(`[{"target":"a","datapoints":[[1,1311836008]]},{"target":"b","datapoints":[[2,1311836008]]}]`),
				NoData: map[string]metricstest.Exchange{
					"no series": render(`[]`),
					"no points": render(`[{"target":"entries","datapoints":[]}]`),
					"null":      render(`[{"target":"entries","datapoints":[[null,1311836008],[null,1311836009]]}]`),
				},
				Rejected: map[string]metricstest.Exchange{
					"bad target": {Expr: "sum(", Server: metricstest.Answer(http.StatusBadRequest, "Invalid target: sum(")},
					"a web page": {Expr: "sum(", Server: metricstest.Answer(http.StatusBadRequest, "<html>Bad Request</html>")},
					"not an API": {Expr: "sum(", Server: http.NotFoundHandler()},
					"from":       {Expr: "target=a&from=-2h", Server: http.NotFoundHandler()},
				},
				Refusal: func(words string) http.Handler { return metricstest.Answer(http.StatusBadRequest, words) },
			})
		})
	}
}

func TestAnswersThatAreNoGraphite(t *testing.T) {
	for _, body := range []string{`{}`, `[{}]`, `[1]`, `[{"target":"a","datapoints":[["1",2]]}]`} {
		server := httptest.NewServer(metricstest.Answer(http.StatusOK, body))
		p, err := graphite.New(graphite.Config{Site: metrics.Site{Address: server.URL}})
		require.NoError(t, err)
		_, err = p.Query(t.Context(), metrics.Query{Expr: "a"})
		server.Close()
		require.ErrorIs(t, err, metrics.Transport, body)
	}
}

func TestRequest(t *testing.T) {
	for expr, want := range map[string][]string{
		"sumSeries(a.*)": {"sumSeries(a.*)"},
		"target=summarize(\n  a.*,\n  '60s'\n)\n":        {"summarize( a.*, '60s' )"},
		"target=a&target=b":                              {"a", "b"},
		"alias(a, 'target=b&c')":                         {"alias(a, 'target=b&c')"},
		"seriesByTag('name=requests', 'code=~5..') | x+": {"seriesByTag('name=requests', 'code=~5..') | x+"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/graphite/render", r.URL.Path)
			assert.Equal(t, want, r.URL.Query()["target"])
			assert.Equal(t, "1699999940", r.FormValue("from"))
			assert.Equal(t, "1700000000", r.FormValue("until"))
			assert.Equal(t, "json", r.FormValue("format"))
			render(`[{"target":"a","datapoints":[[42,1]]}]`).Server.ServeHTTP(w, r)
		}))
		p, err := graphite.New(graphite.Config{Site: metrics.Site{Address: server.URL + "/graphite"}})
		require.NoError(t, err)
		samples, err := p.Query(t.Context(), metrics.Query{Expr: expr, Window: time.Minute, At: time.Unix(1700000000, 0)})
		server.Close()
		require.NoError(t, err)
		require.Equal(t, []metrics.Sample{{Series: "a", Value: 42}}, samples)
	}
}
