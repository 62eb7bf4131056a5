package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/client/informers/externalversions"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/workload"
)

// The indexes over Canaries: which of them has to do with an object of that name.
const (
	byTarget   = "target"
	byService  = "service"
	byTemplate = "template"
	byOwner    = "owner"
	byRoute    = "route"
	byProfile  = "profile"
)

// caches are what the controller reads, all of it from watches.
type caches struct {
	kube    informers.SharedInformerFactory
	weir    externalversions.SharedInformerFactory
	dynamic dynamicinformer.DynamicSharedInformerFactory
	routers map[string]router.Router
	routes  map[schema.GroupVersionResource]cache.SharedIndexInformer
	// noClusterTemplates says why ClusterMetricTemplates are not watched, and noProfiles why CanaryProfiles are not; empty
	// where they are.
	noClusterTemplates, noProfiles string
	wake                           func(...types.NamespacedName)
	fresh                          *kube.Freshness
}

// Informers are caches of Weir's own kinds in a namespace, or in all if it is empty, as a Controller needs them.
func Informers(weir versioned.Interface, namespace string) externalversions.SharedInformerFactory {
	return externalversions.NewSharedInformerFactoryWithOptions(weir, 0,
		externalversions.WithNamespace(namespace), externalversions.WithTransform(slim))
}

func newCaches(
	clients Clients, options Options, found watchable, wake func(...types.NamespacedName), fresh *kube.Freshness,
) (*caches, error) {
	c := &caches{
		kube: informers.NewSharedInformerFactoryWithOptions(clients.Kube, 0,
			informers.WithNamespace(options.Namespace), informers.WithTransform(pack)),
		weir:    options.Informers,
		dynamic: dynamicinformer.NewFilteredDynamicSharedInformerFactory(clients.Dynamic, 0, options.Namespace, nil),
		routers: found.usable, routes: map[schema.GroupVersionResource]cache.SharedIndexInformer{},
		noClusterTemplates: found.noClusterTemplates, noProfiles: found.noProfiles, wake: wake, fresh: fresh,
	}
	if err := c.index(); err != nil {
		return nil, err
	}
	return c, c.listen()
}

func (c *caches) index() error {
	canaries := c.weir.Weir().V1beta1().Canaries().Informer()
	err := canaries.AddIndexers(cache.Indexers{
		byTarget: indexCanary(func(can *v1beta1.Canary) []string { return []string{targetKey(can)} }),
		byService: indexCanary(func(can *v1beta1.Canary) []string {
			return []string{can.Namespace + "/" + workload.ServiceNames(can).Apex}
		}),
		byTemplate: indexCanary(templatesOf), byRoute: indexCanary(c.routesOf), byProfile: indexCanary(profileOf),
		byRun: indexCanary(indexRun),
	})
	if err != nil {
		return fmt.Errorf("indexing Canaries: %w", err)
	}
	for _, informer := range []cache.SharedIndexInformer{
		c.kube.Apps().V1().ReplicaSets().Informer(), c.kube.Apps().V1().ControllerRevisions().Informer(),
	} {
		if err := informer.AddIndexers(cache.Indexers{byOwner: indexOwner}); err != nil {
			return fmt.Errorf("indexing by owner: %w", err)
		}
	}
	return nil
}

func indexCanary(keys func(*v1beta1.Canary) []string) cache.IndexFunc {
	return func(obj any) ([]string, error) {
		can, ok := obj.(*v1beta1.Canary)
		if !ok {
			return nil, nil
		}
		return keys(can), nil
	}
}

func indexOwner(obj any) ([]string, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, nil //nolint:nilerr // nobody owns what is no object
	}
	if owner := metav1.GetControllerOf(m); owner != nil {
		return []string{string(owner.UID)}, nil
	}
	return nil, nil
}

