// Package smi shifts traffic by the weights of a TrafficSplit (split.smi-spec.io), as meshes carry it out that know
// the Service Mesh Interface.
//
// The TrafficSplit has the name of the apex Service and is about it. Its backends are the primary and the canary
// Service, both at every weight. Weir makes it and owns the list of backends as a whole, because server-side apply
// knows no part of it. A TrafficSplit of that name that somebody else made is refused.
//
// The kind has four versions, of which a cluster serves some; so the router is told which. It writes the same by all
// of them. A weight is an integer: v1alpha1 has quantities, and an integer is one. API servers convert nothing between
// these versions, and who reads by another one could not take a quantity that is a text.
package smi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long a mesh's control plane, and an adaptor before it, have to tell every proxy. None of them says
// when it has.
const settle = 5 * time.Second

const kind = "TrafficSplit"

// versions are those that Weir knows, the preferred first.
func versions() []string { return []string{"v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"} }

// TrafficSplits of a version and their resource.
func TrafficSplits(version string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "split.smi-spec.io", Version: version, Resource: "trafficsplits"}
}

// Router is that of TrafficSplits.
type Router struct {
	// Served are the versions that the cluster serves, the preferred first; all of them where it is not known.
	Served []string
}

var _ router.Versioned = Router{}

// Name is "smi".
func (Router) Name() string { return "smi" }

// Features are weights. A TrafficSplit has no word for anything else.
func (Router) Features() router.Features {
	return router.Features{router.Weighted: true, router.OwnsRoute: true}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are TrafficSplits, of each version that is served.
func (r Router) Resources() []schema.GroupVersionResource {
	var all []schema.GroupVersionResource
	for _, version := range r.served() {
		all = append(all, TrafficSplits(version))
	}
	return all
}

// Over is the router of a cluster that serves these.
func (Router) Over(served []schema.GroupVersionResource) router.Router {
	var over Router
	for _, gvr := range served {
		over.Served = append(over.Served, gvr.Version)
	}
	return over
}

func (r Router) served() []string {
	if len(r.Served) == 0 {
		return versions()
	}
	return r.Served
}

// named is the version that a spec names.
func named(c *v1beta1.Canary) (version string, ok bool) {
	_, version, ok = strings.Cut(c.Spec.Provider, ":")
	return version, ok
}

// version is the one that the spec names, where it is served, or else the preferred one.
func (r Router) version(c *v1beta1.Canary) string {
	if version, ok := named(c); ok && slices.Contains(r.served(), version) {
		return version
	}
	return r.served()[0]
}

// Refs are the TrafficSplit.
func (r Router) Refs(app router.App) []router.Ref { return []router.Ref{r.ref(app)} }

func (r Router) ref(app router.App) router.Ref {
	return router.Ref{Resource: TrafficSplits(r.version(app.Canary)), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Validate refuses what the features do not hold, and a version that is not served.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := r.Features().Refuse(r.Name(), c)
	if version, ok := named(c); ok && !slices.Contains(r.served(), version) {
		ways := []string{r.Name()}
		for _, version := range r.served() {
			ways = append(ways, r.Name()+":"+version)
		}
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonVersionNotServed, Message: fmt.Sprintf(
			"spec.provider %s names a version of TrafficSplits that is not served; set it to %s",
			c.Spec.Provider, strings.Join(ways, " or "))})
	}
	return problems
}

// Render gives the TrafficSplit.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	ref := r.ref(app)
	if err := ours(app, found[ref]); err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: object{"spec": trafficSplit(app, split)}}
	u.SetAPIVersion(ref.Resource.GroupVersion().String())
	u.SetKind(kind)
	u.SetNamespace(ref.Namespace)
	u.SetName(ref.Name)
	u.SetLabels(app.Labels)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, fmt.Errorf("naming the owner of %s %s/%s: %w", kind, ref.Namespace, ref.Name, err)
	}
	return []router.Object{{Ref: ref, Intent: u}}, nil
}

type object = map[string]any

const hundred = 100

// trafficSplit is the spec for a split. A backend that gets nothing stays in it, with the weight 0: one that comes
// and goes could be seen half-done.
func trafficSplit(app router.App, split rollout.Split) object {
	return object{"service": app.Apex, "backends": []any{
		object{"service": app.Primary, "weight": int64(hundred - split.Weight)},
		object{"service": app.CanaryService, "weight": int64(split.Weight)},
	}}
}

// isMade says that a TrafficSplit is one that Weir made for this Canary, or was given for it by its label.
func isMade(app router.App, have *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(have); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := have.GetLabels()
	for k, v := range app.Labels {
		if labels[k] != v {
			return false
		}
	}
	return len(app.Labels) > 0
}

// ours refuses a TrafficSplit of somebody else's, and says how it becomes Weir's without a gap.
func ours(app router.App, have *unstructured.Unstructured) error {
	if have == nil || isMade(app, have) {
		return nil
	}
	what := fmt.Sprintf("%s %s/%s", kind, have.GetNamespace(), have.GetName())
	if owner := metav1.GetControllerOf(have); owner != nil {
		return fmt.Errorf("%s belongs to %s %s; delete it there, or make this Canary anew with another spec.service.name",
			what, owner.Kind, owner.Name)
	}
	for k, v := range app.Labels {
		return fmt.Errorf("%s is not Weir's, and provider smi makes its own; give it the label %s=%s for Weir to take it over, "+
			"or delete it", what, k, v)
	}
	return fmt.Errorf("%s is not Weir's, and provider smi makes its own; delete it", what)
}
