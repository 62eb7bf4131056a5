package rollout

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// commanded carries out what a person wants, once, and remembers what came of it. It says whether that decides
// the look.
func (l *look) commanded() bool {
	c := l.Command
	if c == nil || l.st.LastCommand != nil && l.st.LastCommand.ID == c.ID {
		return false
	}
	record := v1beta1.CommandStatus{
		ID: c.ID, Verb: c.Verb, Gate: c.Gate, Full: c.Full, Reason: c.Reason, Actor: c.Actor, At: metav1.NewTime(l.Now),
	}
	done, refusal, run := "", c.Unreadable, l.st.Run
	if refusal == "" {
		done, refusal = l.carryOut(c)
	}
	record.Accepted, record.Result = refusal == "", done+refusal
	l.st.LastCommand = &record
	if !record.Accepted {
		l.notify(Notice{ID: "command/" + c.ID, Reason: ReasonCommandRefused, Warning: true,
			Message: fmt.Sprintf("%s is refused: %s", c.inWords(), refusal)})
		return false
	}
	l.keepCommand(run, record)
	if l.st.Run == run { // the end and the start of a run are told by themselves
		l.notify(Notice{ID: "command/" + c.ID, Reason: ReasonCommand,
			Message: fmt.Sprintf("%s by %s%s", done, who(c.Actor), because(c.Reason))})
	}
	return l.st.Run != run
}

func (c *Command) inWords() string {
	if c.Unreadable != "" {
		return "a command"
	}
	return "command " + c.Verb + " of " + who(c.Actor)
}

// keepCommand adds a command to the run that it was carried out in, which it may have ended.
func (l *look) keepCommand(run *v1beta1.RunStatus, record v1beta1.CommandStatus) {
	commands := &[]v1beta1.CommandStatus{}
	switch {
	case run != nil && l.st.Run == run:
		commands = &run.Commands
	case run != nil && len(l.st.History) > 0 && l.st.History[0].ID == run.ID:
		commands = &l.st.History[0].Commands
	case l.st.Run != nil:
		commands = &l.st.Run.Commands
	}
	if len(*commands) < v1beta1.MaxCommands {
		*commands = append(*commands, record)
	}
}

func who(actor string) string {
	if actor == "" {
		return "somebody"
	}
	return actor
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// carryOut gives what was done, or else why it cannot be done, in words.
func (l *look) carryOut(c *Command) (done, refusal string) {
	if c.Verb == v1beta1.VerbRetry {
		return l.retry()
	}
	switch l.st.Phase {
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
	case v1beta1.PhaseFinalising:
		return "", handedOverAlready
	default:
		return "", "no run is on"
	}
	if l.handedOver() {
		return "", handedOverAlready
	}
	if c.Verb == v1beta1.VerbAbort {
		l.abandon(v1beta1.OutcomeAborted, ReasonAborted, fmt.Sprintf("by %s%s", who(c.Actor), because(c.Reason)))
		return "aborted", ""
	}
	if l.Canary.Spec.Suspend {
		return "", "spec.suspend keeps everything as it is; set it to false first"
	}
	switch c.Verb {
	case v1beta1.VerbPause:
		return l.pause(c)
	case v1beta1.VerbResume:
		return l.resume()
	case v1beta1.VerbApprove:
		return l.approve(c)
	case v1beta1.VerbSkipStep:
		return l.skipStep()
	case v1beta1.VerbPromote:
		if c.Full {
			return l.promoteFull()
		}
		return l.agree(c)
	}
	return "", fmt.Sprintf("the verb %q is not known", c.Verb)
}

const handedOverAlready = "the canary's pods are the target's already; to go back, put the old template back"

func (l *look) pause(c *Command) (done, refusal string) {
	if p := l.st.Run.Paused; p != nil {
		return "", fmt.Sprintf("it is paused already, by %s", who(p.Actor))
	}
	l.st.Run.Paused = &v1beta1.PauseStatus{Since: metav1.NewTime(l.Now), Actor: c.Actor, Reason: c.Reason}
	return "paused", ""
}

func (l *look) resume() (done, refusal string) {
	if !l.unpause() {
		return "", "it is not paused"
	}
	return "resumed", ""
}

// unpause ends the pause of a person and that of the step, and says whether there was one.
func (l *look) unpause() bool {
	paused := l.st.Run.Paused != nil
	l.st.Run.Paused = nil
	if l.atStep() && l.step().Manual && !l.st.Step.Resumed {
		l.st.Step.Resumed, paused = true, true
	}
	return paused
}

// atStep says that the run is at a step of its plan.
func (l *look) atStep() bool {
	return l.st.Step != nil && (l.st.Phase == v1beta1.PhaseProgressing || l.st.Phase == v1beta1.PhaseWaitingPromotion)
}

func (l *look) approve(c *Command) (done, refusal string) {
	g := gateOf(l.st, c.Gate)
	if g == nil || g.Run != l.st.Run.ID || !l.waitsFor(g) {
		return "", fmt.Sprintf("the run does not wait for a gate %s", c.Gate)
	}
	approveGate(g, c)
	return "gate " + g.Name + " approved", ""
}

// waitsFor says that a gate holds the run up now.
func (l *look) waitsFor(g *v1beta1.GateStatus) bool {
	switch g.State {
	case v1beta1.GateApproved, v1beta1.GateTimedOut:
		return false
	case v1beta1.GateOpen:
		return g.Type == awaited(l.st)
	}
	return g.Type == awaited(l.st) || g.Type == v1beta1.WebhookPreRollout && l.atStep()
}

func approveGate(g *v1beta1.GateStatus, c *Command) {
	g.State, g.Message = v1beta1.GateApproved, "by "+who(c.Actor)+because(c.Reason)
}

// agree agrees to all that the run waits for now.
func (l *look) agree(c *Command) (done, refusal string) {
	agreed := l.unpause()
	if l.st.Run.Queue != nil {
		l.st.Run.Queue, agreed = nil, true
	}
	for i := range l.st.Gates {
		if g := &l.st.Gates[i]; g.Run == l.st.Run.ID && l.waitsFor(g) {
			approveGate(g, c)
			agreed = true
		}
	}
	if !agreed {
		return "", "the run waits for nobody; skip-step leaves this step, and promote with full all that are left"
	}
	return "promoted past what the run waited for", ""
}

func (l *look) promoteFull() (done, refusal string) {
	if l.st.Phase == v1beta1.PhasePromoting {
		return "", "it is being promoted already"
	}
	l.st.Run.Full, l.st.Run.Paused, l.st.Run.Queue = true, nil, nil
	return "promoted in full", ""
}

func (l *look) skipStep() (done, refusal string) {
	if l.st.Phase != v1beta1.PhaseProgressing {
		return "", "the run is at no step that could be skipped"
	}
	progress, next := l.st.Step.Progress, l.st.Step.Index+1
	if int(next) < len(Steps(&l.Canary.Spec)) {
		l.comeTo(next)
	} else {
		l.st.Step.Skipped = true
	}
	return "step " + progress + " skipped", ""
}

func (l *look) retry() (done, refusal string) {
	switch {
	case l.st.Phase != v1beta1.PhaseFailed:
		return "", "only a revision that was refused can be tried again"
	case l.Canary.Spec.Suspend:
		return "", "spec.suspend keeps everything as it is; set it to false first"
	case !l.Target.Found || !l.isCandidate() || l.st.Retiring != nil:
		return "", "the target's template is not the one that was refused"
	case l.Candidate.Owner == OwnerTarget && l.Candidate.Desired > 0:
		return "", "the target runs that revision itself"
	}
	l.beginRun()
	return "tried again", ""
}
