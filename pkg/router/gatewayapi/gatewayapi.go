// Package gatewayapi shifts traffic by the weights of an HTTPRoute (gateway.networking.k8s.io/v1).
//
// The route has the name of the apex Service. Where there is none, Weir makes it from spec.service.
// Where the user has one, it is adopted: every reference to the apex Service becomes two weighted ones,
// to the primary and the canary Service, and all else in the route stays as it is. The user's spec is
// kept in an annotation and written back on release. What spec.service says of hosts, matches, headers,
// rewrites, timeouts and retries holds for a route that Weir makes; an adopted one says so itself.
package gatewayapi

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const (
	// OriginalAnnotation holds the spec of an adopted route as it was found, as JSON.
	OriginalAnnotation = "weir.dev/original-spec"
	// settle is above the two seconds for which Traefik gathers changes before it takes them over.
	settle = 5 * time.Second
)

// Resource of HTTPRoutes.
func Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: "httproutes"}
}

// Router is the Gateway API's.
type Router struct{}

var _ router.Router = Router{}

// Name is "gatewayapi".
func (Router) Name() string { return "gatewayapi" }

// Features of HTTPRoutes as Weir writes them.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.AdoptsRoute: true, router.Rewrites: true,
		router.EditsHeaders: true, router.Timeouts: true, router.Retries: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are HTTPRoutes.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Resource()}
}

// Refs is the one HTTPRoute.
func (Router) Refs(app router.App) []router.Ref { return []router.Ref{ref(app)} }

func ref(app router.App) router.Ref {
	return router.Ref{Resource: Resource(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Validate asks for a Gateway to hang the route on.
func (Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	if len(c.Spec.Service.GatewayRefs) == 0 {
		return []rollout.Problem{{Reason: "GatewayRefsMissing", Message: fmt.Sprintf(
			"Canary %s has no spec.service.gatewayRefs; name the Gateway that its HTTPRoute belongs to", c.Name)}}
	}
	return nil
}

// Render gives the HTTPRoute.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	r := ref(app)
	have := found[r]
	var intent *unstructured.Unstructured
	var err error
	if have == nil || made(app, have) {
		intent, err = own(app, split)
	} else {
		intent, err = adopted(app, split, have)
	}
	if err != nil {
		return nil, fmt.Errorf("rendering HTTPRoute %s/%s: %w", r.Namespace, r.Name, err)
	}
	return []router.Object{{Ref: r, Intent: intent}}, nil
}

// made says that a route was made by Weir for this Canary.
func made(app router.App, route *unstructured.Unstructured) bool {
	for _, o := range route.GetOwnerReferences() {
		if o.UID == app.Canary.UID {
			return true
		}
	}
	return false
}

// own is a route that Weir makes.
func own(app router.App, split rollout.Split) (*unstructured.Unstructured, error) {
	spec, err := ownSpec(app, backends(app, split))
	if err != nil {
		return nil, err
	}
	u := blank(app, spec)
	u.SetLabels(app.Labels)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, err
	}
	return u, nil
}

func blank(app router.App, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion(gatewayv1.GroupVersion.String())
	u.SetKind("HTTPRoute")
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(app.Apex)
	return u
}

func ownSpec(app router.App, to []gatewayv1.HTTPBackendRef) (map[string]any, error) {
	rule, err := ruleOf(app.Canary.Spec.Service)
	if err != nil {
		return nil, err
	}
	rule.BackendRefs = to
	return content(&gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: app.Canary.Spec.Service.GatewayRefs},
		Hostnames:       app.Canary.Spec.Service.Hosts,
		Rules:           []gatewayv1.HTTPRouteRule{rule},
	})
}

func content(spec *gatewayv1.HTTPRouteSpec) (map[string]any, error) {
	return runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
}

// backends are always both, also at weight 0: a backend that comes and goes would be one more thing that
// can be seen half-done.
func backends(app router.App, split rollout.Split) []gatewayv1.HTTPBackendRef {
	return []gatewayv1.HTTPBackendRef{
		backend(app, app.Primary, 100-split.Weight),
		backend(app, app.CanaryService, split.Weight),
	}
}

func backend(app router.App, service string, weight int32) gatewayv1.HTTPBackendRef {
	group, kind, port := gatewayv1.Group(""), gatewayv1.Kind("Service"), gatewayv1.PortNumber(app.Canary.Spec.Service.Port)
	return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{
			Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(service), Port: &port,
		},
		Weight: &weight,
	}}
}
