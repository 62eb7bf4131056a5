// Package istio shifts traffic by the weights of a VirtualService (networking.istio.io/v1).
//
// The VirtualService has the name of the apex Service and speaks for its host. Weir makes it from spec.service
// and owns its lists of routes, hosts and gateways, each as a whole, because server-side apply knows no part of
// them. A VirtualService of that name that somebody else made is refused.
//
// In each route of requests or connections stand two destinations, the primary and the canary Service. Requests
// that go to the canary by a match, or by the cookie of session affinity, have routes of their own before it,
// which are known again by their names: the first route that matches is taken.
//
// A DestinationRule speaks for one host, and traffic goes to two; so where spec.service.trafficPolicy is set,
// primary and canary Service have one each.
package istio

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long every proxy has to be told. istiod gathers changes for a tenth of a second, and longer while
// more of them come.
const settle = 5 * time.Second

const (
	kindVirtualService  = "VirtualService"
	kindDestinationRule = "DestinationRule"
)

// VirtualServices and their resource.
func VirtualServices() schema.GroupVersionResource {
	return groupVersion().WithResource("virtualservices")
}

// DestinationRules and their resource.
func DestinationRules() schema.GroupVersionResource {
	return groupVersion().WithResource("destinationrules")
}

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "networking.istio.io", Version: "v1"}
}

// Router is Istio's.
type Router struct{}

var _ router.Router = Router{}

// Name is "istio".
func (Router) Name() string { return "istio" }

// Features of VirtualServices and DestinationRules.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.NamedGateways: true, router.Delegates: true,
		router.Hosts: true, router.Matches: true, router.Rewrites: true, router.EditsHeaders: true,
		router.Timeouts: true, router.Retries: true, router.CORS: true, router.TrafficPolicies: true,
		router.TCP: true, router.HeaderMatch: true, router.QueryMatch: true, router.SourceMatch: true,
		router.ManyConditions: true, router.Mirrors: true, router.MirrorsPercent: true, router.SessionAffinity: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are VirtualServices and DestinationRules.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{DestinationRules(), VirtualServices()}
}

// Refs are the DestinationRules and then the VirtualService that sends traffic by them.
func (Router) Refs(app router.App) []router.Ref {
	return append(policyRefs(app), ref(app))
}

func ref(app router.App) router.Ref {
	return router.Ref{Resource: VirtualServices(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Render gives the VirtualService, and the DestinationRules where there is a policy.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	objects, err := policies(app, found)
	if err != nil {
		return nil, err
	}
	r := ref(app)
	if err := ours(app, kindVirtualService, found[r]); err != nil {
		return nil, err
	}
	spec, err := virtualService(app, split)
	if err != nil {
		return nil, fmt.Errorf("rendering VirtualService %s/%s: %w", r.Namespace, r.Name, err)
	}
	intent, err := whole(app, kindVirtualService, r.Name, spec)
	if err != nil {
		return nil, err
	}
	return append(objects, router.Object{Ref: r, Intent: intent}), nil
}

// whole is an object that is Weir's.
func whole(app router.App, kind, name string, spec object) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: object{"spec": spec}}
	u.SetAPIVersion(groupVersion().String())
	u.SetKind(kind)
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(name)
	u.SetLabels(app.Labels)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, fmt.Errorf("naming the owner of %s %s/%s: %w", kind, u.GetNamespace(), name, err)
	}
	return u, nil
}

// isMade says that an object is one that Weir made for this Canary, or for one of the same name that is gone: a
// VirtualService that was released keeps its label, and spec.service holds for it again.
func isMade(app router.App, have *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(have); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := have.GetLabels()
	for k, v := range app.Labels {
		if labels[k] != v {
			return false
		}
	}
	return len(app.Labels) > 0
}

// ours refuses an object of somebody else's, and says how it becomes Weir's without a gap.
func ours(app router.App, kind string, have *unstructured.Unstructured) error {
	if have == nil || isMade(app, have) {
		return nil
	}
	what := fmt.Sprintf("%s %s/%s", kind, have.GetNamespace(), have.GetName())
	if owner := metav1.GetControllerOf(have); owner != nil {
		return fmt.Errorf("%s belongs to %s %s; delete it there, or make this Canary anew with another spec.service.name",
			what, owner.Kind, owner.Name)
	}
	for k, v := range app.Labels {
		return fmt.Errorf("%s is not Weir's, and provider istio makes its own; say in spec.service what it says and then "+
			"give it the label %s=%s for Weir to take it over, or make this Canary anew with another spec.service.name", what, k, v)
	}
	return fmt.Errorf("%s is not Weir's, and provider istio makes its own; delete it", what)
}
