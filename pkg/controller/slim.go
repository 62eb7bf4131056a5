package controller

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// slim drops of what goes into a cache what nobody here looks at. Of the managed fields, those of a user's Service stay, whose
// selector keeps its owner; of targets, routes and Weir's own Services there stays which are Weir's. A route may be
// given back as it was found, and keeps the rest.
func slim(obj any) (any, error) {
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return obj, nil //nolint:nilerr // a tombstone, which holds what was slim before
	}
	switch o := obj.(type) {
	case *corev1.Service:
		if controlled := metav1.GetControllerOf(o); controlled != nil && controlled.Kind == "Canary" {
			keepOwn(o)
		}
		dropApplied(o)
	case *unstructured.Unstructured:
		keepOwn(o)
	case *appsv1.Deployment:
		keepOwn(o)
		dropApplied(o)
	case *appsv1.StatefulSet:
		keepOwn(o)
		dropApplied(o)
	case *appsv1.DaemonSet:
		keepOwn(o)
		dropApplied(o)
	case *appsv1.ControllerRevision:
		accessor.SetManagedFields(nil)
		workload.SlimRevision(o)
	case *corev1.Pod:
		accessor.SetManagedFields(nil)
		o.Annotations = nil
		o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName, Affinity: o.Spec.Affinity}
	default:
		accessor.SetManagedFields(nil)
		dropApplied(accessor)
	}
	return obj, nil
}

// keepOwn keeps of the managed fields those that Weir has applied.
func keepOwn(o metav1.Object) {
	own := slices.DeleteFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager != v1beta1.FieldManager
	})
	if len(own) == 0 {
		own = nil
	}
	o.SetManagedFields(slices.Clip(own))
}

// dropApplied drops the copy of itself that kubectl leaves in an object.
func dropApplied(o metav1.Object) {
	annotations := o.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	o.SetAnnotations(annotations)
}
