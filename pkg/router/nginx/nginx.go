// Package nginx shifts traffic by a second Ingress (networking.k8s.io/v1), with the annotations by which
// ingress-nginx, and controllers that read the same, take it for the canary of the first.
//
// The first Ingress is the user's: spec.ingressRef names it, and Weir only reads it. Its backend stays the apex
// Service, which is held to the primary's pods as long as there are others; so all that the second Ingress does not
// send to the canary gets to the primary. The second has the name of the first and "-canary", belongs to the Canary,
// and follows the first: of each rule it has the paths that lead to the apex, with the canary Service in its place.
//
// It says that it is a canary at every weight, 0 included. Without that it would be an Ingress like any other, for
// paths that another one has already: a controller could give it all of their traffic.
package nginx

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// DefaultPrefix of the annotations.
const DefaultPrefix = "nginx.ingress.kubernetes.io"

// settle is above the five seconds in which ingress-nginx gathers changes and its workers learn of them. There is
// nobody who says that a change is in force, so the time is all there is.
const settle = 10 * time.Second

// Router is that of canary Ingresses.
type Router struct {
	// Prefix of the annotations; DefaultPrefix where it is empty.
	Prefix string
}

var _ router.Router = Router{}

// Name is "nginx".
func (Router) Name() string { return "nginx" }

// Features are weights, and one condition on a header. All that shapes a route is the user's to say in his Ingress.
func (Router) Features() router.Features {
	return router.Features{router.Weighted: true, router.OwnsRoute: true, router.FromIngress: true, router.HeaderMatch: true}
}

// Settle is ten seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are Ingresses.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{router.Ingresses()}
}

// Refs are the user's Ingress, which is only read, and the canary's.
func (Router) Refs(app router.App) []router.Ref {
	if app.Canary.Spec.IngressRef == nil {
		return nil
	}
	return []router.Ref{router.UsersIngress(app), canaryRef(app)}
}

func canaryRef(app router.App) router.Ref { return router.IngressBeside(app, "canary") }

// Validate refuses what the features do not hold, and matches for which there are no annotations. What is wrong
// with the Ingress is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := append(r.Features().Refuse(r.Name(), c), router.NamesNoIngress(r.Name(), c)...)
	matches := map[string][]v1beta1.RequestMatch{"spec.analysis": c.Spec.Analysis.Match}
	fields := []string{"spec.analysis"}
	for i, s := range c.Spec.Analysis.Steps {
		field := fmt.Sprintf("spec.analysis.steps[%d]", i)
		matches[field], fields = s.Match, append(fields, field)
	}
	for _, field := range fields {
		if !conditional(matches[field]) {
			continue // refused already, or nothing to say
		}
		if _, err := r.matched(matches[field]); err != nil {
			problems = append(problems, rollout.Problem{
				Reason: rollout.ReasonMatchNotServed, Message: fmt.Sprintf("%s.match cannot be said by annotations: %s", field, err),
			})
		}
	}
	return problems
}

// conditional says that a match is one condition on one header.
func conditional(match []v1beta1.RequestMatch) bool {
	return len(match) == 1 && len(match[0].Headers) == 1 && len(match[0].QueryParams)+len(match[0].SourceLabels) == 0
}

// Render gives the canary's Ingress.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	ref := canaryRef(app)
	intent, err := r.intent(app, split, found)
	if err != nil {
		return nil, fmt.Errorf("rendering Ingress %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	return []router.Object{{Ref: ref, Intent: intent}}, nil
}

// intent is the canary's Ingress, whole. While requests get to the canary, a user's Ingress that is gone or has
// changed its ways does not keep it from being rendered: they are taken back from where they have no business any
// more, and Read says why.
func (r Router) intent(app router.App, split rollout.Split, found router.Found) (*unstructured.Unstructured, error) {
	users, have := found[router.UsersIngress(app)], found[canaryRef(app)]
	if err := router.IngressNotMade(app, have); err != nil {
		return nil, err
	}
	running := have != nil && (split.Reaches() || r.reaches(have))
	if err := r.divisible(app, users); err != nil {
		if !running {
			return nil, err
		}
		return r.object(app, have, rollout.Split{}, router.IngressSpec(have))
	}
	return r.object(app, users, split, router.SpecBeside(app, users, app.CanaryService))
}
