package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// adopter keeps the Canaries of annotated workloads in line with their annotations. It has a queue of its own, and makes
// and deletes Canaries; what becomes of them is the business of the look.
type adopter struct {
	c       *Controller
	queue   workqueue.TypedRateLimitingInterface[annotatedKey]
	working sync.WaitGroup

	mu sync.Mutex
	// refused is what was last told of a workload whose annotations are wrong, so that it is told once.
	refused map[annotatedKey]string
}

// annotatedKey names a workload.
type annotatedKey struct {
	kind string
	types.NamespacedName
}

// adopters is how many workloads are looked at at the same time.
const adopters = 2

func newAdopter(c *Controller) *adopter {
	return &adopter{c: c, refused: map[annotatedKey]string{}, queue: workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[annotatedKey](20*time.Millisecond, 30*time.Second),
		workqueue.TypedRateLimitingQueueConfig[annotatedKey]{Name: "annotations", MetricsProvider: c.metrics.queues})}
}

// workloads are the caches of those that can be annotated, by their kind.
func (a *adopter) workloads() map[string]cache.SharedIndexInformer {
	apps := a.c.caches.kube.Apps().V1()
	return map[string]cache.SharedIndexInformer{
		v1beta1.KindDeployment:  apps.Deployments().Informer(),
		v1beta1.KindStatefulSet: apps.StatefulSets().Informer(),
		v1beta1.KindDaemonSet:   apps.DaemonSets().Informer(),
	}
}

// listen queues a workload when it, its Canary, its Service or a profile changes.
func (a *adopter) listen() error {
	for kind, informer := range a.workloads() {
		if err := informer.AddIndexers(cache.Indexers{byAnnotation: indexAnnotated}); err != nil {
			return fmt.Errorf("indexing annotated workloads: %w", err)
		}
		if err := a.on(informer, func(m metav1.Object) { a.annotated(kind, m) }); err != nil {
			return err
		}
	}
	kube, weir := a.c.caches.kube.Core().V1(), a.c.caches.weir.Weir().V1beta1()
	if err := a.on(kube.Services().Informer(), a.service); err != nil {
		return err
	}
	if err := a.on(weir.Canaries().Informer(), a.canary); err != nil {
		return err
	}
	if a.c.caches.noProfiles != "" {
		return nil
	}
	return a.on(weir.CanaryProfiles().Informer(), func(metav1.Object) { a.all() })
}

// on calls with an object when it comes, and with both when it changes: an annotation may be gone.
func (a *adopter) on(informer cache.SharedIndexInformer, do func(metav1.Object)) error {
	call := func(obj any) {
		if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = tombstone.Obj
		}
		if m, err := meta.Accessor(obj); err == nil {
			do(m)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: call, DeleteFunc: call,
		UpdateFunc: func(old, obj any) {
			call(old)
			call(obj)
		},
	})
	if err != nil {
		return fmt.Errorf("watching for annotations: %w", err)
	}
	return nil
}

// byAnnotation is the index of the workloads that have the annotation, whatever its value.
const byAnnotation = "annotated"

func indexAnnotated(obj any) ([]string, error) {
	if m, err := meta.Accessor(obj); err == nil && hasAnnotation(m) {
		return []string{byAnnotation}, nil
	}
	return nil, nil
}

func hasAnnotation(m metav1.Object) bool {
	_, there := m.GetAnnotations()[v1beta1.AnnotationCanary]
	return there
}

func (a *adopter) annotated(kind string, m metav1.Object) {
	if hasAnnotation(m) {
		a.add(kind, m.GetNamespace(), m.GetName())
	}
}

func (a *adopter) canary(m metav1.Object) {
	canary, ok := m.(*v1beta1.Canary)
	if !ok {
		return
	}
	if annotated.Controls(canary) || canary.DeletionTimestamp != nil {
		a.add(canary.Spec.TargetRef.Kind, canary.Namespace, canary.Spec.TargetRef.Name)
	}
}

// service is one whose port a workload of its name may go by.
func (a *adopter) service(m metav1.Object) {
	for kind, informer := range a.workloads() {
		key := types.NamespacedName{Namespace: m.GetNamespace(), Name: m.GetName()}
		if obj, there, err := informer.GetStore().GetByKey(key.String()); err == nil && there {
			if w, err := meta.Accessor(obj); err == nil {
				a.annotated(kind, w)
			}
		}
	}
}

