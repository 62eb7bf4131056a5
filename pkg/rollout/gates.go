package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Gates. A gate that a run comes to gets its line in status.gates; Ask has those called that the phase waits
// for, and Decide reads the replies. A gate agrees for as long as its latest answer does: only a person's
// approval, and a pre-rollout that has passed, are kept.

// webhooks are those of a type.
func webhooks(c *v1beta1.Canary, kind string) []v1beta1.CanaryWebhook {
	var of []v1beta1.CanaryWebhook
	for _, w := range c.Spec.Analysis.Webhooks {
		if typeOf(w) == kind {
			of = append(of, w)
		}
	}
	return of
}

func typeOf(w v1beta1.CanaryWebhook) string {
	if w.Type == "" {
		return v1beta1.WebhookRollout
	}
	return w.Type
}

func callOf(s *Snapshot, w v1beta1.CanaryWebhook, id RoundID) Call {
	call := Call{
		ID: CallID{RoundID: id, Type: typeOf(w), Webhook: w.Name}, Webhook: w, Phase: s.Canary.Status.Phase,
	}
	if s.Canary.Status.Canary != nil {
		call.Revision = s.Canary.Status.Canary.Hash
	}
	return call
}

// gateCalls are the gates that the committed status waits for, and the rollback webhooks of a run.
func gateCalls(s *Snapshot) []Call {
	st := &s.Canary.Status
	if st.Run == nil || s.handedOver() {
		return nil
	}
	every := Duration(s.Canary.Spec.Analysis.Interval, time.Minute)
	var calls []Call
	for _, w := range s.Canary.Spec.Analysis.Webhooks {
		id := RoundID{Run: st.Run.ID}
		if st.Step != nil {
			id.Step = st.Step.Index
		}
		call := callOf(s, w, id)
		call.Every = every
		g := gateOf(st, w.Name)
		switch {
		case typeOf(w) == v1beta1.WebhookRollback:
			calls = append(calls, rollbackCall(call))
		case s.Canary.Spec.Suspend, g == nil, g.Type != typeOf(w), g.Run != st.Run.ID,
			g.State == v1beta1.GateApproved, g.State == v1beta1.GateTimedOut:
		case g.Type == v1beta1.WebhookPreRollout:
			if g.State != v1beta1.GateOpen && preRolloutDueIn(s, g) == 0 {
				call.ID.Step, call.ID.Round, call.Every = 0, g.Failures, every
				calls = append(calls, call)
			}
		case g.Type == awaited(st):
			calls = append(calls, call)
		}
	}
	return calls
}

// rollbackCall goes by the run alone: the step at which it is asked changes nothing.
func rollbackCall(c Call) Call {
	c.ID.Step = 0
	return c
}

// awaited is the type of gate that a run may be waiting for: one whose step is not in force waits for that first.
func awaited(st *v1beta1.CanaryStatus) string {
	switch {
	case st.Run != nil && st.Run.Queue != nil: // nobody is asked before its turn
		return ""
	case st.Phase == v1beta1.PhaseWaiting:
		return v1beta1.WebhookConfirmRollout
	case st.Phase != v1beta1.PhaseProgressing && st.Phase != v1beta1.PhaseWaitingPromotion:
		return ""
	case st.Step != nil && st.Step.TrafficSince == nil:
		return v1beta1.WebhookConfirmTrafficIncrease
	case st.Phase == v1beta1.PhaseWaitingPromotion:
		return v1beta1.WebhookConfirmPromotion
	}
	return ""
}

// preRolloutDueIn is how long until a pre-rollout webhook that refused is called again.
func preRolloutDueIn(s *Snapshot, g *v1beta1.GateStatus) time.Duration {
	if g.FailedAt == nil {
		return 0
	}
	return max(0, g.FailedAt.Add(Duration(s.Canary.Spec.Analysis.Interval, time.Minute)).Sub(s.Now))
}

// postCalls are the post-rollout webhooks of a run that has ended.
func postCalls(s *Snapshot) []Call {
	st := &s.Canary.Status
	if st.Phase == v1beta1.PhaseFinalising {
		return nil // the run is over when the routes are back
	}
	var calls []Call
	for _, w := range webhooks(s.Canary, v1beta1.WebhookPostRollout) {
		g := gateOf(st, w.Name)
		if g == nil || g.State != v1beta1.GatePending {
			continue
		}
		call := callOf(s, w, RoundID{Run: g.Run})
		call.Phase, call.Revision = outcomeOf(st, g.Run)
		calls = append(calls, call)
	}
	return calls
}

