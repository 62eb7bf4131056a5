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
	case !inForce(l.Snapshot) && (!l.Target.InPlace || l.st.Primary == nil): // pods of a new node are of the newest template
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonInitializing, "waiting until the route is accepted")
	case l.st.Primary == nil && l.Target.Complete && !l.Target.Paused:
		l.wait(ReasonInitializing, "%s %s", l.pausing(), l.workload())
	case l.st.Primary == nil:
		l.wait(ReasonTargetRolling, "waiting until %s is rolled out", l.workload())
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
	case !l.Primary.Found || !l.Target.Paused && !l.Target.Revision.IsPrimary || l.replaced():
		l.st.Primary = nil
	}
}

// replaced says that no pod is of the primary's revision any more, and that there are others.
func (l *look) replaced() bool {
	return l.Target.OneWay && l.Primary.Exists == 0 && l.Target.Strays > 0
}

// adopted ends the adoption, and with it a rollout that went on without Weir.
func (l *look) adopted() {
	if l.st.Run != nil {
		message := fmt.Sprintf("%s was %s and rolled out without analysis", l.workload(), l.letGo())
		l.endRun(v1beta1.OutcomePromoted, ReasonOutOfBand, message)
		l.st.Phase = v1beta1.PhaseSucceeded
		return
	}
	l.st.Phase = v1beta1.PhaseInitialized
	l.notify(Notice{
		ID: string(l.Canary.UID) + "/initialized/" + l.Primary.Hash, Reason: ReasonInitialized,
		Message: fmt.Sprintf("%s is adopted: revision %s serves, and every change of its template is released step by step",
			l.workload(), l.Primary.Hash),
	})
}

func revisionStatus(rs ReplicaSet) *v1beta1.RevisionStatus {
	return &v1beta1.RevisionStatus{
		ReplicaSet: rs.Name, Hash: rs.Hash, Images: rs.Images, Replicas: rs.Desired, Ready: rs.Ready,
	}
}

// idle waits for a template that is not the primary's.
func (l *look) idle() {
	if l.Target.Strays > 0 {
		l.after(idleLook) // they are replaced, one after the other
	}
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

// waitingToStart waits for the gates that confirm a rollout.
func (l *look) waitingToStart() {
	switch {
	case len(l.Problems) > 0:
		l.problems()
	case !l.Target.Found:
		l.targetMissing()
	case l.retire():
	case l.st.Run.Full:
		l.start()
	case !l.itsTurn():
	case l.agreed(v1beta1.WebhookConfirmRollout, nil) && !l.held():
		l.start()
	}
}

func (l *look) problems() {
	p := l.Problems[0]
	l.stall(p.Reason, "%s", p.Message)
}

func (l *look) targetMissing() {
	l.stall(ReasonTargetNotFound, "%s does not exist in namespace %s; create it, "+
		"or delete this Canary and name another target in a new one",
		l.workload(), l.Canary.Namespace)
}

// handOver gives the canary's pods to the target. A canary that is larger than the target, which was
// scaled down in mid-run, shrinks first: the Deployment controller would take it for unsaturated.
func (l *look) handOver(full int32) {
	l.st.Canary.Replicas = full
	l.wait(ReasonHandingOver, "handing the canary's pods over to %s", l.workload())
	c := l.Candidate
	if c.Desired == full && c.Exists == full && c.Available == full && (l.isCandidate() || l.queued()) {
		if l.Target.ByName {
			l.keepName()
			return
		}
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
	case l.st.Canary != nil && !l.Candidate.Found:
		// The promoted ReplicaSet went with its target, and what stands there now is another.
		l.endRun(v1beta1.OutcomeAborted, ReasonTargetReplaced,
			fmt.Sprintf("%s was deleted and made anew", l.workload()))
		l.st.Phase, l.st.Primary, l.st.Canary = v1beta1.PhaseInitializing, nil, nil
		l.setSplit(Split{})
		l.touch()
	case l.st.Canary != nil:
		l.finishHandOver()
	case l.Target.InPlace: // there is no route to bring back
		l.setSplit(Split{})
		l.st.Phase = v1beta1.PhaseSucceeded
		l.after(soonestLook)
	case SplitOf(l.st).Reaches():
		if in := settlesIn(l.Snapshot); in > 0 {
			l.after(in)
			l.wait(ReasonSettling, "waiting until the Services stand for the promoted pods")
			return
		}
		l.setSplit(Split{})
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
	// A Canary that is being deleted does not wait for pods that may never be well: there is no way back any more.
	rolling := l.isCandidate() && !l.Target.Complete && l.Canary.DeletionTimestamp == nil
	// A StatefulSet that has had no pods for a moment is at a newer revision by now.
	gone := l.Target.InPlace && l.Serving.Found
	if !gone && (!l.handedOver() || l.Primary.Found && l.Primary.Desired > 0 || rolling) {
		l.after(time.Second)
		l.wait(ReasonHandedOver, "waiting until %s reports the rollout complete", l.workload())
		return
	}
	if l.Target.InPlace {
		l.st.Run.MaxWeight = fullWeight
	}
	reason, message := l.whyPromoted()
	l.endRun(v1beta1.OutcomePromoted, reason, message)
	l.st.Primary, l.st.Canary = revisionStatus(l.Candidate), nil
	l.touch() // the Services change their pods now
	l.after(l.Settle)
	l.wait(ReasonSettling, "waiting until the Services stand for the promoted pods")
}

// whyPromoted says by what right a revision was promoted.
func (l *look) whyPromoted() (reason, message string) {
	switch steps := Steps(&l.Canary.Spec); {
	case l.st.Run.Full:
		return ReasonFull, "a person asked for it in full; " + l.belongs("its pods are")
	case len(steps) == 1 && steps[0].Rounds == 0:
		return ReasonNotAnalysed, "its pods were ready, and there was nothing to analyse; " + l.belongs("they are")
	}
	return ReasonPassed, "every step passed; " + l.belongs("the pods that were analysed are")
}

// failed keeps the refused revision in mind, without pods, until the template changes.
func (l *look) failed() {
	switch {
	case !l.Target.Found:
		l.targetMissing()
		return
	case len(l.Problems) > 0:
		l.problems()
	case l.retire():
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
	if l.Target.InPlace {
		l.goBack()
		return
	}
	if l.st.Canary == nil || l.st.Canary.Replicas == 0 {
		return
	}
	in := settlesIn(l.Snapshot)
	if since := l.st.WeightSince; since != nil {
		in = max(in, since.Add(Duration(l.Canary.Spec.AbortScaleDownDelay, defaultScaleDownDelay)).Sub(l.Now))
	}
	if in <= 0 && drained(l.Snapshot) {
		l.st.Canary.Replicas = 0
		return
	}
	l.after(in)
}
