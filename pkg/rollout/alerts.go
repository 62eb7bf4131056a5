package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Alerts. What people are to be told is committed with what it is about, so that neither a crash nor an outage of whoever
// tells it loses it; it stands in the status until it has been told.

// Receiver is somebody who is told by alerts.
type Receiver struct {
	// To names who tells, for the controller.
	To string
	// Severity is the least that is told.
	Severity v1beta1.AlertSeverity
	// Mute are reasons that are not.
	Mute []string
}

// Delivery is an alert that somebody has been told.
type Delivery struct{ ID, To string }

// hears says that a notice is for the receiver.
func (r Receiver) hears(n Notice) bool {
	ends := n.Mends != "" && n.Mends.Reaches(r.Severity)
	muted := slices.Contains(r.Mute, n.Reason) || n.Reason == ReasonStallEnded && slices.Contains(r.Mute, ReasonStalled)
	return n.Severity != "" && (n.Severity.Reaches(r.Severity) || ends) && !muted
}

// notify tells people, once the status is committed.
func (l *look) notify(n Notice) { l.d.Notices = append(l.d.Notices, n) }

// post takes out what has been told, and puts down what is to be.
func (l *look) post() {
	for _, d := range l.Delivered {
		for i := range l.st.Alerts {
			if a := &l.st.Alerts[i]; a.ID == d.ID {
				a.To = slices.DeleteFunc(a.To, func(to string) bool { return to == d.To })
			}
		}
	}
	l.st.Alerts = slices.DeleteFunc(l.st.Alerts, func(a v1beta1.AlertStatus) bool { return len(a.To) == 0 })
	for _, n := range l.d.Notices {
		var to []string
		for _, r := range l.Receivers {
			if r.hears(n) && !slices.Contains(to, r.To) {
				to = append(to, r.To)
			}
		}
		if len(to) > 0 && !slices.ContainsFunc(l.st.Alerts, func(a v1beta1.AlertStatus) bool { return a.ID == n.ID }) {
			l.st.Alerts = append(l.st.Alerts, l.alert(n, to))
		}
	}
	if more := len(l.st.Alerts) - v1beta1.MaxAlerts; more > 0 {
		for _, a := range l.st.Alerts[:more] {
			l.st.Alerts[more].Dropped += 1 + a.Dropped
		}
		l.st.Alerts = slices.Clone(l.st.Alerts[more:])
	}
	if len(l.st.Alerts) == 0 {
		l.st.Alerts = nil
	}
}

// alert is a notice with all that is told beside it.
func (l *look) alert(n Notice, to []string) v1beta1.AlertStatus {
	a := v1beta1.AlertStatus{
		ID: n.ID, Reason: n.Reason, Severity: n.Severity, Message: n.Message, At: l.now(), To: to,
		Phase: l.st.Phase, Weight: l.st.Weight, Check: l.failing(),
	}
	if l.st.Step != nil {
		a.Step = l.st.Step.Progress
	}
	switch run := l.st.Run; {
	case run != nil:
		a.Run, a.MaxWeight = run.ID, run.MaxWeight
		if l.st.Canary != nil {
			a.Revision, a.Images = l.st.Canary.Hash, l.st.Canary.Images
		}
	case len(l.st.History) > 0 && n.ID == l.st.History[0].ID+endedID:
		rec := l.st.History[0]
		a.Run, a.MaxWeight, a.Revision, a.Images = rec.ID, rec.MaxWeight, rec.Revision, rec.Images
		if was := l.Canary.Status.Step; was != nil {
			a.Step = was.Progress
		}
	}
	if a.Reason != string(v1beta1.OutcomeRolledBack) && a.Reason != ReasonCheckFailed {
		a.Check = nil
	}
	return a
}

