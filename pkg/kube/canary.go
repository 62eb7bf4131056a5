package kube

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Finalizer keeps a Canary until everything is given back.
const Finalizer = "weir.dev/give-back"

// CommitStatus stores a status. It goes by the version that was decided on: a conflict means that the
// world moved, and that the decision is void.
func (w *Writer) CommitStatus(ctx context.Context, c *v1beta1.Canary, status *v1beta1.CanaryStatus) error {
	next := c.DeepCopy()
	next.Status = *status
	doing := fmt.Sprintf("committing the status of Canary %s/%s", c.Namespace, c.Name)
	_, err := write(ctx, w, canaries, doing, func(ctx context.Context) (*v1beta1.Canary, error) {
		return w.weir.WeirV1beta1().Canaries(c.Namespace).UpdateStatus(ctx, next,
			metav1.UpdateOptions{FieldManager: v1beta1.FieldManager})
	})
	return err
}

// AddFinalizer marks a Canary as one that has something to give back.
func (w *Writer) AddFinalizer(ctx context.Context, c *v1beta1.Canary) error {
	return w.setFinalizers(ctx, c, "adding the finalizer of", append(slices.Clone(c.Finalizers), Finalizer))
}

// RemoveFinalizer lets a Canary go.
func (w *Writer) RemoveFinalizer(ctx context.Context, c *v1beta1.Canary) error {
	rest := slices.DeleteFunc(slices.Clone(c.Finalizers), func(f string) bool { return f == Finalizer })
	if len(rest) == len(c.Finalizers) {
		return nil
	}
	return w.setFinalizers(ctx, c, "removing the finalizer of", rest)
}

func (w *Writer) setFinalizers(ctx context.Context, c *v1beta1.Canary, verb string, finalizers []string) error {
	doing := fmt.Sprintf("%s Canary %s/%s", verb, c.Namespace, c.Name)
	patch, err := guarded(c, operation{Op: "add", Path: "/metadata/finalizers", Value: finalizers})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	_, err = write(ctx, w, canaries, doing, func(ctx context.Context) (*v1beta1.Canary, error) {
		return w.weir.WeirV1beta1().Canaries(c.Namespace).Patch(ctx, c.Name, types.JSONPatchType, patch,
			metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
	})
	return err
}

// Restore leaves a route as its router says: written back whole, on the version that was read. What Weir
// owns of it by that write it gives up in a second one, so that nobody who applies the route later meets a
// conflict with a manager that is gone.
func (w *Writer) Restore(ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured) error {
	w.applied.forget(keyOf(gvr, obj))
	what := fmt.Sprintf("%s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
	restored, err := w.update(ctx, gvr, obj, "giving back "+what)
	if err != nil {
		return err
	}
	owners := slices.DeleteFunc(restored.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == v1beta1.FieldManager && m.Subresource == ""
	})
	if len(owners) == 0 {
		owners = []metav1.ManagedFieldsEntry{{}} // an empty list would say nothing; this resets it
	}
	restored.SetManagedFields(owners)
	_, err = w.update(ctx, gvr, restored, "giving up "+what)
	return err
}

func (w *Writer) update(
	ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured, doing string,
) (*unstructured.Unstructured, error) {
	return write(ctx, w, gvr, doing, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return w.dynamic.Resource(gvr).Namespace(obj.GetNamespace()).Update(ctx, obj, metav1.UpdateOptions{FieldManager: v1beta1.FieldManager})
	})
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
