package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// The rules that stand before the phase. Each says whether it has decided.

// deleted gives everything back. Only a hand-over that is already through is finished first: there is
// no primary to go back to any more.
func (l *look) deleted() bool {
	if l.Canary.DeletionTimestamp == nil {
		return false
	}
	if l.st.Phase == v1beta1.PhasePromoting && l.Candidate.Owner == OwnerTarget && l.Target.Found {
		l.promoting()
		return true
	}
	if l.st.Phase == v1beta1.PhaseFinalising && l.Target.Found && !l.slipped() {
		l.finalising()
		return true
	}
	if l.st.Phase != v1beta1.PhaseTerminating {
		l.terminate()
		return true
	}
	l.terminating()
	return true
}

// outOfBand notices that somebody resumed the target: its own controller is rolling out, or did so while
// Weir did not look. Weir steps aside until that is complete, and the run's outcome is what came of it.
func (l *look) outOfBand() bool {
	switch l.st.Phase {
	case v1beta1.PhaseInitializing, v1beta1.PhaseFinalising, v1beta1.PhaseTerminating:
		return false
	}
	if !l.Target.Found || l.Target.Paused && !l.Target.Complete || l.Target.Revision.IsPrimary || l.doneByWeir() {
		return false
	}
	// A candidate that is the target's was handed over, or is an old one still to be borrowed.
	expected := l.st.Phase == v1beta1.PhasePromoting || l.Candidate.Desired == 0
	if l.Candidate.Found && l.Candidate.Owner == OwnerTarget && expected {
		return false
	}
	if l.st.Run == nil {
		l.st.Run = l.newRun()
	}
	l.retireCandidate()
	l.st.Phase, l.st.Step, l.st.Primary = v1beta1.PhaseInitializing, nil, nil
	l.setSplit(Split{})
	l.touch()
	l.notify(Notice{
		ID: l.st.Run.ID + "/resumed", Reason: ReasonOutOfBand, Warning: true, OnTarget: true,
		Severity: v1beta1.SeverityWarn,
		Message: fmt.Sprintf("%s was %s and rolls out revision %s without analysis; Weir waits until it is complete",
			l.workload(), l.letGo(), l.Target.Revision.Hash),
	})
	return true
}

// superseded notices that the template changed in mid-run.
func (l *look) superseded() bool {
	switch l.st.Phase {
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		if l.handedOver() {
			return false
		}
	case v1beta1.PhaseFinalising:
		if !l.slipped() {
			return false
		}
	default:
		return false
	}
	if !l.Target.Found || l.isCandidate() || l.queued() {
		return false
	}
	l.inherited = l.st.Run
	l.endRun(v1beta1.OutcomeSuperseded, ReasonNewRevision,
		fmt.Sprintf("revision %s took its place", l.Target.Revision.Hash))
	tookBack := l.st.Phase == v1beta1.PhaseFinalising
	l.retireCandidate()
	l.dropSplit(!tookBack || l.Target.Revision.IsPrimary || l.Primary.Ready >= l.Target.Replicas)
	if l.Target.Revision.IsPrimary {
		l.st.Phase, l.st.Step = v1beta1.PhaseSucceeded, nil
		return true
	}
	l.beginRun()
	return true
}

// queued says that the target's template waits for the end of the run, as the spec wants it. A canary without a
// ReplicaSet can be made of the target's present template alone, and cannot let another wait. Neither can one
// whose ReplicaSet is older than the primary's: handed over beside a newer template, the Deployment's controller
// would take its pods away and not the primary's. And a template that is the primary's again ends the run; if that was
// so for a moment after the hand-over, the controller has ended the canary's pods.
func (s *Snapshot) queued() bool {
	newer := s.Target.Found && !s.Target.Revision.IsCandidate && !s.Target.Revision.IsPrimary
	promoted := s.handedOver() && (s.Candidate.Desired > 0 || s.Target.Replicas == 0)
	return newer && s.Canary.Spec.OnNewRevision == v1beta1.OnNewRevisionQueue &&
		s.Candidate.Found && s.Candidate.Younger && (s.Candidate.Owner == OwnerCanary || promoted)
}

// slipped says that the template changed between the decision to hand over and the hand-over, and
// that the target has not yet let go of its old pods: the ReplicaSet must be taken back.
func (l *look) slipped() bool {
	return l.st.Canary != nil && l.handedOver() && !l.Target.Revision.IsCandidate && !l.queued() &&
		l.Primary.Found && l.Primary.Desired > 0
}

// broken notices canary pods that will not come up by waiting, and a step that waited too long.
func (l *look) broken() bool {
	if !l.underTest() || l.st.Retiring != nil {
		return false
	}
	if b := l.Candidate.Broken; b != nil {
		l.rollback(b.Reason, b.sentence())
		return true
	}
	since := l.st.Step.WaitingSince
	if since != nil && l.Target.Replicas > 0 && !l.comesOn() && !l.Now.Before(since.Add(l.deadline())) {
		l.rollback(ReasonProgressDeadline, l.tooSlow())
		return true
	}
	return false
}

func (b *Broken) sentence() string {
	if b.Pod == "" {
		return fmt.Sprintf("its own controller says %s: %s", b.Reason, b.Message)
	}
	who := "pod " + b.Pod
	if b.Container != "" {
		who = fmt.Sprintf("container %s of pod %s", b.Container, b.Pod)
	}
	if b.Message == "" {
		return fmt.Sprintf("%s: %s; see `kubectl logs %s --previous`", who, b.Reason, b.Pod)
	}
	return fmt.Sprintf("%s: %s: %s", who, b.Reason, b.Message)
}

