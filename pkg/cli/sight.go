package cli

import (
	"cmp"
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli/live"
	"weir.dev/weir/pkg/client/informers/externalversions"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// breath is how long a look waits for more news: a rollout changes many objects at once.
const breath = 100 * time.Millisecond

// again is how long it is until what was refused, or could not be reached at first, is tried again.
const again = 10 * time.Second

// all tells of all Canaries of a namespace, and again after each change, the failing of a watch besides.
func (k *cluster) all(ctx context.Context, namespace string, pass func([]*v1beta1.Canary), failed func(error)) {
	factory := externalversions.NewSharedInformerFactoryWithOptions(k.weir, 0, externalversions.WithNamespace(namespace))
	informer := factory.Weir().V1beta1().Canaries().Informer()
	changed := heard(informer, failed)
	factory.Start(ctx.Done())
	go func() {
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return
		}
		for {
			var all []*v1beta1.Canary
			for _, object := range informer.GetStore().List() {
				if canary, ok := object.(*v1beta1.Canary); ok {
					all = append(all, canary)
				}
			}
			slices.SortFunc(all, func(a, b *v1beta1.Canary) int {
				return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
			})
			pass(all)
			select {
			case <-ctx.Done():
				return
			case <-changed:
				pause(ctx, breath)
			}
		}
	}()
}

// heard is told something whenever an informer's objects have changed, and an error whenever its watch fails.
func heard(informer cache.SharedIndexInformer, failed func(error)) <-chan struct{} {
	changed := make(chan struct{}, 1)
	stir := func() {
		select {
		case changed <- struct{}{}:
		default: // one look will see it all
		}
	}
	// The errors would be that the informer runs already.
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { stir() }, UpdateFunc: func(any, any) { stir() }, DeleteFunc: func(any) { stir() },
	})
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) { // it reads anew
			failed(err)
		}
	})
	return changed
}

// sight is one Canary as watches tell it, with what runs and what was told of it.
type sight struct {
	world
	// from is where it is read.
	from *cluster
	// known says that the Canary, or that there is none, is known; so does targetKnown of the target.
	known, targetKnown bool
	// stirs when pods come, go or become ready; nil until the target is known.
	stirs  <-chan struct{}
	events cache.SharedIndexInformer
	// unheard is why the events, or the pods, cannot be watched.
	unheard error
}

// see tells of one Canary, and again after each change of it, its target, its pods and its events.
func (k *cluster) see(ctx context.Context, name string, pass func(live.Release), trouble func(error)) error {
	s := &sight{from: k}
	told, failed := make(chan func(*sight)), make(chan error, 1)
	tell := func(news func(*sight)) {
		select {
		case told <- news:
		case <-ctx.Done():
		}
	}
	canaries := k.canaries()
	canaries.lost = trouble
	go func() {
		failed <- canaries.tell(ctx, name, func(c *v1beta1.Canary) {
			tell(func(s *sight) { s.canary, s.known = c, true })
		})
	}()
	var events <-chan struct{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case news := <-told:
			news(s)
		case <-s.stirs:
			pause(ctx, breath)
		case <-events:
		}
		if s.canary != nil && events == nil {
			events = s.hearEvents(ctx, tell)
			go k.followTarget(ctx, s.canary, tell)
		}
		if s.canary != nil && s.target != nil && s.stirs == nil {
			s.stirs = s.hearPods(ctx, tell)
		}
		if !s.known || s.canary != nil && !s.targetKnown {
			continue
		}
		if s.canary != nil {
			if s.running = nil; s.target != nil {
				s.running, s.unread = s.target.running(ctx, true)
			}
			s.readApex(ctx)
		}
		pass(s.release(name))
	}
}

// followTarget tells of the target. Without the right to watch it, the rest is shown all the same.
func (k *cluster) followTarget(ctx context.Context, canary *v1beta1.Canary, tell func(func(*sight))) {
	for ctx.Err() == nil {
		err := k.workloads(canary).tell(ctx, canary.Spec.TargetRef.Name, func(t *target) {
			tell(func(s *sight) { s.target, s.targetKnown, s.unread = t, true, nil })
		})
		tell(func(s *sight) { s.target, s.targetKnown, s.unread = nil, true, err })
		pause(ctx, again)
	}
}

