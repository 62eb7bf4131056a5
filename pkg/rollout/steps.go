package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// fullWeight is all of the traffic, in percent.
const fullWeight = 100

// Step is one planned split, how long it lasts, and what is asked at it. Every strategy is a list of steps.
type Step struct {
	// Split to be in force.
	Split Split
	// Dwell is how long the step holds before each round of checks.
	Dwell time.Duration
	// Rounds of checks that must pass before the step is left; 0 asks for none.
	Rounds int32
	// Pause is the least time that the step lasts.
	Pause time.Duration
	// Manual lets the step last until a person resumes the run.
	Manual bool
	// Checks are the names of the metrics that are judged; nil means all.
	Checks []string
	// Gates are the names of the webhooks that must agree before the step; nil means all.
	Gates []string
	// replicas is the size of the canary where the spec sets it.
	replicas *intstr.IntOrString
	// full says that the canary has as many pods as the target.
	full bool
}

// Steps turns a spec into its list of steps, which is never empty. The last weight never exceeds maxWeight.
func Steps(spec *v1beta1.CanarySpec) []Step {
	a := &spec.Analysis
	switch {
	case spec.SkipAnalysis:
		return []Step{preview()}
	case len(a.Steps) > 0:
		return explicit(a)
	case a.Iterations != nil:
		step := single(a, Split{Match: a.Match, Mirror: mirrored(a)})
		step.Rounds, step.full = max(*a.Iterations, 1), true
		return []Step{step}
	case len(a.StepWeights) > 0 || a.StepWeight != nil:
		return weighted(a)
	default:
		return []Step{preview()}
	}
}

// preview is the one step where there is nothing to analyse: pods, without traffic.
func preview() Step { return Step{full: true} }

// single is a step of one round.
func single(a *v1beta1.CanaryAnalysis, split Split) Step {
	return Step{Split: split, Rounds: 1, Dwell: Duration(a.Interval, time.Minute), replicas: a.CanaryReplicas}
}

func mirrored(a *v1beta1.CanaryAnalysis) int32 {
	if !a.Mirror {
		return 0
	}
	return mirrorWeight(a)
}

func mirrorWeight(a *v1beta1.CanaryAnalysis) int32 {
	if a.MirrorWeight == 0 {
		return fullWeight
	}
	return a.MirrorWeight
}

func explicit(a *v1beta1.CanaryAnalysis) []Step {
	steps := make([]Step, 0, len(a.Steps))
	weight := int32(0)
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.Weight != nil {
			weight = *s.Weight
		}
		step := single(a, Split{Weight: weight, Match: s.Match})
		if s.Mirror {
			step.Split.Mirror = mirrorWeight(a)
		}
		if s.Replicas != nil {
			step.replicas = s.Replicas
		}
		step.full = s.Mirror || len(s.Match) > 0
		step.Checks, step.Gates = s.Analysis, s.Gates
		if s.Pause != nil {
			step.Pause = Duration(s.Pause.Duration, 0)
			step.Manual = s.Pause.Duration == ""
			if step.Pause > 0 {
				step.Dwell = min(step.Dwell, step.Pause)
			}
		}
		steps = append(steps, step)
	}
	return steps
}

func weighted(a *v1beta1.CanaryAnalysis) []Step {
	var steps []Step
	if a.Mirror {
		first := single(a, Split{Mirror: mirrored(a)})
		first.full = true
		steps = append(steps, first)
	}
	for _, w := range weightsOf(a) {
		steps = append(steps, single(a, Split{Weight: w}))
	}
	return steps
}

func weightsOf(a *v1beta1.CanaryAnalysis) []int32 {
	if len(a.StepWeights) > 0 {
		return a.StepWeights
	}
	limit := a.MaxWeight
	if limit <= 0 || limit > fullWeight {
		limit = fullWeight
	}
	width := max(*a.StepWeight, 1)
	var weights []int32
	for w := min(width, limit); ; w = min(w+width, limit) {
		weights = append(weights, w)
		if w == limit {
			return weights
		}
	}
}

// Size is how many canary pods a step needs beside so many replicas of the target, none only where there are
// no replicas. Without a word of the spec it is the same share of the pods as of the traffic, rounded up. Where
// traffic follows the pods, it is the number beside all of the primary's pods that comes nearest to the
// weight, at most as many as there are of those.
func (s Step) Size(replicas int32, followsPods bool) int32 {
	n := int64(replicas)
	if n <= 0 {
		return 0
	}
	w := int64(s.Split.Weight)
	switch {
	case s.replicas != nil:
		if set, err := intstr.GetScaledValueFromIntOrPercent(s.replicas, int(replicas), true); err == nil {
			return int32(min(max(set, 1), 1<<20)) //nolint:gosec // bounded here
		}
	case s.full:
		return replicas
	case followsPods && w < fullWeight:
		n = min(n, (2*n*w+(fullWeight-w))/(2*(fullWeight-w))) // rounded to the nearest
		return int32(max(n, 1))                               //nolint:gosec // bounded by replicas
	}
	n = min(n, (n*w+fullWeight-1)/fullWeight)
	return int32(max(n, 1)) //nolint:gosec // bounded by replicas
}

// judges says whether a metric is judged at the step.
func (s Step) judges(metric string) bool {
	return s.Rounds > 0 && (s.Checks == nil || slices.Contains(s.Checks, metric))
}

// String describes the step in a few words, as in "10 %" or "matching requests for 5 rounds".
func (s Step) String() string {
	var parts []string
	if s.Split.Weight > 0 {
		parts = append(parts, strconv.Itoa(int(s.Split.Weight))+" %")
	}
	if len(s.Split.Match) > 0 {
		parts = append(parts, "matching requests")
	}
	if s.Split.Mirror > 0 {
		parts = append(parts, strconv.Itoa(int(s.Split.Mirror))+" % mirrored")
	}
	if len(parts) == 0 {
		parts = append(parts, "no traffic")
	}
	words := strings.Join(parts, " and ")
	if s.Rounds > 1 {
		words += fmt.Sprintf(" for %d rounds", s.Rounds)
	}
	switch {
	case s.Manual:
		words += " until resumed"
	case s.Pause > 0:
		words += fmt.Sprintf(" for %s", s.Pause)
	}
	return words
}

// Duration reads a duration of the spec; the schema has checked it, so what cannot be read is absent.
func Duration(s string, absent time.Duration) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return absent
	}
	return d
}
