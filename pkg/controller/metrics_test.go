package controller

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func TestSeriesFollowTheCanaries(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	c.Spec.TargetRef.Name = "app"
	all := []*v1beta1.Canary{c}
	names := []string{"weir_leading", "weir_canary_info", "weir_canary_phase", "weir_canary_stalled", "weir_canary_weight",
		"weir_canary_run_start_time_seconds", "weir_canary_run_failed_rounds", "weir_canary_check_value",
		"weir_canary_check_verdict"}
	told := func(want string) {
		t.Helper()
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want), names...))
	}
	const leading = `# HELP weir_leading How many shards of the Canaries a replica looks after; 0 where it waits for its turn.
# TYPE weir_leading gauge
weir_leading `
	told(leading + "0\n")
	m.canaries.divide(1)
	m.canaries.lead(func() []*v1beta1.Canary { return all }, "gatewayapi")
	const help = leading + `1
# HELP weir_canary_info 1 for every Canary, with its target and its router.
# TYPE weir_canary_info gauge
weir_canary_info{kind="Deployment",name="app",namespace="shop",provider="gatewayapi",target="app"} 1
`
	told(help + `# HELP weir_canary_phase 1 for the phase that a Canary is in.
# TYPE weir_canary_phase gauge
weir_canary_phase{name="app",namespace="shop",phase="Initializing"} 1
# HELP weir_canary_weight The canary's share of the traffic, in percent.
# TYPE weir_canary_weight gauge
weir_canary_weight{name="app",namespace="shop"} 0
`)
	c.Status = v1beta1.CanaryStatus{
		Phase: v1beta1.PhaseProgressing, Weight: 20, FailedChecks: 2,
		Run: &v1beta1.RunStatus{StartedAt: metav1.NewTime(time.Unix(1700000000, 0))},
		Checks: []v1beta1.CheckStatus{
			{Name: "rate", Verdict: v1beta1.VerdictFailed, Value: "97.5"}, {Name: "queue", Verdict: v1beta1.VerdictNoData},
		},
		Conditions: []metav1.Condition{{Type: v1beta1.ConditionStalled, Status: metav1.ConditionFalse, Reason: "CheckFailed"}},
	}
	told(help + `# HELP weir_canary_phase 1 for the phase that a Canary is in.
# TYPE weir_canary_phase gauge
weir_canary_phase{name="app",namespace="shop",phase="Progressing"} 1
# HELP weir_canary_weight The canary's share of the traffic, in percent.
# TYPE weir_canary_weight gauge
weir_canary_weight{name="app",namespace="shop"} 20
# HELP weir_canary_run_start_time_seconds When the revision of the present run was detected, in Unix time.
# TYPE weir_canary_run_start_time_seconds gauge
weir_canary_run_start_time_seconds{name="app",namespace="shop"} 1.7e+09
# HELP weir_canary_run_failed_rounds Rounds of the present run in which a check has failed.
# TYPE weir_canary_run_failed_rounds gauge
weir_canary_run_failed_rounds{name="app",namespace="shop"} 2
# HELP weir_canary_check_value The value that a check of the present run was last judged by.
# TYPE weir_canary_check_value gauge
weir_canary_check_value{check="rate",name="app",namespace="shop"} 97.5
# HELP weir_canary_check_verdict 1 for the last verdict of a check of the present run.
# TYPE weir_canary_check_verdict gauge
weir_canary_check_verdict{check="queue",name="app",namespace="shop",verdict="NoData"} 1
weir_canary_check_verdict{check="rate",name="app",namespace="shop",verdict="Failed"} 1
`)
	c.Status = v1beta1.CanaryStatus{
		Phase:      v1beta1.PhaseFailed,
		Conditions: []metav1.Condition{{Type: v1beta1.ConditionStalled, Status: metav1.ConditionTrue, Reason: "RolledBack"}},
	}
	told(help + `# HELP weir_canary_phase 1 for the phase that a Canary is in.
# TYPE weir_canary_phase gauge
weir_canary_phase{name="app",namespace="shop",phase="Failed"} 1
# HELP weir_canary_stalled 1 for a Canary that waits for a person, with the reason.
# TYPE weir_canary_stalled gauge
weir_canary_stalled{name="app",namespace="shop",reason="RolledBack"} 1
# HELP weir_canary_weight The canary's share of the traffic, in percent.
# TYPE weir_canary_weight gauge
weir_canary_weight{name="app",namespace="shop"} 0
`)
	all = nil // deleted
	told(leading + "1\n")
	all = []*v1beta1.Canary{c}
	m.canaries.end()
	told(leading + "0\n")
}

func TestRunsAreCountedOnce(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	before := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	at := time.Unix(1700000000, 0)
	after := &v1beta1.CanaryStatus{History: []v1beta1.RunRecord{{
		ID: "b", Outcome: v1beta1.OutcomePromoted, StartedAt: metav1.NewTime(at), EndedAt: metav1.NewTime(at.Add(time.Minute)),
	}}}
	m.ended(before, &before.Status)
	m.ended(before, after)
	before.Status = *after
	m.ended(before, after)
	assert.InDelta(t, 1, testutil.ToFloat64(m.runs.WithLabelValues("shop", "app", "Promoted")), 0)
	m.forget(keyOf(before))
	assert.Zero(t, testutil.CollectAndCount(m.runs), "the series are gone with the Canary")
}

func TestRequestsAreCountedByWhatTheyAskFor(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusConflict)
		}
	}))
	defer server.Close()
	registry := prometheus.NewRegistry()
	client := http.Client{Transport: CountRequests(registry)(http.DefaultTransport)}
	for _, ask := range []string{
		"GET /api/v1/namespaces/shop/services", "GET /api/v1/namespaces/shop/services/app", "GET /api/v1/services?watch=true",
		"GET /apis/apps/v1/deployments", "PATCH /apis/apps/v1/namespaces/shop/deployments/app",
		"PUT /apis/weir.dev/v1beta1/namespaces/shop/canaries/app/status", "GET /api/v1/namespaces/shop", "GET /version",
		"POST /apis/events.k8s.io/v1/namespaces/shop/events", "DELETE /api/v1/namespaces/shop/services/app",
	} {
		method, path, _ := strings.Cut(ask, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, http.NoBody)
		require.NoError(t, err)
		res, err := client.Do(req)
		require.NoError(t, err)
		res.Body.Close()
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/api/v1/pods", http.NoBody)
	require.NoError(t, err)
	_, err = client.Do(req)
	require.Error(t, err)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP weir_api_requests_total Requests to the API server; without an answer, the code is 0.
# TYPE weir_api_requests_total counter
weir_api_requests_total{code="0",resource="pods",verb="list"} 1
weir_api_requests_total{code="200",resource="",verb="get"} 1
weir_api_requests_total{code="200",resource="deployments",verb="list"} 1
weir_api_requests_total{code="200",resource="deployments",verb="patch"} 1
weir_api_requests_total{code="200",resource="events",verb="create"} 1
weir_api_requests_total{code="200",resource="namespaces",verb="get"} 1
weir_api_requests_total{code="200",resource="services",verb="delete"} 1
weir_api_requests_total{code="200",resource="services",verb="get"} 1
weir_api_requests_total{code="200",resource="services",verb="list"} 1
weir_api_requests_total{code="200",resource="services",verb="watch"} 1
weir_api_requests_total{code="409",resource="canaries/status",verb="update"} 1
`)))
}
