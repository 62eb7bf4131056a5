package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// RoundID names one round of checks of one run. An answer counts only for the round it was asked in.
type RoundID struct {
	Run   string
	Step  int32
	Round int32
}

// String gives the name as it stands in logs.
func (r RoundID) String() string { return fmt.Sprintf("%s/%d/%d", r.Run, r.Step, r.Round) }

// Over says that a Canary is not at this round any more: what is asked in it is of no use.
func (r RoundID) Over(c *v1beta1.Canary) bool {
	return c.Status.Run == nil || c.Status.Step == nil || round(c) != r
}

// Questions are what is to be asked now.
type Questions struct {
	Checks []Question
	Calls  []Call
	// Guard is what is to be watched, until it is not asked for any more. Nil means nothing.
	Guard *Watch
}

// Watch is what the guard watches: a canary with one split.
type Watch struct {
	// Round names the run and the step.
	Round RoundID
	// Since is when the split came in force.
	Since time.Time
	// Interval between two looks.
	Interval time.Duration
}

// Question is one metric that is to be asked now.
type Question struct {
	Round  RoundID
	Metric v1beta1.CanaryMetric
	// Window of the query.
	Window time.Duration
}

// Call is one webhook that is to be called now.
type Call struct {
	ID      CallID
	Webhook v1beta1.CanaryWebhook
	// Phase and Revision that it is told.
	Phase    v1beta1.Phase
	Revision string
	// Every is how long after an answer it is called again, for as long as Ask asks for it. Zero means that one
	// answer is enough.
	Every time.Duration
}

// CallID names what a webhook is called for. It is the same whenever the call is repeated.
type CallID struct {
	RoundID
	Type, Webhook string
}

// String gives the name as it is sent along.
func (c CallID) String() string { return c.RoundID.String() + "/" + c.Type + "/" + c.Webhook }

// Reply is the latest answer of a webhook.
type Reply struct {
	ID CallID
	// Agreed says that it answered with a 2xx; Reached that it answered at all.
	Agreed, Reached bool
	// Message is the answer in words.
	Message string
	// At is when it came.
	At time.Time
}

// Ask says what is due: checks, and calls of webhooks. Something is asked for again until the decision that
// its answer led to is committed; whoever answers keeps the answer until then.
func Ask(s *Snapshot) Questions {
	if s.Canary.DeletionTimestamp != nil {
		return Questions{}
	}
	var q Questions
	q.Calls = append(gateCalls(s), postCalls(s)...)
	q.Guard = watch(s)
	if checksDueIn(s) > 0 {
		return q
	}
	step, interval := judgedAs(s.Canary), Duration(s.Canary.Spec.Analysis.Interval, time.Minute)
	for _, m := range s.Canary.Spec.Analysis.Metrics {
		if step.judges(m.Name) {
			q.Checks = append(q.Checks, Question{
				Round: round(s.Canary), Metric: m, Window: Duration(m.Interval, interval),
			})
		}
	}
	for _, w := range webhooks(s.Canary, v1beta1.WebhookRollout) {
		q.Calls = append(q.Calls, callOf(s, w, round(s.Canary)))
	}
	return q
}

// watch is on as long as a canary has traffic that it can be kept from.
func watch(s *Snapshot) *Watch {
	c := s.Canary
	g := c.Spec.Analysis.Guard
	if c.Spec.SkipAnalysis || c.Spec.Suspend || g != nil && g.Disabled || !watchable(s) || !SplitOf(&c.Status).Reaches() ||
		c.Status.Step.TrafficSince == nil || !inForce(s) {
		return nil
	}
	const interval = 10 * time.Second // where the API server did not fill the default in
	w := &Watch{Round: round(c), Since: c.Status.Step.TrafficSince.Time, Interval: interval}
	w.Round.Round = 0
	if g != nil {
		w.Interval = Duration(g.Interval, interval)
	}
	return w
}

// watchable says that there is a canary that can be rolled back.
func watchable(s *Snapshot) bool {
	st := &s.Canary.Status
	switch st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return st.Run != nil && st.Step != nil && st.Retiring == nil && !s.handedOver()
	}
	return false
}

func round(c *v1beta1.Canary) RoundID {
	return RoundID{Run: c.Status.Run.ID, Step: c.Status.Step.Index, Round: c.Status.Step.Round}
}

// never is how long until something that only a change of the world can bring about.
const never = time.Duration(1<<63 - 1)

// checksDueIn is how long until the next round of checks: zero when it is due, never while the step
// waits for something else than the clock.
func checksDueIn(s *Snapshot) time.Duration {
	st := &s.Canary.Status
	if st.Run == nil || st.Step == nil || st.Step.JudgedAt == nil || st.Step.WaitingSince != nil ||
		st.Retiring != nil || s.Canary.DeletionTimestamp != nil || s.Canary.Spec.Suspend ||
		len(s.Problems) > 0 || s.Target.Replicas == 0 || s.handedOver() {
		return never
	}
	step := judgedAs(s.Canary)
	if step.Rounds == 0 || !SplitOf(st).Equal(step.Split) || !inForce(s) {
		return never
	}
	due := st.Step.JudgedAt.Add(step.Dwell)
	return max(0, due.Sub(s.Now), settlesIn(s))
}

// judgedAs is the step that the canary is judged as: the one that it is at, or, while it bakes with all of the
// traffic, one that is like it.
func judgedAs(c *v1beta1.Canary) Step {
	switch c.Status.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion:
		return stepAt(&c.Spec, c.Status.Step.Index)
	case v1beta1.PhasePromoting:
		return bakeOf(&c.Spec)
	}
	return Step{}
}

// stepAt is a step of the plan. The plan may have become shorter in mid-run.
func stepAt(spec *v1beta1.CanarySpec, index int32) Step {
	steps := Steps(spec)
	return steps[min(int(index), len(steps)-1)]
}

// bakeOf is the step of a promotionDelay: all of the traffic and all checks, for that long.
func bakeOf(spec *v1beta1.CanarySpec) Step {
	bake := Step{Split: Split{Weight: fullWeight}, Pause: Duration(spec.PromotionDelay, 0), full: true}
	if bake.Pause > 0 && !spec.SkipAnalysis {
		bake.Dwell, bake.Rounds = min(Duration(spec.Analysis.Interval, time.Minute), bake.Pause), 1
	}
	return bake
}