// outcomeOf is how a run of the history ended, in the words of a phase, and its revision.
func outcomeOf(st *v1beta1.CanaryStatus, run string) (v1beta1.Phase, string) {
	for i := range st.History {
		if h := &st.History[i]; h.ID == run {
			if h.Outcome == v1beta1.OutcomePromoted {
				return v1beta1.PhaseSucceeded, h.Revision
			}
			return v1beta1.PhaseFailed, h.Revision
		}
	}
	return st.Phase, ""
}

func gateOf(st *v1beta1.CanaryStatus, name string) *v1beta1.GateStatus {
	i := slices.IndexFunc(st.Gates, func(g v1beta1.GateStatus) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return &st.Gates[i]
}

// gate is the line of a gate, which begins when the run comes to it.
func (l *look) gate(name, kind string, state v1beta1.GateState) *v1beta1.GateStatus {
	if g := gateOf(l.st, name); g != nil && g.Type == kind && g.Run == l.st.Run.ID {
		return g
	}
	l.dropGates(func(g *v1beta1.GateStatus) bool { return g.Name == name })
	l.st.Gates = append(l.st.Gates, v1beta1.GateStatus{
		Name: name, Type: kind, State: state, Run: l.st.Run.ID, Since: metav1.NewTime(l.Now),
	})
	return &l.st.Gates[len(l.st.Gates)-1]
}

func (l *look) dropGates(which func(*v1beta1.GateStatus) bool) {
	l.st.Gates = slices.DeleteFunc(l.st.Gates, func(g v1beta1.GateStatus) bool { return which(&g) })
}

// reply is the latest answer of a webhook to this call.
func (l *look) reply(kind, name string, step, attempt int32) *Reply {
	id := CallID{RoundID: RoundID{Run: l.st.Run.ID, Step: step, Round: attempt}, Type: kind, Webhook: name}
	for i := range l.Replies {
		if l.Replies[i].ID == id {
			return &l.Replies[i]
		}
	}
	return nil
}

// agreed says that all gates of a type agree now, and keeps their lines in the status. Where one has not
// agreed in its time the run may be over: then the phase has changed.
func (l *look) agreed(kind string, names []string) bool {
	phase := l.st.Phase
	var closed []string
	for _, w := range webhooks(l.Canary, kind) {
		if names != nil && !slices.Contains(names, w.Name) {
			continue
		}
		g := l.gate(w.Name, kind, v1beta1.GateClosed)
		l.readGate(g)
		if g.State == v1beta1.GateClosed {
			l.timeGate(g, w)
		}
		if l.st.Phase != phase {
			return false
		}
		if g.State == v1beta1.GateClosed {
			closed = append(closed, g.Name+says(g.Message))
		}
	}
	if kind == v1beta1.WebhookConfirmPromotion && l.Canary.Spec.Analysis.Manual {
		if g := l.gate(v1beta1.ManualGate, kind, v1beta1.GateClosed); g.State == v1beta1.GateClosed {
			closed = append(closed, "a person (`kubectl weir promote "+l.Canary.Name+"`)")
		}
	}
	if len(closed) == 0 {
		return true
	}
	l.after(Duration(l.Canary.Spec.Analysis.Interval, time.Minute))
	l.wait(ReasonGateClosed, "waiting for %s to agree", strings.Join(closed, "; "))
	return false
}

func says(message string) string {
	if message == "" {
		return ""
	}
	return " (" + message + ")"
}

// readGate brings a gate's line up to date with its latest answer. One that nobody has asked since this
// process began counts as closed until it answers.
func (l *look) readGate(g *v1beta1.GateStatus) {
	if g.State == v1beta1.GateApproved || g.State == v1beta1.GateTimedOut {
		return
	}
	step := int32(0) // what was answered at the step before does not count
	if l.st.Step != nil {
		step = l.st.Step.Index
	}
	r := l.reply(g.Type, g.Name, step, 0)
	if r == nil {
		g.State = v1beta1.GateClosed
		return
	}
	g.State, g.Message = v1beta1.GateClosed, r.Message
	if r.Agreed {
		g.State = v1beta1.GateOpen
	}
}

// timeGate ends the wait for a gate that has not agreed in its time.
func (l *look) timeGate(g *v1beta1.GateStatus, w v1beta1.CanaryWebhook) {
	limit := Duration(w.GateTimeout, 0)
	if limit <= 0 {
		return
	}
	if in := g.Since.Add(limit).Sub(l.Now); in > 0 {
		l.after(in)
		return
	}
	message := fmt.Sprintf("gate %s did not agree within %s%s", g.Name, limit, says(g.Message))
	if w.OnTimeout != v1beta1.OnTimeoutContinue {
		l.abandon(v1beta1.OutcomeAborted, ReasonGateTimeout, message)
		return
	}
	g.State = v1beta1.GateTimedOut
	l.notify(Notice{
		ID:     fmt.Sprintf("%s/gatetimeout/%s/%s/%d", l.st.Run.ID, g.Name, g.Type, g.Since.Unix()), // at each step anew
		Reason: ReasonGateTimeout, Warning: true, Severity: v1beta1.SeverityWarn,
		Message: message + "; the run goes on, as its onTimeout says",
	})
}

// preRollout calls the webhooks of type pre-rollout, once the canary's pods are ready and before they get
// traffic. It says that all have agreed.
func (l *look) preRollout() bool {
	for _, w := range webhooks(l.Canary, v1beta1.WebhookPreRollout) {
		g := l.gate(w.Name, v1beta1.WebhookPreRollout, v1beta1.GatePending)
		if g.State == v1beta1.GateOpen || g.State == v1beta1.GateApproved {
			continue
		}
		l.wait(ReasonGateClosed, "waiting for pre-rollout webhook %s%s", w.Name, says(g.Message))
		l.after(Duration(l.Canary.Spec.Analysis.Interval, time.Minute))
		if in := preRolloutDueIn(l.Snapshot, g); in > 0 {
			l.after(in)
			return false
		}
		r := l.reply(g.Type, g.Name, 0, g.Failures)
		switch {
		case r == nil:
			return false
		case r.Agreed:
			g.State, g.Message = v1beta1.GateOpen, r.Message
			continue
		case !r.Reached: // trouble on the way there says nothing of the canary
			g.Message = r.Message
			return false
		}
		now := l.now()
		g.State, g.Message, g.FailedAt = v1beta1.GateFailed, r.Message, &now
		g.Failures++
		l.countFailure(fmt.Sprintf("pre-rollout webhook %s refused: %s", w.Name, r.Message),
			fmt.Sprintf("%s/prerollout/%s/%d", l.st.Run.ID, w.Name, g.Failures))
		return false
	}
	return true
}

// postRollout remembers that the webhooks of type post-rollout are to be called for a run that ends.
func (l *look) postRollout() {
	for _, w := range webhooks(l.Canary, v1beta1.WebhookPostRollout) {
		l.gate(w.Name, v1beta1.WebhookPostRollout, v1beta1.GatePending)
	}
}

// postReplies reads the answers of post-rollout webhooks. Whatever they are, the run is over.
func (l *look) postReplies() {
	for i := range l.st.Gates {
		g := &l.st.Gates[i]
		if g.Type != v1beta1.WebhookPostRollout || g.State != v1beta1.GatePending {
			continue
		}
		for _, r := range l.Replies {
			if r.ID.Type != g.Type || r.ID.Webhook != g.Name || r.ID.Run != g.Run {
				continue
			}
			g.State, g.Message = v1beta1.GateOpen, r.Message
			if !r.Agreed {
				g.State = v1beta1.GateFailed
				l.notify(Notice{
					ID: g.Run + "/post/" + g.Name, Reason: ReasonPostRollout, Warning: true,
					Severity: v1beta1.SeverityWarn,
					Message:  fmt.Sprintf("post-rollout webhook %s refused or was not reached: %s", g.Name, r.Message),
				})
			}
		}
	}
}

// postPending says that a post-rollout webhook is still to be called.
func postPending(c *v1beta1.Canary, st *v1beta1.CanaryStatus) bool {
	return slices.ContainsFunc(st.Gates, func(g v1beta1.GateStatus) bool {
		return g.Type == v1beta1.WebhookPostRollout && g.State == v1beta1.GatePending &&
			slices.ContainsFunc(webhooks(c, v1beta1.WebhookPostRollout),
				func(w v1beta1.CanaryWebhook) bool { return w.Name == g.Name })
	})
}
