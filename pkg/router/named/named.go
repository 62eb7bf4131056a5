// Package named shifts the weights of rules in routes of the user's own, which spec.routeRefs names.
//
// Where such a rule sends traffic to the apex Service, the canary Service is put right after it, and the two share
// what the apex had. All else of the object stays: other rules, other fields, their order. The apex is held to the
// primary's pods as long as there are others, so its share is the primary's; while the canary gets nothing it is not
// named at all, and the object is just what the user wrote. An object is written whole, on the version that was read,
// and no field of it is ever Weir's: whoever applies it meets no conflict.
//
// The rules are read anew at each look, so what the user changes of them in mid-run stays. When he applies them as
// they were, without the canary, the canary is put back.
package named

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// WeightsAnnotation is on a route while the canary stands in it: the weights of the rules as the user has them.
const WeightsAnnotation = "weir.dev/original-weights"

// Router is another router, and of Canaries with routeRefs the one that shifts the routes which these name.
type Router struct{ router.Router }

// Over makes a router one that shifts named routes, too, of those of its kinds that this package knows.
func Over(r router.Router) router.Router { return Router{r} }

var _ router.Router = Router{}

// Features are those of the router beneath, and weights in named routes.
func (r Router) Features() router.Features {
	all := router.Features{router.NamedRoutes: true}
	for f, has := range r.Router.Features() {
		all[f] = has
	}
	return all
}

// Validate of a Canary with routeRefs refuses all but weights: the routes say the rest themselves.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	if len(c.Spec.RouteRefs) == 0 {
		return r.Router.Validate(c)
	}
	problems := router.Features{router.Weighted: true, router.NamedRoutes: true}.Refuse(r.Name()+" with spec.routeRefs", c)
	for i, ref := range c.Spec.RouteRefs {
		field := fmt.Sprintf("spec.routeRefs[%d]", i)
		k, ok := r.kindOf(ref)
		switch {
		case !ok:
			problems = append(problems, rollout.Problem{Reason: rollout.ReasonRouteNotServed, Message: fmt.Sprintf(
				"%s names a %s of %s, which router %s does not shift; it shifts %s",
				field, ref.Kind, ref.APIVersion, r.Name(), r.kindsInWords())})
		case len(ref.Rules) > 0 && k.title == "":
			problems = append(problems, rollout.Problem{Reason: rollout.ReasonRouteNotServed, Message: fmt.Sprintf(
				"%s.rules names rules, and those of a %s have no names; leave it out", field, ref.Kind)})
		}
	}
	return problems
}

// Refs are the named routes.
func (r Router) Refs(app router.App) []router.Ref {
	if len(app.Canary.Spec.RouteRefs) == 0 {
		return r.Router.Refs(app)
	}
	var refs []router.Ref
	for _, b := range r.borrowed(app) {
		refs = append(refs, b.ref)
	}
	return refs
}

// borrowed is a route that the spec names.
type borrowed struct {
	ref   router.Ref
	kind  kind
	rules []string
}

func (b borrowed) String() string {
	return fmt.Sprintf("%s %s/%s", b.kind.name, b.ref.Namespace, b.ref.Name)
}

func (r Router) borrowed(app router.App) []borrowed {
	var all []borrowed
	for _, ref := range app.Canary.Spec.RouteRefs {
		if k, ok := r.kindOf(ref); ok {
			all = append(all, borrowed{
				ref:  router.Ref{Resource: k.resource, Namespace: app.Canary.Namespace, Name: ref.Name},
				kind: k, rules: ref.Rules,
			})
		}
	}
	return all
}

// kindOf is what is known of a kind, where the router beneath reads and writes objects of it.
func (r Router) kindOf(ref v1beta1.NamedRoute) (kind, bool) {
	for _, k := range r.kinds() {
		if k.name == ref.Kind && k.resource.GroupVersion().String() == ref.APIVersion {
			return k, true
		}
	}
	return kind{}, false
}

