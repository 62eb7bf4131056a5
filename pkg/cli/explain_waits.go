package cli

import (
	"fmt"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

// waits is all that a Canary waits for, what keeps all else waiting first.
func (e explanation) waits() []string {
	st := &e.canary.Status
	var lines []string
	if why := words.Refused(e.canary); why != "" {
		lines = append(lines, words.Sentence("a spec that can be carried out: "+why))
	}
	if e.canary.Spec.Suspend {
		return append(lines, "spec.suspend to be false; until then everything stays as it is.")
	}
	if st.Run == nil {
		return lines
	}
	if p := st.Run.Paused; p != nil {
		lines = append(lines, fmt.Sprintf("a person to resume the run, which was paused %s. It is judged all the same.",
			words.PausedBy(p, e.Clock)))
	}
	for _, g := range words.ClosedGates(e.canary) {
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
	if g.Name == v1beta1.ManualGate {
		return fmt.Sprintf("a person to agree to the promotion, since %s.", e.Near(g.Since.Time))
	}
	line := fmt.Sprintf("gate %s (%s) to agree, since %s.", g.Name, g.Type, e.Near(g.Since.Time))
	if g.Message != "" {
		line += words.Sentence(" Its last answer: " + g.Message)
	}
	if g.Failures > 0 {
		line += fmt.Sprintf(" It has refused %s; each counts as a failed round.", times(g.Failures))
	}
	if at, what, ok := words.TimeoutOf(e.canary, g); ok {
		line += fmt.Sprintf(" If it has not by %s, %s.", e.Near(at), what)
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
	line := fmt.Sprintf("pods of the canary: %s.", e.pods(st.Canary))
	if deadline, ok := words.PodsUntil(e.canary); ok {
		late := "they are not ready"
		if inPlace(e.canary) { // one after the other; each has its time
			late = "no further one is ready"
		}
		line += fmt.Sprintf(" If %s by %s, the run is rolled back.", late, e.Near(deadline))
	}
	return []string{line}
}

// stepWaits is what the step lacks to be left, once its traffic is in force.
func (e explanation) stepWaits() []string {
	st := &e.canary.Status
	step, ok := words.StepOf(e.canary)
	if !ok || st.Step.JudgedAt == nil || st.Step.Skipped {
		return nil
	}
	var lines []string
	if left := step.Rounds - st.Step.Passed; left == 1 {
		lines = append(lines, "a round of checks that passes. "+e.asked(step))
	} else if left > 1 {
		lines = append(lines, fmt.Sprintf("%d rounds of checks that pass; %d of %d have. %s", left, st.Step.Passed, step.Rounds,
			e.asked(step)))
	}
	until, lasts := words.StepUntil(e.canary)
	switch {
	case step.Manual && !st.Step.Resumed:
		lines = append(lines, "a person to resume the run: the step lasts until then.")
	case lasts && e.Ahead(until):
		lines = append(lines, fmt.Sprintf("%s, until when the step lasts at least.", e.Near(until)))
	}
	return lines
}

// nextRound is when the step is judged next.
func (e explanation) nextRound() []string {
	due, ok := words.NextRound(e.canary)
	switch {
	case !ok:
		return nil
	case e.Ahead(due):
		return []string{fmt.Sprintf("The next round of checks is due at %s.", e.Near(due))}
	}
	return []string{fmt.Sprintf("A round of checks is due since %s.", e.Near(due))}
}

// asked are the checks of a round.
func (e explanation) asked(step rollout.Step) string {
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
	if len(names) == 0 {
		return "There are no checks: a round passes when its time is over."
	}
	return "It asks for " + words.And(names) + "."
}

// bakes is how long the canary still has to stand all of the traffic.
func (e explanation) bakes() []string {
	var lines []string
	if until, ok := words.BakedAt(e.canary); ok && e.Ahead(until) {
		lines = append(lines, fmt.Sprintf("%s, until when the canary bakes with all of the traffic, and is judged "+
			"(spec.promotionDelay).", e.Near(until)))
	}
	if until, ok := words.KeptUntil(e.canary); ok && e.Ahead(until) {
		lines = append(lines, fmt.Sprintf("%s, until when the old pods stay, so that abort is one change of the route "+
			"(spec.scaleDownDelay).", e.Near(until)))
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
		line := fmt.Sprintf("%s: %s", c.Name, c.Verdict)
		if c.Value != "" {
			line += " with " + c.Value
		}
		line += " at " + e.Near(c.At.Time)
		if c.Message != "" {
			line += ": " + c.Message
		}
		line = words.Sentence(line) + e.effect(c)
		if c.Query != "" && c.Verdict != v1beta1.VerdictPassed {
			line += "\n    It was asked: " + e.short(strings.Join(strings.Fields(c.Query), " "))
			if c.Answer != "" {
				line += "\n    It answered: " + c.Answer
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// short cuts a query that nobody would read to its end here.
func (e explanation) short(query string) string {
	const enough = 200
	if len(query) <= enough {
		return query
	}
	return strings.ToValidUTF8(query[:enough], "") + "… (" + e.say("get", e.canary.Name, "-o yaml") + " has all of it)"
}

// effect is what a check without an answer means to the step.
func (e explanation) effect(c v1beta1.CheckStatus) string {
	if c.Name == rollout.GuardCheck {
		return "" // it never holds
	}
	for _, m := range e.canary.Spec.Analysis.Metrics {
		if m.Name != c.Name {
			continue
		}
		switch {
		case m.DryRun:
			return " It decides nothing (dryRun)."
		case c.Verdict == v1beta1.VerdictFailed && c.Failures > 0 && c.Failures <= m.FailureLimit:
			return fmt.Sprintf(" It holds the step: failure %d of the %d that do not count (failureLimit).", c.Failures, m.FailureLimit)
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
