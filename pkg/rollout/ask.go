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

// Question is one metric that is to be asked now.
type Question struct {
	Round  RoundID
	Metric v1beta1.CanaryMetric
	// Window of the query.
	Window time.Duration
}

// Ask says which checks are due. A question is asked again until the decision that its answer led to
// is committed; whoever answers keeps the answer of a round until then.
func Ask(s *Snapshot) []Question {
	if len(s.Canary.Spec.Analysis.Metrics) == 0 || checksDueIn(s) > 0 {
		return nil
	}
	dwell := Duration(s.Canary.Spec.Analysis.Interval, time.Minute)
	questions := make([]Question, 0, len(s.Canary.Spec.Analysis.Metrics))
	for _, m := range s.Canary.Spec.Analysis.Metrics {
		questions = append(questions, Question{
			Round: round(s.Canary), Metric: m, Window: Duration(m.Interval, dwell),
		})
	}
	return questions
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
	if st.Phase != v1beta1.PhaseProgressing || st.Run == nil || st.Step == nil || st.Step.JudgedAt == nil ||
		st.Step.WaitingSince != nil || st.Retiring != nil || s.Canary.DeletionTimestamp != nil ||
		len(s.Problems) > 0 || s.Target.Replicas == 0 {
		return never
	}
	step := stepOf(s.Canary)
	if st.Weight != step.Weight || !inForce(s) {
		return never
	}
	due := st.Step.JudgedAt.Add(step.Dwell)
	return max(0, due.Sub(s.Now), settlesIn(s))
}

// stepOf is the step that the run is at. The plan may have become shorter in mid-run.
func stepOf(c *v1beta1.Canary) Step {
	steps := Steps(c.Spec.Analysis)
	return steps[min(int(c.Status.Step.Index), len(steps)-1)]
}
