package rollout

import "weir.dev/weir/pkg/apis/weir/v1beta1"

// world fills in what must hold in the cluster for the status in d. It looks at the snapshot only for
// what is already so, never for what ought to come next.
func world(s *Snapshot, d *Decision) {
	st := &d.Status
	d.Finalizer = true
	d.Services, d.Route, d.Pause = ServicesApplied, RouteApplied, PauseSet
	d.Split = SplitOf(st)
	d.Queued = s.queued()
	d.Pins = pins(s, st)
	d.Retiring = retiringPlan(s, st)
	if st.Config != nil && st.Config.Changed {
		d.ConfigDigest = st.Config.Digest
	}
	switch st.Phase {
	case v1beta1.PhaseInitializing:
		initializingWorld(s, d)
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		if atRest(s, st) {
			d.Pause = PauseAtRest
		}
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		if st.Retiring == nil && committed(s, st.Canary) {
			d.Candidate = candidatePlan(s, st)
		}
	case v1beta1.PhaseFailed:
		// One that was refused before it was borrowed stays the target's.
		weirs := s.Candidate.Owner == OwnerCanary && st.Canary != nil
		if weirs && (st.Retiring == nil || st.Retiring.ReplicaSet != st.Canary.ReplicaSet) {
			d.Candidate = candidatePlan(s, st)
		}
	case v1beta1.PhaseFinalising:
		if scaledApart(s) {
			d.Pause = PauseRelease
		}
		// Beside a newer template the target's controller takes the pods of the old revision but for as many as
		// it may have too many; these are Weir's to end, once promoted pods stand in for them.
		if s.queued() && s.handedOver() && s.Primary.Found && s.Primary.Owner == OwnerTarget &&
			st.Canary != nil && s.Candidate.Available >= max(1, min(s.Target.Replicas, st.Canary.Replicas)) {
			d.Primary = ReplicaSetPlan{State: ReplicaSetPresent}
		}
	case v1beta1.PhaseTerminating:
		d.Services, d.Pause = ServicesLeave, PauseLeave
		if !s.Route.Found {
			d.Route = RouteLeave // nothing is made any more; in a namespace that is deleted it could not be
		}
	}
	if s.Target.InPlace {
		inPlaceWorld(s, d)
	}
	if !s.Target.Found {
		// Without the target its ReplicaSets are on their way out; only traffic is still ours.
		d.Pause, d.Candidate = PauseLeave, ReplicaSetPlan{}
		if st.Phase != v1beta1.PhaseTerminating {
			d.Services, d.Route = ServicesLeave, RouteLeave
		}
	}
	if len(s.Problems) > 0 && st.Phase != v1beta1.PhaseTerminating {
		withProblems(d)
	}
}

// atRest says that there is nothing but the primary, and nothing to come that Weir knows of.
func atRest(s *Snapshot, st *v1beta1.CanaryStatus) bool {
	return !s.Target.InPlace && s.Target.Revision.IsPrimary && st.Run == nil && st.Canary == nil && st.Retiring == nil &&
		(st.Config == nil || !st.Config.Changed)
}

// scaledApart says that the target was scaled in the very moment after the hand-over. Its controller then
// shares the new size out over both ReplicaSets, and ends the old one only when it is not paused. What it
// rolls out is what was promoted.
func scaledApart(s *Snapshot) bool {
	return s.Candidate.Found && s.Candidate.Owner == OwnerTarget && s.Target.Revision.IsCandidate &&
		s.Primary.Found && s.Primary.Desired > 0 && s.Candidate.Desired != s.Target.Replicas
}

// candidatePlan sizes the canary. More pods than were committed to are the work of an operator that died
// before it could commit, and may have traffic: they stay. All of them go after a rollback; and at full
// weight the canary follows its target down.
func candidatePlan(s *Snapshot, st *v1beta1.CanaryStatus) ReplicaSetPlan {
	plan := ReplicaSetPlan{State: ReplicaSetPresent, Replicas: st.Canary.Replicas}
	goes := st.Phase == v1beta1.PhaseFailed && plan.Replicas == 0
	if s.Candidate.Owner == OwnerCanary && !goes && s.Canary.Status.Weight < fullWeight {
		plan.Replicas = max(plan.Replicas, s.Candidate.Desired)
	}
	return plan
}

// committed says that the committed status names this candidate. A ReplicaSet is made, borrowed or taken
// back only then: one that no status names would be lost if the operator died here and the template
// moved on.
func committed(s *Snapshot, r *v1beta1.RevisionStatus) bool {
	was := s.Canary.Status.Canary
	return s.Canary.Status.Retiring == nil && was != nil && was.ReplicaSet == r.ReplicaSet
}