// failing is the check that speaks against the canary.
func (l *look) failing() *v1beta1.AlertCheck {
	failed, _ := l.count(l.st.Checks)
	for _, c := range l.st.Checks {
		if c.Name == GuardCheck && c.Verdict == v1beta1.VerdictFailed {
			failed = append(failed, c)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	c := failed[len(failed)-1]
	return &v1beta1.AlertCheck{Name: c.Name, Value: c.Value, Baseline: c.Baseline, Message: c.Message}
}

// longHeld is how many intervals a run is without an answer before people are told.
const longHeld = 3

// waitsForPeople tells, once each, what a run waits for that a person may want to see to.
func (l *look) waitsForPeople() {
	l.stalled()
	if l.st.Run == nil {
		return
	}
	switch l.waiting.reason {
	case ReasonGateClosed:
		if gate := l.waitedFor(); gate != "" {
			l.once(gate, ReasonGateClosed, l.waiting.message)
		}
	case ReasonPaused:
		if l.st.Step != nil && l.st.Run.Paused == nil { // who has paused it need not be told
			l.once(fmt.Sprintf("paused/%d", l.st.Step.Index), ReasonPaused, l.waiting.message)
		}
	case ReasonNoData, ReasonCheckErrored:
		held := l.st.Step.HeldSince
		while := longHeld * Duration(l.Canary.Spec.Analysis.Interval, time.Minute)
		if held != nil && l.Now.Sub(held.Time) >= while {
			l.once(fmt.Sprintf("held/%d", l.st.Step.Index), l.waiting.reason,
				fmt.Sprintf("nothing was to be learned for %s: %s", while, l.waiting.message))
		}
	}
}

// waitedFor is a gate that has been asked, or that is a person's, and has not agreed; empty where there is none that people
// want to hear of.
func (l *look) waitedFor() string {
	for _, g := range l.st.Gates {
		w := slices.IndexFunc(l.Canary.Spec.Analysis.Webhooks, func(w v1beta1.CanaryWebhook) bool { return w.Name == g.Name })
		muted := w >= 0 && l.Canary.Spec.Analysis.Webhooks[w].MuteAlert
		if g.Run == l.st.Run.ID && g.State == v1beta1.GateClosed && !muted && (g.Message != "" || g.Name == v1beta1.ManualGate) {
			step := int32(0)
			if l.st.Step != nil {
				step = l.st.Step.Index
			}
			return fmt.Sprintf("gate/%s/%s/%d", g.Type, g.Name, step)
		}
	}
	return ""
}

// once tells something once in a run.
func (l *look) once(what, reason, message string) {
	if slices.Contains(l.st.Run.Told, what) {
		return
	}
	const most = 64
	told := append(slices.Clone(l.st.Run.Told), what)
	l.st.Run.Told = told[max(0, len(told)-most):]
	about := ""
	if l.st.Canary != nil {
		about = fmt.Sprintf("revision %s of %s: ", l.st.Canary.Hash, l.targetName())
	}
	l.notify(Notice{
		ID: l.st.Run.ID + "/" + what, Reason: reason, Severity: v1beta1.SeverityWarn,
		Warning: reason != ReasonGateClosed && reason != ReasonPaused, Message: about + message,
	})
}

// stalled tells that nothing goes on until a person does something, when that begins and when it is over. That a run has
// failed is told by its end.
func (l *look) stalled() {
	was := meta.FindStatusCondition(l.Canary.Status.Conditions, v1beta1.ConditionStalled)
	stood := was != nil && was.Status == metav1.ConditionTrue && l.Canary.Status.Phase != v1beta1.PhaseFailed
	id := func(what, reason string) string {
		return fmt.Sprintf("%s/%s/%s/%s", l.Canary.UID, what, strings.ToLower(reason), l.Canary.ResourceVersion)
	}
	switch {
	case l.waiting.stalled && (!stood || was.Reason != l.waiting.reason):
		l.notify(Notice{
			ID: id("stalled", l.waiting.reason), Reason: ReasonStalled, Severity: v1beta1.SeverityError, Warning: true,
			Message: "nothing goes on: " + l.waiting.message,
		})
	case stood && !l.waiting.stalled: // before what comes of it, which may be worse
		l.d.Notices = slices.Insert(l.d.Notices, 0, Notice{
			ID: id("stallended", was.Reason), Reason: ReasonStallEnded, Severity: v1beta1.SeverityInfo, Mends: v1beta1.SeverityError,
			Message: "it goes on; what stood in the way: " + was.Message,
		})
	}
}
