// Package gatewayapi shifts traffic by the weights of an HTTPRoute (gateway.networking.k8s.io/v1).
//
// The route has the name of the apex Service. Where there is none, Weir makes it from spec.service and
// owns all of it. Where the user has one, it is adopted: in every rule that sends traffic to the apex
// Service, the apex becomes a pair, primary and canary Service side by side, and Weir owns the list of
// rules, which server-side apply knows only as a whole. The rest of the route is never applied.
//
// Requests that go to the canary by a match, or by the cookie of session affinity, have rules of their own,
// which Weir adds and knows again by their names. Mirroring is a filter of the rules with a pair.
//
// The pair can be folded back, so what the user's rules are is always read from the route itself: a rule
// that is changed, added or taken away in the middle of a run stays so. An annotation remembers the rules
// as they were, for one case alone, in which somebody has damaged a pair.
package gatewayapi

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is above the two seconds for which Traefik gathers changes before it takes them over.
const settle = 5 * time.Second

// Resource of HTTPRoutes.
func Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: "httproutes"}
}

// Router is the Gateway API's.
type Router struct{}

var _ router.Router = Router{}

// Name is "gatewayapi".
func (Router) Name() string { return "gatewayapi" }

// Features of HTTPRoutes in the standard channel.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.AdoptsRoute: true, router.Gateways: true,
		router.Hosts: true, router.Matches: true, router.Rewrites: true, router.EditsHeaders: true,
		router.Timeouts: true, router.HeaderMatch: true, router.QueryMatch: true,
		router.ManyConditions: true, router.Mirrors: true,
		router.MirrorsPercent: true, router.SessionAffinity: true,
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

// Validate refuses what the features do not hold. Whether a Gateway must be named depends on whether
// there is a route to adopt, so that is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	return r.Features().Refuse(r.Name(), c)
}

// Render gives the HTTPRoute.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	r := ref(app)
	have := found[r]
	render := adopted
	if have == nil || isMade(app, have) {
		render = made
	}
	intent, err := render(app, split, have)
	if err != nil {
		return nil, fmt.Errorf("rendering HTTPRoute %s/%s: %w", r.Namespace, r.Name, err)
	}
	return []router.Object{{Ref: r, Intent: intent}}, nil
}

func blank(app router.App, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion(gatewayv1.GroupVersion.String())
	u.SetKind("HTTPRoute")
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(app.Apex)
	return u
}
