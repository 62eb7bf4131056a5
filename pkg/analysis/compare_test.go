package analysis_test

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

// compared plays windows of a minute, each with the requests and the bad ones of canary and primary.
type compared struct {
	metric v1beta1.CanaryMetric
	state  *v1beta1.MetricState
	minute int
}

func ofErrors() *compared {
	return &compared{metric: v1beta1.CanaryMetric{
		Name: v1beta1.RequestSuccessRate, Comparison: &v1beta1.Comparison{Tolerance: 1.25, Confidence: 0.95},
	}}
}

func (c *compared) window(canary, primary evidence.Sample) analysis.Counted {
	at := func(minute int) time.Time { return time.Unix(1700000000, 0).Add(time.Duration(minute) * time.Minute) }
	c.minute++
	return analysis.Counted{
		Query: "counts", At: at(c.minute),
		Window: evidence.Window{Start: at(c.minute - 1), End: at(c.minute), Canary: canary, Primary: primary},
	}
}

func (c *compared) look(step int32, in analysis.Counted) v1beta1.CheckStatus {
	check, state := analysis.Compare(c.metric, c.state, step, in)
	c.state = &state
	return check
}

func (c *compared) errors(step int32, requests, bad, primary, primaryBad float64) v1beta1.CheckStatus {
	return c.look(step, c.window(evidence.Sample{Requests: requests, Bad: bad}, evidence.Sample{Requests: primary, Bad: primaryBad}))
}

func TestCompareErrors(t *testing.T) {
	good := ofErrors()
	for range 30 {
		require.Equal(t, v1beta1.VerdictPassed, good.errors(0, 100, 1, 900, 9).Verdict)
	}
	check := good.errors(0, 100, 1, 900, 9)
	assert.Equal(t, "1", check.Value)
	assert.Equal(t, "1", check.Baseline)
	assert.Equal(t, v1beta1.CountStatus{Requests: 3100, Bad: 31}, check.Evidence.Canary)
	assert.Equal(t, v1beta1.CountStatus{Requests: 27900, Bad: 279}, check.Evidence.Primary)
	assert.Equal(t, int32(31), check.Evidence.Windows)
	assert.Equal(t, "20", check.Evidence.Needed)

	assert.False(t, check.Evidence.NotWorse, "there is no limit")
	shown := ofErrors()
	shown.metric.Comparison.Limit = 2
	for range 30 {
		check = shown.errors(0, 1000, 10, 9000, 90)
	}
	assert.True(t, check.Evidence.NotWorse, check.Message)
	assert.Contains(t, check.Message, "; it was shown to be less than 2 times as many")

	bad := ofErrors()
	assert.Equal(t, v1beta1.VerdictPassed, bad.errors(0, 100, 10, 900, 9).Verdict, "one window is never enough")
	check = bad.errors(0, 100, 10, 900, 9)
	assert.Equal(t, v1beta1.VerdictFailed, check.Verdict)
	assert.Equal(t, "10", check.Value)
	assert.Regexp(t, `^10 % of 200 requests failed, of the primary's 1800 1 %; that is 10 times as many, and 1.25 are tolerated; `+
		`the evidence is [0-9]+ of the 20 needed$`, check.Message)

	// As bad as the primary, however bad both are.
	flat := ofErrors()
	for range 20 {
		require.Equal(t, v1beta1.VerdictPassed, flat.errors(0, 100, 30, 900, 270).Verdict)
	}
}

// TestCompareCountsOnce: what is counted again, after a crash, changes nothing.
func TestCompareCountsOnce(t *testing.T) {
	c := ofErrors()
	in := c.window(evidence.Sample{Requests: 100, Bad: 10}, evidence.Sample{Requests: 900, Bad: 9})
	first := c.look(0, in)
	state := *c.state
	again := c.look(0, in)
	assert.Equal(t, first, again)
	assert.Equal(t, state, *c.state)
}

