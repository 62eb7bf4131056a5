package rollout

import (
	"slices"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// invariants are those that hold after every single write.
func (k *walker) invariants(what write) {
	st := &k.canary.Status
	candidate := k.set(st.Canary)
	switch what {
	case writeRoute:
		k.routed(st, candidate)
	case scaleSet, deleteSet:
		// A canary that has all of the traffic follows the target down before it is handed over.
		follows := candidate != nil && k.split().Weight == 100 && candidate.desired >= k.target.replicas
		if (what == deleteSet || k.shrunk) && k.mayReceive() && !follows {
			k.fail("%q while traffic may still go to the canary", what)
		}
	case handOver:
		k.handsOver(candidate)
	case endPrimary:
		if k.split().Weight != 100 || !k.handed() || candidate.available == 0 {
			k.fail("the primary ends at weight %d", k.split().Weight)
		}
	case commitStatus:
		k.committed(st)
	case hold:
		k.holds(st)
	}
	if primary := k.set(st.Primary); primary != nil && st.Run != nil && st.Phase != v1beta1.PhaseFinalising &&
		primary.desired == 0 && primary.owner == OwnerTarget && k.scaled > 0 && k.target.paused &&
		!k.complete() && !k.handed() && (k.sole() == nil || k.sole() == primary) {
		k.fail("the primary has no pods in mid-run")
	}
}

// holds wants a StatefulSet to keep a pod of the primary's until it is promoted.
func (k *walker) holds(st *v1beta1.CanaryStatus) {
	p := k.inPlace
	atStep := st.Phase == v1beta1.PhaseProgressing || st.Phase == v1beta1.PhaseWaitingPromotion
	if !atStep || p.oneWay || st.Run.Full {
		return
	}
	primarys := p.count(func(pod toyPod) bool { return pod.revision == st.Primary.Hash })
	if k.target.replicas > 1 && p.partition < 1 && primarys > 0 && k.next != v1beta1.PhasePromoting {
		k.fail("the last pod of the primary is let go at a step")
	}
}

// split is what is in force.
func (k *walker) split() Split {
	if k.followsPods {
		return k.pinnedRoute().Split
	}
	return k.route.Split
}

func (k *walker) routed(st *v1beta1.CanaryStatus, candidate *toySet) {
	split := k.route.Split
	if split.Weight < 0 || split.Weight > 100 {
		k.fail("weight %d", split.Weight)
	}
	if !SplitOf(st).Gains(split) {
		return
	}
	if candidate == nil || candidate.ready < 1 {
		k.fail("%s to a canary without ready pods", short(split))
	}
	if st.Phase == v1beta1.PhaseProgressing && !k.canary.Spec.Suspend && !st.Run.Full && !k.agreedByPerson() {
		for _, w := range webhooks(k.canary, v1beta1.WebhookConfirmTrafficIncrease) {
			g := gateOf(st, w.Name)
			excused := g != nil && (g.State == v1beta1.GateApproved || g.State == v1beta1.GateTimedOut ||
				w.OnTimeout == v1beta1.OnTimeoutContinue && !k.now.Before(g.Since.Add(Duration(w.GateTimeout, time.Hour))))
			if how := k.gates[w.Name]; how != "" && how != "open" && !excused {
				k.fail("%s while gate %s is %s", short(split), w.Name, how)
			}
		}
	}
}

// agreedByPerson says that a command stands in the annotation, obeyed in this look or not, that agrees for a gate.
func (k *walker) agreedByPerson() bool {
	return k.command != nil && (k.command.Verb == v1beta1.VerbPromote || k.command.Verb == v1beta1.VerbApprove)
}

func (k *walker) handsOver(candidate *toySet) {
	if k.split().Weight != 100 || len(k.trail) > 0 && k.trail[len(k.trail)-1].until.After(k.now) {
		k.fail("handed over at weight %d, or before it settled", k.split().Weight)
	}
	if candidate.available != k.target.replicas || candidate.desired != k.target.replicas {
		k.fail("handed over unsaturated: %d of %d", candidate.available, k.target.replicas)
	}
	if candidate.template != k.target.template && k.canary.Spec.OnNewRevision != v1beta1.OnNewRevisionQueue {
		k.fail("handed over %s, the target is at %s", candidate.template, k.target.template)
	}
	if k.canary.Spec.Suspend {
		k.fail("handed over while suspended")
	}
}

func (k *walker) handed() bool {
	c := k.set(k.canary.Status.Canary)
	return c != nil && c.owner == OwnerTarget
}

func (k *walker) committed(st *v1beta1.CanaryStatus) {
	k.reach.phases[st.Phase]++
	withoutTraffic := []v1beta1.Phase{v1beta1.PhaseFailed, v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseWaiting}
	if SplitOf(st).Reaches() && slices.Contains(withoutTraffic, st.Phase) && st.Retiring == nil {
		k.fail("%s in phase %s", short(SplitOf(st)), st.Phase)
	}
	// What takes traffic from the canary is committed before it is carried out.
	if k.route.Found && SplitOf(st).Falls(k.route.Split) {
		k.fail("committed %s over a route at %s", short(SplitOf(st)), short(k.route.Split))
	}
	if len(st.History) > 10 {
		k.fail("%d runs in the history", len(st.History))
	}
}

// monotone compares two commits: no step is skipped, none repeated, none taken early, but by a person.
func (k *walker) monotone(a, b *v1beta1.CanaryStatus) {
	commanded := b.LastCommand != nil && b.LastCommand.Accepted &&
		(a.LastCommand == nil || a.LastCommand.ID != b.LastCommand.ID)
	if a.Run == nil || b.Run == nil || a.Run.ID != b.Run.ID || a.Step == nil || b.Step == nil {
		sameCanary := a.Canary != nil && b.Canary != nil && a.Canary.Hash == b.Canary.Hash
		if a.Phase == v1beta1.PhaseFailed && b.Run != nil && sameCanary && !commanded {
			k.fail("revision %s was refused and is tried again", a.Canary.Hash)
		}
		return
	}
	if b.Step.Index != a.Step.Index && b.Step.Index != a.Step.Index+1 {
		k.fail("step %d after %d", b.Step.Index, a.Step.Index)
	}
	left := b.Step.Index == a.Step.Index+1 ||
		b.Phase == v1beta1.PhasePromoting && a.Phase == v1beta1.PhaseProgressing
	if left && !commanded && !b.Run.Full && !a.Step.Skipped {
		k.leavesStep(a)
	}
}

func (k *walker) leavesStep(a *v1beta1.CanaryStatus) {
	step := stepAt(&k.canary.Spec, a.Step.Index)
	switch {
	case a.Step.TrafficSince == nil:
		k.fail("step %d ended before it was in force", a.Step.Index)
	case k.now.Sub(a.Step.TrafficSince.Time) < max(step.Dwell*time.Duration(min(step.Rounds, 1)), step.Pause):
		k.fail("step %d ended early", a.Step.Index)
	case step.Manual && !a.Step.Resumed:
		k.fail("step %d ended without a word of a person", a.Step.Index)
	case a.Run.Paused != nil || k.canary.Spec.Suspend:
		k.fail("step %d ended while the run was held", a.Step.Index)
	case a.Step.Passed+1 < step.Rounds:
		k.fail("step %d ended after %d of %d rounds", a.Step.Index, a.Step.Passed, step.Rounds)
	}
	// The last round was judged in this very look, or was judged well before.
	if step.Rounds > 0 && k.verdict != v1beta1.VerdictPassed && a.Step.Passed < step.Rounds {
		k.fail("step %d ended with verdict %s", a.Step.Index, k.verdict)
	}
}

// atRest is what must hold when nothing goes on.
func (k *walker) atRest() {
	st := &k.canary.Status
	if k.mayReceive() {
		k.fail("traffic goes to the canary at rest")
	}
	k.allTold()
	if st.Phase != v1beta1.PhaseFailed && (k.pins != Pins{}) {
		k.fail("pins %s at rest", k.pins)
	}
	for _, s := range k.sorted() {
		if s.owner == OwnerCanary && (st.Phase != v1beta1.PhaseFailed || s.desired > 0) {
			k.fail("ReplicaSet %s is left over with %d pods in phase %s", s.name, s.desired, st.Phase)
		}
	}
	if k.inPlace != nil {
		k.inPlaceAtRest(st)
	} else if !k.held(k.policy) {
		k.fail("the target is not paused at rest")
	}
	for _, g := range st.Gates {
		if g.State == v1beta1.GatePending && g.Type == v1beta1.WebhookPostRollout {
			k.fail("post-rollout webhook %s was never called", g.Name)
		}
	}
}

// inPlaceAtRest wants every pod to be the primary's, but for those of a DaemonSet that only its template takes back.
func (k *walker) inPlaceAtRest(st *v1beta1.CanaryStatus) {
	p := k.inPlace
	if !p.held || !p.oneWay && p.partition != noPartition {
		k.fail("the target is not held at rest")
	}
	left := p.count(func(pod toyPod) bool { return pod.revision != st.Primary.Hash })
	if left > 0 && (!p.oneWay || k.target.template == st.Primary.Hash) {
		k.fail("%d pods are not the primary's at rest", left)
	}
}

// leftBehind is what must hold when the Canary is gone.
func (k *walker) leftBehind() {
	for _, s := range k.sets {
		if s.owner == OwnerCanary && !k.lost { // without the target, what is left goes with the Canary
			k.fail("ReplicaSet %s is left behind", s.name)
		}
	}
	if p := k.inPlace; p != nil && p.held && len(p.pods) > 0 && (k.canary.Status.Primary == nil || p.all(k.toy, k.target.template)) {
		k.fail("the target is held for ever")
	}
	own := k.own(k.target.template)
	if k.target.resting && k.target.found {
		k.fail("the target's field is left behind")
	}
	if k.pins != (Pins{}) || k.target.pausedByWeir && k.target.paused && own != nil && own.desired > 0 {
		k.fail("pins %s, paused=%t are left behind", k.pins, k.target.paused)
	}
}
