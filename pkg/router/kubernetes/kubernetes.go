// Package kubernetes splits traffic with nothing but Services and pods: no mesh and no ingress is needed.
//
// Traffic follows pods. The apex Service is held to the primary's pods while the canary is to get nothing, and to
// the canary's when it gets all. In between it selects the pods of both, and each gets as large a share of the
// connections as it has of the pods. Pins and sizes are the core's, of every router; so this one has nothing to
// write. It reads from the apex what is in force.
//
// What was chosen is exact only as far as the numbers of pods allow it, and it is connections that are shared
// out, not requests: a client that keeps one open stays with its pod.
package kubernetes

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long the nodes have to learn of a Service's endpoints. kube-proxy gathers changes for a second.
const settle = 5 * time.Second

const (
	// some is read where both revisions get traffic and no share of it was committed to.
	some = 1
	// unknown is read where the apex holds to a revision that is neither. No split has this weight.
	unknown = -1
	full    = 100
)

// Router is that of Services alone.
type Router struct{}

var _ router.Router = Router{}

// Name is "kubernetes".
func (Router) Name() string { return "kubernetes" }

// Features are weights, as traffic follows pods, whatever it is made of. There is no place where anything else could be said.
func (Router) Features() router.Features {
	return router.Features{router.Weighted: true, router.FollowsPods: true, router.TCP: true}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are none: Services are watched for every router.
func (Router) Resources() []schema.GroupVersionResource { return nil }

// Refs are the apex, which makes the split, and the canary's Service, by which one sees whether there are two
// revisions to tell apart.
func (Router) Refs(app router.App) []router.Ref {
	return []router.Ref{ref(app, app.Apex), ref(app, app.CanaryService)}
}

func ref(app router.App, service string) router.Ref {
	return router.Ref{
		Resource: corev1.SchemeGroupVersion.WithResource("services"), Namespace: app.Canary.Namespace, Name: service,
	}
}

// Validate refuses what the features do not hold.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	return r.Features().Refuse(r.Name(), c)
}

// Render gives nothing.
func (Router) Render(router.App, rollout.Split, router.Found) ([]router.Object, error) {
	return nil, nil
}

// Release gives nothing back: what the core pins it unpins.
func (Router) Release(router.App, router.Found) ([]router.Released, error) { return nil, nil }

// Read tells the split from what the apex selects. It is accepted as it is: nobody has a say in it. Once a Canary
// that is deleted has unpinned the apex, nothing of Weir's is left.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	apex := found[ref(app, app.Apex)]
	if apex == nil {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Accepted: true}
	st, pin := &app.Canary.Status, pinOf(apex)
	switch {
	case pin != "":
		route.Split.Weight = held(st, pin)
	case divided(app, found):
		route.Split.Weight = shared(committed)
	case st.Phase == v1beta1.PhaseTerminating:
		return rollout.Route{}
	}
	return route
}

// held is the canary's weight where the apex is held to one revision.
func held(st *v1beta1.CanaryStatus, hash string) int32 {
	is := func(r *v1beta1.RevisionStatus) bool { return r != nil && r.Hash == hash }
	switch {
	case is(st.Canary) || is(st.Retiring):
		return full
	case is(st.Primary):
		return 0
	default:
		return unknown
	}
}

// shared is the canary's weight where the apex selects the pods of both.
func shared(committed rollout.Split) int32 {
	if committed.Weight > 0 && committed.Weight < full {
		return committed.Weight
	}
	return some
}

// divided says that there may be pods beside the primary's. As long as there may, the canary's Service is held to
// them. Where somebody has deleted it, the status has to do.
func divided(app router.App, found router.Found) bool {
	st := &app.Canary.Status
	if canary := found[ref(app, app.CanaryService)]; canary != nil {
		pin := pinOf(canary)
		return pin != "" && (st.Primary == nil || st.Primary.Hash != pin)
	}
	return st.Retiring != nil || st.Canary != nil && st.Canary.Replicas > 0
}

func pinOf(service *unstructured.Unstructured) string {
	pin, _, _ := unstructured.NestedString(service.Object, "spec", "selector", appsv1.DefaultDeploymentUniqueLabelKey)
	return pin
}
