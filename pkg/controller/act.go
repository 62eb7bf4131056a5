package controller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
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
		c.outbox.offer(o.canary, d.Status.Alerts) // no status will hold them
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
	return d.Next, err
}

func (c *Controller) ensure(ctx context.Context, o *observation, d rollout.Decision) error {
	for _, ensure := range []func(context.Context, *observation, rollout.Decision) error{
		c.ensureConfig, c.ensurePause, c.ensureServices, c.ensurePods, c.ensureRoute, c.ensureHandOver,
	} {
		if c.options.Now().Sub(o.snapshot.Now) > longestLook {
			return errOldLook
		}
		if err := ensure(ctx, o, d); err != nil {
			return err
		}
	}
	return nil
}

// longestLook is how long a look may take from its observation to its last write. A write that hung through an outage
// must not be followed by others that were decided on before it.
const longestLook = 20 * time.Second

var errOldLook = errors.New("the look took too long, and what it saw is old")

func (c *Controller) commit(ctx context.Context, o *observation, d rollout.Decision, log *slog.Logger) error {
	if equality.Semantic.DeepEqual(d.Status, o.canary.Status) {
		return nil
	}
	if c.options.Now().Sub(o.snapshot.Now) > longestLook {
		return errOldLook
	}
	if err := c.writer.CommitStatus(ctx, o.canary, &d.Status); err != nil {
		return err
	}
	logChange(log, &o.canary.Status, &d.Status)
	c.metrics.ended(o.canary, &d.Status)
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
	if d.ConfigDigest == "" || o.workload == nil || !o.snapshot.Target.Paused {
		return nil
	}
	return o.target.annotate(ctx, v1beta1.ConfigDigestAnnotation, d.ConfigDigest)
}

func (c *Controller) ensurePause(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.workload == nil {
		return nil
	}
	return o.target.pause(ctx, d)
}

func (c *Controller) ensureServices(ctx context.Context, o *observation, d rollout.Decision) error {
	switch {
	case o.snapshot.Target.ByName: // it needs none
		return nil
	case d.Services == rollout.ServicesApplied && o.workload != nil:
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
			if err := c.writer.Pin(ctx, pin.svc, pinLabel(o), pin.hash); err != nil {
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
	plan := workload.Services(o.canary, o.workload, o.apex, pins)
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
		return c.writer.Pin(ctx, o.apex, pinLabel(o), pins.Apex)
	}
	return nil
}

func (c *Controller) releaseServices(ctx context.Context, o *observation) error {
	if o.apex != nil {
		if workload.Made(o.apex, o.canary) {
			if err := c.writer.ReleaseService(ctx, o.apex, pinLabel(o)); err != nil {
				return err
			}
		} else if c.mayPin(o, o.apex) {
			if err := c.writer.Pin(ctx, o.apex, pinLabel(o), ""); err != nil {
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

func (c *Controller) ensurePods(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.workload == nil {
		return nil
	}
	return o.target.ensurePods(ctx, o, d)
}

// decided is the application as the decision has it: a split is between the revisions of the status that goes with it,
// and where that names another canary than the committed one, the old one must get nothing of it.
func decided(o *observation, d rollout.Decision) router.App {
	app, canary := o.app, *o.canary
	canary.Status = d.Status
	app.Canary = &canary
	return app
}

func (c *Controller) ensureRoute(ctx context.Context, o *observation, d rollout.Decision) error {
	if o.router == nil || o.snapshot.Target.InPlace {
		return nil
	}
	switch d.Route {
	case rollout.RouteApplied:
		if o.unrenderable {
			return nil // the status says why
		}
		objects, err := o.router.Render(decided(o, d), d.Split, o.found)
		if err != nil {
			return err
		}
		for _, obj := range objects {
			if obj.Whole != nil {
				err = c.writer.Restore(ctx, obj.Ref.Resource, obj.Whole)
			} else {
				err = c.writer.Apply(ctx, obj.Ref.Resource, obj.Intent, o.found[obj.Ref])
			}
			if err != nil {
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
	if !d.HandOver || o.workload == nil {
		return nil
	}
	return o.target.handOver(ctx, o, d)
}

// pinLabel is the label that Services are pinned by.
func pinLabel(o *observation) string { return workload.PinLabel(o.canary.Spec.TargetRef.Kind) }