// all queues every annotated workload, and those that were, as their Canaries say.
func (a *adopter) all() {
	for _, canary := range a.c.caches.canaries() {
		a.canary(canary)
	}
	for kind, informer := range a.workloads() {
		objs, err := informer.GetIndexer().ByIndex(byAnnotation, byAnnotation)
		if err != nil {
			continue // there is that index
		}
		for _, obj := range objs {
			if m, err := meta.Accessor(obj); err == nil {
				a.annotated(kind, m)
			}
		}
	}
}

// add queues a workload of a namespace whose shard this replica leads.
func (a *adopter) add(kind, namespace, name string) {
	if !a.c.shards.led[a.c.shards.ofNamespace(namespace)].Load() {
		return
	}
	a.queue.Add(annotatedKey{kind, types.NamespacedName{Namespace: namespace, Name: name}})
}

func (a *adopter) start(ctx context.Context) {
	for range adopters {
		a.working.Go(func() {
			for a.work(ctx) {
			}
		})
	}
	context.AfterFunc(ctx, a.queue.ShutDown)
}

func (a *adopter) wait() { a.working.Wait() }

func (a *adopter) work(ctx context.Context) bool {
	key, quit := a.queue.Get()
	if quit {
		return false
	}
	defer a.queue.Done(key)
	if ctx.Err() != nil {
		return true
	}
	look, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	err := a.sync(look, key)
	switch {
	case err == nil:
		a.queue.Forget(key)
		return true
	case !apierrors.IsConflict(err) && !errors.Is(err, kube.ErrMoved) && ctx.Err() == nil:
		a.c.options.Log.Error("an annotated workload could not be looked after, looking again",
			"kind", key.kind, "workload", key.NamespacedName.String(), "error", err)
	}
	a.queue.AddRateLimited(key)
	return true
}

// sync makes the Canary of a workload what its annotations say.
func (a *adopter) sync(ctx context.Context, key annotatedKey) error {
	w, annotations := a.c.caches.workload(key)
	if w == nil {
		a.accept(key)
		return nil // its Canary goes with it
	}
	canary, err := a.c.caches.canary(key.NamespacedName)
	if apierrors.IsNotFound(err) {
		canary, err = nil, nil
	}
	if err != nil {
		return err
	}
	own := canary != nil && metav1.GetControllerOf(canary) != nil && metav1.GetControllerOf(canary).UID == w.UID
	asks, err := annotated.Asks(annotations)
	switch {
	case err != nil:
		return a.refuse(ctx, w, rollout.ReasonAnnotationInvalid, err.Error())
	case canary != nil && (canary.DeletionTimestamp != nil || !own && annotated.Controls(canary)):
		return nil // it is on its way, or belongs to a workload that was here before and goes after it; its end is told here
	case !asks && own:
		a.accept(key)
		return a.remove(ctx, w, canary)
	case !asks:
		a.accept(key)
		return nil
	case canary != nil && !own:
		return a.refuse(ctx, w, rollout.ReasonCanaryExists, fmt.Sprintf("Canary %s was not made for the annotation %s; "+
			"remove the annotation, or delete that Canary", canary.Name, v1beta1.AnnotationCanary))
	}
	if other := a.other(key); other != "" {
		return a.refuse(ctx, w, rollout.ReasonCanaryExists, fmt.Sprintf("%s %s is the target of Canary %s already; "+
			"remove the annotation %s, or delete that Canary", w.Kind, w.Name, other, v1beta1.AnnotationCanary))
	}
	return a.make(ctx, w, annotations, canary)
}

// workload is an annotated one, or one that was; nil where there is none that stays.
func (c *caches) workload(key annotatedKey) (*workload.Target, map[string]string) {
	switch key.kind {
	case v1beta1.KindDeployment:
		if d := c.deployment(key.Namespace, key.Name); d != nil && d.DeletionTimestamp == nil {
			return workload.OfDeployment(d), d.Annotations
		}
	case v1beta1.KindStatefulSet:
		if s := c.statefulSet(key.Namespace, key.Name); s != nil && s.DeletionTimestamp == nil {
			return workload.OfStatefulSet(s), s.Annotations
		}
	case v1beta1.KindDaemonSet:
		if d := c.daemonSet(key.Namespace, key.Name); d != nil && d.DeletionTimestamp == nil {
			return workload.OfDaemonSet(d), d.Annotations
		}
	}
	return nil, nil
}

