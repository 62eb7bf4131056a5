// Package contour shifts traffic by the weights of an HTTPProxy (projectcontour.io/v1).
//
// The HTTPProxy has the name of the apex Service and no virtual host: a root of the user's, which has hosts, TLS and
// CORS, includes it. Weir makes it from spec.service and owns its list of routes as a whole, because server-side apply
// knows no part of it. An HTTPProxy of that name that somebody else made is refused.
//
// In each route stand two services, the primary's and the canary's. Requests that go to the canary by a match have
// routes of their own, in which it is the only one; by that they are known again. Contour has no order of routes: the
// one with the most conditions on a path is taken, and a match adds conditions.
//
// An HTTPProxy with one fault serves nothing at all. So what Contour would not take is never written: Validate refuses
// it by name, and Render leaves out what contradicts itself.
package contour

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long every Envoy has to be told. Contour gathers changes for a tenth of a second, half of one at most.
const settle = 5 * time.Second

const (
	kind    = "HTTPProxy"
	hundred = 100
)

// Resource of HTTPProxies.
func Resource() schema.GroupVersionResource { return groupVersion().WithResource("httpproxies") }

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "projectcontour.io", Version: "v1"}
}

// Router is Contour's.
type Router struct{}

var _ router.Router = Router{}

// Name is "contour".
func (Router) Name() string { return "contour" }

// Features of an HTTPProxy that is included. It can set headers of answers and not add to them, so a cookie of
// session affinity would take the place of the application's own cookies.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.Matches: true, router.Rewrites: true,
		router.EditsHeaders: true, router.Timeouts: true, router.Retries: true, router.HeaderMatch: true,
		router.QueryMatch: true, router.ManyConditions: true, router.Mirrors: true, router.MirrorsPercent: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are HTTPProxies.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Resource()}
}

// Refs is the one HTTPProxy.
func (Router) Refs(app router.App) []router.Ref { return []router.Ref{ref(app)} }

func ref(app router.App) router.Ref {
	return router.Ref{Resource: Resource(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Render gives the HTTPProxy.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	at := ref(app)
	if err := router.NotMade(app, r.Name(), found[at]); err != nil {
		return nil, err
	}
	intent, err := router.Whole(app, groupVersion().WithKind(kind), at.Name, object{"routes": routes(app, split)})
	if err != nil {
		return nil, err
	}
	return []router.Object{{Ref: at, Intent: intent}}, nil
}
