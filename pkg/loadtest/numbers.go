package loadtest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir.dev/weir/pkg/loadtest/traffic"
)

// numbers are the load tester's own.
type numbers struct {
	tasks, requests, gates *prometheus.CounterVec
	latency                *prometheus.HistogramVec
}

func newNumbers(r prometheus.Registerer) *numbers {
	n := &numbers{
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_loadtester_tasks_total", Help: "Tasks that have ended, by their type and result.",
		}, []string{"type", "result"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_loadtester_requests_total", Help: "Requests and calls that were sent, by protocol and outcome.",
		}, []string{"protocol", "outcome"}),
		gates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_loadtester_gate_calls_total", Help: "Calls of gates, by door, action and status.",
		}, []string{"door", "action", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_loadtester_latency_seconds", Help: "Time from sending a request to the end of its answer, by protocol.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"protocol"}),
	}
	r.MustRegister(n.tasks, n.requests, n.gates, n.latency)
	return n
}

func (n *numbers) answered(protocol string, a traffic.Answer) {
	n.requests.WithLabelValues(protocol, a.Outcome).Inc()
	n.latency.WithLabelValues(protocol).Observe(a.Latency.Seconds())
}

func (n *numbers) ended(t *task, result string) { n.tasks.WithLabelValues(t.kind, result).Inc() }

// protocol of a load.
func (t *task) protocol() string {
	if _, ok := t.load.(*traffic.GRPC); ok {
		return "grpc"
	}
	return "http"
}

// rates shows what is under way when it is asked, so that there is nothing of what is over.
type rates struct {
	runner                   *runner
	running, asked, achieved *prometheus.Desc
}

func newRates(r *runner) rates {
	of := []string{"namespace", "name", "type", "target"}
	return rates{
		runner:  r,
		running: prometheus.NewDesc("weir_loadtester_tasks_running", "Tasks that are under way, by type.", []string{"type"}, nil),
		asked: prometheus.NewDesc("weir_loadtester_asked_rate",
			"Requests a second that a load under way was asked to send; 0 is as fast as answers come.", of, nil),
		achieved: prometheus.NewDesc("weir_loadtester_achieved_rate",
			"Requests a second that a load under way has had answered, from its start on.", of, nil),
	}
}

// Describe is for Prometheus.
func (r rates) Describe(to chan<- *prometheus.Desc) {
	to <- r.running
	to <- r.asked
	to <- r.achieved
}

// Collect is for Prometheus. Two loads of one Canary on one target are one here.
func (r rates) Collect(to chan<- prometheus.Metric) {
	type load struct{ namespace, canary, kind, target string }
	byType, asked, achieved := map[string]int{}, map[load]float64{}, map[load]float64{}
	r.runner.each(func(t *running) {
		byType[t.kind]++
		if t.load != nil {
			of := load{t.namespace, t.canary, t.kind, t.load.Host()}
			asked[of] += t.load.Asked().Rate
			achieved[of] += float64(t.sent.Load()) / max(time.Since(t.since).Seconds(), 1e-3)
		}
	})
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, labels...)
	}
	for kind, count := range byType {
		gauge(r.running, float64(count), kind)
	}
	for of, rate := range asked {
		gauge(r.asked, rate, of.namespace, of.canary, of.kind, of.target)
		gauge(r.achieved, achieved[of], of.namespace, of.canary, of.kind, of.target)
	}
}
