package rollout

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// terminate ends the run and sends all traffic home.
func (l *look) terminate() {
	if l.st.Run != nil {
		l.endRun(v1beta1.OutcomeAborted, ReasonDeleted, "the Canary was deleted")
	}
	slipped := l.slipped()
	l.st.Phase, l.st.Step = v1beta1.PhaseTerminating, nil
	l.retireCandidate()
	l.dropSplit(!slipped || l.Primary.Ready > 0)
	if l.st.WeightSince == nil || l.Target.InPlace {
		l.touch()
	}
	l.wait(ReasonDeleted, "giving everything back")
}

// terminating removes the canary's pods, then gives the route back, then the rest.
func (l *look) terminating() {
	l.wait(ReasonDeleted, "giving everything back")
	if l.Target.Found && l.retire() && !l.tooLate() {
		return
	}
	l.st.Retiring = nil // what is left of it without the target goes with the Canary
	switch {
	case l.Route.Found && !l.FollowsPods: // where pods are the split there is no route to give back
		l.touch()
		l.after(l.Settle)
	case settlesIn(l.Snapshot) > 0:
		l.after(settlesIn(l.Snapshot))
	}
}

// tooLate says that the pods of a target in place were not replaced within the progress deadline: those of the
// primary's revision do not become ready. What serves is left alone then, and the target stays held.
func (l *look) tooLate() bool {
	return l.Target.InPlace && !l.Now.Before(l.st.WeightSince.Add(l.deadline()))
}

// terminatingWorld gives back what is not needed any more. It goes by what is still there: the pods
// of a canary, then the route, then the Services and the pause.
func (l *look) terminatingWorld() {
	begun := l.Canary.Status.Phase == v1beta1.PhaseTerminating
	switch {
	case !begun || l.st.Retiring != nil:
	case l.Route.Found && !l.FollowsPods:
		l.d.Route = RouteReleased
	case settlesIn(l.Snapshot) > 0:
		l.d.Route = RouteLeave
	default:
		l.d.Route, l.d.Services, l.d.Finalizer = RouteLeave, ServicesReleased, false
		l.givePauseBack()
	}
}

// givePauseBack lets go of spec.paused, unless that would roll out a template that was never analysed.
func (l *look) givePauseBack() {
	if !l.Target.Found {
		return
	}
	// What served may be gone, with its target or while there were no pods, and the template be all there is.
	gone := !l.Primary.Found || l.Primary.Exists == 0 && (l.Primary.Desired == 0 || l.Target.InPlace)
	only := gone && l.Serving.Found && l.Serving.Name == l.Target.Revision.ReplicaSet
	if l.st.Primary == nil || l.Target.Revision.IsPrimary || l.Target.Complete || only {
		l.d.Pause = PauseRelease
		return
	}
	serves := l.st.Primary.Hash
	if gone && l.Serving.Found {
		serves = l.Serving.Hash
	}
	l.notify(Notice{
		ID: string(l.Canary.UID) + "/leftpaused", Reason: ReasonLeftPaused, Warning: true, OnTarget: true,
		Severity: v1beta1.SeverityWarn,
		Message: fmt.Sprintf("%s stays %s: its template %s is not what serves (%s); %s releases it without analysis",
			l.workload(), l.standstill(), l.Target.Revision.Hash, serves, l.wayOn()),
	})
}
