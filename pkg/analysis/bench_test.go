package analysis_test

import (
	"testing"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// BenchmarkJudge times a verdict by a range, and by a condition in CEL.
func BenchmarkJudge(b *testing.B) {
	accepted := atLeast(99)
	for name, m := range map[string]v1beta1.CanaryMetric{
		"range":     {Name: "m", ThresholdRange: &accepted},
		"condition": {Name: "m", Condition: "value > 99.0 && weight < 50"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c := analysis.Judge(m, gave(99.5)); c.Verdict != v1beta1.VerdictPassed {
					b.Fatal(c.Verdict, c.Message)
				}
			}
		})
	}
}
