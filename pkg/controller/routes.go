package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rights"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/workload"
)

// watchable is what of the cluster can be watched.
type watchable struct {
	// usable are the routers by name, and lacking is what the others lack.
	usable  map[string]router.Router
	lacking map[string]string
	// noClusterTemplates says why ClusterMetricTemplates cannot be; empty where they can. noProfiles says it of CanaryProfiles.
	noClusterTemplates, noProfiles string
}

// findWatchable asks for each router whether the cluster knows its kinds and lets Weir watch them, and for Weir's kinds
// that are in no namespace. Of a kind without rights, as an overlay for another router gives none, no cache could ever be
// filled.
func findWatchable(client kubernetes.Interface, namespace string, all []router.Router) (watchable, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found := watchable{usable: map[string]router.Router{}, lacking: map[string]string{}}
	for _, r := range all {
		r, err := overServed(client.Discovery(), r)
		if err != nil {
			return watchable{}, err
		}
		lacks := ""
		for _, gvr := range r.Resources() {
			if lacks, err = unwatchable(ctx, client, namespace, gvr, "apply the overlay of this provider"); err != nil {
				return watchable{}, err
			}
			if lacks != "" {
				break
			}
		}
		if lacks == "" {
			found.usable[r.Name()] = r
		} else {
			found.lacking[r.Name()] = lacks
		}
	}
	var err error
	// They are in no namespace: who watches one alone has rights on that, and perhaps on no more.
	const grant = "give it a ClusterRole with both"
	found.noClusterTemplates, err = unwatchable(ctx, client, metav1.NamespaceAll, clusterTemplates(), grant)
	if err != nil {
		return watchable{}, err
	}
	found.noProfiles, err = unwatchable(ctx, client, metav1.NamespaceAll, canaryProfiles(), grant)
	return found, err
}

// unwatchable says why objects of a kind cannot be watched, and what to do; nothing where they can be.
func unwatchable(
	ctx context.Context, client kubernetes.Interface, namespace string, gvr schema.GroupVersionResource, grant string,
) (string, error) {
	served, err := serves(client.Discovery(), gvr)
	if err != nil {
		return "", err
	}
	if !served {
		return fmt.Sprintf("the cluster does not serve %s; install its CRDs and restart Weir", gvr.GroupResource()), nil
	}
	allowed, err := rights.MayWatch(ctx, client, namespace, gvr)
	if err != nil || allowed {
		return "", err
	}
	return fmt.Sprintf("Weir may not list and watch %s; %s and restart Weir", gvr.GroupResource(), grant), nil
}

// overServed is a router over the versions of its kind that the cluster serves. Where there are none, the router stays
// as it is, and lacks them all.
func overServed(d discovery.DiscoveryInterface, r router.Router) (router.Router, error) {
	versioned, ok := r.(router.Versioned)
	if !ok {
		return r, nil
	}
	var over []schema.GroupVersionResource
	for _, gvr := range r.Resources() {
		served, err := serves(d, gvr)
		if err != nil {
			return nil, err
		}
		if served {
			over = append(over, gvr)
		}
	}
	if len(over) == 0 {
		return r, nil
	}
	return versioned.Over(over), nil
}

func serves(d discovery.DiscoveryInterface, gvr schema.GroupVersionResource) (bool, error) {
	list, err := d.ServerResourcesForGroupVersion(gvr.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking the API server for %s: %w", gvr.GroupVersion(), err)
	}
	for i := range list.APIResources {
		if list.APIResources[i].Name == gvr.Resource {
			return true, nil
		}
	}
	return false, nil
}

// appOf is the application of a Canary as routers see it.
func appOf(canary *v1beta1.Canary) router.App {
	owner, names := workload.ControlledByCanary(canary), workload.ServiceNames(canary)
	return router.App{
		Canary: canary, Apex: names.Apex, Primary: names.Primary, CanaryService: names.Canary,
		Labels: map[string]string{workload.CanaryLabel: canary.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}
}

// routesOf are the keys of the objects that any router would read for a Canary. Which router it has is not asked:
// a Canary that is woken in vain does nothing.
func (c *caches) routesOf(canary *v1beta1.Canary) []string {
	var keys []string
	app := appOf(canary)
	for _, r := range c.routers {
		for _, ref := range r.Refs(app) {
			keys = append(keys, routeKey(ref.Resource, ref.Namespace, ref.Name))
		}
	}
	return keys
}

func routeKey(gvr schema.GroupVersionResource, namespace, name string) string {
	return gvr.Resource + "." + gvr.Group + "/" + namespace + "/" + name
}

// canariesOfRoute are those for which an object of that kind is read.
func (c *caches) canariesOfRoute(gvr schema.GroupVersionResource) func(metav1.Object) []types.NamespacedName {
	return func(m metav1.Object) []types.NamespacedName {
		return c.named(byRoute, routeKey(gvr, m.GetNamespace(), m.GetName()))
	}
}

// route is nil where there is none.
func (c *caches) route(ref router.Ref) *unstructured.Unstructured {
	informer, ok := c.routes[ref.Resource]
	if !ok {
		return nil
	}
	obj, ok, err := informer.GetIndexer().GetByKey(ref.Namespace + "/" + ref.Name)
	if err != nil || !ok {
		return nil
	}
	return unpackRoute(obj)
}
