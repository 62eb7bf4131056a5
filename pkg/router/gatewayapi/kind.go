package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// kind of a route.
type kind string

const (
	httpRoute kind = "HTTPRoute"
	grpcRoute kind = "GRPCRoute"
)

func (k kind) resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: gatewayv1.GroupName, Version: "v1", Resource: strings.ToLower(string(k)) + "s"}
}

// application is an application whose traffic goes by a route of a kind.
type application struct {
	router.App
	kind kind
	// linkerd says that the proxies of Linkerd are to serve it.
	linkerd bool
}

func (a application) ref() router.Ref {
	return router.Ref{Resource: a.kind.resource(), Namespace: a.Canary.Namespace, Name: a.Apex}
}

// kindFor is the kind that goes with what the port speaks.
func kindFor(c *v1beta1.Canary) kind {
	if router.SpeaksGRPC(c) {
		return grpcRoute
	}
	return httpRoute
}

func (k kind) other() kind {
	if k == httpRoute {
		return grpcRoute
	}
	return httpRoute
}

// asKinds is the application with each kind of route that the cluster serves. That which goes with what the port
// speaks is the first.
func (r Router) asKinds(app router.App) []application {
	var all []application
	k := kindFor(app.Canary)
	for _, k := range []kind{k, k.other()} {
		if k != r.lacks {
			all = append(all, application{app, k, r.linkerd})
		}
	}
	return all
}

// routeOf is the application with the route that Weir is at work on, of whichever kind, and else with that which goes
// with what the port speaks. A port that is said to speak something else now must not cut a route off in mid-run.
func (r Router) routeOf(app router.App, found router.Found) (application, *unstructured.Unstructured) {
	kinds := r.asKinds(app)
	for _, a := range kinds {
		if have := found[a.ref()]; have != nil && held(a, have) {
			return a, have
		}
	}
	return kinds[0], found[kinds[0].ref()]
}

// settled refuses, while the canary gets nothing, a route that is of the wrong kind for what the port speaks, and one
// that would not be the only one.
func (a application) settled(split rollout.Split, found router.Found) error {
	have := found[a.ref()]
	if split.Reaches() || reaches(a, have) {
		return nil
	}
	field, protocol := router.Protocol(&a.Canary.Spec.Service)
	if a.kind != kindFor(a.Canary) {
		return fmt.Errorf("%s says now that the port speaks %q, which goes by a route of the other kind; delete this one, or "+
			"let the field say what it said", field, protocol)
	}
	other := a
	other.kind = a.kind.other()
	if route := found[other.ref()]; route != nil && other.leads(route) {
		return fmt.Errorf("the %s of that name leads to port %d of Service %s, and Weir would leave that one alone; "+
			"delete it, or correct %s, which says that the port speaks %q",
			other.kind, a.Canary.Spec.Service.Port, a.Apex, field, protocol)
	}
	return nil
}

// leads says that a route sends something to the very port of the apex.
func (a application) leads(route *unstructured.Unstructured) bool {
	return slices.ContainsFunc(rulesOf(route), func(rule object) bool {
		return slices.ContainsFunc(backendsOf(rule), func(b object) bool {
			return names(a, b, a.Apex) && b["port"] == int64(a.Canary.Spec.Service.Port)
		})
	})
}
