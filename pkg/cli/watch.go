package cli

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// source is where objects of one kind are read and watched.
type source[T any] struct {
	// read gives the object, nil where there is none, and the version that a watch can begin from.
	read  func(context.Context, metav1.ListOptions) (object *T, version string, err error)
	watch func(context.Context, metav1.ListOptions) (apiwatch.Interface, error)
}

// tell passes on the object as it is, and every later version of it, nil where it is gone, until the context ends.
// It begins with a live read and watches from there, so that no cache which lags behind can tell what was before. A
// watch that ends, as every one does after some minutes, is begun anew in the same way.
func (s source[T]) tell(ctx context.Context, name string, pass func(*T)) error {
	for first := true; ; first = false {
		err := s.once(ctx, name, pass)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (first || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)):
			return err
		}
		pause(ctx, time.Second) // where the connection is lost, it comes back
	}
}

// once reads and watches until the watch ends.
func (s source[T]) once(ctx context.Context, name string, pass func(*T)) error {
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	object, version, err := s.read(ctx, options)
	if err != nil {
		return err
	}
	pass(object)
	options.ResourceVersion = version
	watch, err := s.watch(ctx, options)
	if err != nil {
		return err
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		object, _ := any(event.Object).(*T)
		switch {
		case event.Type == apiwatch.Error: // the API server has forgotten where it began
			return nil
		case event.Type == apiwatch.Deleted:
			pass(nil)
		case object != nil:
			pass(object)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (k *cluster) canaries() source[v1beta1.Canary] {
	of := k.weir.WeirV1beta1().Canaries(k.namespace)
	return source[v1beta1.Canary]{watch: of.Watch,
		read: func(ctx context.Context, o metav1.ListOptions) (*v1beta1.Canary, string, error) {
			list, err := of.List(ctx, o)
			if err != nil || len(list.Items) == 0 {
				return nil, list.GetResourceVersion(), err
			}
			return &list.Items[0], list.ResourceVersion, nil
		}}
}

func (k *cluster) deployments() source[appsv1.Deployment] {
	of := k.kube.AppsV1().Deployments(k.namespace)
	return source[appsv1.Deployment]{watch: of.Watch,
		read: func(ctx context.Context, o metav1.ListOptions) (*appsv1.Deployment, string, error) {
			list, err := of.List(ctx, o)
			if err != nil || len(list.Items) == 0 {
				return nil, list.GetResourceVersion(), err
			}
			return &list.Items[0], list.ResourceVersion, nil
		}}
}

// scene is the world as watches tell it.
type scene struct {
	world
	// canaryTold, deployTold say that something is known of the object, be it that there is none.
	canaryTold, deployTold bool
	// listed tells what the ReplicaSets were listed for.
	listed string
}

// follow looks at a Canary, and again whenever it has changed, until the look says how it ends. With its target, it
// looks at the Deployment, too, and at its ReplicaSets.
func (k *cluster) follow(ctx context.Context, canary *v1beta1.Canary, target bool, look func(*world) *ending) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	told, failed := make(chan func(*scene)), make(chan error, 2)
	pass := func(news func(*scene)) {
		select {
		case told <- news:
		case <-ctx.Done():
		}
	}
	go func() {
		failed <- k.canaries().tell(ctx, canary.Name, func(c *v1beta1.Canary) {
			pass(func(s *scene) { s.canary, s.canaryTold = c, true })
		})
	}()
	if target {
		go func() {
			failed <- k.deployments().tell(ctx, canary.Spec.TargetRef.Name, func(d *appsv1.Deployment) {
				pass(func(s *scene) { s.deploy, s.deployTold = d, true })
			})
		}()
	}
	s := &scene{deployTold: !target}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case news := <-told:
			news(s)
		}
		switch {
		case !s.canaryTold || !s.deployTold:
			continue
		case s.canary == nil || s.canary.UID != canary.UID:
			return end(exitError, "Canary %s was deleted", canary.Name)
		}
		if err := k.relist(ctx, s); err != nil {
			return err
		}
		if e := look(&s.world); e != nil {
			return e
		}
	}
}

// relist reads the ReplicaSets anew where other ones may matter now than did at the last look. Which pods they have
// is no part of what is followed.
func (k *cluster) relist(ctx context.Context, s *scene) error {
	if s.deploy == nil {
		s.sets, s.listed = nil, ""
		return nil
	}
	st := &s.canary.Status
	matters := fmt.Sprint(s.deploy.UID, s.deploy.Generation, st.Phase, nameOf(st.Primary), nameOf(st.Canary))
	if matters == s.listed {
		return nil
	}
	var err error
	s.sets, err = k.replicaSets(ctx, s.deploy)
	s.listed = matters
	return err
}

func nameOf(r *v1beta1.RevisionStatus) string {
	if r == nil {
		return ""
	}
	return r.ReplicaSet
}
