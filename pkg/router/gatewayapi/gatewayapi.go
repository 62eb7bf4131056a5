// Package gatewayapi shifts traffic by the weights of an HTTPRoute, or of a GRPCRoute where the port speaks gRPC
// (gateway.networking.k8s.io/v1). The two differ in a few words and are handled alike.
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
//
// A route hangs on Gateways, or, in a mesh, on Services whose callers it is for. The router linkerd is the same
// with the apex Service as the parent, and without what Linkerd does not know.
package gatewayapi

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is above the two seconds for which Traefik gathers changes before it takes them over. Linkerd's
// controller tells its proxies at once.
const settle = 5 * time.Second

// HTTPRoutes and their resource.
func HTTPRoutes() schema.GroupVersionResource { return httpRoute.resource() }

// GRPCRoutes and their resource.
func GRPCRoutes() schema.GroupVersionResource { return grpcRoute.resource() }

// Router is any implementation's of the Gateway API, or Linkerd's.
type Router struct {
	linkerd bool
	// lacks is a kind that the cluster does not serve.
	lacks kind
}

var _ router.Versioned = Router{}

// Linkerd is the router of a mesh of Linkerd.
func Linkerd() Router { return Router{linkerd: true} }

// Name is "gatewayapi" or "linkerd".
func (r Router) Name() string {
	if r.linkerd {
		return "linkerd"
	}
	return "gatewayapi"
}

// Features of HTTPRoutes in the standard channel. Linkerd drops a route with a filter that rewrites or mirrors,
// reads a timeout from annotations alone, and takes a host for a condition on requests from within the mesh, which
// go by other names.
func (r Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.AdoptsRoute: true, router.Gateways: true, router.GRPC: true,
		router.Matches: true, router.EditsHeaders: true,
		router.HeaderMatch: true, router.QueryMatch: true, router.MethodMatch: true, router.ManyConditions: true,
		router.SessionAffinity: true,
		router.Hosts:           !r.linkerd, router.Rewrites: !r.linkerd, router.Timeouts: !r.linkerd,
		router.Mirrors: !r.linkerd, router.MirrorsPercent: !r.linkerd,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are HTTPRoutes and GRPCRoutes, or one of them.
func (r Router) Resources() []schema.GroupVersionResource {
	var all []schema.GroupVersionResource
	for _, k := range []kind{httpRoute, grpcRoute} {
		if k != r.lacks {
			all = append(all, k.resource())
		}
	}
	return all
}

// Over is the router of a cluster that serves one kind or both. GRPCRoutes came later than HTTPRoutes, and there are
// clusters that are given the latter alone.
func (r Router) Over(served []schema.GroupVersionResource) router.Router {
	for _, k := range []kind{httpRoute, grpcRoute} {
		if !slices.Contains(served, k.resource()) {
			r.lacks = k
		}
	}
	return r
}

// Refs are the route that goes with what the port speaks, and one of the other kind that may be there instead.
func (r Router) Refs(app router.App) []router.Ref {
	var refs []router.Ref
	for _, a := range r.asKinds(app) {
		refs = append(refs, a.ref())
	}
	return refs
}

// Validate refuses what the features do not hold. Whether a Gateway must be named depends on whether
// there is a route to adopt, so that is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	k, name, features := kindFor(c), r.Name(), r.Features()
	if k == grpcRoute {
		name, features = name+" over gRPC", overGRPC(features)
	}
	problems := features.Refuse(name, c)
	if k == grpcRoute {
		problems = append(problems, callProblems(&c.Spec.Service)...)
	}
	if k == r.lacks {
		field, protocol := router.Protocol(&c.Spec.Service)
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(
			"%s says that the port speaks %q, which goes by a %s, and the cluster serves none; install the CRD and restart Weir",
			field, protocol, k)})
	}
	return problems
}

// Render gives the route.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	a, have := r.routeOf(app, found)
	intent, err := a.render(split, have, found)
	if err != nil {
		return nil, fmt.Errorf("rendering %s %s/%s: %w", a.kind, app.Canary.Namespace, app.Apex, err)
	}
	return []router.Object{{Ref: a.ref(), Intent: intent}}, nil
}

func (a application) render(
	split rollout.Split, have *unstructured.Unstructured, found router.Found,
) (*unstructured.Unstructured, error) {
	if err := a.settled(split, found); err != nil {
		return nil, err
	}
	if have == nil || isMade(a, have) {
		return made(a, split, have)
	}
	return adopted(a, split, have)
}

func blank(app application, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion(gatewayv1.GroupVersion.String())
	u.SetKind(string(app.kind))
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(app.Apex)
	return u
}