// withProblems keeps hands off what a spec that cannot be carried out would be rendered to; a split
// that must fall still falls.
func withProblems(d *Decision) {
	d.Services = ServicesLeave
	switch d.Status.Phase {
	case v1beta1.PhaseInitializing:
		d.Route, d.Pause, d.Pins = RouteLeave, PauseLeave, Pins{}
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		d.Route = RouteLeave
	}
}

func initializingWorld(s *Snapshot, d *Decision) {
	if d.Status.WeightSince == nil {
		d.Route = RouteLeave
	}
	switch {
	case s.Canary.Status.Phase != "" && s.Canary.Status.Phase != v1beta1.PhaseInitializing:
		// That the target was resumed is committed first: pausing it would take the evidence away.
		d.Pause = PauseLeave
	case d.Status.Primary != nil:
	case s.Target.Paused && !s.Target.Complete && !s.Primary.Found:
		// Paused between two ReplicaSets, or without any: that would never end. Only what Weir itself has
		// set is given back.
		d.Pause = PauseRelease
	case !s.Target.Complete || !inForce(s):
		// A target whose route is not accepted goes on as if there were no Weir.
		d.Pause = PauseLeave
	}
}

// pins hold the Services to one revision each while pods of two revisions can exist, and to none else.
func pins(s *Snapshot, st *v1beta1.CanaryStatus) Pins {
	if st.Primary == nil || st.Phase == v1beta1.PhaseInitializing {
		return Pins{}
	}
	primary := st.Primary.Hash
	switch {
	case st.Retiring != nil && s.podless() && !drained(s):
		// Traffic that still comes by way of it goes to the primary's pods.
		return Pins{Apex: primary, Primary: primary, Canary: primary}
	case st.Retiring != nil:
		apex := primary
		if st.Weight == fullWeight {
			apex = st.Retiring.Hash
		}
		return Pins{Apex: apex, Primary: primary, Canary: st.Retiring.Hash}
	case st.Phase == v1beta1.PhaseFailed:
		if st.Canary != nil && s.Candidate.Found && (st.Canary.Replicas > 0 || s.Candidate.Exists > 0) {
			return Pins{Apex: primary, Primary: primary, Canary: st.Canary.Hash}
		}
		return Pins{}
	case st.Phase == v1beta1.PhaseFinalising && st.Canary == nil:
		return Pins{Apex: primary, Primary: primary, Canary: primary}
	case st.Canary == nil:
		return Pins{}
	case st.Phase == v1beta1.PhaseWaiting && !s.Candidate.leftOver():
		return Pins{}
	case s.FollowsPods && st.Weight > 0 && st.Weight < fullWeight:
		// The apex is the split: it sends its callers to the pods of both.
		return Pins{Primary: primary, Canary: st.Canary.Hash}
	case st.Weight == fullWeight && (s.FollowsPods || st.Phase == v1beta1.PhasePromoting || st.Phase == v1beta1.PhaseFinalising):
		// All traffic is the canary's and the primary's pods are about to go: callers that go round
		// the route go along.
		return Pins{Apex: st.Canary.Hash, Primary: primary, Canary: st.Canary.Hash}
	default:
		return Pins{Apex: primary, Primary: primary, Canary: st.Canary.Hash}
	}
}

// leftOver says that a canary which is tried again still has the pods of its last run.
func (r ReplicaSet) leftOver() bool { return r.Owner == OwnerCanary && (r.Exists > 0 || r.Desired > 0) }

// retiringPlan keeps a retiring ReplicaSet whole until no traffic goes to it, and removes it then.
func retiringPlan(s *Snapshot, st *v1beta1.CanaryStatus) ReplicaSetPlan {
	if st.Retiring == nil || !s.Retiring.Found || !s.Target.Found || s.podless() ||
		isPrimary(st, st.Retiring.ReplicaSet) && !s.Target.InPlace || // in place, what retires is all but the primary's
		st.Phase == v1beta1.PhaseInitializing && s.Retiring.Owner != OwnerCanary {
		return ReplicaSetPlan{}
	}
	if st.Retiring.Replicas > 0 {
		return ReplicaSetPlan{State: ReplicaSetPresent, Replicas: max(st.Retiring.Replicas, s.Retiring.Desired)}
	}
	return ReplicaSetPlan{State: ReplicaSetAbsent}
}
