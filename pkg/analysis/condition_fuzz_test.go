package analysis_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// FuzzCondition: what Problems takes is judged one way or the other, or nothing is said; and it is judged alike each time.
func FuzzCondition(f *testing.F) {
	for _, condition := range []string{
		"value < 0.01 || value < 1.25 * baseline", "value > 1", "baseline > 0.0", "weight < 50 && elapsed < duration('5m')",
		"value / 0.0 > 1.0", "weight / 0 == 0", "value", "'a'", "value <", "[1, 2, 3].all(x, [1, 2, 3].all(y, x * y < 10))",
		"elapsed > duration('1ns') ? true : value == baseline", "size('" + strings.Repeat("a", 100) + "') > 9", "true", "x > 1",
		"string(value).matches('(a+)+$')", "timestamp('2026-01-01T00:00:00Z') + elapsed > timestamp('2026-01-01T00:00:00Z')",
	} {
		f.Add(condition, 1.0, 2.0)
		f.Add(condition, 0.0, math.MaxFloat64)
	}
	f.Fuzz(func(t *testing.T, condition string, value, baseline float64) {
		if condition == "" {
			t.Skip("no condition")
		}
		m := v1beta1.CanaryMetric{Name: "errors", Condition: condition}
		spec := &v1beta1.CanarySpec{}
		spec.Analysis.Metrics = []v1beta1.CanaryMetric{m}
		problems := analysis.Problems(spec)
		in := analysis.Input{Weight: 10, Elapsed: time.Minute}
		in.Values, in.Baseline.Values = []float64{value}, []float64{baseline}
		began := time.Now()
		got := analysis.Judge(m, in)
		require.Less(t, time.Since(began), 10*time.Second)
		require.NotEmpty(t, got.Message)
		for _, shown := range []string{got.Value, got.Baseline} {
			require.NotContains(t, shown, "NaN")
			require.NotContains(t, shown, "Inf")
		}
		switch {
		case !finite(value):
			require.Equal(t, v1beta1.VerdictNoData, got.Verdict, got.Message)
		case len(problems) > 0:
			require.Equal(t, v1beta1.VerdictErrored, got.Verdict, got.Message)
		case got.Verdict == v1beta1.VerdictNoData:
			require.True(t, analysis.Baseline(m) && !finite(baseline), got.Message)
		}
		require.Equal(t, got, analysis.Judge(m, in))
	})
}
