package rollout

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// historyLimit is how many runs the status remembers.
const historyLimit = 10

// newRun begins to count a run for the target's present template. Its ID is made of what is
// committed nowhere else, so that deciding again gives the same.
func (l *look) newRun() *v1beta1.RunStatus {
	id := fmt.Sprintf("%s-%d", l.Target.Revision.Hash, l.Now.Unix())
	for another := 2; slices.ContainsFunc(l.st.History, func(h v1beta1.RunRecord) bool { return h.ID == id }); another++ {
		id = fmt.Sprintf("%s-%d-%d", l.Target.Revision.Hash, l.Now.Unix(), another) // a second within the second
	}
	return &v1beta1.RunStatus{ID: id, StartedAt: metav1.NewTime(l.Now)}
}

// beginRun starts a run for the target's present template at the first step. The weight is what it
// is: a retiring revision has to lose its traffic first.
func (l *look) beginRun() {
	rev := l.Target.Revision
	l.st.Run = l.newRun()
	l.st.FailedChecks, l.st.Checks = 0, nil
	l.dropGates(func(g *v1beta1.GateStatus) bool { return g.State != v1beta1.GatePending })
	was := l.st.Canary
	l.st.Canary = &v1beta1.RevisionStatus{ReplicaSet: rev.ReplicaSet, Hash: rev.Hash, Images: rev.Images}
	if was != nil && was.ReplicaSet == rev.ReplicaSet { // tried again before its pods were gone
		l.st.Canary.Replicas = was.Replicas
	}
	l.notify(started(l.Canary, l.st))
	l.st.Phase, l.st.Step = v1beta1.PhaseWaiting, nil
	l.queue()
	if l.itsTurn() && l.agreed(v1beta1.WebhookConfirmRollout, nil) {
		l.start()
	}
}

// start begins with the first step.
func (l *look) start() {
	l.st.Phase = v1beta1.PhaseProgressing
	l.startStep(0)
}

// startStep comes to a step. Its gates are asked, and its pods asked for, at once; the split follows.
func (l *look) startStep(index int32) {
	l.comeTo(index)
	l.enter(l.step())
}

// comeTo makes a step the one that the run is at.
func (l *look) comeTo(index int32) {
	l.st.Step = &v1beta1.StepStatus{
		Index:     index,
		Progress:  fmt.Sprintf("%d/%d", index+1, len(Steps(&l.Canary.Spec))),
		StartedAt: l.now(),
	}
	l.dropGates(func(g *v1beta1.GateStatus) bool { return g.Type == v1beta1.WebhookConfirmTrafficIncrease })
}

// step is the step that the run is at.
func (l *look) step() Step { return stepAt(&l.Canary.Spec, l.st.Step.Index) }

// waitForPods starts the progress deadline, if it does not run already.
func (l *look) waitForPods() {
	l.st.Step.JudgedAt, l.st.Step.TrafficSince, l.st.Step.Passed = nil, nil, 0
	if l.st.Step.WaitingSince == nil {
		now := l.now()
		l.st.Step.WaitingSince = &now
	}
}

// resize asks for at least so many canary pods. While the canary may have traffic it never shrinks, but where
// its pods stand in the place of the primary's: there it is never larger than its step.
func (l *look) resize(n int32) {
	if !l.Target.InPlace {
		n = max(l.st.Canary.Replicas, n)
	}
	l.st.Canary.Replicas = n
}

// endRun moves the run into the history, and tells people.
func (l *look) endRun(outcome v1beta1.Outcome, reason, message string) {
	if l.st.Run == nil {
		return
	}
	rec := v1beta1.RunRecord{
		ID: l.st.Run.ID, Outcome: outcome, Reason: reason, Message: message,
		StartedAt: l.st.Run.StartedAt, EndedAt: metav1.NewTime(l.Now), MaxWeight: l.st.Run.MaxWeight,
		Commands: l.st.Run.Commands,
	}
	if l.st.Canary != nil {
		rec.Revision, rec.Images = l.st.Canary.Hash, l.st.Canary.Images
	} else {
		rec.Revision, rec.Images = l.Target.Revision.Hash, l.Target.Revision.Images
	}
	history := append([]v1beta1.RunRecord{rec}, l.st.History...)
	l.st.History = history[:min(len(history), historyLimit)]
	if outcome != v1beta1.OutcomeSuperseded && reason != ReasonDeleted {
		l.postRollout()
	}
	n := ended(l.targetName(), l.st.History)
	if outcome == v1beta1.OutcomePromoted && n.Mends == "" && (l.st.FailedChecks > 0 || len(l.st.Run.Told) > 0) {
		n.Mends = v1beta1.SeverityWarn // a pager waits for the end of what it was told of the run
	}
	l.st.Run = nil
	l.notify(n)
}

