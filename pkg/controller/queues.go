package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

// newCanaryQueue is that of Canaries.
func newCanaryQueue(
	numbers queueMetrics, running func(types.NamespacedName) bool,
) workqueue.TypedRateLimitingInterface[types.NamespacedName] {
	ordered := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[types.NamespacedName]{
		Name: "canaries", MetricsProvider: numbers, Queue: newFairQueue(running),
	})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[types.NamespacedName]{
		Name: "canaries", MetricsProvider: numbers, Queue: ordered,
	})
	return workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](20*time.Millisecond, 30*time.Second),
		workqueue.TypedRateLimitingQueueConfig[types.NamespacedName]{
			Name: "canaries", MetricsProvider: numbers, DelayingQueue: delaying,
		})
}

// queueMetrics are the numbers of the operator's queues, in the form that client-go asks for.
type queueMetrics struct {
	depth            *prometheus.GaugeVec
	adds, retries    *prometheus.CounterVec
	waited, working  *prometheus.HistogramVec
	unfinished, long *prometheus.GaugeVec
}

var _ workqueue.MetricsProvider = queueMetrics{}

func newQueueMetrics() queueMetrics {
	queue := []string{"queue"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "weir_queue_" + name, Help: help}, queue)
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weir_queue_" + name, Help: help}, queue)
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "weir_queue_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, queue)
	}
	return queueMetrics{
		depth:      gauge("depth", "What waits in a queue."),
		adds:       counter("adds_total", "What was put into a queue."),
		retries:    counter("retries_total", "What was put back into a queue after trouble."),
		waited:     histogram("wait_seconds", "Time that something waits in a queue."),
		working:    histogram("work_seconds", "Time that something out of a queue takes."),
		unfinished: gauge("unfinished_seconds", "Time that what is being worked on has taken so far, all in all."),
		long:       gauge("longest_running_seconds", "Time that what is being worked on longest has taken so far."),
	}
}

func (q queueMetrics) register(r prometheus.Registerer) {
	r.MustRegister(q.depth, q.adds, q.retries, q.waited, q.working, q.unfinished, q.long)
}

func (q queueMetrics) NewDepthMetric(name string) workqueue.GaugeMetric {
	return q.depth.WithLabelValues(name)
}

func (q queueMetrics) NewAddsMetric(name string) workqueue.CounterMetric {
	return q.adds.WithLabelValues(name)
}

func (q queueMetrics) NewLatencyMetric(name string) workqueue.HistogramMetric {
	return q.waited.WithLabelValues(name)
}

func (q queueMetrics) NewWorkDurationMetric(name string) workqueue.HistogramMetric {
	return q.working.WithLabelValues(name)
}

func (q queueMetrics) NewUnfinishedWorkSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.unfinished.WithLabelValues(name)
}

func (q queueMetrics) NewLongestRunningProcessorSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return q.long.WithLabelValues(name)
}

func (q queueMetrics) NewRetriesMetric(name string) workqueue.CounterMetric {
	return q.retries.WithLabelValues(name)
}
