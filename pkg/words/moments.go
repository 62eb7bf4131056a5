package words

import (
	"slices"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// StepOf is the step that a run is at, by the plan of the spec; false where it is at none.
func StepOf(c *v1beta1.Canary) (rollout.Step, bool) {
	steps, at := rollout.Steps(&c.Spec), c.Status.Step
	if at == nil || int(at.Index) >= len(steps) {
		return rollout.Step{}, false
	}
	return steps[at.Index], true
}

// StepAt is the place of a run in its plan: the index of its step, or how many there are where all are done; -1 where it
// has not begun.
func StepAt(c *v1beta1.Canary) int {
	switch c.Status.Phase {
	case v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting, v1beta1.PhaseFinalising:
		return len(rollout.Steps(&c.Spec))
	}
	if c.Status.Step == nil {
		return -1
	}
	return int(c.Status.Step.Index)
}

// NextRound is when the step is judged next, which may be over; false where no round is to come.
func NextRound(c *v1beta1.Canary) (time.Time, bool) {
	step, ok := StepOf(c)
	at, phase := c.Status.Step, c.Status.Phase
	judged := phase == v1beta1.PhaseProgressing || phase == v1beta1.PhaseWaitingPromotion
	if !ok || !judged || at.JudgedAt == nil || step.Rounds == 0 || c.Spec.Suspend {
		return time.Time{}, false
	}
	return at.JudgedAt.Add(step.Dwell), true
}

// StepUntil is until when the step lasts at least; false where it has no such time.
func StepUntil(c *v1beta1.Canary) (time.Time, bool) {
	step, ok := StepOf(c)
	if !ok || step.Pause == 0 || c.Status.Step.TrafficSince == nil {
		return time.Time{}, false
	}
	return c.Status.Step.TrafficSince.Add(step.Pause), true
}

// PodsUntil is when pods that are still missing end the run; false where none are, or they may be missing for ever.
func PodsUntil(c *v1beta1.Canary) (time.Time, bool) {
	at, limit := c.Status.Step, c.Spec.ProgressDeadlineSeconds
	if at == nil || at.WaitingSince == nil || limit == nil {
		return time.Time{}, false
	}
	return at.WaitingSince.Add(time.Duration(*limit) * time.Second), true
}

// BakedAt is until when a canary with all of the traffic is judged, and KeptUntil until when the old pods stay beside
// it. Each is false where the spec has no such time, or the canary does not have all of the traffic.
func BakedAt(c *v1beta1.Canary) (time.Time, bool) {
	delay := rollout.Duration(c.Spec.PromotionDelay, 0)
	if !bakes(&c.Status) || delay == 0 {
		return time.Time{}, false
	}
	return c.Status.WeightSince.Add(delay), true
}

// KeptUntil is told of at BakedAt.
func KeptUntil(c *v1beta1.Canary) (time.Time, bool) {
	keep := rollout.Duration(c.Spec.ScaleDownDelay, 0)
	if !bakes(&c.Status) || keep == 0 {
		return time.Time{}, false
	}
	return c.Status.WeightSince.Add(rollout.Duration(c.Spec.PromotionDelay, 0) + keep), true
}

func bakes(st *v1beta1.CanaryStatus) bool {
	const all = 100
	return st.Phase == v1beta1.PhasePromoting && st.Weight >= all && st.WeightSince != nil
}

// Moment is a time to come, and what is due then if nothing else happens before.
type Moment struct {
	At   time.Time
	What string
}

// Moments are all that is known to come of a run, the next one first.
func Moments(c *v1beta1.Canary, now time.Time) []Moment {
	var all []Moment
	add := func(what string) func(time.Time, bool) {
		return func(at time.Time, ok bool) {
			if ok && at.After(now) {
				all = append(all, Moment{at, what})
			}
		}
	}
	if st := &c.Status; st.Run != nil && !c.Spec.Suspend {
		add("the next round of checks")(NextRound(c))
		if st.Phase == v1beta1.PhaseProgressing {
			add("the pause of the step ends")(StepUntil(c))
		}
		add("rolled back, if pods are still missing")(PodsUntil(c))
		add("the canary has baked")(BakedAt(c))
		add("the old pods go")(KeptUntil(c))
		for _, g := range ClosedGates(c) {
			at, what, ok := TimeoutOf(c, g)
			add("if gate "+g.Name+" has not agreed, "+what)(at, ok)
		}
	}
	slices.SortStableFunc(all, func(a, b Moment) int { return a.At.Compare(b.At) })
	return all
}
