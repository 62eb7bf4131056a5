package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Restore leaves a route as its router says: written back whole, on the version that was read. What Weir
// owns of it, by that write or from before, it gives up in a second one: nobody who applies the route later
// meets a conflict with a manager that is gone, and no later apply of Weir's takes away what it once applied.
func (w *Writer) Restore(ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured) error {
	w.applied.forget(keyOf(gvr, obj))
	obj = obj.DeepCopy()
	obj.SetManagedFields(nil) // what a cache keeps of them is not all; without any, the API server has its own
	what := fmt.Sprintf("%s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
	restored, err := write(ctx, w, gvr, "giving back "+what, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return w.dynamic.Resource(gvr).Namespace(obj.GetNamespace()).
			Update(ctx, obj, metav1.UpdateOptions{FieldManager: v1beta1.FieldManager})
	})
	if err != nil {
		return err
	}
	return w.giveUp(ctx, gvr, restored, what, restored.GetManagedFields(),
		metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate)
}

// DeleteRoute deletes a route object that Weir made.
func (w *Writer) DeleteRoute(
	ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured,
) error {
	w.applied.forget(keyOf(gvr, obj))
	doing := fmt.Sprintf("deleting %s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
	return w.erase(ctx, gvr, obj, doing, func(ctx context.Context, o metav1.DeleteOptions) error {
		return w.dynamic.Resource(gvr).Namespace(obj.GetNamespace()).Delete(ctx, obj.GetName(), o)
	})
}
