package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// act carries a decision out: it ensures the world, commits the status, and tells people. Whatever
// fails on the way ends it; the next look begins again, and finds done what is done.
func (c *Controller) act(ctx context.Context, o *observation, d rollout.Decision, log *slog.Logger) (time.Duration, error) {
	if d.Finalizer && !slices.Contains(o.canary.Finalizers, kube.Finalizer) {
		if o.canary.DeletionTimestamp != nil {
			return 0, nil // never touched anything, so there is nothing to give back
		}
		return 0, c.writer.AddFinalizer(ctx, o.canary) // the watch brings the Canary back
	}
	if !d.Finalizer {
		if err := c.ensure(ctx, o, d); err != nil {
			return 0, err
		}
		c.announce(ctx, o, &d.Status, d.Notices, log)
		return 0, c.writer.RemoveFinalizer(ctx, o.canary)
	}
	// What gives the canary traffic is committed when it is so. What takes traffic away is committed first:
	// whoever takes over from an operator that died in between must not give it back.
	falls := rollout.SplitOf(&o.canary.Status).Falls(d.Split)
	if !falls {
		if err := c.ensure(ctx, o, d); err != nil {
			return 0, err
		}
	}
	if err := c.commit(ctx, o, d, log); err != nil {
		if !apierrors.IsConflict(err) { // it may have been carried out, and its answer be lost
			c.seen.doubt(keyOf(o.canary), o.canary.ResourceVersion)
		}
		return 0, err
	}
	var err error
	if falls {
		err = c.ensure(ctx, o, d)
	}
	c.announce(ctx, o, &d.Status, d.Notices, log)
	c.metrics.canary(keyOf(o.canary), &d.Status)
	return d.Next, err
}

func (c *Controller) ensure(ctx context.Context, o *observation, d rollout.Decision) error {
	for _, ensure := range []func(context.Context, *observation, rollout.Decision) error{
		c.ensureConfig, c.ensurePause, c.ensureServices, c.ensureReplicaSets, c.ensureRoute, c.ensureHandOver,
	} {
		if err := ensure(ctx, o, d); err != nil {
			return err
		}
	}
	return nil
}

func (c *Controller) commit(ctx context.Context, o *observation, d rollout.Decision, log *slog.Logger) error {
	if equality.Semantic.DeepEqual(d.Status, o.canary.Status) {
		return nil
	}
	if err := c.writer.CommitStatus(ctx, o.canary, &d.Status); err != nil {
		return err
	}
	logChange(log, &o.canary.Status, &d.Status)
	return nil
}

func logChange(log *slog.Logger, was, is *v1beta1.CanaryStatus) {
	level := slog.LevelDebug
	if was.Phase != is.Phase || was.Weight != is.Weight {
		level = slog.LevelInfo
	}
	args := []any{"phase", is.Phase, "weight", is.Weight}
	if is.Step != nil {
		args = append(args, "step", is.Step.Progress)
	}
	if is.Canary != nil {
		args = append(args, "revision", is.Canary.Hash)
	}
	log.Log(context.Background(), level, "committed", args...)
}

// ensureConfig makes the target's template carry the digest of what it mentions.
func (c *Controller) ensureConfig(ctx context.Context, o *observation, d rollout.Decision) error {
	if d.ConfigDigest == "" || o.deploy == nil || !o.deploy.Spec.Paused {
		return nil
	}
	return c.writer.AnnotateTemplate(ctx, o.deploy, v1beta1.ConfigDigestAnnotation, d.ConfigDigest)
}

func (c *Controller) ensurePause(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.deploy == nil {
		return nil
	}
	switch d.Pause {
	case rollout.PauseSet:
		return c.writer.Pause(ctx, o.deploy)
	case rollout.PauseRelease:
		return c.writer.ReleasePause(ctx, o.deploy)
	}
	return nil
}

