package rollout

import (
	"fmt"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// answerLook is how long a look waits for the answers of a round before it looks again; an answer
// wakes it earlier.
const answerLook = 2 * time.Second

// judge waits out the dwell, then reads the round's answers.
func (l *look) judge(step Step) {
	l.lastRound(step)
	if !inForce(l.Snapshot) {
		return
	}
	due := l.st.Step.JudgedAt.Add(step.Dwell)
	if in := max(due.Sub(l.Now), settlesIn(l.Snapshot)); in > 0 {
		l.after(in)
		return
	}
	answers, complete := l.answers()
	if !complete {
		l.after(answerLook)
		return
	}
	l.st.Checks = answers
	l.st.Step.Round++
	now := l.now()
	l.st.Step.JudgedAt = &now
	switch failed, held := l.count(answers); {
	case len(failed) > 0:
		l.failRound(step, failed)
	case len(held) > 0:
		l.after(step.Dwell)
		l.lastRound(step)
	default:
		l.advance()
	}
}

// answers are the checks of this round in the order of the spec; false while one is missing.
func (l *look) answers() ([]v1beta1.CheckStatus, bool) {
	id := round(l.Canary)
	by := map[string]v1beta1.CheckStatus{}
	for _, a := range l.Answers {
		if a.Round == id {
			by[a.Check.Name] = a.Check
		}
	}
	var checks []v1beta1.CheckStatus
	for _, m := range l.Canary.Spec.Analysis.Metrics {
		c, ok := by[m.Name]
		if !ok {
			return nil, false
		}
		checks = append(checks, c)
	}
	return checks, true
}

// count sorts the checks that speak against going on: those that failed, and those that have nothing
// to say. What was left without an answer counts as the metric's onNoData and onError say.
func (l *look) count(checks []v1beta1.CheckStatus) (failed, held []v1beta1.CheckStatus) {
	metrics := map[string]v1beta1.CanaryMetric{}
	for _, m := range l.Canary.Spec.Analysis.Metrics {
		metrics[m.Name] = m
	}
	for _, c := range checks {
		switch effect(metrics[c.Name], c.Verdict) {
		case v1beta1.Fail:
			failed = append(failed, c)
		case v1beta1.Hold:
			held = append(held, c)
		}
	}
	return failed, held
}

func effect(m v1beta1.CanaryMetric, v v1beta1.Verdict) string {
	switch v {
	case v1beta1.VerdictPassed:
		return v1beta1.Pass
	case v1beta1.VerdictFailed:
		return v1beta1.Fail
	case v1beta1.VerdictNoData:
		if m.OnNoData != "" {
			return m.OnNoData
		}
	case v1beta1.VerdictErrored:
		if m.OnError == v1beta1.Fail {
			return m.OnError
		}
	}
	return v1beta1.Hold
}

func (l *look) failRound(step Step, failed []v1beta1.CheckStatus) {
	l.st.FailedChecks++
	threshold := max(l.Canary.Spec.Analysis.Threshold, 1)
	if l.st.FailedChecks >= threshold {
		l.rollback(ReasonCheckFailed, sentences(failed))
		return
	}
	l.notify(Notice{
		ID:     fmt.Sprintf("%s/failed/%d/%d", l.st.Run.ID, l.st.Step.Index, l.st.Step.Round),
		Reason: ReasonCheckFailed, Warning: true,
		Message: fmt.Sprintf("%d of %d failed rounds at weight %d: %s", l.st.FailedChecks, threshold, l.st.Weight, sentences(failed)),
	})
	l.after(step.Dwell)
	l.lastRound(step)
}

// lastRound says what the step waits for, by what its last round of checks, if there was one, came to.
func (l *look) lastRound(step Step) {
	l.wait(ReasonAnalysing, "step %s at weight %d is being analysed", l.st.Step.Progress, step.Weight)
	if l.st.Step.Round == 0 {
		return
	}
	switch failed, held := l.count(l.st.Checks); {
	case len(failed) > 0:
		l.wait(ReasonCheckFailed, "%s", sentences(failed))
	case len(held) > 0:
		l.wait(holdReason(held), "%s", sentences(held))
	}
}

func holdReason(held []v1beta1.CheckStatus) string {
	for _, c := range held {
		if c.Verdict == v1beta1.VerdictErrored {
			return ReasonCheckErrored
		}
	}
	return ReasonNoData
}

func sentences(checks []v1beta1.CheckStatus) string {
	parts := make([]string, 0, len(checks))
	for _, c := range checks {
		parts = append(parts, c.Name+": "+c.Message)
	}
	return strings.Join(parts, "; ")
}
