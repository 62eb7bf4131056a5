// Package gloo shifts traffic by the weights of a RouteTable (gateway.solo.io/v1).
//
// The RouteTable has the name of the apex Service, and a VirtualService of the user's delegates to it. Weir makes it
// from spec.service and owns its list of routes as a whole, because server-side apply knows no part of it. A RouteTable
// of that name that somebody else made is refused.
//
// Its routes lead to Upstreams (gloo.solo.io/v1) that Weir makes, too: one for the primary's Service and one for the
// canary's, and one for the apex, which the RouteTable is left with when Weir lets go of it. With spec.upstreamRef the
// last is the user's, and the other two are like it. In each route stand both of the two. Requests that go to the canary
// by a match, or by the cookie of session affinity, have routes of their own before all others, which are known again by
// their names: the first route that matches is taken.
package gloo

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long every proxy has to be told. Nobody says that one has been, so the time is all there is.
const settle = 5 * time.Second

type object = map[string]any

// RouteTables are the resource of RouteTables.
func RouteTables() schema.GroupVersionResource { return gateway().WithResource("routetables") }

// Upstreams are the resource of Upstreams.
func Upstreams() schema.GroupVersionResource { return control().WithResource("upstreams") }

func gateway() schema.GroupVersion {
	return schema.GroupVersion{Group: "gateway.solo.io", Version: "v1"}
}

func control() schema.GroupVersion { return schema.GroupVersion{Group: "gloo.solo.io", Version: "v1"} }

// Router is Gloo's.
type Router struct{}

var _ router.Router = Router{}

// Name is "gloo".
func (Router) Name() string { return "gloo" }

// Features of RouteTables and Upstreams. Gateways and hosts are those of the VirtualService that delegates.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.LikeUpstream: true, router.Matches: true,
		router.Rewrites: true, router.EditsHeaders: true, router.Timeouts: true, router.Retries: true, router.CORS: true,
		router.HeaderMatch: true, router.QueryMatch: true, router.ManyConditions: true,
		router.Mirrors: true, router.MirrorsPercent: true, router.SessionAffinity: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are Upstreams and RouteTables.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Upstreams(), RouteTables()}
}

// Refs are the Upstreams, of which one may be the user's, and then the RouteTable that sends traffic by them.
func (Router) Refs(app router.App) []router.Ref {
	return []router.Ref{apexRef(app), upstreamRef(app, app.Primary), upstreamRef(app, app.CanaryService), ref(app)}
}

func ref(app router.App) router.Ref {
	return router.Ref{Resource: RouteTables(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Render gives the Upstreams and the RouteTable.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	objects, err := upstreams(app, found)
	if err != nil {
		return nil, err
	}
	table := ref(app)
	if err := router.NotMade(app, r.Name(), found[table]); err != nil {
		return nil, err
	}
	routes, err := routesFor(app, split)
	if err != nil {
		return nil, fmt.Errorf("rendering RouteTable %s/%s: %w", table.Namespace, table.Name, err)
	}
	intent, err := router.Whole(app, gateway().WithKind("RouteTable"), table.Name, object{fieldRoutes: routes})
	if err != nil {
		return nil, err
	}
	return append(objects, router.Object{Ref: table, Intent: intent}), nil
}
