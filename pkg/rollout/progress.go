package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// progressing walks the steps, and waits after the last for those who must agree to the promotion: gates,
// then pods, then traffic, then dwell and checks.
func (l *look) progressing() {
	switch {
	case l.hold():
	case l.st.Run.Full:
		l.promoteInFull()
	case l.enter(l.step()) && l.passed(l.step()):
		l.advance()
	case l.st.Phase == v1beta1.PhaseWaitingPromotion && l.waiting.reason == ReasonAnalysing:
		l.agreed(v1beta1.WebhookConfirmPromotion, nil) // whom it waits for is what people want to read between two rounds
	}
}

// promoteInFull leaves out what is left of the steps, once there is a ReplicaSet to promote.
func (l *look) promoteInFull() {
	if l.Candidate.Found && l.Candidate.Owner == OwnerCanary {
		l.promote(fmt.Sprintf("revision %s of %s is promoted without what was left of its analysis",
			l.st.Canary.Hash, l.targetName()))
		return
	}
	l.resize(l.Target.Replicas)
	l.awaitPods(l.Target.Replicas)
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
		if !l.retire() && l.atStep() {
			l.startStep(l.st.Step.Index) // the deadline counts from when the canary's pods can be made
		}
	case l.Target.Replicas == 0:
		l.st.Step.WaitingSince = nil
		l.wait(ReasonScaledToZero, "%s has no replicas; the run goes on when it has", l.workload())
	default:
		return false
	}
	return true
}

// held says that a person has paused the run.
func (l *look) held() bool {
	p := l.st.Run.Paused
	if p == nil {
		return false
	}
	l.wait(ReasonPaused, "paused by %s%s; `kubectl weir resume %s` goes on", who(p.Actor), because(p.Reason), l.Canary.Name)
	return true
}

// enter brings a step in force: its gates first, then its pods, then its traffic. It says that the step is
// in force with all of its pods.
func (l *look) enter(step Step) bool {
	if l.st.Retiring != nil || l.Target.Replicas == 0 {
		l.awaitPods(l.size(step))
		return false
	}
	if l.indivisible(step) {
		return false
	}
	in := l.st.Step.TrafficSince != nil && SplitOf(l.st).Equal(step.Split)
	if !in && (SplitOf(l.st).Gains(step.Split) && !l.agreed(v1beta1.WebhookConfirmTrafficIncrease, step.Gates) || l.held()) {
		return false
	}
	size := l.size(step)
	l.resize(size)
	switch {
	case !l.ready(least(size, l.Canary.Spec.Analysis.CanaryReadyThreshold)):
		return false
	case in:
		return true
	case l.unknownYet():
		return false
	case l.st.Step.Index == 0 && !l.preRollout():
		return false
	}
	l.raise(step)
	return false
}

// endpointDelay is how long pods that have just become ready may be unknown to those who send them requests. Times of
// readiness are rounded down to seconds.
const endpointDelay = 2 * time.Second

// unknownYet says that a canary without traffic has pods only since a moment ago, or that those that it has may be on
// their way out. Its Service may have none yet for whoever serves the route, and the first requests would be lost.
func (l *look) unknownYet() bool {
	if l.FollowsPods || SplitOf(l.st).Reaches() {
		return false
	}
	in := l.Candidate.ReadySince.Add(endpointDelay).Sub(l.Now)
	switch {
	case in > 0:
		l.after(in)
	case !l.Candidate.Stale:
		return false
	}
	l.wait(ReasonWaitingForPods, "%s", l.comesUp())
	return true
}

// least is how many of so many pods a threshold asks for.
func least(size int32, threshold *int32) int32 {
	if threshold == nil {
		return size
	}
	const all = 100
	return int32((int64(size)*int64(*threshold) + all - 1) / all) //nolint:gosec // at most size
}

// ready says that the canary has so many pods ready, and keeps the clock of waiting for them.
func (l *look) ready(need int32) bool {
	if l.Candidate.Found && l.Candidate.Owner == OwnerCanary && l.Candidate.Ready >= need {
		if l.st.Step.WaitingSince != nil {
			l.st.Step.WaitingSince = nil
		}
		return true
	}
	l.awaitPods(need)
	return false
}

func (l *look) awaitPods(need int32) {
	if l.st.Step.WaitingSince == nil || l.comesOn() {
		now := l.now()
		l.st.Step.WaitingSince = &now
	}
	l.after(l.st.Step.WaitingSince.Add(l.deadline()).Sub(l.Now))
	l.wait(ReasonWaitingForPods, "%s", l.lacks(need))
}

// raise puts a step's split in force and starts its dwell.
func (l *look) raise(step Step) {
	changes := !SplitOf(l.st).Equal(step.Split)
	l.setSplit(step.Split)
	now := l.now()
	l.st.Step.JudgedAt, l.st.Step.TrafficSince = &now, &now
	if changes {
		l.notify(Notice{
			ID: fmt.Sprintf("%s/weight/%d/%d", l.st.Run.ID, l.st.Step.Index, now.UnixNano()), Reason: ReasonWeightChanged,
			Message: fmt.Sprintf("revision %s of %s gets %s (step %s)",
				l.st.Canary.Hash, l.targetName(), l.shareInWords(step.Split), l.st.Step.Progress),
		})
	}
	l.after(max(step.Dwell, l.Settle))
	l.wait(ReasonAnalysing, "step %s (%s) is being analysed", l.st.Step.Progress, step)
}

