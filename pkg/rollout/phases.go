package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// initializing adopts the target: Services, then, once they have endpoints, the route, and last, once
// that is accepted and the target is rolled out, its ReplicaSet.
func (l *look) initializing() {
	l.recognise()
	switch {
	case len(l.Problems) > 0:
		l.problems()
	case !l.Target.Found:
		l.targetMissing()
	case !l.Services.Found:
		l.wait(ReasonInitializing, "making the Services")
	case l.st.WeightSince == nil:
		if in := l.Services.Since.Add(l.Settle).Sub(l.Now); in > 0 {
			l.after(in)
			l.wait(ReasonInitializing, "waiting until the Services have endpoints")
			return
		}
		l.touch()
		l.wait(ReasonInitializing, "making the route")
	case l.Route.Refused != "":
		l.stall(ReasonRouteRefused, "%s", l.Route.Refused)
	case !inForce(l.Snapshot):
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonInitializing, "waiting until the route is accepted")
	case l.st.Primary == nil && l.Target.Complete && !l.Target.Paused:
		l.wait(ReasonInitializing, "pausing Deployment %s", l.targetName())
	case l.st.Primary == nil:
		l.wait(ReasonTargetRolling, "waiting until Deployment %s is rolled out", l.targetName())
	case settlesIn(l.Snapshot) > 0:
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonInitializing, "waiting until traffic follows the route")
	case l.retire():
	default:
		l.adopted()
	}
}

// recognise takes what the target runs for the primary once it is rolled out and paused. What comes
// after that is a new revision, even before the route is accepted.
func (l *look) recognise() {
	switch {
	case !l.Target.Found || len(l.Problems) > 0:
	case l.st.Primary == nil:
		if l.Target.Paused && l.Primary.Found && l.Primary.Owner == OwnerTarget && l.Primary.Available >= l.Target.Replicas {
			l.st.Primary = revisionStatus(l.Primary)
		}
	case !l.Primary.Found || !l.Target.Paused && !l.Target.Revision.IsPrimary:
		l.st.Primary = nil
	}
}

// adopted ends the adoption, and with it a rollout that went on without Weir.
func (l *look) adopted() {
	if l.st.Run != nil {
		message := fmt.Sprintf("Deployment %s was resumed by hand and rolled out without analysis", l.targetName())
		l.endRun(v1beta1.OutcomePromoted, ReasonOutOfBand, message)
		l.st.Phase = v1beta1.PhaseSucceeded
		return
	}
	l.st.Phase = v1beta1.PhaseInitialized
	l.notify(Notice{
		ID: string(l.Canary.UID) + "/initialized/" + l.Primary.Hash, Reason: ReasonInitialized,
		Message: fmt.Sprintf("Deployment %s is adopted: revision %s serves, and every change of its template is released step by step",
			l.targetName(), l.Primary.Hash),
	})
}

func revisionStatus(rs ReplicaSet) *v1beta1.RevisionStatus {
	return &v1beta1.RevisionStatus{
		ReplicaSet: rs.Name, Hash: rs.Hash, Images: rs.Images, Replicas: rs.Desired, Ready: rs.Ready,
	}
}

// idle waits for a template that is not the primary's.
func (l *look) idle() {
	switch {
	case len(l.Problems) > 0:
		l.problems()
	case !l.Target.Found:
		l.targetMissing()
	case l.retire() && l.Target.Revision.IsPrimary:
	case !l.Primary.Found, !l.Target.Revision.IsPrimary && l.Primary.Desired == 0 && l.Target.Replicas > 0:
		// Somebody deleted the ReplicaSet that served, made the target anew, or resumed it for a moment while
		// a run was ending, and something else serves. Adopt it again.
		l.st.Phase, l.st.Primary = v1beta1.PhaseInitializing, nil
	case !l.Target.Revision.IsPrimary:
		l.beginRun()
	}
}

func (l *look) problems() {
	p := l.Problems[0]
	l.stall(p.Reason, "%s", p.Message)
}

func (l *look) targetMissing() {
	l.stall(ReasonTargetNotFound, "Deployment %s does not exist in namespace %s; create it, "+
		"or delete this Canary and name another target in a new one",
		l.targetName(), l.Canary.Namespace)
}

