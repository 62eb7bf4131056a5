package analysis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

func TestCondition(t *testing.T) {
	const passed, failed = v1beta1.VerdictPassed, v1beta1.VerdictFailed
	const none, errored = v1beta1.VerdictNoData, v1beta1.VerdictErrored
	in := func(value float64, baseline ...float64) analysis.Input {
		i := gave(value)
		i.Baseline, i.Weight, i.Elapsed = analysis.Answer{Values: baseline}, 10, 90*time.Second
		return i
	}
	const worse = "value < 0.01 || value < 1.25 * baseline"
	for name, c := range map[string]struct {
		condition string
		in        analysis.Input
		verdict   v1beta1.Verdict
		baseline  string
		message   string
	}{
		"so":                {"value < 0.5", in(0.25), passed, "", "value < 0.5: value is 0.25"},
		"not so":            {"value < 0.5", in(0.75), failed, "", "value < 0.5 is not so: value is 0.75"},
		"a whole number":    {"value < 1", in(0.75), passed, "", "value < 1: value is 0.75"},
		"compared":          {worse, in(0.12, 0.1), passed, "0.1", worse + ": value is 0.12 and baseline 0.1"},
		"compared, worse":   {worse, in(0.13, 0.1), failed, "0.1", worse + " is not so: value is 0.13 and baseline 0.1"},
		"no baseline":       {worse, in(0.13), none, "", "the query about the primary gave no data"},
		"no baseline asked": {"value < 1", in(0.13), passed, "", "value < 1: value is 0.13"},
		"weight":            {"weight <= 10 || value > 1", in(0), passed, "", "weight <= 10 || value > 1: value is 0"},
		"elapsed":           {"elapsed < duration('2m')", in(0), passed, "", "elapsed < duration('2m'): value is 0"},
		"elapsed, longer":   {"elapsed < duration('1m')", in(0), failed, "", "elapsed < duration('1m') is not so: value is 0"},
		"no data":           {"value < 1", said(metrics.NoDataf("no points")), none, "", "no points"},
		"an error":          {"value < 1", said(metrics.Rejectedf("bad")), errored, "", "bad"},
		"nothing can be said": {"1 / int(value) == 1", in(0), errored, "",
			"1 / int(value) == 1: value is 0, of which nothing can be said: division by zero"},
	} {
		t.Run(name, func(t *testing.T) {
			got := analysis.Judge(v1beta1.CanaryMetric{Name: "m", Condition: c.condition}, c.in)
			assert.Equal(t, c.verdict, got.Verdict)
			assert.Equal(t, c.message, got.Message)
			assert.Equal(t, c.baseline, got.Baseline)
		})
	}
	assert.True(t, analysis.Baseline(v1beta1.CanaryMetric{Condition: worse}))
	assert.False(t, analysis.Baseline(v1beta1.CanaryMetric{Condition: "value < 1"}))
	assert.False(t, analysis.Baseline(v1beta1.CanaryMetric{}))
}

func TestReduce(t *testing.T) {
	for how, want := range map[string]string{"max": "3", "min": "1", "mean": "2", "sum": "6"} {
		got := analysis.Judge(v1beta1.CanaryMetric{Reduce: how, Condition: "value > 0.0"}, gave(1, 3, 2))
		assert.Equal(t, want, got.Value, how)
		assert.Equal(t, v1beta1.VerdictPassed, got.Verdict)
	}
	assert.Equal(t, "2", analysis.Judge(v1beta1.CanaryMetric{Reduce: "mean", ThresholdRange: new(atLeast(0))}, gave(2)).Value)
	assert.Equal(t, v1beta1.VerdictNoData, analysis.Judge(v1beta1.CanaryMetric{Reduce: "sum", Condition: "true"}, gave()).Verdict)
}

func TestProblems(t *testing.T) {
	for condition, want := range map[string]string{
		"value < 1.25 * baseline && weight < 50 && elapsed > duration('1m')": "",
		"": "",
		"value <": `metric m: condition "value <" cannot be used: Syntax error: mismatched input '<EOF>' expecting ` +
			`{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER} ` +
			`(it may use value, baseline, weight and elapsed); correct it`,
		"value < primary": `metric m: condition "value < primary" cannot be used: undeclared reference to 'primary' ` +
			`(in container '') (it may use value, baseline, weight and elapsed); correct it`,
		"value * 2.0": `metric m: condition "value * 2.0" cannot be used: it gives a double and must be true or false; correct it`,
	} {
		spec := v1beta1.CanarySpec{}
		spec.Analysis.Metrics = []v1beta1.CanaryMetric{{Name: "m", Condition: condition}}
		problems := analysis.Problems(&spec)
		if want == "" {
			require.Empty(t, problems)
			continue
		}
		require.Len(t, problems, 1, condition)
		assert.Equal(t, "ConditionInvalid", problems[0].Reason)
		assert.Equal(t, want, problems[0].Message)
	}
}
