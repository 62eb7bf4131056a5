package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// prometheus answers every query with these values, each a series of its own, and keeps what it was asked.
func (b *bench) prometheus(values ...string) (address string, asked func() []string) {
	b.Helper()
	var mu sync.Mutex
	var all []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r.Header.Get("Authorization")+" "+r.FormValue("query"))
		result := ""
		for i, v := range values {
			if i > 0 {
				result += ","
			}
			result += fmt.Sprintf(`{"metric":{"path":"/%d"},"value":[1700000000,%q]}`, i, v)
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
	}))
	b.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// measured makes a Canary in a run, with a metric of a template that wants a token.
func (b *bench) measured(address, metric string) {
	b.Helper()
	b.managed()
	c := b.canary()
	c.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{*read[v1beta1.CanaryMetric](b, metric)}
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).Update(b.Context(), c, metav1.UpdateOptions{})
	require.NoError(b, err)
	b.starts(b.applies("podinfo:2"))
	_, err = b.kube.CoreV1().Secrets(b.namespace).Create(b.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"}, StringData: map[string]string{"token": "secret-token"},
	}, metav1.CreateOptions{})
	require.NoError(b, err)
	t := read[v1beta1.MetricTemplate](b, fmt.Sprintf(`
metadata: {name: errors}
spec:
  provider: {type: prometheus, address: %q, secretRef: {name: reader}}
  query: sum(errors{revision="{{ revision }}", hash="{{ hash }}"})
`, address))
	_, err = b.weir.WeirV1beta1().MetricTemplates(b.namespace).Create(b.Context(), t, metav1.CreateOptions{})
	require.NoError(b, err)
}

// setsServer gives the Canary a Prometheus of its own.
func (b *bench) setsServer(address string) {
	b.Helper()
	c := b.canary()
	c.Spec.MetricsServer, c.Spec.MetricsServerSecretRef = address, &v1beta1.LocalSecretRef{Name: "reader"}
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).Update(b.Context(), c, metav1.UpdateOptions{})
	require.NoError(b, err)
}

func queries(b *bench) {
	address, asked := b.prometheus("0.25")
	b.measured(address, `{name: errors, templateRef: {name: errors}, condition: value < 0.1 || value < 2.0 * baseline}`)
	hash, serves := b.canary().Status.Canary.Hash, b.canary().Status.Primary.Hash
	got := b.types("query", "podinfo", "errors")
	require.Zero(b, got.code, got.err)
	assert.Equal(b, fmt.Sprintf(`About the canary, revision %[1]s, in the last 30s:
    sum(errors{revision="canary", hash="%[1]s"})
Answer: 0.25 {path="/0"}

About the primary, revision %[2]s, in the last 30s:
    sum(errors{revision="primary", hash="%[2]s"})
Answer: 0.25 {path="/0"}

Verdict: Passed: value < 0.1 || value < 2.0 * baseline: value is 0.25 and baseline 0.25
`, hash, serves), got.out)
	assert.Equal(b, fmt.Sprintf(`Bearer secret-token sum(errors{revision="canary", hash="%s"})`, hash), asked()[0])
	got = b.types("query", "podinfo", "errors", "--primary", "--window", "5m")
	assert.Contains(b, got.out, "About the primary, revision "+serves+", in the last 5m:")

	got = b.types("query", "podinfo", "request-duration")
	assert.Equal(b, 1, got.code)
	assert.Contains(b, got.err, "only the operator knows which Prometheus it is")
	b.setsServer(address)
	got = b.types("query", "podinfo", "request-success-rate")
	require.Zero(b, got.code, got.err)
	assert.Regexp(b, "^Bearer secret-token ", asked()[len(asked())-1], "with the credentials of the Canary's own server")

	two, _ := b.prometheus("1", "2")
	got = b.types("query", "podinfo", "errors", "--address", two)
	assert.Contains(b, got.out, "Answer: 1 {path=\"/0\"}\nAnswer: 2 {path=\"/1\"}\n\nVerdict: Errored: the query gave 2 series")
	none, _ := b.prometheus()
	got = b.types("query", "podinfo", "request-success-rate", "--address", none)
	assert.Regexp(b, `Answer: the query gave no data\n\n$`, got.out, "without a word on what would be accepted")
	for says, args := range map[string][]string{
		"give the name of a Canary and one of its metrics":                                        {"podinfo"},
		"there is no metric latency of Canary podinfo; it has errors and those that are built in": {"podinfo", "latency"},
		"there is no Canary other in namespace":                                                   {"other", "errors"},
	} {
		got := b.types(append([]string{"query"}, args...)...)
		assert.Equal(b, 1, got.code)
		assert.Contains(b, got.err, says)
	}
}

