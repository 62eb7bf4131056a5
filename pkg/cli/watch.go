package cli

import (
	"context"
	"fmt"
	"time"

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
	// lost, where it is set, is told why the connection is lost that is being sought anew.
	lost func(error)
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
		case err != nil && s.lost != nil:
			s.lost(err)
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

func sourceOf[T any, L metav1.ListInterface](of api[T, L], items func(L) []T) source[T] {
	return source[T]{watch: of.Watch,
		read: func(ctx context.Context, o metav1.ListOptions) (*T, string, error) {
			list, err := of.List(ctx, o)
			if err != nil {
				return nil, "", err
			}
			if all := items(list); len(all) > 0 {
				return &all[0], list.GetResourceVersion(), nil
			}
			return nil, list.GetResourceVersion(), nil
		}}
}

func (k *cluster) canaries() source[v1beta1.Canary] {
	return sourceOf(k.weir.WeirV1beta1().Canaries(k.namespace),
		func(l *v1beta1.CanaryList) []v1beta1.Canary { return l.Items })
}

// scene is the world as watches tell it.
type scene struct {
	world
	// canaryTold, targetTold say that something is known of the object, be it that there is none.
	canaryTold, targetTold bool
	// listed tells what the revisions were listed for.
	listed string
}

// follow looks at a Canary, and again whenever it has changed, until the look says how it ends. With its target, it
// looks at that, too, and at its revisions.
func (k *cluster) follow(ctx context.Context, canary *v1beta1.Canary, withTarget bool, look func(*world) *ending) error {
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
	if withTarget {
		go func() {
			failed <- k.workloads(canary).tell(ctx, canary.Spec.TargetRef.Name, func(t *target) {
				pass(func(s *scene) { s.target, s.targetTold = t, true })
			})
		}()
	}
	s := &scene{targetTold: !withTarget}
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
		case !s.canaryTold || !s.targetTold:
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

// relist reads the target's revisions anew where other ones may matter now than did at the last look. Which pods they
// have is no part of what is followed.
func (k *cluster) relist(ctx context.Context, s *scene) error {
	if s.target == nil {
		s.running, s.listed = nil, ""
		return nil
	}
	st := &s.canary.Status
	matters := fmt.Sprint(s.target.version, st.Phase, nameOf(st.Primary), nameOf(st.Canary))
	if matters == s.listed {
		return nil
	}
	var err error
	s.running, err = s.target.running(ctx, false)
	s.listed = matters
	return err
}

func nameOf(r *v1beta1.RevisionStatus) string {
	if r == nil {
		return ""
	}
	return r.ReplicaSet
}
