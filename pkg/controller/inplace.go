package controller

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// statefulSetTarget is released in place, by its partition and, on the way back, by deleting pods.
type statefulSetTarget struct {
	c    *Controller
	set  *appsv1.StatefulSet
	pods []*corev1.Pod
	// podsKnown is false while they are not.
	podsKnown bool
}

func (t *statefulSetTarget) observe(o *observation) error {
	o.snapshot.Target.InPlace = true
	s := t.c.caches.statefulSet(o.canary.Namespace, o.canary.Spec.TargetRef.Name)
	if s == nil || s.DeletionTimestamp != nil {
		return nil
	}
	t.set, o.workload = s, workload.OfStatefulSet(s)
	if t.pods, t.podsKnown = t.c.podsOf(keyOf(o.canary), s, s.Spec.Selector); !t.podsKnown {
		return nil
	}
	seen, err := workload.ObserveStatefulSet(s, t.c.caches.revisionsOf(s.UID), t.pods, &o.canary.Status, o.snapshot.Now)
	return o.seesInPlace(seen, err)
}

// seesInPlace takes over what was seen of a workload that is released in place.
func (o *observation) seesInPlace(seen workload.InPlace, err error) error {
	if err != nil {
		return err
	}
	s := &o.snapshot
	s.Target, s.Primary, s.Candidate, s.Retiring = seen.Target, seen.Primary, seen.Candidate, seen.Retiring
	s.Serving = seen.Serving
	o.canaryPods = seen.CandidatePods
	return nil
}

func (t *statefulSetTarget) behind(_ *observation) bool {
	if t.set == nil {
		return false
	}
	gvr := appsv1.SchemeGroupVersion.WithResource("statefulsets")
	return t.c.fresh.Behind(gvr, t.set.Namespace, t.set.Name, t.set) || !t.podsKnown || t.c.behindPods(t.pods)
}

// podsOf are the pods that a target in place controls; false while they are not known.
func (c *Controller) podsOf(key types.NamespacedName, set metav1.Object, selector *metav1.LabelSelector) ([]*corev1.Pod, bool) {
	selected, known := c.pods.of(key, selector)
	return slices.DeleteFunc(selected, func(p *corev1.Pod) bool { return !metav1.IsControlledBy(p, set) }), known
}

// behindPods says that the cache has not seen yet that Weir has deleted one of these pods.
func (c *Controller) behindPods(pods []*corev1.Pod) bool {
	gvr := corev1.SchemeGroupVersion.WithResource("pods")
	for _, p := range pods {
		if c.fresh.Behind(gvr, p.Namespace, p.Name, p) {
			return true
		}
	}
	return false
}

func (t *statefulSetTarget) problems(*observation) []rollout.Problem {
	return workload.StatefulSetProblems(t.set)
}

func (t *statefulSetTarget) annotate(ctx context.Context, key, value string) error {
	return t.c.writer.AnnotateStatefulSet(ctx, t.set, key, value)
}

// pause holds all pods that are to be held. What is to be let go waits until Services are pinned.
func (t *statefulSetTarget) pause(ctx context.Context, d rollout.Decision) error {
	switch d.Pause {
	case rollout.PauseSet:
		if to := workload.PartitionFor(t.set, d.Candidate); !workload.PartitionHeld(t.set) || to > workload.Partition(t.set) {
			return t.c.writer.HoldStatefulSet(ctx, t.set, max(to, workload.Partition(t.set)))
		}
	case rollout.PauseRelease:
		return t.c.writer.ReleaseStatefulSet(ctx, t.set)
	}
	return nil
}

func (t *statefulSetTarget) ensurePods(ctx context.Context, o *observation, d rollout.Decision) error {
	if d.Pause != rollout.PauseSet || !o.snapshot.Target.Paused {
		return nil
	}
	if to := workload.PartitionFor(t.set, d.Candidate); to < workload.Partition(t.set) {
		return t.c.writer.HoldStatefulSet(ctx, t.set, to)
	}
	if d.Candidate.State == rollout.ReplicaSetLeave && d.Retiring.State == rollout.ReplicaSetLeave {
		return nil
	}
	withoutTraffic := d.Pins.Apex != "" && o.snapshot.Route.Found && !o.snapshot.Route.Split.Reaches()
	return t.c.replace(ctx, workload.StatefulSetPodsToGo(t.set, t.pods, o.snapshot.Primary.Name, withoutTraffic))
}

// replace deletes pods, so that their controller makes others.
func (c *Controller) replace(ctx context.Context, pods []*corev1.Pod) error {
	for _, p := range pods {
		if err := c.writer.Replace(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (t *statefulSetTarget) handOver(context.Context, *observation, rollout.Decision) error {
	return nil
}

// daemonSetTarget is released in place, by deleting pods.
type daemonSetTarget struct {
	c    *Controller
	set  *appsv1.DaemonSet
	pods []*corev1.Pod
	// podsKnown is false while they are not.
	podsKnown bool
}

func (t *daemonSetTarget) observe(o *observation) error {
	o.snapshot.Target.InPlace, o.snapshot.Target.OneWay = true, true
	d := t.c.caches.daemonSet(o.canary.Namespace, o.canary.Spec.TargetRef.Name)
	if d == nil || d.DeletionTimestamp != nil {
		return nil
	}
	t.set, o.workload = d, workload.OfDaemonSet(d)
	if t.pods, t.podsKnown = t.c.podsOf(keyOf(o.canary), d, d.Spec.Selector); !t.podsKnown {
		return nil
	}
	seen, err := workload.ObserveDaemonSet(d, t.c.caches.revisionsOf(d.UID), t.pods, &o.canary.Status, o.snapshot.Now)
	return o.seesInPlace(seen, err)
}

func (t *daemonSetTarget) behind(_ *observation) bool {
	if t.set == nil {
		return false
	}
	gvr := appsv1.SchemeGroupVersion.WithResource("daemonsets")
	return t.c.fresh.Behind(gvr, t.set.Namespace, t.set.Name, t.set) || !t.podsKnown || t.c.behindPods(t.pods)
}

func (t *daemonSetTarget) problems(*observation) []rollout.Problem { return nil }

func (t *daemonSetTarget) annotate(ctx context.Context, key, value string) error {
	return t.c.writer.AnnotateDaemonSet(ctx, t.set, key, value)
}

func (t *daemonSetTarget) pause(ctx context.Context, d rollout.Decision) error {
	switch d.Pause {
	case rollout.PauseSet:
		return t.c.writer.HoldDaemonSet(ctx, t.set)
	case rollout.PauseRelease:
		return t.c.writer.ReleaseDaemonSet(ctx, t.set)
	}
	return nil
}

func (t *daemonSetTarget) ensurePods(ctx context.Context, o *observation, d rollout.Decision) error {
	if d.Pause != rollout.PauseSet || !o.snapshot.Target.Paused {
		return nil
	}
	plan := d.Candidate
	if d.Retiring.State != rollout.ReplicaSetLeave {
		plan = d.Retiring
	}
	present := o.snapshot.Target.Revision.Hash
	return t.c.replace(ctx, workload.DaemonSetPodsToGo(t.set, t.pods, plan, o.snapshot.Primary.Hash, present))
}

func (t *daemonSetTarget) handOver(context.Context, *observation, rollout.Decision) error { return nil }
