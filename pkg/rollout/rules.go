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
	if l.st.Phase == v1beta1.PhaseFinalising && l.Target.Found {
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
	if !l.Target.Found || l.Target.Paused && !l.Target.Complete || l.Target.Revision.IsPrimary {
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
	l.setWeight(0)
	l.touch()
	l.notify(Notice{
		ID: l.st.Run.ID + "/resumed", Reason: ReasonOutOfBand, Warning: true, OnTarget: true,
		Message: fmt.Sprintf("Deployment %s was resumed by hand and rolls out revision %s without analysis; "+
			"Weir waits until it is complete",
			l.targetName(), l.Target.Revision.Hash),
	})
	return true
}

// superseded notices that the template changed in mid-run.
func (l *look) superseded() bool {
	switch l.st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhasePromoting:
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
	if !l.Target.Found || l.isCandidate() {
		return false
	}
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

// slipped says that the template changed between the decision to hand over and the hand-over, and
// that the target has not yet let go of its old pods: the ReplicaSet must be taken back.
func (l *look) slipped() bool {
	return l.st.Canary != nil && l.handedOver() && !l.Target.Revision.IsCandidate &&
		l.Primary.Found && l.Primary.Desired > 0
}

// broken notices canary pods that will not come up by waiting, and a step that waited too long.
func (l *look) broken() bool {
	switch l.st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhasePromoting:
	default:
		return false
	}
	if l.handedOver() || l.st.Retiring != nil {
		return false
	}
	if b := l.Candidate.Broken; b != nil {
		l.rollback(b.Reason, b.sentence())
		return true
	}
	if since := l.st.Step.WaitingSince; since != nil && l.Target.Replicas > 0 && !l.Now.Before(since.Add(l.deadline())) {
		l.rollback(ReasonProgressDeadline, fmt.Sprintf("the canary had %d of %d pods ready after %s",
			l.Candidate.Ready, l.st.Canary.Replicas, l.deadline()))
		return true
	}
	return false
}

func (b *Broken) sentence() string {
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
	switch l.st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhasePromoting:
	default:
		return false
	}
	if l.handedOver() || l.st.Retiring != nil || l.st.Weight == 0 || l.Candidate.Ready > 0 || l.Target.Replicas == 0 {
		return false
	}
	l.setWeight(0)
	l.waitForPods()
	l.wait(ReasonWaitingForPods, "no canary pod is ready; all traffic goes to the primary until one is")
	return true
}

func (l *look) deadline() time.Duration {
	if p := l.Canary.Spec.ProgressDeadlineSeconds; p != nil {
		return time.Duration(*p) * time.Second
	}
	return defaultProgressDeadline
}

// handedOver says that the candidate belongs to the target already.
func (l *look) handedOver() bool { return l.Candidate.Found && l.Candidate.Owner == OwnerTarget }

// isCandidate says that the target's template is the one under test. Where the ReplicaSet is not there
// to compare with, its name has to do.
func (l *look) isCandidate() bool {
	if l.Candidate.Found {
		return l.Target.Revision.IsCandidate
	}
	return l.st.Canary != nil && l.Target.Revision.Hash == l.st.Canary.Hash
}

func (l *look) targetName() string { return l.Canary.Spec.TargetRef.Name }
