package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// waits is all that a Canary waits for, what keeps all else waiting first.
func (e explanation) waits() []string {
	st := &e.canary.Status
	var lines []string
	if why := refused(e.canary); why != "" {
		lines = append(lines, sentence("The spec cannot be carried out: "+why))
	}
	if e.canary.Spec.Suspend {
		lines = append(lines, "spec.suspend is true, which keeps everything as it is.")
	}
	if st.Run == nil {
		return lines
	}
	if p := st.Run.Paused; p != nil {
		lines = append(lines, fmt.Sprintf("The run was paused %s. It is judged all the same.", pausedBy(p, e.clock)))
	}
	for _, g := range closedGates(e.canary) {
		lines = append(lines, e.gate(g))
	}
	lines = append(lines, e.podsWait()...)
	switch st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion:
		lines = append(lines, e.stepWaits()...)
	case v1beta1.PhasePromoting:
		lines = append(lines, e.bakes()...)
	}
	return lines
}

// gate says since when a gate is closed, what it last said, and how long it may stay so.
func (e explanation) gate(g v1beta1.GateStatus) string {
	line := fmt.Sprintf("Gate %s (%s) has not agreed since %s.", g.Name, g.Type, e.near(g.Since.Time))
	switch {
	case g.Name == v1beta1.ManualGate:
		return fmt.Sprintf("A person has to agree to the promotion, since %s.", e.near(g.Since.Time))
	case g.State == v1beta1.GatePending:
		line = fmt.Sprintf("Gate %s (%s) is still to be called.", g.Name, g.Type)
	}
	if g.Message != "" {
		line += sentence(" Its last answer: " + g.Message)
	}
	if g.Failures > 0 {
		line += fmt.Sprintf(" It has refused %s; each counts as a failed round.", times(g.Failures))
	}
	if at, what, ok := timeoutOf(e.canary, g); ok {
		line += fmt.Sprintf(" If it has not by %s, %s.", e.near(at), what)
	}
	return line
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// podsWait is what is missing of the canary's pods, and until when.
func (e explanation) podsWait() []string {
	st := &e.canary.Status
	if st.Step == nil || st.Step.WaitingSince == nil || st.Canary == nil {
		return nil
	}
	line := fmt.Sprintf("Pods of the canary: %s.", e.pods(st.Canary))
	if limit := e.canary.Spec.ProgressDeadlineSeconds; limit != nil {
		deadline := st.Step.WaitingSince.Add(time.Duration(*limit) * time.Second)
		line += fmt.Sprintf(" If they are not by %s, the run is rolled back.", e.near(deadline))
	}
	return []string{line}
}

// stepWaits is what the step lacks to be left, once its traffic is in force.
func (e explanation) stepWaits() []string {
	st := &e.canary.Status
	step, ok := e.step()
	if !ok || st.Step.JudgedAt == nil {
		return nil
	}
	lines := e.roundWaits(step)
	since := st.Step.TrafficSince
	switch {
	case st.Step.Skipped:
	case step.Manual && !st.Step.Resumed:
		lines = append(lines, "The step lasts until a person resumes the run.")
	case step.Pause > 0 && since != nil && since.Add(step.Pause).After(time.Time(e.clock)):
		lines = append(lines, fmt.Sprintf("The step lasts until %s at least.", e.near(since.Add(step.Pause))))
	}
	return lines
}

func (e explanation) roundWaits(step rollout.Step) []string {
	at := e.canary.Status.Step
	if step.Rounds == 0 {
		return nil
	}
	var names []string
	for _, m := range e.canary.Spec.Analysis.Metrics {
		if step.Checks == nil || slices.Contains(step.Checks, m.Name) {
			names = append(names, m.Name)
		}
	}
	for _, w := range e.canary.Spec.Analysis.Webhooks {
		if w.Type == v1beta1.WebhookRollout {
			names = append(names, "webhook "+w.Name)
		}
	}
	what := "No check is asked: the round passes when its time is over"
	if len(names) > 0 {
		what = "Asked are " + and(names)
	}
	line := fmt.Sprintf("A round of checks that passes: the next is judged at %s. %s.", e.near(at.JudgedAt.Add(step.Dwell)), what)
	if step.Rounds > 1 {
		line += fmt.Sprintf(" %d of %d rounds have passed.", min(at.Passed, step.Rounds), step.Rounds)
	}
	return []string{line}
}

// bakes is how long the canary still has to stand all of the traffic.
func (e explanation) bakes() []string {
	st, spec := &e.canary.Status, &e.canary.Spec
	delay, keep := rollout.Duration(spec.PromotionDelay, 0), rollout.Duration(spec.ScaleDownDelay, 0)
	const all = 100
	if st.Weight < all || st.WeightSince == nil {
		return nil
	}
	var lines []string
	if until := st.WeightSince.Add(delay); delay > 0 && until.After(time.Time(e.clock)) {
		lines = append(lines, fmt.Sprintf("The canary bakes with all of the traffic until %s at least (spec.promotionDelay).",
			e.near(until)))
	}
	if until := st.WeightSince.Add(delay + keep); keep > 0 && until.After(time.Time(e.clock)) {
		lines = append(lines, fmt.Sprintf("The old pods stay until %s, so that abort is one change of the route "+
			"(spec.scaleDownDelay).", e.near(until)))
	}
	return lines
}

// checks are the answers of the last round.
func (e explanation) checks() []string {
	st := &e.canary.Status
	var lines []string
	if st.Run == nil && st.Phase != v1beta1.PhaseFailed {
		return nil
	}
	for _, c := range st.Checks {
		line := fmt.Sprintf("%s: %s, at %s.", c.Name, c.Verdict, e.near(c.At.Time))
		if c.Value != "" {
			line = fmt.Sprintf("%s: %s with %s, at %s.", c.Name, c.Verdict, c.Value, e.near(c.At.Time))
		}
		line += sentence(spaced(c.Message)) + e.effect(c)
		if c.Query != "" && c.Verdict != v1beta1.VerdictPassed {
			line += "\n    It was asked: " + strings.Join(strings.Fields(c.Query), " ")
		}
		lines = append(lines, line)
	}
	return lines
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

// effect is what a check without an answer means to the step.
func (e explanation) effect(c v1beta1.CheckStatus) string {
	for _, m := range e.canary.Spec.Analysis.Metrics {
		if m.Name != c.Name {
			continue
		}
		switch {
		case c.Verdict == v1beta1.VerdictNoData && m.OnNoData == v1beta1.Pass:
			return " It counts as passed (onNoData)."
		case c.Verdict == v1beta1.VerdictNoData && m.OnNoData == v1beta1.Fail:
			return " It counts as failed (onNoData)."
		case c.Verdict == v1beta1.VerdictErrored && m.OnError == v1beta1.Fail:
			return " It counts as failed (onError)."
		}
	}
	if c.Verdict == v1beta1.VerdictNoData || c.Verdict == v1beta1.VerdictErrored {
		return " It holds the step."
	}
	return ""
}