// listen wakes the Canaries that an object has to do with.
func (c *caches) listen() error {
	apps, core := c.kube.Apps().V1(), c.kube.Core().V1()
	weir := c.weir.Weir().V1beta1()
	type watch struct {
		informer cache.SharedIndexInformer
		gvr      schema.GroupVersionResource
		keys     func(metav1.Object) []types.NamespacedName
	}
	watches := []watch{
		{weir.Canaries().Informer(), v1beta1.SchemeGroupVersion.WithResource("canaries"), selfAndRivals(c)},
		{weir.MetricTemplates().Informer(), v1beta1.SchemeGroupVersion.WithResource("metrictemplates"), c.canariesBy(byTemplate)},
		{apps.Deployments().Informer(), appsv1.SchemeGroupVersion.WithResource("deployments"), c.canariesOf(v1beta1.KindDeployment)},
		{apps.StatefulSets().Informer(), appsv1.SchemeGroupVersion.WithResource("statefulsets"), c.canariesOf(v1beta1.KindStatefulSet)},
		{apps.DaemonSets().Informer(), appsv1.SchemeGroupVersion.WithResource("daemonsets"), c.canariesOf(v1beta1.KindDaemonSet)},
		{apps.ControllerRevisions().Informer(), appsv1.SchemeGroupVersion.WithResource("controllerrevisions"), c.canariesOfOwner},
		{apps.ReplicaSets().Informer(), appsv1.SchemeGroupVersion.WithResource("replicasets"), c.canariesOfOwner},
		{core.Services().Informer(), corev1.SchemeGroupVersion.WithResource("services"), c.canariesOfService},
	}
	if c.noClusterTemplates == "" {
		watches = append(watches, watch{weir.ClusterMetricTemplates().Informer(), clusterTemplates(), c.canariesBy(byTemplate)})
	}
	if c.noProfiles == "" {
		watches = append(watches, watch{weir.CanaryProfiles().Informer(), canaryProfiles(), c.canariesOfProfile})
	}
	for _, r := range c.routers {
		for _, gvr := range r.Resources() {
			if _, ok := c.routes[gvr]; !ok {
				c.routes[gvr] = c.dynamic.ForResource(gvr).Informer()
				if err := c.routes[gvr].SetTransform(pack); err != nil {
					return fmt.Errorf("watching %s: %w", gvr.Resource, err)
				}
				keys := c.canariesOfRoute(gvr)
				if gvr == workload.KnativeRevisions() {
					keys = c.canariesOfRevision
				}
				watches = append(watches, watch{c.routes[gvr], gvr, keys})
			}
		}
	}
	for _, w := range watches {
		if _, err := w.informer.AddEventHandler(c.handler(w.gvr, w.keys)); err != nil {
			return fmt.Errorf("watching %s: %w", w.gvr.Resource, err)
		}
	}
	return c.listenForTurns()
}

func (c *caches) handler(
	gvr schema.GroupVersionResource, keys func(metav1.Object) []types.NamespacedName,
) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { c.wakeFor(obj, keys) },
		UpdateFunc: func(_, obj any) { c.wakeFor(obj, keys) },
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if m, err := meta.Accessor(obj); err == nil {
				c.fresh.Gone(gvr, m.GetNamespace(), m.GetName())
			}
			c.wakeFor(obj, keys)
		},
	}
}

func (c *caches) wakeFor(obj any, keys func(metav1.Object) []types.NamespacedName) {
	if m, err := meta.Accessor(obj); err == nil {
		c.wake(keys(m)...)
	}
}

// selfAndRivals are a Canary and the others that name its target: when one goes, the next takes over.
func selfAndRivals(c *caches) func(metav1.Object) []types.NamespacedName {
	return func(m metav1.Object) []types.NamespacedName {
		keys := []types.NamespacedName{{Namespace: m.GetNamespace(), Name: m.GetName()}}
		can, ok := m.(*v1beta1.Canary)
		if !ok {
			return keys
		}
		if can.DeletionTimestamp != nil || can.Status.Phase == "" {
			keys = append(keys, c.named(byTarget, targetKey(can))...)
		}
		return keys
	}
}

func (c *caches) canariesBy(index string) func(metav1.Object) []types.NamespacedName {
	return func(m metav1.Object) []types.NamespacedName {
		return c.named(index, types.NamespacedName{Namespace: m.GetNamespace(), Name: m.GetName()}.String())
	}
}

// canariesOfService are those that have it as one of their three.
func (c *caches) canariesOfService(m metav1.Object) []types.NamespacedName {
	var keys []types.NamespacedName
	for _, apex := range workload.ApexesOf(m.GetName()) {
		keys = append(keys, c.named(byService, m.GetNamespace()+"/"+apex)...)
	}
	return keys
}

func (c *caches) named(index, key string) []types.NamespacedName {
	objs, err := c.weir.Weir().V1beta1().Canaries().Informer().GetIndexer().ByIndex(index, key)
	if err != nil {
		return nil
	}
	keys := make([]types.NamespacedName, 0, len(objs))
	for _, obj := range objs {
		if can, ok := obj.(*v1beta1.Canary); ok {
			keys = append(keys, types.NamespacedName{Namespace: can.Namespace, Name: can.Name})
		}
	}
	return keys
}

