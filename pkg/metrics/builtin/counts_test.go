package builtin_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/prometheus"
)

func primary(namespace string) metrics.Vars {
	v := canary(namespace)
	v.Revision, v.Hash, v.ReplicaSet = "primary", "7c6d5b4f3x", "shop-7c6d5b4f3x"
	return v
}

// testCounts asks for the counters twice. What lies between has the shares that the built-in metrics say.
func testCounts(t *testing.T, p *prometheus.Provider, all map[string]world) {
	read := func(kind evidence.Kind, namespace string) builtin.Reading {
		expr, err := builtin.Counts(kind, canary(namespace), primary(namespace))
		require.NoError(t, err)
		now := time.Now()
		samples, err := p.Query(t.Context(), metrics.Query{Expr: expr, At: now})
		if err != nil {
			require.ErrorIs(t, err, metrics.NoData)
		}
		return builtin.ReadingOf(now, samples)
	}
	before := map[string]builtin.Reading{}
	kinds := []evidence.Kind{evidence.Errors, evidence.Latency, evidence.Mean, evidence.Split}
	for name := range all {
		for _, kind := range kinds {
			before[string(kind)+name] = read(kind, namespaceOf(name))
		}
	}
	time.Sleep(time.Second) // five scrapes
	for name, w := range all {
		t.Run(name, func(t *testing.T) {
			errors, err := builtin.Window(before[string(kinds[0])+name], read(kinds[0], namespaceOf(name)))
			if w.success == nothing {
				assert.Zero(t, errors.Canary, "%v", err)
			} else {
				require.NoError(t, err)
				assert.InDelta(t, w.success, 100*(1-errors.Canary.Bad/errors.Canary.Requests), 1e-9)
			}
			requests, _ := builtin.Window(before[string(evidence.Split)+name], read(evidence.Split, namespaceOf(name)))
			assert.Equal(t, errors.Canary.Requests > 0, requests.Canary.Requests > 0)
			mean, _ := builtin.Window(before[string(evidence.Mean)+name], read(evidence.Mean, namespaceOf(name)))
			if w.millis == nothing {
				assert.Zero(t, mean.Canary)
			} else {
				assert.InDelta(t, 250, mean.Canary.Sum/mean.Canary.Requests, 1e-9, "in milliseconds")
			}
			slow, err := builtin.Window(before[string(kinds[1])+name], read(kinds[1], namespaceOf(name)))
			if w.millis == nothing {
				assert.Zero(t, slow.Canary, "%v", err)
				return
			}
			require.NoError(t, err)
			buckets := slow.Canary.Buckets
			require.NotEmpty(t, buckets)
			assert.True(t, math.IsInf(buckets[len(buckets)-1].Le, 1))
			assert.Equal(t, slow.Canary.Requests, buckets[len(buckets)-1].Count)
			assert.Equal(t, []float64{100, 500}, []float64{buckets[0].Le, buckets[1].Le}, "in milliseconds")
		})
	}
}

// counts is what a Prometheus says of one source at one instant: of each side and instance, all and bad requests.
func counts(at int64, said ...string) builtin.Reading {
	var samples []metrics.Sample
	for _, s := range said {
		var side, instance string
		var all, bad float64
		_, err := fmt.Sscan(s, &side, &instance, &all, &bad)
		if err != nil {
			panic(err)
		}
		add := func(what string, v float64) {
			samples = append(samples, metrics.Sample{
				Labels: map[string]string{"weir": "4/" + side + "/" + what, "instance": instance}, Value: v,
			})
		}
		add("all", all)
		if bad > 0 { // a counter of failures is not there before the first
			add("bad", bad)
		}
	}
	return builtin.ReadingOf(time.Unix(at, 0), samples)
}

