package analysis_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// both are two metrics that are judged together, of which the first weighs three times as much.
func both() (first, second *compared) {
	first, second = ofErrors(), ofErrors()
	first.metric.Weight, second.metric.Weight, second.metric.Name = 3, 1, "orders"
	second.metric.TemplateRef = &v1beta1.TemplateRef{Name: "orders"}
	return first, second
}

// together looks at both, at so many bad requests of a hundred of the canary's; the primary has one of a hundred.
func together(first, second *compared, bad, alsoBad float64) []v1beta1.CheckStatus {
	asked := []analysis.Compared{
		{Check: v1beta1.CheckStatus{Name: "other", Verdict: v1beta1.VerdictFailed, Message: "other"}},
		{Check: first.errors(0, 100, bad, 900, 9)}, {Check: second.errors(0, 100, alsoBad, 900, 9)},
	}
	asked[1].State, asked[2].State = first.state, second.state
	var checks []v1beta1.CheckStatus
	for _, c := range analysis.Joint([]v1beta1.CanaryMetric{first.metric, {Name: "other"}, second.metric}, asked) {
		checks = append(checks, c.Check)
	}
	return checks
}

func verdicts(checks []v1beta1.CheckStatus) []v1beta1.Verdict {
	var all []v1beta1.Verdict
	for _, c := range checks {
		all = append(all, c.Verdict)
	}
	return all
}

func TestJoint(t *testing.T) {
	const failed, passed = v1beta1.VerdictFailed, v1beta1.VerdictPassed
	// What weighs little needs more to fail all.
	first, second := both()
	together(first, second, 1, 12)
	checks := together(first, second, 1, 12)
	value, err := strconv.ParseFloat(checks[2].Evidence.Value, 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, value, 20.0, "alone it would fail")
	assert.Equal(t, []v1beta1.Verdict{failed, passed, passed}, verdicts(checks))
	assert.Regexp(t, `; the evidence of request-success-rate and orders together is [0-9.]+ of the 20 needed$`, checks[2].Message)
	assert.Equal(t, "other", checks[0].Message)
	for range 3 {
		checks = together(first, second, 1, 8)
	}
	assert.Equal(t, []v1beta1.Verdict{failed, failed, failed}, verdicts(checks))

	// Two that are a little bad fail sooner together than each alone.
	first, second = both()
	alone := ofErrors()
	for range 40 {
		checks = together(first, second, 3, 3)
		one := alone.errors(0, 100, 3, 900, 9)
		if checks[1].Verdict == failed {
			break
		}
		require.Equal(t, passed, one.Verdict)
	}
	assert.Equal(t, failed, checks[1].Verdict)
}

// TestJointWaits: nothing is judged before all have been asked, and one without an answer keeps its verdict.
func TestJointWaits(t *testing.T) {
	first, second := both()
	metrics := []v1beta1.CanaryMetric{first.metric, second.metric}
	together(first, second, 30, 30)
	one := []analysis.Compared{{Check: first.errors(0, 100, 30, 900, 9), State: first.state}}
	assert.Equal(t, one, analysis.Joint(metrics, one))
	assert.Equal(t, one, analysis.Joint(metrics[:1], one), "one alone is judged alone")

	silent := second.look(0, analysis.Counted{Err: assert.AnError})
	all := analysis.Joint(metrics, append(one, analysis.Compared{Check: silent, State: second.state}))
	assert.Equal(t, v1beta1.VerdictFailed, all[0].Check.Verdict, "what was counted before counts")
	assert.Equal(t, silent, all[1].Check)
}

func TestCompareSplit(t *testing.T) {
	split := func() *compared {
		return &compared{metric: v1beta1.CanaryMetric{
			Name: v1beta1.RequestShare, Comparison: &v1beta1.Comparison{Tolerance: 1.25, Confidence: 0.95, Limit: 2},
		}}
	}
	look := func(c *compared, weight int32, canary, primary float64) v1beta1.CheckStatus {
		in := c.window(evidence.Sample{Requests: canary}, evidence.Sample{Requests: primary})
		in.Weight = weight
		return c.look(0, in)
	}
	good := split()
	for range 20 {
		check := look(good, 10, 100, 900)
		require.Equal(t, v1beta1.VerdictPassed, check.Verdict, check.Message)
		assert.Equal(t, "10", check.Value)
	}
	for range 20 { // at another weight it gets another share
		require.Equal(t, v1beta1.VerdictPassed, look(good, 50, 500, 500).Verdict)
	}
	none := split()
	check := look(none, 10, 0, 1000)
	for range 2 {
		check = look(none, 10, 0, 1000)
	}
	assert.Equal(t, v1beta1.VerdictErrored, check.Verdict, "the route is to blame, and not the canary")
	assert.Regexp(t, `^the canary got 0 % of 3000 requests; the evidence is .+ of the 20 needed$`, check.Message)
	much := split()
	for range 3 {
		check = look(much, 10, 300, 700)
	}
	assert.Equal(t, v1beta1.VerdictErrored, check.Verdict)
	assert.Regexp(t, `^the canary got 30 % of 3000 requests; its odds are 3[.0-9]* times those of its weight, and 1.25 are `+
		`tolerated either way; the evidence is .+ of the 20 needed$`, check.Message)
	few := look(split(), 10, 1, 9)
	assert.Equal(t, "10 of the 20 requests that the canary needs at this step were counted", few.Message)
}

func TestCompareMean(t *testing.T) {
	mean := func() *compared {
		return &compared{metric: v1beta1.CanaryMetric{
			Name:       v1beta1.RequestDuration,
			Comparison: &v1beta1.Comparison{Kind: v1beta1.CompareMean, Tolerance: 1.25, Confidence: 0.95},
		}}
	}
	look := func(c *compared, canary, primary float64) v1beta1.CheckStatus {
		sample := func(n, mean float64) evidence.Sample { return evidence.Sample{Requests: n, Sum: n * mean} }
		return c.look(0, c.window(sample(100, canary), sample(900, primary)))
	}
	same, slow := mean(), mean()
	var check v1beta1.CheckStatus
	for range 30 {
		require.Equal(t, v1beta1.VerdictPassed, look(same, 200, 200).Verdict)
		if check.Verdict != v1beta1.VerdictFailed {
			check = look(slow, 400, 200)
		}
	}
	assert.Equal(t, v1beta1.VerdictFailed, check.Verdict)
	assert.Regexp(t, `^[0-9]+ of the canary's and [0-9]+ of the primary's were counted; the canary's mean is 2 times the `+
		`primary's, and 1.25 are tolerated; the evidence is .+ of the 20 needed$`, check.Message)
}
