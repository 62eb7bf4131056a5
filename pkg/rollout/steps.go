package rollout

import (
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// fullWeight is all of the traffic, in percent.
const fullWeight = 100

// Step is one planned split and how long it holds before it is judged.
type Step struct {
	// Weight of the canary, in percent.
	Weight int32
	// Dwell is how long the step holds before each round of checks.
	Dwell time.Duration
}

// Steps turns an analysis into its list of steps. The last weight never exceeds maxWeight.
func Steps(a v1beta1.CanaryAnalysis) []Step {
	dwell := Duration(a.Interval, time.Minute)
	if len(a.StepWeights) > 0 {
		steps := make([]Step, 0, len(a.StepWeights))
		for _, w := range a.StepWeights {
			steps = append(steps, Step{Weight: w, Dwell: dwell})
		}
		return steps
	}
	limit := a.MaxWeight
	if limit <= 0 || limit > fullWeight {
		limit = fullWeight
	}
	width := limit
	if a.StepWeight != nil && *a.StepWeight > 0 {
		width = *a.StepWeight
	}
	var steps []Step
	for w := min(width, limit); ; w = min(w+width, limit) {
		steps = append(steps, Step{Weight: w, Dwell: dwell})
		if w == limit {
			return steps
		}
	}
}

// Size is how many canary pods a weight needs beside so many replicas of the target: the same share,
// rounded up, and at least one. A target without replicas needs none.
func Size(replicas, weight int32) int32 {
	if replicas <= 0 {
		return 0
	}
	n := (int64(replicas)*int64(weight) + fullWeight - 1) / fullWeight
	return int32(min(max(n, 1), int64(replicas))) //nolint:gosec // bounded by replicas
}

// Duration reads a duration of the spec; the schema has checked it, so what cannot be read is absent.
func Duration(s string, absent time.Duration) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return absent
	}
	return d
}
