package analysis_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

func gave(values ...float64) analysis.Input {
	return analysis.Input{Answer: analysis.Answer{Values: values}}
}
func said(err error) analysis.Input { return analysis.Input{Answer: analysis.Answer{Err: err}} }

func within(bounds ...float64) v1beta1.ThresholdRange {
	return v1beta1.ThresholdRange{Min: &bounds[0], Max: &bounds[1]}
}
func atLeast(v float64) v1beta1.ThresholdRange { return v1beta1.ThresholdRange{Min: &v} }
func atMost(v float64) v1beta1.ThresholdRange  { return v1beta1.ThresholdRange{Max: &v} }

func TestJudge(t *testing.T) {
	const passed, failed = v1beta1.VerdictPassed, v1beta1.VerdictFailed
	const none, errored = v1beta1.VerdictNoData, v1beta1.VerdictErrored
	one := func(v float64) analysis.Input { return gave(v) }
	both := gave(1)
	both.Err = errors.New("broken")
	for name, c := range map[string]struct {
		accepted v1beta1.ThresholdRange
		in       analysis.Input
		verdict  v1beta1.Verdict
		value    string
		message  string
	}{
		"within":         {within(1, 3), one(2), passed, "2", "2 is within 1 and 3"},
		"at the minimum": {within(1, 3), one(1), passed, "1", "1 is within 1 and 3"},
		"at the maximum": {within(1, 3), one(3), passed, "3", "3 is within 1 and 3"},
		"the only value": {within(2, 2), one(2), passed, "2", "2 is within 2 and 2"},
		"below": {within(1, 3), one(math.Nextafter(1, 0)), failed, "0.9999999999999999",
			"0.9999999999999999 is below the minimum 1"},
		"above": {within(1, 3), one(math.Nextafter(3, 4)), failed, "3.0000000000000004",
			"3.0000000000000004 is above the maximum 3"},
		"zero":             {within(-1, 1), one(0), passed, "0", "0 is within -1 and 1"},
		"minimum alone":    {atLeast(99), one(99.5), passed, "99.5", "99.5 is not below the minimum 99"},
		"below that":       {atLeast(99), one(98), failed, "98", "98 is below the minimum 99"},
		"maximum alone":    {atMost(500), one(500), passed, "500", "500 is not above the maximum 500"},
		"above that":       {atMost(0.01), one(0.02), failed, "0.02", "0.02 is above the maximum 0.01"},
		"many digits":      {atLeast(99), one(99.35483870967742), passed, "99.3548", "99.3548 is not below the minimum 99"},
		"digits that tell": {atLeast(100), one(99.9999999), failed, "99.9999999", "99.9999999 is below the minimum 100"},
		"large":            {atMost(3e6), one(2500000), passed, "2500000", "2500000 is not above the maximum 3000000"},
		"very large":       {atMost(1), one(1e300), failed, "1e+300", "1e+300 is above the maximum 1"},
		"very small":       {atLeast(0), one(1e-9), passed, "1e-09", "1e-09 is not below the minimum 0"},

		"NaN":          {within(1, 3), one(math.NaN()), none, "", "the query gave NaN"},
		"infinity":     {atLeast(1), one(math.Inf(1)), none, "", "the query gave +Inf"},
		"minus":        {atMost(1), one(math.Inf(-1)), none, "", "the query gave -Inf"},
		"no series":    {atMost(1), analysis.Input{}, none, "", "the query gave no data"},
		"none is said": {atMost(1), said(metrics.NoDataf("no points")), none, "", "no points"},
		"said at last": {atMost(1), said(fmt.Errorf("asking: %w", metrics.NoDataf("no points"))), none, "",
			"asking: no points"},

		"two series": {atMost(3), gave(1, 2), errored, "",
			"the query gave 2 series where one is needed; aggregate them, for example with sum(), or set reduce"},
		"two, one of them NaN": {atMost(3), gave(1, math.NaN()), errored, "",
			"the query gave 2 series where one is needed; aggregate them, for example with sum(), or set reduce"},
		"rejected":            {atMost(3), said(metrics.Rejectedf("parse error")), errored, "", "parse error"},
		"not reached":         {atMost(3), said(metrics.Transportf("refused")), errored, "", "refused"},
		"another error":       {atMost(3), said(errors.New("no Secret")), errored, "", "no Secret"},
		"values and an error": {atMost(3), both, errored, "", "broken"},
		"nothing to compare": {v1beta1.ThresholdRange{}, one(1), errored, "1",
			"the metric has no thresholdRange to be compared with"},
	} {
		t.Run(name, func(t *testing.T) {
			// The verdict is what was seen, whatever it is to mean.
			for _, onNoData := range []string{"", v1beta1.Hold, v1beta1.Fail, v1beta1.Pass} {
				for _, onError := range []string{"", v1beta1.Hold, v1beta1.Fail} {
					m := v1beta1.CanaryMetric{Name: "m", ThresholdRange: &c.accepted, OnNoData: onNoData, OnError: onError}
					got := analysis.Judge(m, c.in)
					require.Equal(t, c.verdict, got.Verdict, got.Message)
					assert.Equal(t, "m", got.Name)
					assert.Equal(t, c.value, got.Value)
					assert.Equal(t, c.message, got.Message)
				}
			}
		})
	}
}