// rollback ends a run whose canary is not good.
func (l *look) rollback(reason, message string) {
	l.abandon(v1beta1.OutcomeRolledBack, reason, message)
}

// abandon sends all traffic to the primary, now. The canary keeps its pods until they have none and
// somebody had the time to look at them.
func (l *look) abandon(outcome v1beta1.Outcome, reason, message string) {
	l.endRun(outcome, reason, message+l.leftover())
	l.st.Phase, l.st.Step = v1beta1.PhaseFailed, nil
	switch {
	case l.st.Canary == nil:
	case l.Target.InPlace:
		l.st.Canary.Replicas = l.Candidate.Exists
	case l.Candidate.Owner == OwnerCanary:
		l.resize(l.Candidate.Desired) // what an operator that died has made may have traffic
	}
	l.setSplit(Split{})
	l.waiting = waiting{}
}

// retireCandidate makes the canary ReplicaSet one that is to be removed once no traffic goes to it.
func (l *look) retireCandidate() {
	if l.st.Canary != nil && l.Canary.Status.Canary != nil && l.st.Retiring == nil {
		l.st.Retiring = l.st.Canary.DeepCopy()
		l.st.Retiring.Replicas = max(l.st.Retiring.Replicas, 1)
	}
	l.st.Canary = nil
}

// retire removes the retiring ReplicaSet: first its traffic, then, once that has settled, its pods.
// It says whether there is still one.
func (l *look) retire() bool {
	if l.st.Retiring == nil {
		return false
	}
	if l.servesAgain() {
		l.setSplit(Split{})
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonSettling, "waiting until the primary Service stands for revision %s", l.st.Retiring.Hash)
		return true
	}
	if l.podless() && (SplitOf(l.st).Reaches() || !drained(l.Snapshot)) {
		l.setSplit(Split{})
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonSettling, "waiting until no traffic comes by way of revision %s, which has no pods", l.st.Retiring.Hash)
		return true
	}
	if !l.Retiring.Found || l.isTargets(l.Retiring) {
		l.st.Retiring = nil
		return false
	}
	switch {
	case l.Target.InPlace:
		l.setSplit(Split{})
		if l.drains() {
			l.st.Retiring.Replicas = 0
			l.after(time.Second)
		}
	case SplitOf(l.st).Reaches():
		l.dropSplit(l.Target.Found && l.Primary.Ready >= l.Target.Replicas)
	case l.Retiring.Owner != OwnerCanary: // taken back first
	case drained(l.Snapshot):
		l.st.Retiring.Replicas = 0
	default:
		l.after(settlesIn(l.Snapshot))
	}
	l.wait(ReasonRetiring, "waiting until the pods of revision %s are removed", l.st.Retiring.Hash)
	return true
}

// servesAgain says that the retiring revision is the primary, and that traffic still comes to it by way of the
// canary Service.
func (l *look) servesAgain() bool {
	return !l.Target.InPlace && isPrimary(l.st, l.st.Retiring.ReplicaSet) && l.Retiring.Found && !drained(l.Snapshot)
}

// podless says that what retires has no pods any more, and that this is not Weir's doing: the target has ended them, or
// somebody has deleted the ReplicaSet.
func (s *Snapshot) podless() bool {
	return s.Canary.Status.Retiring != nil && !s.Target.InPlace && s.Retiring.Owner != OwnerCanary && s.Retiring.Desired == 0
}

func isPrimary(st *v1beta1.CanaryStatus, replicaSet string) bool {
	return st.Primary != nil && st.Primary.ReplicaSet == replicaSet
}

// isTargets says that a ReplicaSet is rightly the target's: given back, or rolled out by the target
// itself. One that was handed over while the template slipped away is not: it is taken back.
func (l *look) isTargets(rs ReplicaSet) bool {
	only := l.Primary.Desired == 0 && l.Target.Revision.ReplicaSet == rs.Name
	return rs.Owner != OwnerCanary &&
		(rs.Desired == 0 || l.st.Phase == v1beta1.PhaseInitializing || isPrimary(l.st, rs.Name) || only)
}

// dropSplit sends all traffic to the primary, where that is able to take it.
func (l *look) dropSplit(able bool) {
	if able {
		l.setSplit(Split{})
	}
}