// progressing walks the steps: pods, then weight, then dwell, then checks.
func (l *look) progressing() {
	if l.hold() {
		return
	}
	step := stepOf(l.Canary)
	l.resize(Size(l.Target.Replicas, step.Weight))
	if !l.ready(step.Weight) {
		return
	}
	if l.st.Weight != step.Weight {
		l.raise(step)
		return
	}
	if l.st.Step.JudgedAt == nil { // the step's weight is that of the step before
		now := l.now()
		l.st.Step.JudgedAt = &now
	}
	l.judge(step)
}

// hold keeps a run where it is while what it needs is not there.
func (l *look) hold() bool {
	switch {
	case len(l.Problems) > 0:
		l.problems()
	case !l.Target.Found:
		l.targetMissing()
	case l.Route.Refused != "" && !l.Route.Accepted:
		l.stall(ReasonRouteRefused, "%s", l.Route.Refused)
	case l.st.Retiring != nil:
		if l.retire() {
			return true
		}
		l.startStep(0) // the deadline counts from when the canary's pods can be made
		return true
	case l.Target.Replicas == 0:
		l.st.Step.WaitingSince = nil
		l.wait(ReasonScaledToZero, "Deployment %s has no replicas; the run goes on when it has", l.targetName())
	default:
		return false
	}
	return true
}

// ready says that the canary has the pods that a weight needs, and keeps the clock of waiting for them.
func (l *look) ready(weight int32) bool {
	need := Size(l.Target.Replicas, weight)
	if l.Candidate.Found && l.Candidate.Owner == OwnerCanary && l.Candidate.Ready >= need {
		if l.st.Step.WaitingSince != nil {
			l.st.Step.WaitingSince = nil
		}
		return true
	}
	if l.st.Step.WaitingSince == nil {
		now := l.now()
		l.st.Step.WaitingSince = &now
	}
	l.after(l.st.Step.WaitingSince.Add(l.deadline()).Sub(l.Now))
	l.wait(ReasonWaitingForPods, "waiting for %d ready canary pods", need)
	return false
}

// raise puts a step's weight in force and starts its dwell.
func (l *look) raise(step Step) {
	l.setWeight(step.Weight)
	now := l.now()
	l.st.Step.JudgedAt = &now
	l.notify(Notice{
		ID: fmt.Sprintf("%s/weight/%d/%d", l.st.Run.ID, l.st.Step.Index, now.UnixNano()), Reason: ReasonWeightChanged,
		Message: fmt.Sprintf("revision %s of %s gets %d %% of the traffic (step %s)",
			l.st.Canary.Hash, l.targetName(), step.Weight, l.st.Step.Progress),
	})
	l.after(max(step.Dwell, l.Settle))
	l.wait(ReasonAnalysing, "step %s at weight %d is being analysed", l.st.Step.Progress, step.Weight)
}

// advance goes to the next step, or promotes after the last. Where the pods that the next step needs
// are there already, its weight comes in force in the same look.
func (l *look) advance() {
	next := l.st.Step.Index + 1
	if int(next) < len(Steps(l.Canary.Spec.Analysis)) {
		l.startStep(next)
		if step := Steps(l.Canary.Spec.Analysis)[next]; l.ready(step.Weight) {
			l.raise(step)
		}
		return
	}
	l.st.Phase = v1beta1.PhasePromoting
	l.touch()
	l.waitForPods()
	l.resize(l.Target.Replicas)
	l.notify(Notice{
		ID: l.st.Run.ID + "/promoting", Reason: ReasonPromoting,
		Message: fmt.Sprintf("revision %s of %s passed every step; it is brought to full size and takes all traffic",
			l.st.Canary.Hash, l.targetName()),
	})
	l.wait(ReasonWaitingForPods, "waiting for %d ready canary pods", l.Target.Replicas)
}

