package externalmetrics_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/externalmetrics"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// list is an answer of the API that
// https://github.com/kubernetes/design-proposals-archive/blob/main/instrumentation/external-metrics-api.md proposes.
func list(items string) metricstest.Exchange {
	return metricstest.Exchange{Expr: "shop/queue?labelSelector=app%3Dpodinfo", Server: metricstest.Answer(http.StatusOK,
		`{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[`+items+`]}`)}
}

func refusal(status int, words string) http.Handler {
	body, err := json.Marshal(map[string]any{"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{},
		"status": "Failure", "message": words, "reason": "NotFound", "code": status})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func suite() metricstest.Suite {
	item := func(name, value string) string {
		return `{"metricName":"queue","metricLabels":{"name":"` + name + `"},"timestamp":"2026-11-28T00:00:00Z","value":` + value + `}`
	}
	return metricstest.Suite{
		Secrets: []string{"secret-token"},
		Value:   list(item("a", `"42"`)),
		Several: list(item("a", `"1000m"`) + "," + item("b", `"2"`)),
		NoData: map[string]metricstest.Exchange{
			"no items": list(""),
		},
		Rejected: map[string]metricstest.Exchange{
			"no metric":         {Expr: "shop/queue", Server: refusal(http.StatusNotFound, "no such metric queue")},
			"no adapter":        {Expr: "shop/queue", Server: http.NotFoundHandler()},
			"a long path":       {Expr: "shop/queue/x", Server: http.NotFoundHandler()},
			"a slash in a name": {Expr: "shop/a%2Fb", Server: http.NotFoundHandler()},
			"no name":           {Expr: "shop/", Server: http.NotFoundHandler()},
			"out of the path":   {Expr: "../queue", Server: http.NotFoundHandler()},
			"another parameter": {Expr: "shop/queue?watch=true", Server: http.NotFoundHandler()},
			"a bad escape":      {Expr: "shop/queue?labelSelector=%zz", Server: http.NotFoundHandler()},
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusNotFound, words) },
	}
}

func TestConformance(t *testing.T) {
	s := suite()
	s.New = func(address string) (metrics.Provider, error) {
		return externalmetrics.New(externalmetrics.Config{Site: metrics.Site{Address: address}, Token: "secret-token"})
	}
	metricstest.Run(t, s)
}

func TestRequest(t *testing.T) {
	for expr, want := range map[string]string{
		"shop/queue?labelSelector=app%3Dpodinfo": "shop/queue?labelSelector=app%3Dpodinfo",
		"shop/queue?labelSelector=app=podinfo\n": "shop/queue?labelSelector=app%3Dpodinfo",
		"shop/sqs|a%20b":                         "shop/sqs%7Ca%20b",
		"queue":                                  "default/queue",
		"/queue":                                 "default/queue",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+want, r.RequestURI)
			assert.Equal(t, "Bearer t", r.Header.Get("Authorization"))
			suite().Value.Server.ServeHTTP(w, r)
		}))
		p, err := externalmetrics.New(externalmetrics.Config{Site: metrics.Site{Address: server.URL}, Token: "t"})
		require.NoError(t, err)
		samples, err := p.Query(t.Context(), metrics.Query{Expr: expr})
		server.Close()
		require.NoError(t, err, expr)
		require.Equal(t, []metrics.Sample{{Series: `queue{"name":"a"}`, Value: 42}}, samples)
	}
}

// TestTheClusterItself is asked where the template has no address. It cannot be found from here.
func TestTheClusterItself(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := externalmetrics.New(externalmetrics.Config{Token: "t"})
	require.NoError(t, err)
	_, err = p.Query(ctx, metrics.Query{Expr: "shop/queue"})
	require.ErrorIs(t, err, metrics.Transport)
	require.ErrorContains(t, err, "the external metrics API at kubernetes.default.svc")
}

func TestAnswersThatAreNoList(t *testing.T) {
	for _, body := range []string{`{}`, `{"kind":"ExternalMetricValueList","items":[{}]}`,
		`{"kind":"ExternalMetricValueList","items":[{"value":"many"}]}`} {
		server := httptest.NewServer(metricstest.Answer(http.StatusOK, body))
		p, err := externalmetrics.New(externalmetrics.Config{Site: metrics.Site{Address: server.URL}, Token: "t"})
		require.NoError(t, err)
		_, err = p.Query(t.Context(), metrics.Query{Expr: "shop/queue"})
		server.Close()
		require.ErrorIs(t, err, metrics.Transport, body)
	}
}
