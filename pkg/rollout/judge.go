package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// answerLook is how long a look waits for the answers of a round before it looks again; an answer
// wakes it earlier.
const answerLook = 2 * time.Second

// passed judges the rounds of a step as they come due, and says that the step may be left: it has passed its
// rounds, its pause is over, and nobody holds the run.
func (l *look) passed(step Step) bool {
	l.lastRound(step)
	if !inForce(l.Snapshot) {
		l.disturbed()
		return false
	}
	if step.Rounds > 0 && !l.rounds(step) {
		return false
	}
	switch in := l.pauseLeft(step); {
	case in > 0 && !l.proven(step):
		l.after(in)
		return false
	case step.Manual && !l.st.Step.Resumed && !l.st.Step.Skipped:
		l.wait(ReasonPaused, "step %s (%s) passes its checks; `kubectl weir resume %s` goes on",
			l.st.Step.Progress, step, l.Canary.Name)
		return false
	}
	return !l.held()
}

// disturbed tells, once a step, that what was carried out is not so any more. It is put right in this look, and the
// run goes on once that has settled.
func (l *look) disturbed() {
	ought := SplitOf(&l.Canary.Status)
	if !l.Route.Found || l.Target.InPlace || l.Route.Split.Equal(ought) {
		return
	}
	l.after(l.Settle)
	if l.st.WeightSince.After(l.st.Step.TrafficSince.Time) {
		return // the mark that it was told
	}
	l.touch()
	l.notify(Notice{
		ID: fmt.Sprintf("%s/disturbed/%d/%d", l.st.Run.ID, l.st.Step.Index, ought.Weight), Reason: ReasonSplitChanged, Warning: true,
		Message: fmt.Sprintf("revision %s of %s is to get %s, and what is in force was found to be something else; it is put "+
			"right, and the run goes on once that has settled", l.st.Canary.Hash, l.targetName(), ought.inWords()),
	})
}

// rounds judges a round that is due, and says whether the step passes by what was judged.
func (l *look) rounds(step Step) bool {
	due := l.st.Step.JudgedAt.Add(step.Dwell)
	if in := max(due.Sub(l.Now), settlesIn(l.Snapshot)); in > 0 {
		l.after(in)
		return l.passing(step)
	}
	answers, complete := l.answers(step)
	if !complete {
		l.after(answerLook)
		return l.st.Step.Skipped
	}
	l.st.Checks = l.remember(answers)
	l.st.Step.Round++
	now := l.now()
	l.st.Step.JudgedAt = &now
	l.after(step.Dwell)
	failed, held := l.count(l.st.Checks)
	if len(failed) == 0 && len(held) == 0 {
		l.st.Step.Passed++
	}
	if len(failed) > 0 {
		l.countFailure(sentences(failed), fmt.Sprintf("%s/failed/%d/%d", l.st.Run.ID, l.st.Step.Index, l.st.Step.Round))
	}
	if l.st.Run == nil || l.unanswered(held) {
		return false
	}
	l.lastRound(step)
	return l.passing(step)
}

// unanswered rolls back when rounds have gone without an answer for as long as the spec lets them.
func (l *look) unanswered(held []v1beta1.CheckStatus) bool {
	held = slices.DeleteFunc(slices.Clone(held), func(c v1beta1.CheckStatus) bool { return c.Verdict == v1beta1.VerdictFailed })
	if len(held) == 0 {
		l.st.Step.HeldSince = nil
		return false
	}
	if l.st.Step.HeldSince == nil {
		now := l.now()
		l.st.Step.HeldSince = &now
	}
	deadline := Duration(l.Canary.Spec.Analysis.NoDataDeadline, 0)
	if deadline == 0 || l.Now.Sub(l.st.Step.HeldSince.Time) < deadline {
		return false
	}
	l.rollback(holdReason(held), fmt.Sprintf("nothing was to be learned for %s: %s", deadline, sentences(held)))
	return true
}

// passing says that a step has passed as many rounds as it must, the last one among them.
func (l *look) passing(step Step) bool {
	if l.st.Step.Skipped {
		return true
	}
	failed, held := l.count(l.st.Checks)
	return l.st.Step.Passed >= step.Rounds && len(failed) == 0 && len(held) == 0
}

// GuardCheck is the name of the guard's check.
const GuardCheck = "guard"

// guarded rolls back when the guard has enough evidence, whatever the run waits for.
func (l *look) guarded() bool {
	if !watchable(l.Snapshot) || !l.isGuards() || l.Guard.Check.Verdict != v1beta1.VerdictFailed {
		return false
	}
	l.st.Checks = l.remember(l.st.Checks)
	l.rollback(ReasonCheckFailed, sentences([]v1beta1.CheckStatus{l.Guard.Check}))
	return true
}

// isGuards says that there is an answer of the guard's, and that it is of this run.
func (l *look) isGuards() bool { return l.Guard != nil && l.Guard.Round.Run == l.st.Run.ID }

