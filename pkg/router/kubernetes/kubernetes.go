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

// Features are weights, as traffic follows pods. There is no place where anything else could be said.
func (Router) Features() router.Features {
	return router.Features{router.Weighted: true, router.FollowsPods: true}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are none: Services are watched for every router.
func (Router) Resources() []schema.GroupVersionResource { return nil }

// Refs is the apex, which is read.
func (Router) Refs(app router.App) []router.Ref { return []router.Ref{ref(app)} }

func ref(app router.App) router.Ref {
	return router.Ref{
		Resource: corev1.SchemeGroupVersion.WithResource("services"), Namespace: app.Canary.Namespace, Name: app.Apex,
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
	apex := found[ref(app)]
	if apex == nil {
		return rollout.Route{}
	}
	st := &app.Canary.Status
	pin := pinOf(apex)
	if pin == "" && !divided(st) && st.Phase == v1beta1.PhaseTerminating {
		return rollout.Route{}
	}
	return rollout.Route{Found: true, Split: rollout.Split{Weight: weight(st, committed, pin)}, Accepted: true}
}

// weight is the canary's by the revision that the apex is held to, which is empty where it is held to none.
func weight(st *v1beta1.CanaryStatus, committed rollout.Split, pin string) int32 {
	switch {
	case pin == "" && !divided(st):
		return 0
	case pin == "" && committed.Weight > 0 && committed.Weight < full:
		return committed.Weight
	case pin == "":
		return some
	case is(st.Canary, pin) || is(st.Retiring, pin):
		return full
	case is(st.Primary, pin):
		return 0
	default:
		return unknown
	}
}

// divided says that there may be pods beside the primary's: those of a canary, or of one of an earlier run. One
// that was refused has none any more, and is remembered all the same.
func divided(st *v1beta1.CanaryStatus) bool {
	return st.Retiring != nil || st.Canary != nil && st.Canary.Replicas > 0
}

func is(r *v1beta1.RevisionStatus, hash string) bool { return r != nil && r.Hash == hash }

func pinOf(apex *unstructured.Unstructured) string {
	pin, _, _ := unstructured.NestedString(apex.Object, "spec", "selector", appsv1.DefaultDeploymentUniqueLabelKey)
	return pin
}
