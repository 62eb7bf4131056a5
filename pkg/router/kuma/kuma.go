// Package kuma shifts traffic by the weights of a MeshHTTPRoute (kuma.io/v1alpha1), in the words of Kuma 3.
//
// The MeshHTTPRoute has the name of the apex Service and holds for requests to its one port, whoever in the mesh sends
// them. Weir makes it from spec.service and owns all of spec.to, because server-side apply knows no part of it. One of
// that name that somebody else made is refused.
//
// Kuma knows Services as MeshServices, which are found by labels: name, namespace and zone. It holds a route for all of
// the mesh only if these three name its target; else it is one for the pods of its own namespace. The zone is known from
// the label that Kuma's control plane puts on the route as it is written, and so is what Kuma takes the route for. So a
// route is rendered without a zone once, and with it from the next look on.
//
// In each rule stand two backends, the primary's and the canary's. Requests that go to the canary by a match have a rule
// of their own, in which it is the only one; by that it is known again. It stands first, though of two rules the one
// with more conditions on a path is taken, wherever it stands.
package kuma

import (
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long every proxy has to be told. Kuma's control plane looks for changes each second.
const settle = 5 * time.Second

const (
	kind    = "MeshHTTPRoute"
	hundred = 100
)

// Labels of Kuma's.
const (
	meshLabel      = "kuma.io/mesh"
	zoneLabel      = "kuma.io/zone"
	nameLabel      = "kuma.io/display-name"
	namespaceLabel = "k8s.kuma.io/namespace"
	roleLabel      = "kuma.io/policy-role"
)

// Resource of MeshHTTPRoutes.
func Resource() schema.GroupVersionResource { return groupVersion().WithResource("meshhttproutes") }

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "kuma.io", Version: "v1alpha1"}
}

// Router is Kuma's.
type Router struct{}

var _ router.Router = Router{}

// Name is "kuma".
func (Router) Name() string { return "kuma" }

// Features of a MeshHTTPRoute. It changes headers of all answers of a rule and not of one backend's, so the canary's
// cannot set a cookie of session affinity; timeouts and retries are policies of their own.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.Matches: true, router.Rewrites: true,
		router.EditsHeaders: true, router.HeaderMatch: true, router.QueryMatch: true, router.ManyConditions: true,
		router.Mirrors: true, router.MirrorsPercent: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are MeshHTTPRoutes.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Resource()}
}

// Refs are the apex Service, which says what its port is called, and the MeshHTTPRoute.
func (Router) Refs(app router.App) []router.Ref { return []router.Ref{apexRef(app), ref(app)} }

func apexRef(app router.App) router.Ref {
	return router.Ref{
		Resource: corev1.SchemeGroupVersion.WithResource("services"), Namespace: app.Canary.Namespace, Name: app.Apex,
	}
}

func ref(app router.App) router.Ref {
	return router.Ref{Resource: Resource(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

// Render gives the MeshHTTPRoute. A port that Kuma would not take for HTTP is refused before a run, and never in one:
// a rollback must not wait for it.
func (r Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	at := ref(app)
	have := found[at]
	if err := router.NotMade(app, r.Name(), have); err != nil {
		return nil, err
	}
	if !split.Reaches() && !reaches(app, have) {
		if err := speaksHTTP(app, found[apexRef(app)]); err != nil {
			return nil, fmt.Errorf("rendering %s %s/%s: %w", kind, at.Namespace, at.Name, err)
		}
	}
	spec := specOf(app, found, rules(namesIn(app, have), &app.Canary.Spec.Service, split))
	intent, err := router.Whole(app, groupVersion().WithKind(kind), at.Name, spec)
	if err != nil {
		return nil, err
	}
	if mesh := app.Canary.Labels[meshLabel]; mesh != "" {
		labels := map[string]string{meshLabel: mesh}
		maps.Copy(labels, app.Labels)
		intent.SetLabels(labels)
	}
	return []router.Object{{Ref: at, Intent: intent}}, nil
}

// specOf is the spec with some rules for requests to the apex's one port. Without a port, they would hold for all of
// its ports.
func specOf(app router.App, found router.Found, rules []any) object {
	target := namesIn(app, found[ref(app)]).service(app.Apex)
	target["sectionName"] = section(app, found[apexRef(app)])
	return object{
		"targetRef": object{"kind": "Mesh"},
		"to":        []any{object{"targetRef": target, "rules": rules}},
	}
}

// names are how the application's Services are called in the mesh.
type names struct {
	app  router.App
	zone string
}

func namesIn(app router.App, have *unstructured.Unstructured) names {
	n := names{app: app}
	if have != nil {
		n.zone = have.GetLabels()[zoneLabel]
	}
	return n
}

func (n names) service(name string) object {
	labels := object{nameLabel: name, namespaceLabel: n.app.Canary.Namespace}
	if n.zone != "" {
		labels[zoneLabel] = n.zone
	}
	return object{"kind": "MeshService", "labels": labels}
}
