package analysis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func TestReplay(t *testing.T) {
	spec := &v1beta1.CanarySpec{Analysis: v1beta1.CanaryAnalysis{Threshold: 2, Metrics: []v1beta1.CanaryMetric{
		{Name: "queue", ThresholdRange: &v1beta1.ThresholdRange{Max: new(5.0)}, FailureLimit: 1},
		{Name: "shown", ThresholdRange: &v1beta1.ThresholdRange{Max: new(5.0)}, DryRun: true},
	}}}
	assert.Equal(t, 10*time.Second, analysis.GuardInterval(spec))
	r := analysis.NewReplay(spec)
	at := time.Unix(1700000000, 0)
	round := func(queue float64) analysis.Look {
		at = at.Add(time.Minute)
		var asked []analysis.Asked
		for _, m := range spec.Analysis.Metrics {
			asked = append(asked, analysis.Asked{Metric: m, Input: analysis.Input{
				Answer: analysis.Answer{Values: []float64{queue}}, At: at,
			}})
		}
		return r.Round(at, asked)
	}
	for i, want := range []struct {
		queue  float64
		failed int32
	}{{4, 0}, {6, 0}, {4, 0}, {6, 1}, {4, 1}} {
		look := round(want.queue)
		require.Equal(t, want.failed, look.FailedRounds, "round %d", i)
		require.Empty(t, look.RolledBack)
	}
	assert.Equal(t, "2 of 2 failed rounds: queue: 6 is above the maximum 5", round(6).RolledBack)

	// The guard needs no round.
	spec.Analysis.Guard = &v1beta1.Guard{Interval: "5s"}
	assert.Equal(t, 5*time.Second, analysis.GuardInterval(spec))
	r = analysis.NewReplay(spec)
	c := ofErrors()
	var look analysis.Look
	for looks := 1; look.RolledBack == ""; looks++ {
		require.Less(t, looks, 6)
		look = r.Guard(c.window(evidence.Sample{Requests: 200, Bad: 60}, evidence.Sample{Requests: 1800, Bad: 18}))
	}
	assert.Contains(t, look.RolledBack, "guard: 30 % of ")
	assert.NotNil(t, r.State("guard"))
	spec.Analysis.Guard.Disabled = true
	assert.Zero(t, analysis.GuardInterval(spec))
}
