package controller

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/kube"
)

// pods are those that somebody has to know one by one: of a Deployment the canary's, while it has any, and of a target that
// is released in place all. Each Canary has a watch of its own, for as long. So the pods of what is at rest, and of what is
// not Weir's, cost nothing.
type pods struct {
	client kubernetes.Interface
	fresh  *kube.Freshness
	wake   func(...types.NamespacedName)
	now    func() time.Time

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // the life of the watches, set once by start
	watches map[types.NamespacedName]*podWatch
}

// podWatch is that of one Canary.
type podWatch struct {
	selector string
	since    time.Time
	informer cache.SharedIndexInformer
	end      context.CancelFunc
}

// podPatience is how long pods are waited for that are only looked at for what is wrong with them. An abort must not wait
// for what may never come.
const podPatience = 10 * time.Second

func newPods(client kubernetes.Interface, fresh *kube.Freshness, now func() time.Time, wake func(...types.NamespacedName)) *pods {
	return &pods{client: client, fresh: fresh, wake: wake, now: now, watches: map[types.NamespacedName]*podWatch{}}
}

func (p *pods) start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx = ctx
}

// of gives the pods of a Canary's namespace that are selected, and watches them from now on. It is false while they are
// not known yet; then the Canary is woken when they are.
func (p *pods) of(key types.NamespacedName, selector *metav1.LabelSelector) ([]*corev1.Pod, bool) {
	selects, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, true // the API server stores no such selector
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		return nil, false
	}
	w := p.watches[key]
	if w == nil || w.selector != selects.String() {
		p.leave(key)
		w = p.watch(key, selects)
		p.watches[key] = w
	}
	if !w.informer.HasSynced() {
		return nil, false
	}
	var all []*corev1.Pod
	for _, obj := range w.informer.GetStore().List() {
		if pod, ok := obj.(*corev1.Pod); ok {
			all = append(all, pod)
		}
	}
	return all, true
}

// overdue says that the pods of a Canary should have been known for long.
func (p *pods) overdue(key types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.watches[key]
	return w != nil && p.now().Sub(w.since) > podPatience
}

// watch begins to; the caller holds the lock.
func (p *pods) watch(key types.NamespacedName, selector labels.Selector) *podWatch {
	ctx, end := context.WithCancel(p.ctx)
	w := &podWatch{selector: selector.String(), since: p.now(), end: end}
	w.informer = coreinformers.NewFilteredPodInformer(p.client, key.Namespace, 0, cache.Indexers{},
		func(o *metav1.ListOptions) { o.LabelSelector = w.selector })
	_ = w.informer.SetTransform(slim) // only of one that runs already
	handler, err := w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { p.wake(key) }, UpdateFunc: func(any, any) { p.wake(key) },
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if m, err := meta.Accessor(obj); err == nil {
				p.fresh.Gone(corev1.SchemeGroupVersion.WithResource("pods"), m.GetNamespace(), m.GetName())
			}
			p.wake(key)
		},
	})
	go w.informer.RunWithContext(ctx)
	go func() {
		if err == nil && cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
			p.wake(key) // there may be none
		}
	}()
	return w
}

// forget ends the watch of a Canary.
func (p *pods) forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(key)
}

func (p *pods) leave(key types.NamespacedName) {
	if w := p.watches[key]; w != nil {
		w.end()
		delete(p.watches, key)
	}
}