// queriesOfTheCluster asks by a ClusterMetricTemplate, whose Secret is where it says.
func queriesOfTheCluster(b *bench) {
	address, asked := b.prometheus("0.25")
	b.measured(address, fmt.Sprintf(
		`{name: errors, templateRef: {name: %s, kind: ClusterMetricTemplate}, thresholdRange: {max: 1}}`, b.namespace))
	got := b.types("query", "podinfo", "errors")
	assert.Equal(b, 1, got.code)
	assert.Contains(b, got.err, "ClusterMetricTemplate "+b.namespace+", which metric errors names, does not exist")
	t := read[v1beta1.ClusterMetricTemplate](b, fmt.Sprintf(`
metadata: {name: %s}
spec:
  provider: {type: prometheus, address: %q, secretRef: {name: reader, namespace: %[1]s}}
  query: everywhere
`, b.namespace, address))
	_, err := b.weir.WeirV1beta1().ClusterMetricTemplates().Create(b.Context(), t, metav1.CreateOptions{})
	require.NoError(b, err)
	got = b.types("query", "podinfo", "errors")
	require.Zero(b, got.code, got.err)
	assert.Equal(b, []string{"Bearer secret-token everywhere"}, asked())
	assert.Contains(b, got.out, "Verdict: Passed: 0.25")
}

// queriesAJob: what the operator alone can run is said to be so, and does not keep the rest of the past from being judged.
func queriesAJob(b *bench) {
	from := time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)
	b.measured("http://nowhere", `{name: smoke, templateRef: {name: smoke}}`)
	t := read[v1beta1.MetricTemplate](b, `
metadata: {name: smoke}
spec: {provider: {type: job, job: {template: {spec: {containers: [{name: smoke, image: smoke}]}}}}}
`)
	_, err := b.weir.WeirV1beta1().MetricTemplates(b.namespace).Create(b.Context(), t, metav1.CreateOptions{})
	require.NoError(b, err)
	got := b.types("query", "podinfo", "smoke")
	assert.Equal(b, 1, got.code)
	assert.Contains(b, got.err, "metric smoke cannot be asked: a Job answers it, which the operator alone runs; "+
		"`kubectl weir status` shows what the last said")
	got = b.types("analyze", "podinfo", "--address", b.history(from, 0.01), "--from", "2026-11-27T20:00:00Z",
		"--to", "2026-11-27T20:05:00Z")
	require.Zero(b, got.code, got.err)
	assert.Contains(b, got.out, "\nNothing would have rolled it back in 10 rounds.\n"+
		"smoke never had an answer: a Job answered it, which cannot be run in the past\n")
}

func queriesCounts(b *bench) {
	address, asked := b.prometheus()
	b.measured(address, `{name: request-success-rate, comparison: {}}`)
	got := b.types("query", "podinfo", "request-success-rate", "--address", address)
	assert.Equal(b, 1, got.code)
	assert.Contains(b, got.err, "no requests of canary and primary are counted by any source that is known")
	assert.Len(b, asked(), 2, "now, and an interval ago")

	got = b.types("query", "podinfo", "request-success-rate", "--address", b.counting())
	require.Zero(b, got.code, got.err)
	st := b.canary().Status
	assert.Equal(b, fmt.Sprintf(`Requests in the last 30s:
  canary, revision %s: 100, 10 failed
  primary, revision %s: 900, 9 failed

By this window alone: Passed: 10 %% of 100 requests failed, of the primary's 900 1 %%; that is 10 times as many, `+
		"and 1.25 are tolerated; the evidence is 6 of the 20 needed\n", st.Canary.Hash, st.Primary.Hash), got.out)
}

// counting is a Prometheus whose counters have grown between the first question and the second.
func (b *bench) counting() (address string) {
	b.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := asked.Add(1)
		var series []string
		for what, grows := range map[string]int64{"canary/all": 100, "canary/bad": 10, "primary/all": 900, "primary/bad": 9} {
			series = append(series, fmt.Sprintf(`{"metric":{"instance":"a","weir":"0/%s"},"value":[1700000000,"%d"]}`, what, n*grows))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(series, ","))
	}))
	b.Cleanup(server.Close)
	return server.URL
}

func queriesNothing(b *bench) {
	b.managed()
	address, asked := b.prometheus("1")
	got := b.types("query", "podinfo", "request-success-rate", "--address", address)
	assert.Equal(b, 1, got.code)
	assert.Contains(b, got.err, "there is no canary of Canary podinfo to ask about, in phase Initialized")
	assert.Empty(b, asked())
}
