package cli

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// knativeAPI is a client for Knative's Services, in the form of the others.
type knativeAPI struct{ dynamic.ResourceInterface }

func (k knativeAPI) Get(ctx context.Context, name string, o metav1.GetOptions) (*unstructured.Unstructured, error) {
	return k.ResourceInterface.Get(ctx, name, o)
}

func (k *cluster) knative() workloads {
	return workloadsOf(knativeAPI{k.dynamic.Resource(workload.KnativeServices()).Namespace(k.namespace)},
		func(l *unstructured.UnstructuredList) []unstructured.Unstructured { return l.Items }, k.knativeService)
}

func (k *cluster) knativeService(s *unstructured.Unstructured) *target {
	latest, _, _ := unstructured.NestedString(s.Object, "status", "latestCreatedRevisionName")
	seen, _, _ := unstructured.NestedInt64(s.Object, "status", "observedGeneration")
	return &target{Target: workload.OfKnative(s), version: versionOf(s, seen) + " " + latest,
		running: func(ctx context.Context, _ bool) (running, error) {
			r := knativeRevisions{service: s, byName: map[string]*unstructured.Unstructured{}}
			list, err := k.dynamic.Resource(workload.KnativeRevisions()).Namespace(k.namespace).List(ctx, metav1.ListOptions{
				LabelSelector: workload.KnativeServiceLabel + "=" + s.GetName(),
			})
			if err != nil {
				return r, err
			}
			for _, revision := range pointers(list.Items) {
				r.byName[revision.GetName()] = revision
			}
			return r, nil
		}}
}

// knativeRevisions are what a Knative Service runs.
type knativeRevisions struct {
	service *unstructured.Unstructured
	byName  map[string]*unstructured.Unstructured
}

func (r knativeRevisions) observe(st *v1beta1.CanaryStatus) (workload.ByName, error) {
	return workload.ObserveKnative(r.service, st, func(name string) *unstructured.Unstructured { return r.byName[name] })
}

// present is not known while Knative has not named the revision of the template: whoever has just changed that would take
// the one before for it.
func (r knativeRevisions) present(st *v1beta1.CanaryStatus) (rollout.Revision, error) {
	if err := workload.KnativeNamed(r.service); err != nil {
		return rollout.Revision{}, err
	}
	in, err := r.observe(st)
	return in.Target.Revision, err
}

// pods are one of each revision, whatever Knative makes of it.
func (r knativeRevisions) pods(st *v1beta1.CanaryStatus, rev *v1beta1.RevisionStatus) (ready, all int32, known bool) {
	in, err := r.observe(st)
	if err != nil || rev == nil {
		return 0, 0, false
	}
	for _, of := range []rollout.ReplicaSet{in.Primary, in.Candidate} {
		if of.Found && of.Name == rev.ReplicaSet {
			return of.Ready, 1, true
		}
	}
	return 0, 0, false
}

// sharedPlace is place where revisions get their shares by their names; nothing where that is no matter.
func (e explanation) sharedPlace(gets string) []string {
	switch e.canary.Status.Phase {
	case v1beta1.PhaseInitializing:
		return []string{"The shares of traffic are being written by the names of revisions."}
	case v1beta1.PhaseWaiting:
		return []string{"It has not begun with its first step, and the canary gets nothing."}
	case v1beta1.PhasePromoting:
		return []string{"Every step passed, or was left out. The canary takes all of the traffic, by its name.", gets}
	case v1beta1.PhaseFinalising:
		return []string{"The canary has all of the traffic, by its name, and keeps it."}
	}
	return nil
}