// shareInWords says what the canary gets by a split.
func (l *look) shareInWords(s Split) string {
	if l.FollowsPods && s.Weight > 0 && (s.Weight < fullWeight || l.Target.InPlace) {
		all := l.Candidate.Ready + l.Primary.Ready
		return fmt.Sprintf("about %d %% of the traffic, by %d of %d pods",
			fullWeight*l.Candidate.Ready/max(all, 1), l.Candidate.Ready, all)
	}
	return s.inWords()
}

// advance goes to the next step, or after the last one, when all have agreed, to the promotion. Where the pods
// that the next step needs are there already, its split comes in force in the same look.
func (l *look) advance() {
	next := l.st.Step.Index + 1
	if int(next) < len(Steps(&l.Canary.Spec)) {
		l.startStep(next)
		return
	}
	if l.Canary.Spec.Analysis.Manual || len(webhooks(l.Canary, v1beta1.WebhookConfirmPromotion)) > 0 {
		l.st.Phase = v1beta1.PhaseWaitingPromotion
	}
	if l.agreed(v1beta1.WebhookConfirmPromotion, nil) {
		how := "passed every step"
		switch {
		case l.st.Step.Skipped:
			how = "is past its steps, the last of which was skipped"
		case l.step().Rounds == 0:
			how = "is ready"
		}
		l.promote(fmt.Sprintf("revision %s of %s %s; %s",
			l.st.Canary.Hash, l.targetName(), how, l.finish()))
	}
}

// promote brings the canary to full size.
func (l *look) promote(message string) {
	l.st.Phase = v1beta1.PhasePromoting
	l.touch()
	l.waitForPods()
	l.resize(l.Target.Replicas)
	l.notify(Notice{ID: l.st.Run.ID + "/promoting", Reason: ReasonPromoting, Message: message})
	l.wait(ReasonWaitingForPods, "%s", l.lacks(l.Target.Replicas))
}

// promoting brings the canary to full size, gives it all traffic, and hands it over once that has
// settled, and baked.
func (l *look) promoting() {
	if l.handedOver() {
		l.st.Phase, l.st.Step = v1beta1.PhaseFinalising, nil
		l.wait(ReasonHandedOver, "waiting until %s reports the rollout complete", l.workload())
		return
	}
	if l.hold() {
		return
	}
	full := l.Target.Replicas
	if l.Target.InPlace {
		l.replaceAll(full)
		return
	}
	l.resize(full)
	if !l.ready(full) {
		return
	}
	switch {
	case l.Candidate.Available < full:
		l.wait(ReasonWaitingForPods, "waiting for %d available canary pods", full)
	case !SplitOf(l.st).Equal(Split{Weight: fullWeight}):
		if l.held() || l.unknownYet() {
			return
		}
		l.setSplit(Split{Weight: fullWeight})
		l.notify(Notice{
			ID: l.st.Run.ID + "/full", Reason: ReasonWeightChanged,
			Message: fmt.Sprintf("revision %s of %s gets all of the traffic", l.st.Canary.Hash, l.targetName()),
		})
		l.after(l.Settle)
		l.wait(ReasonSettling, "waiting until all traffic has gone over")
	case !settled(l.Snapshot):
		l.after(settlesIn(l.Snapshot))
		l.wait(ReasonSettling, "waiting until all traffic has gone over")
	case l.baked() && !l.held():
		l.handOver(full)
	}
}

// baked waits out the promotionDelay, in which the canary is still judged, and then the scaleDownDelay. Until the
// end of both the primary has all of its pods, and going back is one change of the route.
func (l *look) baked() bool {
	bake := bakeOf(&l.Canary.Spec)
	if bake.Pause > 0 {
		if l.st.Step.TrafficSince == nil {
			now := l.now()
			l.st.Step.JudgedAt, l.st.Step.TrafficSince, l.st.Step.Passed = &now, &now, 0
		}
		if !l.passed(bake) {
			return false
		}
	}
	keep := Duration(l.Canary.Spec.ScaleDownDelay, 0)
	if keep <= 0 {
		return true
	}
	if in := l.st.WeightSince.Add(bake.Pause + keep).Sub(l.Now); in > 0 {
		l.after(in)
		l.wait(ReasonScaleDownDelay, "the canary has all of the traffic; the pods of revision %s stay for another while, "+
			"as spec.scaleDownDelay says", l.st.Primary.Hash)
		return false
	}
	return true
}

// proven says that a pause may end before its time: every comparison has shown that the canary is not worse.
func (l *look) proven(step Step) bool {
	a := &l.Canary.Spec.Analysis
	least := Duration(a.MinStep, Duration(a.Interval, time.Minute))
	if a.Pace != v1beta1.PaceAdaptive || l.st.Phase == v1beta1.PhasePromoting || l.Now.Sub(l.st.Step.TrafficSince.Time) < least {
		return false
	}
	compared := 0
	for _, c := range l.st.Checks {
		if m := l.spec(c.Name); m.Comparison == nil || m.DryRun || !step.judges(c.Name) || c.Name == v1beta1.RequestShare {
			continue
		}
		if c.Evidence == nil || !c.Evidence.NotWorse {
			return false
		}
		compared++
	}
	return compared > 0
}

// pauseLeft is how long the step's pause still lasts.
func (l *look) pauseLeft(step Step) time.Duration {
	return max(0, l.st.Step.TrafficSince.Add(step.Pause).Sub(l.Now))
}