func TestCompareWaitsForRequests(t *testing.T) {
	c := ofErrors()
	check := c.errors(0, 12, 0, 900, 0)
	assert.Equal(t, v1beta1.VerdictNoData, check.Verdict)
	assert.Equal(t, "12 of the 20 requests that the canary needs at this step were counted", check.Message)
	assert.Equal(t, v1beta1.VerdictPassed, c.errors(0, 12, 0, 900, 0).Verdict)
	assert.Equal(t, v1beta1.VerdictNoData, c.errors(1, 12, 0, 900, 0).Verdict, "each step waits for its own")
	assert.Equal(t, v1beta1.VerdictPassed, c.errors(1, 12, 0, 900, 0).Verdict)
	c.metric.Comparison.MinRequests = new(int32(0))
	assert.Equal(t, v1beta1.VerdictPassed, c.errors(2, 0, 0, 900, 0).Verdict)
	alone := ofErrors()
	check = alone.errors(0, 100, 50, 0, 0)
	assert.Equal(t, v1beta1.VerdictNoData, check.Verdict)
	assert.Equal(t, "no requests of the primary's were counted to compare with", check.Message)
}

func TestCompareWithoutCounts(t *testing.T) {
	c := ofErrors()
	c.errors(0, 100, 10, 900, 9)
	state := *c.state
	for verdict, err := range map[v1beta1.Verdict]error{
		v1beta1.VerdictNoData: metrics.NoDataf("nobody counts"), v1beta1.VerdictErrored: metrics.Transportf("refused"),
	} {
		check := c.look(0, analysis.Counted{Err: err})
		assert.Equal(t, verdict, check.Verdict)
		assert.Equal(t, err.Error(), check.Message)
		assert.Equal(t, state, *c.state, "what was counted stays")
	}
	c.state.Evidence = "{broken"
	assert.Equal(t, int32(1), c.errors(0, 100, 10, 900, 9).Evidence.Windows, "what cannot be read is forgotten")
}

// buckets are those of a histogram in milliseconds.
func buckets(below100, below500, all float64) evidence.Sample {
	return evidence.Sample{Requests: all, Buckets: []evidence.Bucket{
		{Le: 100, Count: below100}, {Le: 500, Count: below500}, {Le: math.Inf(1), Count: all},
	}}
}

// TestCompareDurationsOfNobody: a canary that nobody has asked anything has no histogram, and that is no error.
func TestCompareDurationsOfNobody(t *testing.T) {
	for _, bound := range []string{"", "500ms"} {
		c := ofErrors()
		c.metric.Name, c.metric.Comparison.Bound = v1beta1.RequestDuration, bound
		check := c.look(0, c.window(evidence.Sample{}, buckets(800, 891, 900)))
		assert.Equal(t, v1beta1.VerdictNoData, check.Verdict)
		assert.Equal(t, "0 of the 20 requests that the canary needs at this step were counted", check.Message)
		first := c.window(buckets(80, 90, 100), buckets(1600, 1782, 1800))
		assert.Equal(t, first.Window.Start.Add(-time.Minute), analysis.Since(c.state, first.Window.Start.Add(-time.Minute)))
		assert.Equal(t, v1beta1.VerdictPassed, c.look(0, first).Verdict)
	}
}

func TestCompareDurations(t *testing.T) {
	c := ofErrors()
	c.metric.Name, c.metric.Comparison.Bound = v1beta1.RequestDuration, "500ms"
	c.look(0, c.window(buckets(80, 90, 100), buckets(800, 891, 900)))
	check := c.look(0, c.window(buckets(80, 90, 100), buckets(800, 891, 900)))
	assert.Equal(t, v1beta1.VerdictFailed, check.Verdict)
	assert.Contains(t, check.Message, "10 % of 200 requests took longer than 500ms, of the primary's 1800 1 %")

	c.metric.Comparison.Bound = "400ms"
	check = c.look(0, c.window(buckets(80, 90, 100), buckets(800, 891, 900)))
	assert.Equal(t, v1beta1.VerdictErrored, check.Verdict)
	assert.Equal(t, "no bucket of the histogram ends at comparison.bound 400ms; set one of 100ms, 500ms, "+
		"or leave it out", check.Message)

	distributed := ofErrors()
	distributed.metric.Name = v1beta1.RequestDuration
	verdict := v1beta1.VerdictPassed
	for range 10 {
		check = distributed.look(0, distributed.window(buckets(40, 70, 100), buckets(800, 891, 900)))
		verdict = check.Verdict
	}
	assert.Equal(t, v1beta1.VerdictFailed, verdict, check.Message)
	assert.Contains(t, check.Message, "took longer than ")
}