// other is a Canary of another name that has the target.
func (a *adopter) other(key annotatedKey) string {
	for _, other := range a.c.caches.named(byTarget, key.Namespace+"/"+key.kind+"/"+key.Name) {
		if other.Name != key.Name {
			return other.Name
		}
	}
	return ""
}

func (a *adopter) make(ctx context.Context, w *workload.Target, annotations map[string]string, found *v1beta1.Canary) error {
	if a.c.caches.noProfiles != "" && annotations[v1beta1.AnnotationProfile] != "" {
		return a.refuse(ctx, w, rollout.ReasonProfileNotReadable, fmt.Sprintf("CanaryProfile %s cannot be read: %s",
			annotations[v1beta1.AnnotationProfile], a.c.caches.noProfiles))
	}
	profile, err := annotated.Profile(annotations, a.c.caches.profiles())
	if err != nil {
		return a.refuse(ctx, w, rollout.ReasonProfileNotFound, err.Error())
	}
	intent, err := annotated.Canary(annotated.Asking{
		Target: *w, Annotations: annotations, Service: a.c.caches.service(w.Namespace, w.Name), Provider: a.c.options.MeshProvider,
	}, profile)
	if err != nil {
		return a.refuse(ctx, w, rollout.ReasonAnnotationInvalid, err.Error())
	}
	locked := func(string) bool { return false }
	if profile != nil {
		locked = profile.Spec.Locked
	}
	kept, err := a.c.writer.ApplyCanary(ctx, intent, found, locked)
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
		return a.refuse(ctx, w, rollout.ReasonCanaryRefused, "the API server does not take its Canary: "+reasonOf(err))
	}
	if err != nil {
		return err
	}
	a.accept(keyOfWorkload(w))
	for _, k := range kept {
		a.tell(ctx, w, rollout.Notice{Reason: rollout.ReasonFieldKept, Message: fmt.Sprintf(
			"%s of Canary %s was set by %s, and stays so", k.Field, w.Name, k.Manager)})
	}
	if found == nil {
		by := "by the annotations alone"
		if profile != nil {
			by = "by CanaryProfile " + profile.Name
		}
		a.tell(ctx, w, rollout.Notice{Reason: rollout.ReasonCanaryMade, Message: fmt.Sprintf("Canary %s is made %s", w.Name, by)})
	}
	return nil
}

// reasonOf is what the API server says, without which object it is about: the reader knows.
func reasonOf(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return err.Error()
	}
	var words []string
	for _, c := range status.Status().Details.Causes {
		words = append(words, c.Field+": "+c.Message)
	}
	return strings.Join(words, "; ")
}

func (a *adopter) remove(ctx context.Context, w *workload.Target, canary *v1beta1.Canary) error {
	if err := a.c.writer.DeleteCanary(ctx, canary); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	a.tell(ctx, w, rollout.Notice{Reason: rollout.ReasonCanaryRemoved, Message: fmt.Sprintf(
		"the annotation %s is gone, and so is Canary %s; the %s is let go", v1beta1.AnnotationCanary, canary.Name, w.Kind)})
	return nil
}

// refuse tells people what is wrong with a workload's annotations, once. Its Canary stays as it is, if there is one.
func (a *adopter) refuse(ctx context.Context, w *workload.Target, reason, message string) error {
	a.mu.Lock()
	again := a.refused[keyOfWorkload(w)] == message
	a.refused[keyOfWorkload(w)] = message
	a.mu.Unlock()
	if !again {
		a.tell(ctx, w, rollout.Notice{Reason: reason, Message: message, Warning: true})
	}
	return nil
}

// accept forgets what was wrong.
func (a *adopter) accept(key annotatedKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.refused, key)
}

func keyOfWorkload(w *workload.Target) annotatedKey {
	return annotatedKey{w.Kind, types.NamespacedName{Namespace: w.Namespace, Name: w.Name}}
}

// tell makes an event on the workload.
func (a *adopter) tell(ctx context.Context, w *workload.Target, n rollout.Notice) {
	n.ID = fmt.Sprintf("annotations/%s/%d", n.Reason, a.c.options.Now().UnixNano())
	ref := corev1.ObjectReference{APIVersion: "apps/v1", Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID}
	a.c.options.Log.Info(n.Message, "reason", n.Reason, "workload", w.Namespace+"/"+w.Name)
	if err := a.c.tell(ctx, ref, n); err != nil {
		a.c.options.Log.Warn("an event could not be told", "reason", n.Reason, "error", err)
	}
}