// lostPods takes the split away from a canary that has no pod to answer with. The step starts over
// once it has.
func (l *look) lostPods() bool {
	if !l.underTest() || l.st.Retiring != nil || !SplitOf(l.st).Reaches() || l.Candidate.Ready > 0 || l.Target.Replicas == 0 {
		return false
	}
	l.setSplit(Split{})
	l.waitForPods()
	l.dropGates(func(g *v1beta1.GateStatus) bool { return g.Type == v1beta1.WebhookConfirmTrafficIncrease })
	l.wait(ReasonWaitingForPods, "%s", l.noneReady())
	return true
}

func (l *look) deadline() time.Duration {
	if p := l.Canary.Spec.ProgressDeadlineSeconds; p != nil {
		return time.Duration(*p) * time.Second
	}
	return defaultProgressDeadline
}

// underTest says that there may be pods of a canary which is not promoted yet.
func (l *look) underTest() bool {
	switch l.st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return !l.handedOver()
	}
	return false
}

// handedOver says that the candidate is promoted: it belongs to the target already.
func (s *Snapshot) handedOver() bool {
	switch s.Canary.Status.Phase {
	case v1beta1.PhasePromoting, v1beta1.PhaseFinalising:
		return s.Candidate.Found && s.Candidate.Owner == OwnerTarget
	}
	return false
}

// rollbackAsked obeys a webhook of type rollback that agrees, in every phase of a run.
func (l *look) rollbackAsked() bool {
	if l.st.Phase != v1beta1.PhaseWaiting && !l.underTest() || l.st.Run == nil {
		return false
	}
	for _, w := range webhooks(l.Canary, v1beta1.WebhookRollback) {
		if r := l.reply(v1beta1.WebhookRollback, w.Name, 0, 0); r != nil && r.Agreed {
			l.rollback(ReasonRollbackGate, fmt.Sprintf("webhook %s asked for it%s", w.Name, says(r.Message)))
			return true
		}
	}
	if len(webhooks(l.Canary, v1beta1.WebhookRollback)) > 0 {
		l.after(Duration(l.Canary.Spec.Analysis.Interval, time.Minute))
	}
	return false
}

// primaryMoved notices that the target runs another revision of its own than the one that served. A paused
// Deployment that comes back from zero replicas while its template has no pods of its own scales up whichever
// old ReplicaSet was made last. One that was let go to be scaled, and got a new template in that moment, may end
// the old pods and not those that were handed over. What runs is what serves then, and a run goes on beside it.
func (l *look) primaryMoved() bool {
	switch l.st.Phase {
	case v1beta1.PhaseInitializing, v1beta1.PhaseFinalising, v1beta1.PhaseTerminating:
		return false
	}
	s := l.Serving
	if l.st.Primary == nil || !l.Target.Found || !l.Target.Paused || l.handedOver() || l.Primary.Desired > 0 ||
		!s.Found || s.Desired == 0 || s.Name == l.st.Primary.ReplicaSet {
		return false
	}
	if l.st.Canary != nil && s.Name == l.st.Canary.ReplicaSet {
		if l.st.Phase != v1beta1.PhaseFailed {
			return false
		}
		l.st.Canary = nil // it was refused before it was Weir's, and the target runs it now
	}
	l.notify(Notice{
		ID:     fmt.Sprintf("%s/primarymoved/%s/%d", l.Canary.UID, s.Hash, l.Now.Unix()),
		Reason: ReasonPrimaryMoved, Warning: true, OnTarget: true, Severity: v1beta1.SeverityWarn,
		Message: fmt.Sprintf("%s has scaled up its revision %s in place of %s, which served before; it serves now",
			l.workload(), s.Hash, l.st.Primary.Hash),
	})
	l.st.Primary = revisionStatus(s)
	l.touch()
	l.after(soonestLook) // what was seen is compared with the one that served
	return true
}

// suspended keeps everything as it is, for as long as the spec says so. Only what would lose requests is
// done all the same, and what is past the hand-over is finished.
func (l *look) suspended() bool {
	if !l.Canary.Spec.Suspend || l.handedOver() {
		return false
	}
	switch l.st.Phase {
	case v1beta1.PhaseInitializing, v1beta1.PhaseFinalising, v1beta1.PhaseTerminating:
		return false
	}
	if !l.lostPods() {
		l.freeze()
		l.wait(ReasonSuspended, "spec.suspend keeps everything as it is")
	}
	return true
}

// config notices that what the target's template mentions has changed its content. The template is to carry
// its digest then, which makes a new revision of it.
func (l *look) config() {
	switch {
	case l.Canary.Spec.ConfigTracking != v1beta1.ConfigTrackingRestart:
		l.st.Config = nil
	case l.ConfigDigest == "" || l.st.Primary == nil || l.Canary.Spec.Suspend || l.Canary.DeletionTimestamp != nil:
	case l.st.Config == nil:
		l.st.Config = &v1beta1.ConfigStatus{Digest: l.ConfigDigest}
	case l.st.Config.Digest != l.ConfigDigest:
		l.st.Config = &v1beta1.ConfigStatus{Digest: l.ConfigDigest, Changed: true}
	}
}

// isCandidate says that the target's template is the one under test. Where the ReplicaSet is not there
// to compare with, its name has to do.
func (l *look) isCandidate() bool {
	if l.Candidate.Found {
		return l.Target.Revision.IsCandidate
	}
	return l.st.Canary != nil && l.Target.Revision.Hash == l.st.Canary.Hash
}

func (l *look) targetName() string { return l.Canary.Spec.TargetRef.Name }

// kind of the target, as people write it.
func (l *look) kind() string { return KindOf(l.Canary) }

// workload is the target with its kind, as in "Deployment podinfo".
func (l *look) workload() string { return l.kind() + " " + l.targetName() }