func TestJudgeKeepsTheQuestion(t *testing.T) {
	at := time.Unix(1700000000, 0)
	got := analysis.Judge(v1beta1.CanaryMetric{}, analysis.Input{Query: "sum(up)", At: at})
	assert.Equal(t, "sum(up)", got.Query)
	assert.True(t, got.At.Time.Equal(at))

	got = analysis.Judge(v1beta1.CanaryMetric{}, analysis.Input{Query: strings.Repeat("ü", 4000)})
	assert.Less(t, len(got.Query), 1100)
	assert.True(t, strings.HasSuffix(got.Query, "ü…"))
}

// FuzzJudge: a check passes when there is one finite number and it is within the bounds, fails when it is
// one and is not, and has an opinion in no other case.
func FuzzJudge(f *testing.F) {
	for _, v := range []float64{
		0, 1, -1, 99.99999, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
	} {
		for _, bounds := range [][2]float64{{0, 1}, {99, 100}, {-math.MaxFloat64, math.MaxFloat64}, {1, 1}} {
			for series := range uint8(3) {
				f.Add(v, bounds[0], bounds[1], true, true, series)
				f.Add(v, bounds[0], bounds[1], true, false, series)
				f.Add(v, bounds[0], bounds[1], false, true, series)
			}
		}
	}
	f.Add(1.0, 1.0, 1.0, false, false, uint8(1))
	f.Fuzz(func(t *testing.T, v, least, most float64, hasLeast, hasMost bool, series uint8) {
		if !finite(least) || !finite(most) {
			t.Skip("the API server takes no such bound")
		}
		m := v1beta1.CanaryMetric{ThresholdRange: &v1beta1.ThresholdRange{}}
		if hasLeast {
			m.ThresholdRange.Min = &least
		}
		if hasMost {
			m.ThresholdRange.Max = &most
		}
		var in analysis.Input
		for range series {
			in.Values = append(in.Values, v)
		}
		got := analysis.Judge(m, in)
		require.Equal(t, expected(in.Values, *m.ThresholdRange), got.Verdict, got.Message)
		require.NotEmpty(t, got.Message)
		require.Equal(t, series == 1 && finite(v), got.Value != "")
	})
}

// expected says it again, in another order.
func expected(values []float64, accepted v1beta1.ThresholdRange) v1beta1.Verdict {
	if len(values) > 1 {
		return v1beta1.VerdictErrored
	}
	if len(values) == 0 || !finite(values[0]) {
		return v1beta1.VerdictNoData
	}
	if accepted.Min == nil && accepted.Max == nil {
		return v1beta1.VerdictErrored
	}
	if (accepted.Min == nil || values[0] >= *accepted.Min) && (accepted.Max == nil || values[0] <= *accepted.Max) {
		return v1beta1.VerdictPassed
	}
	return v1beta1.VerdictFailed
}

func finite(v float64) bool { return !math.IsNaN(v - v) }