// canariesOf are those whose target is an object of that kind.
func (c *caches) canariesOf(kind string) func(metav1.Object) []types.NamespacedName {
	return func(m metav1.Object) []types.NamespacedName {
		return c.named(byTarget, m.GetNamespace()+"/"+kind+"/"+m.GetName())
	}
}

// canariesOfOwner are those that control an object, or whose target does.
func (c *caches) canariesOfOwner(m metav1.Object) []types.NamespacedName {
	owner := metav1.GetControllerOf(m)
	switch {
	case owner == nil:
		return nil
	case owner.Kind == "Canary":
		return []types.NamespacedName{{Namespace: m.GetNamespace(), Name: owner.Name}}
	default:
		return c.named(byTarget, m.GetNamespace()+"/"+owner.Kind+"/"+owner.Name)
	}
}

func (c *caches) start(ctx context.Context) {
	c.kube.Start(ctx.Done())
	c.weir.Start(ctx.Done())
	c.dynamic.Start(ctx.Done())
}

func (c *caches) synced() []cache.InformerSynced {
	apps, core, weir := c.kube.Apps().V1(), c.kube.Core().V1(), c.weir.Weir().V1beta1()
	all := []cache.InformerSynced{
		weir.Canaries().Informer().HasSynced, weir.MetricTemplates().Informer().HasSynced,
		apps.Deployments().Informer().HasSynced, apps.ReplicaSets().Informer().HasSynced,
		apps.StatefulSets().Informer().HasSynced, apps.DaemonSets().Informer().HasSynced,
		apps.ControllerRevisions().Informer().HasSynced,
		core.Services().Informer().HasSynced,
	}
	if c.noClusterTemplates == "" {
		all = append(all, weir.ClusterMetricTemplates().Informer().HasSynced)
	}
	if c.noProfiles == "" {
		all = append(all, weir.CanaryProfiles().Informer().HasSynced)
	}
	for _, r := range c.routes {
		all = append(all, r.HasSynced)
	}
	return all
}

func (c *caches) canary(key types.NamespacedName) (*v1beta1.Canary, error) {
	return c.weir.Weir().V1beta1().Canaries().Lister().Canaries(key.Namespace).Get(key.Name)
}

// canaries are all that there are. A lister's only error is that of a selector.
func (c *caches) canaries() []*v1beta1.Canary {
	all, _ := c.weir.Weir().V1beta1().Canaries().Lister().List(labels.Everything())
	return all
}

// The lookups below give nil for what is not there, and else what is the caller's own.

func (c *caches) deployment(namespace, name string) *appsv1.Deployment {
	return cached[appsv1.Deployment](c.kube.Apps().V1().Deployments().Informer(), namespace, name)
}

func (c *caches) statefulSet(namespace, name string) *appsv1.StatefulSet {
	return cached[appsv1.StatefulSet](c.kube.Apps().V1().StatefulSets().Informer(), namespace, name)
}

func (c *caches) daemonSet(namespace, name string) *appsv1.DaemonSet {
	return cached[appsv1.DaemonSet](c.kube.Apps().V1().DaemonSets().Informer(), namespace, name)
}

func (c *caches) replicaSet(namespace, name string) *appsv1.ReplicaSet {
	return cached[appsv1.ReplicaSet](c.kube.Apps().V1().ReplicaSets().Informer(), namespace, name)
}

func (c *caches) service(namespace, name string) *corev1.Service {
	return cached[corev1.Service](c.kube.Core().V1().Services().Informer(), namespace, name)
}

// targetKey names the target of a Canary in the index byTarget.
func targetKey(can *v1beta1.Canary) string {
	return can.Namespace + "/" + rollout.KindOf(can) + "/" + can.Spec.TargetRef.Name
}

// owned are the ReplicaSets or the revisions that an object controls.
func owned[T any, P message[T]](informer cache.SharedIndexInformer, owner types.UID) []P {
	objs, err := informer.GetIndexer().ByIndex(byOwner, string(owner))
	if err != nil {
		return nil
	}
	out := make([]P, 0, len(objs))
	for _, obj := range objs {
		if o := unpack[T, P](obj); o != nil {
			out = append(out, o)
		}
	}
	return out
}

func (c *caches) replicaSetsOf(owner types.UID) []*appsv1.ReplicaSet {
	return owned[appsv1.ReplicaSet](c.kube.Apps().V1().ReplicaSets().Informer(), owner)
}

func (c *caches) revisionsOf(owner types.UID) []*appsv1.ControllerRevision {
	return owned[appsv1.ControllerRevision](c.kube.Apps().V1().ControllerRevisions().Informer(), owner)
}
