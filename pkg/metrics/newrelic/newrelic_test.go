package newrelic_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/newrelic"
)

// answer is one as in https://docs.newrelic.com/docs/apis/insights-apis/query-insights-event-data-api.
func answer(data string) metricstest.Exchange {
	return metricstest.Exchange{Expr: "SELECT count(*) FROM Transaction", Server: metricstest.Answer(http.StatusOK,
		`{`+data+`,"performanceStats":{"inspectedCount":10,"omittedCount":0,"matchCount":1},
		"metadata":{"eventTypes":["Transaction"],"contents":[{"function":"count","simple":true}]}}`)}
}

func refusal(status int, words string) http.Handler {
	body, err := json.Marshal(map[string]string{"error": words})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func TestConformance(t *testing.T) {
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return newrelic.New(newrelic.Config{Site: metrics.Site{Address: address}, AccountID: "42", QueryKey: "secret-key"})
		},
		Secrets: []string{"secret-key"},
		Value:   answer(`"results":[{"count":42}]`),
		Several: answer(`"facets":[{"name":"a","results":[{"count":1}]},{"name":["b","c"],"results":[{"count":2}]}],
			"totalResult":{"results":[{"count":3}]}`),
		NoData: map[string]metricstest.Exchange{
			"no results":   answer(`"results":[]`),
			"null":         answer(`"results":[{"average":null}]`),
			"no facets":    answer(`"facets":[]`),
			"null of many": answer(`"results":[{"percentiles":{"95":null}}]`),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query":    {Expr: "SELECT", Server: refusal(http.StatusBadRequest, "NRQL Syntax Error: Error at line 1")},
			"not an API":   {Expr: "SELECT", Server: http.NotFoundHandler()},
			"events":       answer(`"results":[{"events":[{"timestamp":1700000000,"duration":1}]}]`),
			"a word":       answer(`"results":[{"latest":"up"}]`),
			"TIMESERIES":   answer(`"timeSeries":[{"beginTimeSeconds":1,"endTimeSeconds":2,"results":[{"count":1}]}]`),
			"COMPARE WITH": answer(`"current":{"results":[{"count":1}]},"previous":{"results":[{"count":2}]}`),
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, words) },
	})
}

func TestValues(t *testing.T) {
	for data, want := range map[string][]metrics.Sample{
		`"results":[{"percentiles":{"95":0.25}}]`: {{Series: "percentiles 95", Value: 0.25}},
		`"results":[{"result":1.5}]`:              {{Series: "result", Value: 1.5}},
		`"results":[{"count":1},{"average":2}]`: {
			{Series: "count", Value: 1}, {Series: "average", Value: 2}},
		`"facets":[{"name":["b","c"],"results":[{"count":2}]}]`: {{Series: `["b","c"] count`, Value: 2}},
		`"facets":[{"name":"b","results":[{"percentiles":{"95":1,"99":2}}]}]`: {
			{Series: "b percentiles 95", Value: 1}, {Series: "b percentiles 99", Value: 2}},
	} {
		samples, err := ask(t, answer(data).Server, "SELECT")
		require.NoError(t, err, data)
		require.Equal(t, want, samples, data)
	}
}

func ask(t *testing.T, handler http.Handler, nrql string) ([]metrics.Sample, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p, err := newrelic.New(newrelic.Config{Site: metrics.Site{Address: server.URL}, AccountID: "42", QueryKey: "k"})
	require.NoError(t, err)
	return p.Query(t.Context(), metrics.Query{Expr: nrql, Window: time.Minute, At: time.Unix(1700000000, 0)})
}

// TestRequest: the window is added where the query has no times of its own.
func TestRequest(t *testing.T) {
	const window = " SINCE 1699999940000 UNTIL 1700000000000"
	for nrql, want := range map[string]string{
		"SELECT count(*)\n  FROM Transaction\n":           "SELECT count(*) FROM Transaction" + window,
		"SELECT count(*) FROM T since 5 minutes ago":      "SELECT count(*) FROM T since 5 minutes ago",
		"SELECT count(*) FROM T WHERE x = 'ever since'":   "SELECT count(*) FROM T WHERE x = 'ever since'" + window,
		"SELECT count(`until`) FROM T":                    "SELECT count(`until`) FROM T" + window,
		"SELECT count(sinceWhen) FROM T WHERE name = 'a'": "SELECT count(sinceWhen) FROM T WHERE name = 'a'" + window,
	} {
		_, err := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/v1/accounts/42/query", r.URL.Path)
			assert.Equal(t, want, r.FormValue("nrql"))
			assert.Equal(t, "k", r.Header.Get("X-Query-Key"))
			answer(`"results":[{"count":42}]`).Server.ServeHTTP(w, r)
		}), nrql)
		require.NoError(t, err)
	}
}

func TestAnswersThatAreNoNewRelic(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `{"results":{"count":1}}`, `{"results":null}`} {
		_, err := ask(t, metricstest.Answer(http.StatusOK, body), "SELECT")
		require.ErrorIs(t, err, metrics.Transport, body)
	}
}

func TestNew(t *testing.T) {
	_, err := newrelic.New(newrelic.Config{AccountID: "42", QueryKey: "k"})
	require.NoError(t, err)
	for _, id := range []string{"", "hidden", "4/../2"} {
		_, err = newrelic.New(newrelic.Config{AccountID: id, QueryKey: "k"})
		require.ErrorIs(t, err, metrics.Rejected)
		require.NotContains(t, err.Error(), "hidden")
	}
}
