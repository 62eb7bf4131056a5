package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// target is the workload that a Canary names, for one look. What differs between the kinds is behind it: how the
// workload is read, and how a decision is carried out on it and on its pods.
type target interface {
	// observe reads the workload and its pods into the observation. An error is told as a problem of the target's.
	observe(o *observation) error
	// behind says that a cache has not seen Weir's own last write to them.
	behind(o *observation) bool
	// problems are the reasons why it cannot be released as it is.
	problems(o *observation) []rollout.Problem
	// annotate sets an annotation of its template.
	annotate(ctx context.Context, key, value string) error
	// pause keeps it from rolling out by itself, or lets it go, before Services are pinned.
	pause(ctx context.Context, d rollout.Decision) error
	// ensurePods asks for pods and takes them away, after Services are pinned.
	ensurePods(ctx context.Context, o *observation, d rollout.Decision) error
	// handOver passes the canary's pods to it, after the route is written.
	handOver(ctx context.Context, o *observation, d rollout.Decision) error
}

// targetOf is the target of a Canary, there or not.
func (c *Controller) targetOf(canary *v1beta1.Canary) target {
	switch canary.Spec.TargetRef.Kind {
	case v1beta1.KindStatefulSet:
		return &statefulSetTarget{c: c}
	case v1beta1.KindDaemonSet:
		return &daemonSetTarget{c: c}
	case v1beta1.KindKnativeService:
		return &knativeTarget{c: c}
	}
	return &deploymentTarget{c: c}
}

// deploymentTarget is released by a ReplicaSet beside the one that serves.
type deploymentTarget struct {
	c        *Controller
	deploy   *appsv1.Deployment
	complete bool
	// pods are the canary's, if they are known.
	pods      []*corev1.Pod
	podsKnown bool
	// The ReplicaSets of status.primary, status.canary and status.retiring.
	primary, candidate, retiring *appsv1.ReplicaSet
}

func (t *deploymentTarget) observe(o *observation) error {
	s, st, ns, caches := &o.snapshot, &o.canary.Status, o.canary.Namespace, t.c.caches
	revision := func(r *v1beta1.RevisionStatus) *appsv1.ReplicaSet {
		if r == nil {
			return nil
		}
		return caches.replicaSet(ns, r.ReplicaSet)
	}
	primary := revision(st.Primary)
	t.candidate, t.retiring = revision(st.Canary), revision(st.Retiring)
	var serving *appsv1.ReplicaSet
	if d := caches.deployment(ns, o.canary.Spec.TargetRef.Name); d != nil && d.DeletionTimestamp == nil {
		t.deploy, o.workload = d, workload.OfDeployment(d)
		sets := caches.replicaSetsOf(d.UID)
		serving = workload.Sole(d, sets)
		if st.Primary == nil {
			primary = serving
		}
		rev, err := workload.Revision(d, sets, primary, t.candidate)
		if err != nil {
			return err
		}
		t.complete = workload.Complete(d, sets)
		s.Target = rollout.Target{
			Found: true, Paused: d.Spec.Paused || workload.AtRest(d) && rev.IsPrimary, Complete: t.complete,
			Replicas: workload.Replicas(d), Revision: rev,
		}
	}
	facts := func(rs *appsv1.ReplicaSet) rollout.ReplicaSet { return workload.Facts(rs, t.deploy, o.canary, t.pods) }
	t.observePods(keyOf(o.canary))
	if serving != nil && (primary == nil || serving.UID != primary.UID) {
		s.Serving = facts(serving)
	}
	s.Primary, s.Candidate, s.Retiring = facts(primary), facts(t.candidate), facts(t.retiring)
	s.Candidate.Younger = primary != nil && t.candidate != nil &&
		primary.CreationTimestamp.Before(&t.candidate.CreationTimestamp)
	t.primary = primary
	return nil
}

// observePods reads those of the canary: they are looked at for what is wrong with them, and since when they are ready.
func (t *deploymentTarget) observePods(key types.NamespacedName) {
	if rs := t.candidate; rs == nil || rs.Status.Replicas == 0 && rs.Spec.Replicas != nil && *rs.Spec.Replicas == 0 {
		t.podsKnown = true
		t.c.pods.forget(key)
		return
	}
	t.pods, t.podsKnown = t.c.pods.of(key, t.candidate.Spec.Selector)
	t.podsKnown = t.podsKnown || t.c.pods.overdue(key)
}

func (t *deploymentTarget) behind(o *observation) bool {
	ns, apps, stale := o.canary.Namespace, appsv1.SchemeGroupVersion, !t.podsKnown
	if t.deploy != nil {
		stale = stale || t.c.fresh.Behind(apps.WithResource("deployments"), ns, t.deploy.Name, t.deploy)
	}
	for _, r := range []*v1beta1.RevisionStatus{o.canary.Status.Canary, o.canary.Status.Retiring} {
		if r != nil {
			rs := present(t.c.caches.replicaSet(ns, r.ReplicaSet))
			stale = stale || t.c.fresh.Behind(apps.WithResource("replicasets"), ns, r.ReplicaSet, rs)
		}
	}
	return stale
}