func TestWindow(t *testing.T) {
	for name, c := range map[string]struct {
		before, after []string
		// want are requests and bad ones of canary and primary.
		want [4]float64
	}{
		"grown": {
			[]string{"canary a 10 1", "primary a 100 2"}, []string{"canary a 30 2", "primary a 150 2"}, [4]float64{20, 1, 50, 0},
		},
		"a first failure": {
			[]string{"canary a 10 0", "primary a 100 0"}, []string{"canary a 30 2", "primary a 150 0"}, [4]float64{20, 2, 50, 0},
		},
		"a first request": {
			[]string{"primary a 100 0"}, []string{"canary a 30 2", "primary a 150 0"}, [4]float64{30, 2, 50, 0},
		},
		"begun anew": {
			[]string{"canary a 50 9", "primary a 100 0"}, []string{"canary a 3 1", "primary a 150 0"}, [4]float64{3, 1, 50, 0},
		},
		"two pods": {
			[]string{"canary a 5 0", "primary b 100 0"},
			[]string{"canary a 7 0", "canary c 4 4", "primary b 150 0"}, [4]float64{6, 4, 50, 0},
		},
		"one gone": {
			[]string{"canary a 5 0", "canary c 90 0", "primary b 100 0"},
			[]string{"canary a 7 0", "primary b 150 0"}, [4]float64{2, 0, 50, 0},
		},
		"nothing before":     {nil, []string{"canary a 30 2", "primary a 150 0"}, [4]float64{}},
		"none at the canary": {[]string{"primary a 100 0"}, []string{"primary a 150 3"}, [4]float64{0, 0, 50, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := builtin.Window(counts(10, c.before...), counts(20, c.after...))
			require.NoError(t, err)
			assert.Equal(t, c.want, [4]float64{w.Canary.Requests, w.Canary.Bad, w.Primary.Requests, w.Primary.Bad})
			assert.Equal(t, []int64{10, 20}, []int64{w.Start.Unix(), w.End.Unix()})
		})
	}
	_, err := builtin.Window(counts(10, "primary a 1 0"), counts(20))
	require.ErrorIs(t, err, metrics.NoData)
	require.EqualError(t, err, "no requests of canary and primary are counted by any source that is known")
}

// TestCountsOfOthers: only what is built in is counted, and what else Prometheus says is passed over.
func TestCountsOfOthers(t *testing.T) {
	_, err := builtin.Counts("queue", canary("a"), primary("a"))
	require.ErrorIs(t, err, metrics.Rejected)
	for _, label := range []string{"", "4", "x/canary/all", "98/canary/all", "-1/canary/all", strings.Repeat("4/", 9)} {
		r := builtin.ReadingOf(time.Now(), []metrics.Sample{{Labels: map[string]string{"weir": label}, Value: 1}})
		_, err := builtin.Window(r, r)
		require.ErrorIs(t, err, metrics.NoData, label)
	}
}

// ownCounters is a template that counts by pod.
func ownCounters() *v1beta1.MetricTemplateSpec {
	return &v1beta1.MetricTemplateSpec{
		TotalQuery: `sum by (pod) (orders_total{namespace="{{ namespace }}",pod=~"{{ pods }}"})`,
		BadQuery:   `sum by (pod) (orders_total{namespace="{{ namespace }}",pod=~"{{ pods }}",result="bad"})`,
		SumQuery:   `sum by (pod) (orders_bytes{namespace="{{ namespace }}",pod=~"{{ pods }}"})`,
	}
}

func TestTemplateCounts(t *testing.T) {
	query, err := builtin.TemplateCounts(evidence.Errors, ownCounters(), canary("a"), primary("a"))
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(query, "label_replace("))
	assert.Contains(t, query, `label_replace(sum by (pod) (orders_total{namespace="a",pod=~"shop-7c6d5b4f3x-[a-z0-9]{5}"}), `+
		`"weir", "99/primary/all", "", "")`)

	only := ownCounters()
	only.SumQuery = ""
	_, err = builtin.TemplateCounts(evidence.Mean, only, canary("a"), primary("a"))
	require.EqualError(t, err, "a comparison of kind mean needs totalQuery and sumQuery; add them, or judge the "+
		"metric by condition")
	same := ownCounters()
	same.TotalQuery = "orders_total"
	_, err = builtin.TemplateCounts(evidence.Errors, same, canary("a"), primary("a"))
	require.EqualError(t, err, "totalQuery is the same for canary and primary; tell them apart by pods, hash or revision")
	broken := ownCounters()
	broken.BadQuery = "{{ nothing }}"
	_, err = builtin.TemplateCounts(evidence.Errors, broken, canary("a"), primary("a"))
	require.ErrorIs(t, err, metrics.Rejected)
}

