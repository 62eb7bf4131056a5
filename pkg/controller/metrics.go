package controller

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

// Metrics are the operator's own numbers.
type Metrics struct {
	syncs   *prometheus.HistogramVec
	queries *prometheus.HistogramVec
	shared  *prometheus.CounterVec
	asks    *prometheus.HistogramVec
	asking  *prometheus.GaugeVec
	calls   *prometheus.HistogramVec
	alerts  *prometheus.HistogramVec
	runs    *prometheus.CounterVec
	took    *prometheus.HistogramVec
	queues  queueMetrics
	// canaries are told from the cache of whoever leads, at each scrape.
	canaries *canarySeries
}

// NewMetrics makes the numbers and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		syncs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_sync_duration_seconds", Help: "Time of one look at a Canary, by its result.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8),
		}, []string{"result"}),
		queries: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_check_duration_seconds", Help: "Time to ask for one metric, by the verdict.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 7),
		}, []string{"verdict"}),
		shared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_check_cache_total", Help: "Queries of checks: answered before, being asked already, or asked.",
		}, []string{"result"}),
		asks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_provider_duration_seconds", Help: "Time of one query, by the type of the provider and the result.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 7),
		}, []string{"provider", "result"}),
		asking: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_provider_in_flight", Help: "Queries that are under way, by the type of the provider.",
		}, []string{"provider"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_webhook_duration_seconds", Help: "Time to call a webhook with its retries, by its type and its answer.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"type", "answer"}),
		alerts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_alert_duration_seconds", Help: "Time to tell a message, by the type of the provider and the result.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 8),
		}, []string{"provider", "result"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_canary_runs_total", Help: "Runs that have ended since this operator began, by their outcome.",
		}, []string{"namespace", "name", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_canary_run_duration_seconds", Help: "Time from the detection of a revision to its outcome.",
			Buckets: prometheus.ExponentialBuckets(15, 2, 12),
		}, []string{"outcome"}),
		queues: newQueueMetrics(), canaries: newCanarySeries(),
	}
	r.MustRegister(m.syncs, m.queries, m.shared, m.asks, m.asking, m.calls, m.alerts, m.runs, m.took, m.canaries)
	m.queues.register(r)
	for _, outcome := range outcomes() {
		m.took.WithLabelValues(string(outcome)) // at 0 from the beginning, so that the first run shows as a growth
	}
	return m
}

// outcomes are all that a run can have.
func outcomes() []v1beta1.Outcome {
	return []v1beta1.Outcome{
		v1beta1.OutcomePromoted, v1beta1.OutcomeRolledBack, v1beta1.OutcomeSuperseded, v1beta1.OutcomeAborted,
	}
}

func (m *Metrics) synced(took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "again"
	}
	m.syncs.WithLabelValues(result).Observe(took.Seconds())
}

func (m *Metrics) asked(took time.Duration, verdict v1beta1.Verdict) {
	m.queries.WithLabelValues(string(verdict)).Observe(took.Seconds())
}

// Shared counts what became of a question that others may ask, too.
func (m *Metrics) Shared(result string) { m.shared.WithLabelValues(result).Inc() }

// Began counts a query.
func (m *Metrics) Began(provider string) { m.asking.WithLabelValues(provider).Inc() }

// Ended counts it out, and what came of it.
func (m *Metrics) Ended(provider string, took time.Duration, err error) {
	m.asking.WithLabelValues(provider).Dec()
	result := "ok"
	for kind, name := range map[metrics.Kind]string{
		metrics.NoData: "no-data", metrics.Rejected: "rejected", metrics.Transport: "transport",
	} {
		if errors.Is(err, kind) {
			result = name
		}
	}
	m.asks.WithLabelValues(provider, result).Observe(took.Seconds())
}

func (m *Metrics) called(took time.Duration, kind string, agreed bool, err error) {
	answer := "refused"
	switch {
	case err != nil:
		answer = "error"
	case agreed:
		answer = "agreed"
	}
	m.calls.WithLabelValues(kind, answer).Observe(took.Seconds())
}

func (m *Metrics) alerted(kind string, took time.Duration, err error) {
	result := "told"
	switch {
	case errors.Is(err, alert.Rejected):
		result = "rejected"
	case err != nil:
		result = "error"
	}
	m.alerts.WithLabelValues(kind, result).Observe(took.Seconds())
}

// ended counts the run that a commit has ended, if it has.
func (m *Metrics) ended(canary *v1beta1.Canary, st *v1beta1.CanaryStatus) {
	if len(st.History) == 0 {
		return
	}
	run := st.History[0]
	if before := canary.Status.History; len(before) > 0 && before[0].ID == run.ID {
		return
	}
	m.runs.WithLabelValues(canary.Namespace, canary.Name, string(run.Outcome)).Inc()
	m.took.WithLabelValues(string(run.Outcome)).Observe(run.EndedAt.Sub(run.StartedAt.Time).Seconds())
}

func (m *Metrics) forget(key types.NamespacedName) {
	m.runs.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "name": key.Name})
}
