package controller

import (
	"cmp"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// canarySeries tells at each scrape how every Canary stands, from the cache: so a series is gone with its Canary, and no
// replica but the one that leads it has any. Which one leads how many shards it tells, too.
type canarySeries struct {
	divided, leading, info, phase, stalled, weight *prometheus.Desc
	// Of the run that is on.
	start, failed, value, verdict *prometheus.Desc

	mu sync.Mutex
	// of is how many shards there are, and shards how many this replica leads; all gives their Canaries. Provider is the
	// router of those that name none.
	of       int
	shards   int
	all      func() []*v1beta1.Canary
	provider string
}

func newCanarySeries() *canarySeries {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("weir_canary_"+name, help, append([]string{"namespace", "name"}, labels...), nil)
	}
	return &canarySeries{
		divided: prometheus.NewDesc("weir_shards", "Into how many shards a replica divides the Canaries.", nil, nil),
		leading: prometheus.NewDesc("weir_leading",
			"How many shards of the Canaries a replica looks after; 0 where it waits for its turn.", nil, nil),
		info:    desc("info", "1 for every Canary, with its target and its router.", "kind", "target", "provider"),
		phase:   desc("phase", "1 for the phase that a Canary is in.", "phase"),
		stalled: desc("stalled", "1 for a Canary that waits for a person, with the reason.", "reason"),
		weight:  desc("weight", "The canary's share of the traffic, in percent."),
		start:   desc("run_start_time_seconds", "When the revision of the present run was detected, in Unix time."),
		failed:  desc("run_failed_rounds", "Rounds of the present run in which a check has failed."),
		value:   desc("check_value", "The value that a check of the present run was last judged by.", "check"),
		verdict: desc("check_verdict", "1 for the last verdict of a check of the present run.", "check", "verdict"),
	}
}

// divide says how many shards there are.
func (c *canarySeries) divide(of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of = of
}

// lead has the series follow the Canaries of one shard more, which are among all.
func (c *canarySeries) lead(all func() []*v1beta1.Canary, provider string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards++
	c.all, c.provider = all, provider
}

// end has them follow none.
func (c *canarySeries) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards = 0
}

// Describe tells which series there may be.
func (c *canarySeries) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.divided, c.leading, c.info, c.phase, c.stalled, c.weight, c.start, c.failed, c.value, c.verdict,
	} {
		to <- d
	}
}

// Collect tells how every Canary stands.
func (c *canarySeries) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	of, shards, all, provider := c.of, c.shards, c.all, c.provider
	c.mu.Unlock()
	to <- prometheus.MustNewConstMetric(c.divided, prometheus.GaugeValue, float64(of))
	to <- prometheus.MustNewConstMetric(c.leading, prometheus.GaugeValue, float64(shards))
	if shards == 0 {
		return
	}
	for _, canary := range all() {
		c.tell(to, canary, cmp.Or(canary.Spec.Provider, provider))
	}
}

func (c *canarySeries) tell(to chan<- prometheus.Metric, canary *v1beta1.Canary, provider string) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		labels = append([]string{canary.Namespace, canary.Name}, labels...)
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	st := &canary.Status
	gauge(c.info, 1, rollout.KindOf(canary), canary.Spec.TargetRef.Name, provider)
	gauge(c.phase, 1, string(cmp.Or(st.Phase, v1beta1.PhaseInitializing)))
	gauge(c.weight, float64(st.Weight))
	if is := meta.FindStatusCondition(st.Conditions, v1beta1.ConditionStalled); is != nil && is.Status == metav1.ConditionTrue {
		gauge(c.stalled, 1, is.Reason)
	}
	if st.Run == nil {
		return // what a run was judged by is history
	}
	gauge(c.start, float64(st.Run.StartedAt.Unix()))
	gauge(c.failed, float64(st.FailedChecks))
	for _, check := range st.Checks {
		gauge(c.verdict, 1, check.Name, string(check.Verdict))
		if value, err := strconv.ParseFloat(check.Value, 64); err == nil {
			gauge(c.value, value, check.Name)
		}
	}
}