func (c *Controller) ensureServices(ctx context.Context, o *observation, d rollout.Decision) error {
	switch {
	case d.Services == rollout.ServicesApplied && o.deploy != nil:
		return c.applyServices(ctx, o, d.Pins)
	case d.Services == rollout.ServicesReleased:
		return c.releaseServices(ctx, o)
	}
	// Only the pins, of what is there.
	for _, pin := range []struct {
		svc  *corev1.Service
		hash string
	}{{o.primarySvc, d.Pins.Primary}, {o.canarySvc, d.Pins.Canary}, {o.apex, d.Pins.Apex}} {
		if pin.svc != nil && (pin.svc == o.apex || workload.Made(pin.svc, o.canary)) && c.mayPin(o, pin.svc) {
			if err := c.writer.Pin(ctx, pin.svc, pin.hash); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayPin keeps hands off the Services of a target that Weir never took over.
func (c *Controller) mayPin(o *observation, svc *corev1.Service) bool {
	return o.canary.Status.Primary != nil || workload.Made(svc, o.canary)
}

func (c *Controller) applyServices(ctx context.Context, o *observation, pins rollout.Pins) error {
	plan := workload.Services(o.canary, o.deploy, o.apex, pins)
	for _, s := range []struct{ want, found *corev1.Service }{
		{plan.Primary, o.primarySvc}, {plan.Canary, o.canarySvc}, {plan.Apex, o.apex},
	} {
		if s.want == nil {
			continue
		}
		if err := c.writer.ApplyService(ctx, s.want, s.found); err != nil {
			return err
		}
	}
	if plan.Apex == nil {
		return c.writer.Pin(ctx, o.apex, pins.Apex)
	}
	return nil
}

func (c *Controller) releaseServices(ctx context.Context, o *observation) error {
	if o.apex != nil {
		if workload.Made(o.apex, o.canary) {
			if err := c.writer.ReleaseService(ctx, o.apex); err != nil {
				return err
			}
		} else if c.mayPin(o, o.apex) {
			if err := c.writer.Pin(ctx, o.apex, ""); err != nil {
				return err
			}
		}
	}
	for _, svc := range []*corev1.Service{o.primarySvc, o.canarySvc} {
		if svc != nil && workload.Made(svc, o.canary) {
			if err := c.writer.DeleteService(ctx, svc); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Controller) ensureReplicaSets(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.deploy == nil {
		return nil
	}
	if d.Primary.State == rollout.ReplicaSetPresent && o.primary != nil {
		if _, err := c.writer.Scale(ctx, o.primary, d.Primary.Replicas); err != nil {
			return err
		}
	}
	if d.Retiring.State != rollout.ReplicaSetLeave && o.retiring != nil {
		if err := c.ensureReplicaSet(ctx, o, d.Retiring, o.snapshot.Retiring, d.Status.Retiring); err != nil {
			return err
		}
	}
	if d.Candidate.State != rollout.ReplicaSetLeave && d.Status.Canary != nil {
		return c.ensureReplicaSet(ctx, o, d.Candidate, o.snapshot.Candidate, d.Status.Canary)
	}
	return nil
}

func (c *Controller) ensureReplicaSet(
	ctx context.Context, o *observation, plan rollout.ReplicaSetPlan, facts rollout.ReplicaSet, ref *v1beta1.RevisionStatus,
) error {
	rs := c.caches.replicaSet(o.canary.Namespace, ref.ReplicaSet)
	switch {
	case plan.State == rollout.ReplicaSetAbsent:
		if rs == nil || facts.Owner != rollout.OwnerCanary {
			return nil
		}
		return c.writer.Remove(ctx, rs, o.deploy)
	case rs == nil:
		if ref.Hash != o.snapshot.Target.Revision.Hash {
			return nil // it can be made of the target's present template alone
		}
		made := workload.NewReplicaSet(o.deploy, o.canary, ref.ReplicaSet, ref.Hash)
		made.Spec.Replicas = &plan.Replicas
		_, err := c.writer.CreateReplicaSet(ctx, made)
		return err
	case facts.Owner == rollout.OwnerOther:
		return fmt.Errorf("ReplicaSet %s/%s is in the way: it belongs to neither the Canary nor the Deployment; delete it",
			rs.Namespace, rs.Name)
	case facts.Owner == rollout.OwnerTarget:
		if facts.Desired > 0 && ref != nil && plan.Replicas > 0 && o.snapshot.Target.Revision.ReplicaSet == rs.Name {
			return nil // the target runs it itself
		}
		borrowed, err := c.writer.Borrow(ctx, rs, o.canary)
		if err != nil {
			return err
		}
		rs = borrowed
	}
	_, err := c.writer.Scale(ctx, rs, plan.Replicas)
	return err
}

func (c *Controller) ensureRoute(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.router == nil {
		return nil
	}
	switch d.Route {
	case rollout.RouteApplied:
		if o.unrenderable {
			return nil // the status says why
		}
		objects, err := o.router.Render(o.app, d.Split, o.found)
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if err := c.writer.Apply(ctx, obj.Ref.Resource, obj.Intent, o.found[obj.Ref]); err != nil {
				return err
			}
		}
	case rollout.RouteReleased:
		released, err := o.router.Release(o.app, o.found)
		if err != nil {
			return err
		}
		for _, r := range released {
			if r.Object == nil {
				err = c.writer.DeleteRoute(ctx, r.Ref.Resource, o.found[r.Ref])
			} else {
				err = c.writer.Restore(ctx, r.Ref.Resource, r.Object)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Controller) ensureHandOver(ctx context.Context, o *observation, d rollout.Decision) error {
	if !d.HandOver || o.candidate == nil || o.deploy == nil {
		return nil
	}
	// Somebody who resumed the Deployment for a moment has made it an equal ReplicaSet of its own. Of two,
	// its controller takes the older one for the present revision, and would never report it complete.
	if twin := workload.EqualOf(o.deploy, c.caches.replicaSetsOf(o.deploy.UID)); twin != nil && twin.UID != o.candidate.UID {
		return c.writer.Remove(ctx, twin, nil)
	}
	if d.Queued && o.primary != nil {
		return c.writer.HandOverQueued(ctx, o.candidate, o.primary, o.deploy)
	}
	return c.writer.HandOver(ctx, o.candidate, o.deploy)
}