func (t *deploymentTarget) problems(*observation) []rollout.Problem { return nil }

func (t *deploymentTarget) annotate(ctx context.Context, key, value string) error {
	if !t.deploy.Spec.Paused {
		return nil // it is paused first
	}
	return t.c.writer.AnnotateTemplate(ctx, t.deploy, key, value)
}

func (t *deploymentTarget) pause(ctx context.Context, d rollout.Decision) error {
	switch d.Pause {
	case rollout.PauseSet:
		return t.c.writer.Pause(ctx, t.deploy)
	case rollout.PauseAtRest:
		return t.rest(ctx)
	case rollout.PauseRelease:
		return t.c.writer.ReleasePause(ctx, t.deploy)
	}
	return nil
}

// rest pauses the Deployment, unless it will be with its next template.
func (t *deploymentTarget) rest(ctx context.Context) error {
	held, err := t.c.policy.holds(ctx, t.deploy)
	switch {
	case err != nil:
		return err
	case held == no || !t.deploy.Spec.Paused && !workload.AtRest(t.deploy): // a person's doing, and nobody's now
		return t.c.writer.Pause(ctx, t.deploy)
	case held == yes && t.complete && workload.PauseHeld(t.deploy): // a person's own pause stays
		return t.c.writer.Rest(ctx, t.deploy)
	}
	return nil
}

func (t *deploymentTarget) ensurePods(ctx context.Context, o *observation, d rollout.Decision) error {
	if d.Primary.State == rollout.ReplicaSetPresent && t.primary != nil {
		if _, err := t.c.writer.Scale(ctx, t.primary, d.Primary.Replicas); err != nil {
			return err
		}
	}
	if d.Retiring.State != rollout.ReplicaSetLeave && t.retiring != nil {
		if err := t.ensureReplicaSet(ctx, o, d.Retiring, o.snapshot.Retiring, d.Status.Retiring); err != nil {
			return err
		}
	}
	if d.Candidate.State != rollout.ReplicaSetLeave && d.Status.Canary != nil {
		return t.ensureReplicaSet(ctx, o, d.Candidate, o.snapshot.Candidate, d.Status.Canary)
	}
	return nil
}

func (t *deploymentTarget) ensureReplicaSet(
	ctx context.Context, o *observation, plan rollout.ReplicaSetPlan, facts rollout.ReplicaSet, ref *v1beta1.RevisionStatus,
) error {
	rs := t.c.caches.replicaSet(o.canary.Namespace, ref.ReplicaSet)
	switch {
	case plan.State == rollout.ReplicaSetAbsent:
		if rs == nil || facts.Owner != rollout.OwnerCanary {
			return nil
		}
		return t.c.writer.Remove(ctx, rs, t.deploy)
	case rs == nil:
		if ref.Hash != o.snapshot.Target.Revision.Hash {
			return nil // it can be made of the target's present template alone
		}
		made := workload.NewReplicaSet(t.deploy, o.canary, ref.ReplicaSet, ref.Hash)
		made.Spec.Replicas = &plan.Replicas
		_, err := t.c.writer.CreateReplicaSet(ctx, made)
		return err
	case facts.Owner == rollout.OwnerOther:
		return fmt.Errorf("ReplicaSet %s/%s is in the way: it belongs to neither the Canary nor the Deployment; delete it",
			rs.Namespace, rs.Name)
	case facts.Owner == rollout.OwnerTarget:
		if facts.Desired > 0 && ref != nil && plan.Replicas > 0 && o.snapshot.Target.Revision.ReplicaSet == rs.Name {
			return nil // the target runs it itself
		}
		borrowed, err := t.c.writer.Borrow(ctx, rs, o.canary)
		if err != nil {
			return err
		}
		rs = borrowed
	}
	_, err := t.c.writer.Scale(ctx, rs, plan.Replicas)
	return err
}

func (t *deploymentTarget) handOver(ctx context.Context, _ *observation, d rollout.Decision) error {
	if t.candidate == nil {
		return nil
	}
	// Somebody who resumed the Deployment for a moment has made it an equal ReplicaSet of its own. Of two,
	// its controller takes the older one for the present revision, and would never report it complete.
	if twin := workload.EqualOf(t.deploy, t.c.caches.replicaSetsOf(t.deploy.UID)); twin != nil && twin.UID != t.candidate.UID {
		return t.c.writer.Remove(ctx, twin, nil)
	}
	if d.Queued && t.primary != nil {
		return t.c.writer.HandOverQueued(ctx, t.candidate, t.primary, t.deploy)
	}
	return t.c.writer.HandOver(ctx, t.candidate, t.deploy)
}
