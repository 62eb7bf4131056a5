// Package skipper shifts traffic by Ingresses (networking.k8s.io/v1) with the annotations of Skipper, beside one of the
// user's.
//
// That one is named by spec.ingressRef, and Weir only reads it. Its backend stays the apex Service, which is held to
// the primary's pods as long as there are others. Beside it stand
//
//   - the pair, <name>-canary: the primary and the canary Service for each path of the apex, with their weights;
//   - a way for each entry of a match, <name>-canary-match-1 and so on: the canary Service alone, for requests that
//     fit. The cookie of session affinity is such an entry.
//
// To Skipper they are Ingresses like any other for hosts and paths that the user's has already. Of routes with the same
// path it takes the one with more predicates, and of two that have equally many, either. So each of Weir's has the
// predicate Weight, by which it comes before the user's, and the ways before the pair. One that is to get nothing has
// the predicate False, the pair at weight 0 too: without a run all goes as if Weir were not there. Whatever Weir's do
// not take, and everything when they are gone, gets to the apex by the user's.
package skipper

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long a change takes at most, and some: Skipper asks the API server every three seconds, and where it
// has its routes from a routesrv, that one does so as well. There is nobody who says that a change is in force.
const settle = 10 * time.Second

// mostWays are as many as a match has entries at most, and the cookie.
const mostWays = 9

// Router is that of Ingresses for Skipper.
type Router struct{}

var _ router.Router = Router{}

// Name is "skipper".
func (Router) Name() string { return "skipper" }

// Features are shares, and what predicates can tell of a request. All that shapes a route is the user's to say in his
// Ingress. Skipper can mirror, but makes a user's upload wait for a canary that is slow to read the copy.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.FromIngress: true, router.HeaderMatch: true,
		router.QueryMatch: true, router.ManyConditions: true, router.SessionAffinity: true,
	}
}

// Settle is ten seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are Ingresses.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{router.Ingresses()}
}

// Refs are the user's Ingress, which is only read, the pair, and all ways that there can be.
func (Router) Refs(app router.App) []router.Ref {
	if app.Canary.Spec.IngressRef == nil {
		return nil
	}
	return append([]router.Ref{router.UsersIngress(app)}, ownRefs(app)...)
}

// ownRefs are those of Weir's Ingresses. The ways do not depend on the spec: one that it needs no more has to be
// found, so that it is closed.
func ownRefs(app router.App) []router.Ref {
	refs := []router.Ref{router.IngressBeside(app, "canary")}
	for n := range mostWays {
		refs = append(refs, router.IngressBeside(app, fmt.Sprintf("canary-match-%d", n+1)))
	}
	return refs
}

// Validate refuses what the features do not hold, and conditions that Skipper could not check. What is wrong with the
// Ingress is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := append(r.Features().Refuse(r.Name(), c), router.NamesNoIngress(r.Name(), c)...)
	for _, p := range planned(c) {
		if _, err := predicatesOf(p.match); err != nil {
			problems = append(problems, rollout.Problem{
				Reason: rollout.ReasonMatchNotServed, Message: fmt.Sprintf("%s cannot be said by predicates: %s", p.field, err),
			})
		}
	}
	return problems
}

// plannedMatch is an entry of a match in the spec.
type plannedMatch struct {
	field string
	match v1beta1.RequestMatch
}

func planned(c *v1beta1.Canary) []plannedMatch {
	var all []plannedMatch
	add := func(of string, matches []v1beta1.RequestMatch) {
		for i, m := range matches {
			all = append(all, plannedMatch{fmt.Sprintf("%s.match[%d]", of, i), m})
		}
	}
	add("spec.analysis", c.Spec.Analysis.Match)
	for i, s := range c.Spec.Analysis.Steps {
		add(fmt.Sprintf("spec.analysis.steps[%d]", i), s.Match)
	}
	return all
}

// Render gives the pair, and the ways that there are or that the split needs.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	refs := ownRefs(app)
	for _, ref := range refs {
		if err := router.IngressNotMade(app, found[ref]); err != nil {
			return nil, fmt.Errorf("rendering Ingress %s/%s: %w", ref.Namespace, ref.Name, err)
		}
	}
	users := found[router.UsersIngress(app)]
	if err := divisible(app, users); err != nil {
		have := found[refs[0]]
		if have == nil || !split.Reaches() && !reaches(app, found) {
			return nil, fmt.Errorf("rendering Ingress %s/%s: %w", refs[0].Namespace, refs[0].Name, err)
		}
		return closed(app, found)
	}
	return opened(app, split, users, found)
}

// opened are Weir's Ingresses as a split wants them.
func opened(
	app router.App, split rollout.Split, users *unstructured.Unstructured, found router.Found,
) ([]router.Object, error) {
	ways, err := waysOf(app, split)
	if err != nil {
		return nil, err
	}
	var objects []router.Object
	for i, ref := range ownRefs(app) {
		p, needed := shut(), i == 0 || i <= len(ways) || found[ref] != nil
		services := []string{app.CanaryService}
		switch {
		case i == 0:
			p, services = pairOf(app, split), []string{app.Primary, app.CanaryService}
		case i <= len(ways):
			p = ways[i-1]
		}
		if !needed {
			continue
		}
		intent, err := p.ingress(app, ref, users, router.SpecBeside(app, users, services...))
		if err != nil {
			return nil, err
		}
		objects = append(objects, router.Object{Ref: ref, Intent: intent})
	}
	return objects, nil
}

// closed are Weir's Ingresses as they are, but that they get nothing. So a user's Ingress that is gone in mid-run, or
// has changed its ways, does not keep requests from being taken back from where they have no business any more.
func closed(app router.App, found router.Found) ([]router.Object, error) {
	var objects []router.Object
	for i, ref := range ownRefs(app) {
		have := found[ref]
		if have == nil {
			continue
		}
		p := shut()
		if i == 0 {
			p = pairOf(app, rollout.Split{})
		}
		intent, err := p.ingress(app, ref, have, router.IngressSpec(have))
		if err != nil {
			return nil, err
		}
		objects = append(objects, router.Object{Ref: ref, Intent: intent})
	}
	return objects, nil
}

// Release deletes Weir's Ingresses; the user's has not been touched.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	if app.Canary.Spec.IngressRef == nil {
		return nil, nil
	}
	var all []router.Released
	for _, ref := range ownRefs(app) {
		if have := found[ref]; have != nil && router.IsMade(app, have) {
			all = append(all, router.Released{Ref: ref})
		}
	}
	return all, nil
}