// TestCompareLearnsFromThePast: what the primary did before lets the first window count in full, and is not counted.
func TestCompareLearnsFromThePast(t *testing.T) {
	slow, usual := buckets(60, 94, 100), buckets(800, 891, 900)
	for name, metric := range map[string]v1beta1.CanaryMetric{
		"errors":        {Name: v1beta1.RequestSuccessRate},
		"a bound":       {Name: v1beta1.RequestDuration, Comparison: &v1beta1.Comparison{Bound: "500ms"}},
		"distributions": {Name: v1beta1.RequestDuration},
	} {
		t.Run(name, func(t *testing.T) {
			evidenceAfter := func(past int) float64 {
				c := ofErrors()
				c.metric.Name = metric.Name
				if metric.Comparison != nil {
					c.metric.Comparison.Bound = metric.Comparison.Bound
				}
				slow.Bad, usual.Bad = 6, 9
				in := c.window(slow, usual)
				for i := range past {
					w := in.Window
					w.Start, w.End = w.Start.Add(-time.Duration(past-i)*time.Minute), w.End.Add(-time.Duration(past-i)*time.Minute)
					in.Past = append(in.Past, w)
				}
				check := c.look(0, in)
				assert.Equal(t, int32(1), check.Evidence.Windows)
				assert.Equal(t, int64(100), check.Evidence.Canary.Requests)
				assert.Equal(t, int64(900), check.Evidence.Primary.Requests)
				value, err := strconv.ParseFloat(check.Evidence.Value, 64)
				require.NoError(t, err)
				return value
			}
			assert.Greater(t, evidenceAfter(analysis.PastWindows), evidenceAfter(0))
		})
	}
}

func TestSince(t *testing.T) {
	traffic := time.Unix(1700000000, 0)
	assert.Equal(t, traffic, analysis.Since(nil, traffic))
	c := ofErrors()
	in := c.window(evidence.Sample{Requests: 1}, evidence.Sample{Requests: 1})
	c.look(0, in)
	assert.True(t, analysis.Since(c.state, traffic).Equal(in.Window.End), "where the last window ended")
	later := in.Window.End.Add(time.Second)
	assert.Equal(t, later, analysis.Since(c.state, later), "a change of the weight cuts it")
}

func TestGuardOf(t *testing.T) {
	spec := &v1beta1.CanarySpec{}
	m := analysis.Guard(spec)
	assert.Equal(t, []float64{2, 0.999}, []float64{m.Comparison.Tolerance, m.Comparison.Confidence})
	assert.Zero(t, *m.Comparison.MinRequests)
	spec.Analysis.Guard = &v1beta1.Guard{Tolerance: 3, Confidence: 0.99}
	m = analysis.Guard(spec)
	assert.Equal(t, []float64{3, 0.99}, []float64{m.Comparison.Tolerance, m.Comparison.Confidence})
}

// TestStateIsSmall: it is kept in a status that is written often.
func TestStateIsSmall(t *testing.T) {
	c := ofErrors()
	c.metric.Name = v1beta1.RequestDuration
	wide := func(n float64) evidence.Sample {
		s := evidence.Sample{Requests: 40 * n}
		for i := range 40 {
			s.Buckets = append(s.Buckets, evidence.Bucket{Le: float64(i + 1), Count: float64(i+1) * n})
		}
		s.Buckets[39].Le = math.Inf(1)
		return s
	}
	for range 50 {
		c.look(0, c.window(wide(1000), wide(3000)))
	}
	text, err := json.Marshal(c.state)
	require.NoError(t, err)
	t.Logf("%d bytes", len(text))
	assert.Less(t, len(text), 4096)
}
