package workload

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// A StatefulSet rolls out by itself, from its highest ordinal down to spec.updateStrategy.rollingUpdate.partition;
// a pod below that is made of the revision of before (status.currentRevision). So the partition is all that Weir
// needs of it. When every pod is of the new revision, that becomes the current one, and there is no way back.

// NoPartition is the partition of a StatefulSet of which no pod is to be replaced, however many it has.
const NoPartition int32 = math.MaxInt32

// Partition of a StatefulSet.
func Partition(s *appsv1.StatefulSet) int32 {
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		return *r.Partition
	}
	return 0
}

// PartitionHeld says that the partition is Weir's.
func PartitionHeld(s *appsv1.StatefulSet) bool {
	return owns(s, "f:spec", "f:updateStrategy", "f:rollingUpdate", "f:partition")
}

// PartitionFor is the partition at which so many pods are of the new revision.
func PartitionFor(s *appsv1.StatefulSet, plan rollout.ReplicaSetPlan) int32 {
	if plan.State != rollout.ReplicaSetPresent || plan.Replicas <= 0 {
		return NoPartition
	}
	return max(0, replicasOf(s)-plan.Replicas)
}

func replicasOf(s *appsv1.StatefulSet) int32 {
	if s.Spec.Replicas == nil {
		return 1
	}
	return *s.Spec.Replicas
}

// StatefulSetProblems are the reasons why a StatefulSet cannot be released step by step.
func StatefulSetProblems(s *appsv1.StatefulSet) []rollout.Problem {
	if t := s.Spec.UpdateStrategy.Type; t != "" && t != appsv1.RollingUpdateStatefulSetStrategyType {
		return problem(rollout.ReasonStrategyNotSupported, "StatefulSet %s has spec.updateStrategy.type %s, with which it has no "+
			"partition; set it to RollingUpdate", s.Name, t)
	}
	if p := Partition(s); p > 0 && !PartitionHeld(s) {
		return problem(rollout.ReasonPartitionInUse, "StatefulSet %s has spec.updateStrategy.rollingUpdate.partition %d, which is "+
			"not Weir's; set it to 0", s.Name, p)
	}
	return nil
}

// ObserveStatefulSet reads a StatefulSet, for the revisions that a status names.
func ObserveStatefulSet(
	s *appsv1.StatefulSet, revs []*appsv1.ControllerRevision, own []*corev1.Pod, st *v1beta1.CanaryStatus, now time.Time,
) (InPlace, error) {
	const kind = v1beta1.KindStatefulSet
	present, current := revisionNamed(revs, s.Status.UpdateRevision), revisionNamed(revs, s.Status.CurrentRevision)
	if s.Status.ObservedGeneration < s.Generation || present == nil || current == nil {
		return InPlace{}, errUnknown{kind, s.Name}
	}
	pods, replicas := alive(own), replicasOf(s)
	primary, candidate := current, named(revs, st.Canary)
	switch {
	case st.Primary != nil:
		primary = named(revs, st.Primary)
	case len(pods.notOf(current.Name)) > 0:
		primary = nil // it is between two revisions
	}
	in := InPlace{
		Primary:   pods.facts(primary, kind, s.Spec.MinReadySeconds, now),
		Candidate: pods.facts(candidate, kind, s.Spec.MinReadySeconds, now),
		Target: rollout.Target{
			Found: true, Paused: PartitionHeld(s), Replicas: replicas, InPlace: true,
			Revision: revision(present, primary, candidate, kind),
			Complete: present == current && pods.count() == replicas &&
				pods.of(present.Name).readyFor(s.Spec.MinReadySeconds, now) == replicas,
		},
	}
	if candidate != nil {
		in.CandidatePods = pods.of(candidate.Name).names()
		if current == candidate {
			in.Candidate.Owner, in.Candidate.Desired = rollout.OwnerTarget, replicas
		} else if present == candidate {
			in.Candidate.Desired = max(0, replicas-Partition(s))
		}
	}
	in.Primary.Owner, in.Primary.Desired = rollout.OwnerTarget, max(0, replicas-in.Candidate.Desired)
	switch {
	case primary == nil || current != primary && current != candidate:
		in.Primary = rollout.ReplicaSet{} // no pod can be made of it any more
		if current != candidate {
			in.Serving = pods.facts(current, kind, s.Spec.MinReadySeconds, now)
			in.Serving.Owner, in.Serving.Desired = rollout.OwnerTarget, max(0, replicas-in.Candidate.Desired)
		}
	case current == primary && in.Target.Paused && st.Primary != nil:
		in.strangers(pods, st)
	}
	return in, nil
}

// strangers counts the pods that are to make room for the primary's.
func (in *InPlace) strangers(pods pods, st *v1beta1.CanaryStatus) {
	in.Target.Strays = pods.notOf(in.Primary.Hash, in.Candidate.Hash).count()
	if rest := pods.notOf(in.Primary.Hash); st.Retiring != nil && len(rest) > 0 {
		in.Retiring = rollout.ReplicaSet{
			Found: true, Name: st.Retiring.ReplicaSet, Hash: st.Retiring.Hash, Images: st.Retiring.Images,
			Owner: rollout.OwnerCanary, Desired: rest.count(), Exists: rest.count(), Ready: rest.ready(),
		}
	}
}

// StatefulSetPodsToGo are the pods to delete, so that they come back at the primary's revision: those below the
// partition that are not of it. Those that are not ready go at once. So do all if they get no traffic, and else as
// many as leave half of the replicas ready. The partition has to be in force, and the primary's revision has to be
// the one that they come back at.
func StatefulSetPodsToGo(s *appsv1.StatefulSet, own []*corev1.Pod, primary string, withoutTraffic bool) []*corev1.Pod {
	if !PartitionHeld(s) || s.Status.CurrentRevision != primary || s.Status.ObservedGeneration < s.Generation {
		return nil
	}
	all := alive(own)
	var below pods
	for _, pod := range all.notOf(primary) {
		if i, ok := indexOf(s, pod); ok && i < Partition(s) {
			below = append(below, pod)
		}
	}
	slices.SortFunc(below, func(a, b *corev1.Pod) int {
		i, _ := indexOf(s, a)
		j, _ := indexOf(s, b)
		return int(j) - int(i)
	})
	if withoutTraffic {
		return below
	}
	replicas := replicasOf(s)
	budget := all.ready() - (replicas+1)/2
	if all.ready() >= replicas {
		budget = max(budget, 1)
	}
	return below.some(budget)
}

// indexOf is the place of a pod, counted from 0 whatever the first ordinal is.
func indexOf(s *appsv1.StatefulSet, pod *corev1.Pod) (int32, bool) {
	suffix, ok := strings.CutPrefix(pod.Name, s.Name+"-")
	n, err := strconv.ParseInt(suffix, 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	if s.Spec.Ordinals != nil {
		n -= int64(s.Spec.Ordinals.Start)
	}
	return int32(n), true //nolint:gosec // an ordinal less another
}
