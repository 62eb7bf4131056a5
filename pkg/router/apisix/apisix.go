// Package apisix shifts traffic by a second ApisixRoute (apisix.apache.org/v2) of the ingress controller of Apache
// APISIX, whose rules have a higher priority than those of the first.
//
// The first ApisixRoute is the user's: spec.routeRef names it, and Weir only reads it. Its rules lead to the apex
// Service, which is held to the primary's pods as long as there are others; so whatever the second does not take gets
// to the primary. The second has the name of the first and "-canary", belongs to the Canary, and follows the first: it
// has those rules of spec.http that lead to the apex, with the primary and the canary Service in its place, side by
// side. Rules for requests that go to the canary by a match have a priority that is higher still, and are known again
// by their names.
//
// An ApisixUpstream says how a Service of its name is reached. Where the user has one for the apex, primary and canary
// Service get one like it.
package apisix

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long the data plane has to follow. The controller says that it has taken a version over before it has
// told APISIX, and gives that up to five seconds.
const settle = 10 * time.Second

const (
	kindRoute    = "ApisixRoute"
	kindUpstream = "ApisixUpstream"
)

type object = map[string]any

// Routes are the resource of ApisixRoutes.
func Routes() schema.GroupVersionResource { return groupVersion().WithResource("apisixroutes") }

// Upstreams are the resource of ApisixUpstreams.
func Upstreams() schema.GroupVersionResource { return groupVersion().WithResource("apisixupstreams") }

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "apisix.apache.org", Version: "v2"}
}

// Router is APISIX's.
type Router struct{}

var _ router.Router = Router{}

// Name is "apisix".
func (Router) Name() string { return "apisix" }

// Features are weights and matches. All that shapes a route is the user's to say in his ApisixRoute.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.FromRoute: true,
		router.HeaderMatch: true, router.QueryMatch: true, router.ManyConditions: true,
	}
}

// Settle is ten seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are ApisixUpstreams and ApisixRoutes.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Upstreams(), Routes()}
}

// Refs are what is the user's, which is only read, the ApisixUpstreams, and the ApisixRoute that sends traffic by them.
func (Router) Refs(app router.App) []router.Ref {
	if app.Canary.Spec.RouteRef == nil {
		return nil
	}
	return []router.Ref{
		usersRef(app), upstreamRef(app, app.Apex),
		upstreamRef(app, app.Primary), upstreamRef(app, app.CanaryService), copyRef(app),
	}
}

func usersRef(app router.App) router.Ref {
	return router.Ref{Resource: Routes(), Namespace: app.Canary.Namespace, Name: app.Canary.Spec.RouteRef.Name}
}

func copyRef(app router.App) router.Ref {
	r := usersRef(app)
	r.Name += "-canary"
	return r
}

func upstreamRef(app router.App, service string) router.Ref {
	return router.Ref{Resource: Upstreams(), Namespace: app.Canary.Namespace, Name: service}
}

// Validate refuses what the features do not hold, and matches that APISIX does not understand. What is wrong with the
// ApisixRoute is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := r.Features().Refuse(r.Name(), c)
	if c.Spec.RouteRef == nil {
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonRouteMissing, Message: "router apisix shifts the traffic " +
			"of an ApisixRoute, and spec.routeRef names none; set it to the ApisixRoute that leads to the apex Service"})
	}
	for _, m := range router.PlannedMatches(c) {
		if err := sayable(m.Match); err != nil {
			problems = append(problems, rollout.Problem{
				Reason: rollout.ReasonMatchNotServed, Message: fmt.Sprintf("%s.headers cannot be said to APISIX: %s", m.Field, err),
			})
		}
	}
	return problems
}

// Render gives the ApisixUpstreams and the second ApisixRoute. While requests get to the canary, a user's ApisixRoute
// that is gone or has changed its ways does not keep it from being rendered: it loses its rules, so that all requests
// go where the user's own lead, and Read says why.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	ref := copyRef(app)
	have := found[ref]
	fail := func(err error) ([]router.Object, error) {
		return nil, fmt.Errorf("rendering ApisixRoute %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	if have != nil && !router.IsMade(app, have) {
		return fail(errors.New("there is an ApisixRoute of that name which Weir did not make for this Canary; " +
			"delete or rename it, or name another in spec.routeRef"))
	}
	if err := divisible(app, found[usersRef(app)]); err != nil {
		if have == nil || !split.Reaches() && !splitOf(app, have).Reaches() {
			return fail(err)
		}
		empty, err := withRules(app, have, nil)
		if err != nil {
			return fail(err)
		}
		return []router.Object{{Ref: ref, Intent: empty}}, nil
	}
	intents, err := intents(app, split, found)
	if err != nil {
		return fail(err)
	}
	return intents, nil
}

// intents are all objects for a split, where the user's ApisixRoute can be divided.
func intents(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	objects, err := upstreams(app, found)
	if err != nil {
		return nil, err
	}
	users := found[usersRef(app)]
	route, err := withRules(app, users, rulesFor(app, httpOf(users), split))
	if err != nil {
		return nil, err
	}
	return append(objects, router.Object{Ref: copyRef(app), Intent: route}), nil
}

// withRules is the second ApisixRoute, of the same class and with the annotations of one that it is made like.
func withRules(app router.App, like *unstructured.Unstructured, rules []object) (*unstructured.Unstructured, error) {
	spec := object{"ingressClassName": textIn(specOf(like), "ingressClassName"), "http": router.List(rules)}
	u, err := router.Whole(app, groupVersion().WithKind(kindRoute), copyRef(app).Name, spec)
	if err != nil {
		return nil, err
	}
	annotations := like.GetAnnotations()
	maps.DeleteFunc(annotations, func(key, _ string) bool { return router.Personal(key) })
	if len(annotations) > 0 {
		u.SetAnnotations(annotations)
	}
	return u, nil
}

func specOf(u *unstructured.Unstructured) object {
	if u == nil {
		return nil
	}
	return mapIn(u.Object, "spec")
}

func httpOf(u *unstructured.Unstructured) []object { return router.Objects(specOf(u)["http"]) }
