package workload

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// A DaemonSet whose strategy is OnDelete replaces no pod by itself, and makes every pod of its present template. So
// Weir deletes pods, node by node. Back it goes only by the template.

// DeletionHeld says that the DaemonSet replaces no pod by itself, and that this is Weir's doing.
func DeletionHeld(d *appsv1.DaemonSet) bool {
	return d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType &&
		owns(d, "f:spec", "f:updateStrategy", "f:type")
}

// ObserveDaemonSet reads a DaemonSet, for the revisions that a status names.
func ObserveDaemonSet(
	d *appsv1.DaemonSet, revs []*appsv1.ControllerRevision, own []*corev1.Pod, st *v1beta1.CanaryStatus, now time.Time,
) (InPlace, error) {
	const kind = v1beta1.KindDaemonSet
	present, err := presentRevision(d, revs)
	if err != nil {
		return InPlace{}, err
	}
	pods, replicas, ready := alive(own), d.Status.DesiredNumberScheduled, d.Spec.MinReadySeconds
	primary, candidate, sole := named(revs, st.Primary), named(revs, st.Canary), soleRevision(pods, revs, present)
	if st.Primary == nil {
		primary = sole
	}
	all := func(rev *appsv1.ControllerRevision) bool {
		return pods.count() >= replicas && pods.of(hashOfRevision(rev, kind)).readyFor(ready, now) >= pods.count()
	}
	in := InPlace{
		Primary: pods.facts(primary, kind, ready, now), Candidate: pods.facts(candidate, kind, ready, now),
		Target: rollout.Target{
			Found: true, Paused: DeletionHeld(d), Replicas: replicas, InPlace: true, OneWay: true,
			Revision: revision(present, primary, candidate, kind), Complete: all(present),
		},
	}
	if candidate != nil {
		in.CandidatePods = pods.of(in.Candidate.Hash).names()
		// Nothing of a DaemonSet tells a release that is over from one that is not. The phase does.
		if st.Phase == v1beta1.PhaseFinalising || st.Phase == v1beta1.PhasePromoting && all(candidate) {
			in.Candidate.Owner, in.Candidate.Desired = rollout.OwnerTarget, replicas
		}
	}
	if primary != nil {
		in.Primary.Owner, in.Primary.Desired = rollout.OwnerTarget, max(0, replicas-in.Candidate.Desired)
	}
	if sole != nil && sole != primary && sole != candidate {
		in.Serving = pods.facts(sole, kind, ready, now)
		in.Serving.Owner, in.Serving.Desired = rollout.OwnerTarget, max(0, replicas-in.Candidate.Desired)
	}
	if primary != nil && st.Primary != nil && in.Target.Paused {
		in.strangers(pods, st)
		if present.Name != primary.Name {
			in.Retiring = rollout.ReplicaSet{} // its nodes are the first that get the next one
		}
	}
	return in, nil
}

// presentRevision is that of the present template.
func presentRevision(d *appsv1.DaemonSet, revs []*appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	digest, err := Digest(&d.Spec.Template)
	if err != nil {
		return nil, fmt.Errorf("naming the revision of DaemonSet %s: %w", d.Name, err)
	}
	var present *appsv1.ControllerRevision
	for _, r := range revs {
		if r.Annotations[digestAnnotation] == digest && (present == nil || r.Revision > present.Revision) {
			present = r
		}
	}
	if present == nil || d.Status.ObservedGeneration < d.Generation {
		return nil, errUnknown{v1beta1.KindDaemonSet, d.Name}
	}
	return present, nil
}

// soleRevision is that of all pods; of a DaemonSet without pods the present one; none where there are several.
func soleRevision(pods pods, revs []*appsv1.ControllerRevision, present *appsv1.ControllerRevision) *appsv1.ControllerRevision {
	if len(pods) == 0 {
		return present
	}
	hash := pods[0].Labels[appsv1.ControllerRevisionHashLabelKey]
	if len(pods.notOf(hash)) > 0 {
		return nil
	}
	i := slices.IndexFunc(revs, func(r *appsv1.ControllerRevision) bool { return hashOfRevision(r, v1beta1.KindDaemonSet) == hash })
	if i < 0 {
		return nil
	}
	return revs[i]
}

// DaemonSetPodsToGo are the pods to delete for a plan, with its present revision's hash and that of the primary's. A
// run goes over the nodes by name, those first that have a pod of neither revision; never more pods than
// maxUnavailable are missing at once, but for those that are not ready anyway.
func DaemonSetPodsToGo(
	d *appsv1.DaemonSet, own []*corev1.Pod, plan rollout.ReplicaSetPlan, primary, present string,
) []*corev1.Pod {
	if !DeletionHeld(d) {
		return nil
	}
	all, replicas := alive(own), d.Status.DesiredNumberScheduled
	old := all.notOf(present)
	switch {
	case plan.State == rollout.ReplicaSetAbsent && present == primary: // the template is what the pods come back at
	case plan.State == rollout.ReplicaSetPresent && present != primary:
		slices.SortFunc(old, func(a, b *corev1.Pod) int {
			return cmp.Or(cmp.Compare(rank(a, primary), rank(b, primary)), cmp.Compare(nodeOf(a), nodeOf(b)))
		})
		stray := len(old.notOf(primary))
		surplus := len(old) - int(max(0, replicas-plan.Replicas))
		old = old[:min(len(old), max(stray, surplus, 0))]
	default:
		return nil
	}
	return old.some(maxUnavailable(d) - (replicas - all.ready()))
}

// rank puts pods of neither revision first.
func rank(pod *corev1.Pod, primary string) int {
	if pod.Labels[appsv1.ControllerRevisionHashLabelKey] == primary {
		return 1
	}
	return 0
}

// nodeOf is the node of a DaemonSet's pod, also of one that is not bound to it yet.
func nodeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" || pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return pod.Spec.NodeName
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return ""
	}
	for _, term := range required.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == "metadata.name" && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

// maxUnavailable is that of a rolling update, which the DaemonSet keeps while it is held.
func maxUnavailable(d *appsv1.DaemonSet) int32 {
	rolling := d.Spec.UpdateStrategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil {
		return 1
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxUnavailable, int(d.Status.DesiredNumberScheduled), true)
	if err != nil {
		return 1
	}
	return max(1, int32(n)) //nolint:gosec // a share of nodes, or what the API server has checked
}