// hearPods is told something when the pods of the target change: by its ReplicaSets, which count them, or by the pods.
func (s *sight) hearPods(ctx context.Context, tell func(func(*sight))) <-chan struct{} {
	factory := informers.NewSharedInformerFactoryWithOptions(s.from.kube, 0, informers.WithNamespace(s.from.namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selected(s.target.Target).LabelSelector }))
	var informer cache.SharedIndexInformer
	switch rollout.KindOf(s.canary) {
	case v1beta1.KindDeployment:
		informer = factory.Apps().V1().ReplicaSets().Informer()
	case v1beta1.KindKnativeService: // its own status tells
		return make(chan struct{})
	default:
		informer = factory.Core().V1().Pods().Informer()
	}
	changed := heard(informer, s.unheardBy(tell))
	factory.Start(ctx.Done())
	return changed
}

// hearEvents is told something when there are other events of the Canary.
func (s *sight) hearEvents(ctx context.Context, tell func(func(*sight))) <-chan struct{} {
	of := fields.OneTermEqualSelector("involvedObject.uid", string(s.canary.UID)).String()
	factory := informers.NewSharedInformerFactoryWithOptions(s.from.kube, 0, informers.WithNamespace(s.from.namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = of }))
	s.events = factory.Core().V1().Events().Informer()
	changed := heard(s.events, s.unheardBy(tell))
	factory.Start(ctx.Done())
	return changed
}

// unheardBy tells of rights that are missing. A connection that is lost is told by the watch of the Canary.
func (s *sight) unheardBy(tell func(func(*sight))) func(error) {
	return func(err error) {
		if apierrors.IsForbidden(err) {
			tell(func(s *sight) { s.unheard = err })
		}
	}
}

// readApex reads the Service that says who gets traffic where pods are replaced in place.
func (s *sight) readApex(ctx context.Context) {
	if s.apex = nil; inPlace(s.canary) {
		apex, err := s.from.kube.CoreV1().Services(s.from.namespace).Get(ctx, workload.ServiceNames(s.canary).Apex, metav1.GetOptions{})
		if err == nil {
			s.apex = apex
		}
	}
}

// release is what the live view shows of it.
func (s *sight) release(name string) live.Release {
	r := live.Release{Key: types.NamespacedName{Namespace: s.from.namespace, Name: name}, Canary: s.canary}
	if s.canary == nil {
		return r
	}
	r.Share, r.Gets = s.gets()
	st := &s.canary.Status
	if st.Canary != nil && (st.Run != nil || st.Phase == v1beta1.PhaseFailed) {
		r.Tested = s.pods(st.Canary)
	}
	if st.Primary != nil {
		r.Serving = s.pods(st.Primary)
	}
	for _, err := range []error{s.unread, s.unheard} {
		if err != nil && r.Unread == "" {
			r.Unread = "not all could be read: " + plain(err)
		}
	}
	r.Events = eventsOf(s.events)
	return r
}

// eventsOf are the events that an informer has seen, the newest first.
func eventsOf(informer cache.SharedIndexInformer) []live.Event {
	if informer == nil {
		return nil
	}
	var all []live.Event
	for _, object := range informer.GetStore().List() {
		if e, ok := object.(*corev1.Event); ok {
			all = append(all, live.Event{At: happened(e), Warning: e.Type == corev1.EventTypeWarning, Reason: e.Reason, Note: e.Message})
		}
	}
	slices.SortFunc(all, func(a, b live.Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Note, b.Note))
	})
	return all
}

// happened is when an event was last told. Which of its fields has that depends on who told it.
func happened(e *corev1.Event) time.Time {
	at := e.EventTime.Time
	if e.LastTimestamp.After(at) {
		at = e.LastTimestamp.Time
	}
	if at.IsZero() {
		return e.CreationTimestamp.Time
	}
	return at
}