// promoting brings the canary to full size, gives it all traffic, and hands it over once that has
// settled.
func (l *look) promoting() {
	if l.handedOver() {
		l.st.Phase, l.st.Step = v1beta1.PhaseFinalising, nil
		l.wait(ReasonHandedOver, "waiting until Deployment %s reports the rollout complete", l.targetName())
		return
	}
	if l.hold() {
		return
	}
	full := l.Target.Replicas
	l.resize(full)
	if !l.ready(fullWeight) {
		return
	}
	switch {
	case l.Candidate.Available < full:
		l.wait(ReasonWaitingForPods, "waiting for %d available canary pods", full)
	case l.st.Weight != fullWeight:
		l.setWeight(fullWeight)
		l.notify(Notice{
			ID: l.st.Run.ID + "/full", Reason: ReasonWeightChanged,
			Message: fmt.Sprintf("revision %s of %s gets all of the traffic", l.st.Canary.Hash, l.targetName()),
		})
		l.after(l.Settle)
		l.wait(ReasonSettling, "waiting until all traffic has gone over")
	case !settled(l.Snapshot):
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonSettling, "waiting until all traffic has gone over")
	default:
		l.handOver(full)
	}
}

// handOver gives the canary's pods to the target. A canary that is larger than the target, which was
// scaled down in mid-run, shrinks first: the Deployment controller would take it for unsaturated.
func (l *look) handOver(full int32) {
	l.st.Canary.Replicas = full
	l.wait(ReasonHandingOver, "handing the canary's pods over to Deployment %s", l.targetName())
	if l.Candidate.Desired == full && l.Candidate.Exists == full && l.Candidate.Available == full && l.isCandidate() {
		l.d.HandOver = true
		l.after(time.Second)
	}
}

// finalising waits for the target to let go of its old pods, then brings the routes and Services back
// to what they are when no run is on.
func (l *look) finalising() {
	switch {
	case !l.Target.Found:
		l.targetMissing()
	case l.st.Canary != nil:
		l.finishHandOver()
	case l.st.Weight > 0:
		if in := settlesIn(l.Snapshot); in > 0 {
			l.after(in)
			l.wait(ReasonSettling, "waiting until the primary Service stands for the promoted pods")
			return
		}
		l.setWeight(0)
		l.after(l.Settle)
		l.wait(ReasonSettling, "the route goes back to the primary Service, and so to the same pods")
	case !drained(l.Snapshot):
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonSettling, "the route goes back to the primary Service, and so to the same pods")
	default:
		l.st.Phase = v1beta1.PhaseSucceeded
		l.after(soonestLook)
	}
}

func (l *look) finishHandOver() {
	rolling := l.isCandidate() && !l.Target.Complete
	if !l.handedOver() || l.Primary.Found && l.Primary.Desired > 0 || rolling {
		l.after(time.Second)
		l.wait(ReasonHandedOver, "waiting until Deployment %s reports the rollout complete", l.targetName())
		return
	}
	l.endRun(v1beta1.OutcomePromoted, ReasonPassed, "every step passed; the pods that were analysed are the Deployment's")
	l.st.Primary, l.st.Canary = revisionStatus(l.Candidate), nil
	l.touch() // the Services change their pods now
	l.after(l.Settle)
	l.wait(ReasonSettling, "waiting until the primary Service stands for the promoted pods")
}

// failed keeps the refused revision in mind, without pods, until the template changes.
func (l *look) failed() {
	switch {
	case !l.Target.Found:
		l.targetMissing()
		return
	case len(l.Problems) > 0:
		l.problems()
	case l.st.Retiring != nil:
		l.retire()
		return
	case l.Target.Revision.IsPrimary:
		l.retireCandidate()
		l.st.Phase = v1beta1.PhaseSucceeded
		return
	case !l.isCandidate():
		l.retireCandidate()
		l.beginRun()
		return
	}
	if l.st.Canary == nil || l.st.Canary.Replicas == 0 {
		return
	}
	in := settlesIn(l.Snapshot)
	if since := l.st.WeightSince; since != nil {
		in = max(in, since.Add(abortScaleDownDelay).Sub(l.Now))
	}
	if in <= 0 && drained(l.Snapshot) {
		l.st.Canary.Replicas = 0
		return
	}
	l.after(in)
}
