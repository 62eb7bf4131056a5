package dynatrace_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/dynatrace"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// data is an answer as in
// https://docs.dynatrace.com/docs/dynatrace-api/environment-api/metric-v2/get-data-points, of one metric.
func data(series string) metricstest.Exchange {
	return metricstest.Exchange{Expr: "builtin:service.response.time", Server: metricstest.Answer(http.StatusOK,
		`{"totalCount":1,"nextPageKey":null,"resolution":"Inf","result":[{"metricId":"builtin:service.response.time",
		"dataPointCountRatio":1.8E-6,"dimensionCountRatio":1.0E-5,"data":[`+series+`]}]}`)}
}

// refusal is an error envelope as in https://docs.dynatrace.com/docs/dynatrace-api/basics/response-codes.
func refusal(status int, words string) http.Handler {
	body, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": status, "message": "Constraints violated.",
		"constraintViolations": []map[string]string{{"path": "metricSelector", "message": words, "parameterLocation": "QUERY"}},
	}})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func TestConformance(t *testing.T) {
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return dynatrace.New(dynatrace.Config{Site: metrics.Site{Address: address}, Token: "dt0c01.secret"})
		},
		Secrets: []string{"dt0c01.secret"},
		Value: data(`{"dimensions":["SERVICE-1"],"dimensionMap":{"dt.entity.service":"SERVICE-1"},
			"timestamps":[1700000000000],"values":[42]}`),
		Several: data(`{"dimensions":["A"],"timestamps":[1700000000000],"values":[1]},
			{"dimensions":["B"],"timestamps":[1700000000000],"values":[2]},
			{"dimensions":["C"],"timestamps":[1700000000000],"values":[null]}`),
		NoData: map[string]metricstest.Exchange{
			"no metric": {Expr: "x", Server: metricstest.Answer(http.StatusOK,
				`{"totalCount":0,"nextPageKey":null,"resolution":"Inf","result":[]}`)},
			"no series": data(``),
			"no value":  data(`{"dimensions":[],"timestamps":[],"values":[]}`),
			"null":      data(`{"dimensions":[],"timestamps":[1700000000000],"values":[null]}`),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad selector": {Expr: "x(", Server: refusal(http.StatusBadRequest, "The metric selector is invalid")},
			"no metric":    {Expr: "x", Server: refusal(http.StatusNotFound, "The metric key x is unknown")},
			"not an API":   {Expr: "x", Server: http.NotFoundHandler()},
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, words) },
	})
}

func ask(t *testing.T, handler http.Handler) ([]metrics.Sample, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p, err := dynatrace.New(dynatrace.Config{Site: metrics.Site{Address: server.URL + "/e/env"}, Token: "t"})
	require.NoError(t, err)
	return p.Query(t.Context(), metrics.Query{Expr: "builtin:x:avg\n", Window: time.Minute, At: time.Unix(1700000000, 0)})
}

func TestRequest(t *testing.T) {
	samples, err := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/e/env/api/v2/metrics/query", r.URL.Path)
		assert.Equal(t, "builtin:x:avg", r.FormValue("metricSelector"))
		assert.Equal(t, "Inf", r.FormValue("resolution"))
		assert.Equal(t, "1699999940000", r.FormValue("from"))
		assert.Equal(t, "1700000000000", r.FormValue("to"))
		assert.Equal(t, "Api-Token t", r.Header.Get("Authorization"))
		data(`{"dimensions":["A","B"],"timestamps":[1700000000000],"values":[0.5]}`).Server.ServeHTTP(w, r)
	}))
	require.NoError(t, err)
	require.Equal(t, []metrics.Sample{{Series: "builtin:service.response.time A,B", Value: 0.5}}, samples)
}

func TestAnswersThatAreNoDynatrace(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `{"result":{}}`,
		`{"result":[{"data":[{"values":[1,2]}]}]}`} { // it was asked for one value
		_, err := ask(t, metricstest.Answer(http.StatusOK, body))
		require.ErrorIs(t, err, metrics.Transport, body)
	}
}