func TestAsked(t *testing.T) {
	own := ownCounters()
	compared := v1beta1.CanaryMetric{Name: "orders", Comparison: &v1beta1.Comparison{}}
	asked, err := builtin.Asked(compared, evidence.Mean, own)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{own.TotalQuery, own.SumQuery}, asked)
	_, err = builtin.Asked(v1beta1.CanaryMetric{Name: "orders", Condition: "true"}, evidence.Errors, own)
	require.EqualError(t, err, "it has no query, and only a comparison does without")
	own.Query = "up"
	asked, err = builtin.Asked(v1beta1.CanaryMetric{Name: "orders", Condition: "true"}, evidence.Errors, own)
	require.NoError(t, err)
	assert.Equal(t, []string{"up"}, asked)
	_, err = builtin.Asked(v1beta1.CanaryMetric{Name: "orders"}, evidence.Errors, own)
	require.EqualError(t, err, "it is not of type job, which alone is judged without thresholdRange, condition and comparison; "+
		"set one of them in the metric")
}

// TestAskedOfAJob: nothing is asked, and nothing else judges.
func TestAskedOfAJob(t *testing.T) {
	template := &v1beta1.MetricTemplateSpec{Provider: v1beta1.MetricProvider{Type: v1beta1.ProviderJob}}
	asked, err := builtin.Asked(v1beta1.CanaryMetric{Name: "smoke", FailureLimit: 1}, evidence.Errors, template)
	require.NoError(t, err)
	assert.Empty(t, asked)
	for field, m := range map[string]v1beta1.CanaryMetric{
		"thresholdRange": {ThresholdRange: &v1beta1.ThresholdRange{Min: new(1.0)}},
		"condition":      {Condition: "value > 0"},
		"comparison":     {Comparison: &v1beta1.Comparison{}},
		"reduce":         {Reduce: "max"},
	} {
		_, err = builtin.Asked(m, evidence.Errors, template)
		require.ErrorIs(t, err, metrics.Rejected)
		require.EqualError(t, err, "the verdict of type job is the exit code; remove the metric's "+field)
	}
	_, err = builtin.Asked(v1beta1.CanaryMetric{TemplateVariables: map[string]string{"a": "", "A": ""}}, evidence.Errors, template)
	require.ErrorContains(t, err, "rename one of them")
}

// testOwnCounts asks for a template's counters, which have a unit of their own.
func testOwnCounts(t *testing.T, p *prometheus.Provider) {
	read := func(kind evidence.Kind) builtin.Reading {
		in := namespaceOf("own counters")
		expr, err := builtin.TemplateCounts(kind, ownCounters(), canary(in), primary(in))
		require.NoError(t, err)
		now := time.Now()
		samples, err := p.Query(t.Context(), metrics.Query{Expr: expr, At: now})
		require.NoError(t, err)
		return builtin.ReadingOf(now, samples)
	}
	errors, mean := read(evidence.Errors), read(evidence.Mean)
	time.Sleep(time.Second)
	w, err := builtin.Window(errors, read(evidence.Errors))
	require.NoError(t, err)
	assert.InDelta(t, 0.1, w.Canary.Bad/w.Canary.Requests, 1e-9)
	assert.Zero(t, w.Primary.Bad)
	assert.Positive(t, w.Primary.Requests)
	w, err = builtin.Window(mean, read(evidence.Mean))
	require.NoError(t, err)
	assert.InDelta(t, 7, w.Canary.Sum/w.Canary.Requests, 1e-9)
	assert.InDelta(t, 5, w.Primary.Sum/w.Primary.Requests, 1e-9)
}

// TestCountsAreReadWhole has a real Prometheus behind it.
func TestCountsAreReadWhole(t *testing.T) {
	all := worlds()
	address, targets := scrape(t, all)
	p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: address}})
	require.NoError(t, err)
	metricstest.Await(t, "three scrapes of every target", func() bool {
		samples, err := p.Query(t.Context(), metrics.Query{Expr: "count(count_over_time(up[1m]) >= 3 and up == 1)"})
		return err == nil && samples[0].Value == float64(targets)
	})
	testCounts(t, p, all)
	t.Run("a template's own", func(t *testing.T) { testOwnCounts(t, p) })
}
