package controller

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/workload"
)

// knativeTarget shares out traffic among revisions that it makes itself. It is the route, too, and all that is done to it
// is done by its router.
type knativeTarget struct{ c *Controller }

// observe also takes the Services out of the observation: one of the target's name is Knative's own.
func (t *knativeTarget) observe(o *observation) error {
	o.apex, o.primarySvc, o.canarySvc = nil, nil, nil
	o.snapshot.Target.ByName, o.snapshot.Services = true, rollout.Services{Found: true}
	object := func(gvr schema.GroupVersionResource) func(string) *unstructured.Unstructured {
		return func(name string) *unstructured.Unstructured {
			return t.c.caches.route(router.Ref{Resource: gvr, Namespace: o.canary.Namespace, Name: name})
		}
	}
	s := object(workload.KnativeServices())(o.canary.Spec.TargetRef.Name)
	if s == nil || s.GetDeletionTimestamp() != nil {
		return nil
	}
	o.workload = workload.OfKnative(s)
	seen, err := workload.ObserveKnative(s, &o.canary.Status, object(workload.KnativeRevisions()))
	if err != nil {
		return err
	}
	o.snapshot.Target, o.snapshot.Primary = seen.Target, seen.Primary
	o.snapshot.Candidate, o.snapshot.Retiring = seen.Candidate, seen.Retiring
	return nil
}

// behind is asked of the route.
func (t *knativeTarget) behind(*observation) bool { return false }

func (t *knativeTarget) problems(*observation) []rollout.Problem { return nil }

// annotate is never asked for: the router refuses what would lead to it.
func (t *knativeTarget) annotate(context.Context, string, string) error { return nil }

// pause has nothing to do: shares by name are the pause.
func (t *knativeTarget) pause(context.Context, rollout.Decision) error { return nil }

// ensurePods leaves pods to Knative.
func (t *knativeTarget) ensurePods(context.Context, *observation, rollout.Decision) error { return nil }

// handOver has nothing to do: every revision is the target's.
func (t *knativeTarget) handOver(context.Context, *observation, rollout.Decision) error { return nil }

// canariesOfRevision are those of the Knative Service that has made a Revision.
func (c *caches) canariesOfRevision(m metav1.Object) []types.NamespacedName {
	service := m.GetLabels()[workload.KnativeServiceLabel]
	return c.named(byTarget, m.GetNamespace()+"/"+v1beta1.KindKnativeService+"/"+service)
}