// remember puts down what the metrics of a round leave for the next, and adds the guard's check to theirs.
func (l *look) remember(checks []v1beta1.CheckStatus) []v1beta1.CheckStatus {
	checks = slices.DeleteFunc(slices.Clone(checks), func(c v1beta1.CheckStatus) bool { return c.Name == GuardCheck })
	id := round(l.Canary)
	for _, a := range l.Answers {
		if a.Round == id && a.State != nil {
			*l.metric(a.Check.Name) = *a.State
		}
	}
	for i, c := range checks {
		if m := l.spec(c.Name); m.FailureLimit > 0 {
			state := l.metric(c.Name)
			if c.Verdict == v1beta1.VerdictFailed {
				state.Failures++
			}
			checks[i].Failures = state.Failures
		}
	}
	if l.isGuards() {
		if l.Guard.State != nil {
			*l.metric(GuardCheck) = *l.Guard.State
		}
		checks = append(checks, l.Guard.Check)
	}
	return checks
}

// metric is what is remembered of a metric.
func (l *look) metric(name string) *v1beta1.MetricState {
	at := slices.IndexFunc(l.st.Run.Metrics, func(m v1beta1.MetricState) bool { return m.Name == name })
	if at < 0 {
		at = len(l.st.Run.Metrics)
		l.st.Run.Metrics = append(l.st.Run.Metrics, v1beta1.MetricState{Name: name})
	}
	return &l.st.Run.Metrics[at]
}

// spec is a metric as it is written.
func (l *look) spec(name string) v1beta1.CanaryMetric {
	for _, m := range l.Canary.Spec.Analysis.Metrics {
		if m.Name == name {
			return m
		}
	}
	return v1beta1.CanaryMetric{}
}

// countFailure counts a failed round, and rolls back at the threshold.
func (l *look) countFailure(message, id string) {
	l.st.FailedChecks++
	threshold := max(l.Canary.Spec.Analysis.Threshold, 1)
	if l.st.FailedChecks >= threshold {
		l.rollback(ReasonCheckFailed, message)
		return
	}
	l.notify(Notice{
		ID: id, Reason: ReasonCheckFailed, Warning: true, Severity: v1beta1.SeverityWarn,
		Message: fmt.Sprintf("%d of %d failed rounds at weight %d: %s", l.st.FailedChecks, threshold, l.st.Weight, message),
	})
}

// webhookCheck begins the names of checks that are webhooks.
const webhookCheck = "webhook/"

// answers are the checks of this round in the order of the spec; false while one is missing.
func (l *look) answers(step Step) ([]v1beta1.CheckStatus, bool) {
	id := round(l.Canary)
	by := map[string]v1beta1.CheckStatus{}
	for _, a := range l.Answers {
		if a.Round == id {
			by[a.Check.Name] = a.Check
		}
	}
	var checks []v1beta1.CheckStatus
	for _, m := range l.Canary.Spec.Analysis.Metrics {
		if !step.judges(m.Name) {
			continue
		}
		c, ok := by[m.Name]
		if !ok {
			return nil, false
		}
		checks = append(checks, c)
	}
	for _, w := range webhooks(l.Canary, v1beta1.WebhookRollout) {
		r := l.reply(v1beta1.WebhookRollout, w.Name, id.Step, id.Round)
		if r == nil {
			return nil, false
		}
		checks = append(checks, r.check())
	}
	return checks, true
}

// check is the answer of a webhook as a check. One that was not reached says nothing of the canary.
func (r *Reply) check() v1beta1.CheckStatus {
	c := v1beta1.CheckStatus{
		Name: webhookCheck + r.ID.Webhook, Verdict: v1beta1.VerdictFailed, Message: r.Message, At: metav1.NewTime(r.At),
	}
	switch {
	case r.Agreed:
		c.Verdict = v1beta1.VerdictPassed
	case !r.Reached:
		c.Verdict = v1beta1.VerdictErrored
	}
	return c
}

// count sorts the checks that speak against going on: those that failed, and those that have nothing
// to say. What was left without an answer counts as the metric's onNoData and onError say.
func (l *look) count(checks []v1beta1.CheckStatus) (failed, held []v1beta1.CheckStatus) {
	for _, c := range checks {
		if c.Name == GuardCheck {
			continue // what it has to say it says at once
		}
		m := l.spec(c.Name)
		does := effect(m, c.Verdict)
		if does == v1beta1.Fail && c.Failures > 0 && c.Failures <= m.FailureLimit {
			does = v1beta1.Hold
		}
		switch does {
		case v1beta1.Fail:
			failed = append(failed, c)
		case v1beta1.Hold:
			held = append(held, c)
		}
	}
	return failed, held
}

func effect(m v1beta1.CanaryMetric, v v1beta1.Verdict) string {
	if m.DryRun {
		return v1beta1.Pass
	}
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

// lastRound says what the step waits for, by what its last round of checks, if there was one, came to.
func (l *look) lastRound(step Step) {
	if l.st.Phase == v1beta1.PhasePromoting {
		l.wait(ReasonBaking, "the canary bakes with all of the traffic for %s", step.Pause)
	} else {
		l.wait(ReasonAnalysing, "step %s (%s) is being analysed", l.st.Step.Progress, step)
	}
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