// Render gives the named routes that are not yet as the split wants them, each whole. One that is gone, or leads to
// the apex no more, does not keep the canary's traffic from being taken back in the others.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	if len(app.Canary.Spec.RouteRefs) == 0 {
		return r.Router.Render(app, split, found)
	}
	running := split.Reaches() || r.reaches(app, found)
	var objects []router.Object
	for _, b := range r.borrowed(app) {
		have := found[b.ref]
		want, err := b.divided(app, int64(split.Weight), have)
		if err != nil {
			if running {
				continue // Read says why
			}
			return nil, err
		}
		if !same(want, have) || managed(have) {
			objects = append(objects, router.Object{Ref: b.ref, Whole: want})
		}
	}
	return objects, nil
}

// same compares a route as it ought to be with one that was found, which alone says whose its fields are.
func same(want, have *unstructured.Unstructured) bool {
	have = have.DeepCopy()
	have.SetManagedFields(nil)
	return reflect.DeepEqual(want.Object, have.Object)
}

// managed says that some field of a route is Weir's: it died between writing and giving its fields back.
func managed(have *unstructured.Unstructured) bool {
	return slices.ContainsFunc(have.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == v1beta1.FieldManager
	})
}

// reaches says that the canary stands in any of the routes.
func (r Router) reaches(app router.App, found router.Found) bool {
	for _, b := range r.borrowed(app) {
		if have := found[b.ref]; have != nil && b.stands(app, have) {
			return true
		}
	}
	return false
}

// Read gives the largest share that the canary has in any of the rules. It is accepted where all of them are as Weir
// leaves them, and whoever serves them says so, as far as he says anything.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	if len(app.Canary.Spec.RouteRefs) == 0 {
		return r.Router.Read(app, committed, found)
	}
	if r.over(app, found) {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Accepted: true}
	for _, b := range r.borrowed(app) {
		if have := found[b.ref]; have != nil {
			route.Split.Weight = max(route.Split.Weight, b.largestShare(app, have))
		}
	}
	for _, b := range r.borrowed(app) {
		have := found[b.ref]
		want, err := b.divided(app, int64(route.Split.Weight), have)
		switch {
		case err != nil:
			route.Accepted, route.Refused = false, err.Error()
		case !same(want, have):
			route.Accepted = false
		default:
			accepted, refused := r.accepted(have)
			route.Accepted = route.Accepted && accepted
			if refused != "" {
				route.Refused = refused
			}
		}
	}
	return route
}

// over says that a Canary that is being deleted has nothing in its routes any more. As long as the canary's pods are
// there the routes count: it is by them that the pods are known to get no requests.
func (r Router) over(app router.App, found router.Found) bool {
	if app.Canary.DeletionTimestamp == nil || app.Canary.Status.Retiring != nil {
		return false
	}
	return !slices.ContainsFunc(r.borrowed(app), func(b borrowed) bool { return b.held(app, found[b.ref]) })
}

// Acceptor is a router whose objects tell whether they are served as they are.
type Acceptor interface {
	// Accepted says whether this version of an object is served, or why it is not.
	Accepted(object *unstructured.Unstructured) (accepted bool, refused string)
}

func (r Router) accepted(have *unstructured.Unstructured) (bool, string) {
	if a, ok := r.Router.(Acceptor); ok {
		return a.Accepted(have)
	}
	return true, ""
}

// Release takes the canary out of the routes in which it stands.
func (r Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	if len(app.Canary.Spec.RouteRefs) == 0 {
		return r.Router.Release(app, found)
	}
	var all []router.Released
	for _, b := range r.borrowed(app) {
		have := found[b.ref]
		if b.held(app, have) {
			all = append(all, router.Released{Ref: b.ref, Object: b.folded(app, have)})
		}
	}
	return all, nil
}

// Over is the router beneath over the versions that are served, where it has several.
func (r Router) Over(served []schema.GroupVersionResource) router.Router {
	if v, ok := r.Router.(router.Versioned); ok {
		return Router{v.Over(served)}
	}
	return r
}

var _ router.Versioned = Router{}

// Settle is that of the router beneath.
func (r Router) Settle() time.Duration { return r.Router.Settle() }

// Resources are those of the router beneath.
func (r Router) Resources() []schema.GroupVersionResource { return r.Router.Resources() }
