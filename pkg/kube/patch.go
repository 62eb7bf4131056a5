package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// change is what is patched of an object that is not Weir's, or not wholly: nil takes a key away, a list
// takes the place of the whole list, and what is not named stays.
type change struct{ metadata, spec map[string]any }

// of is the change as a merge patch. It names the version that was decided on, so that for any other the
// API server answers with a conflict. (A JSON Patch that tests the version is refused as invalid instead,
// which nobody can tell from a mistake.)
func (c change) of(obj metav1.Object) ([]byte, error) {
	metadata := map[string]any{"resourceVersion": obj.GetResourceVersion()}
	maps.Copy(metadata, c.metadata)
	patch := map[string]any{"metadata": metadata}
	if c.spec != nil {
		patch["spec"] = c.spec
	}
	return json.Marshal(patch)
}

// giveUp writes down who owns which fields of an object that Weir has just written: the owners, but for
// Weir as far as it came to its fields by these operations. Nothing is decided by it, and whoever serves
// the object often writes its status in that very moment: so, other than any other write, it is tried again.
func (w *Writer) giveUp(
	ctx context.Context, gvr schema.GroupVersionResource, obj metav1.Object, what string,
	owners []metav1.ManagedFieldsEntry, operations ...metav1.ManagedFieldsOperationType,
) error {
	resource := w.dynamic.Resource(gvr).Namespace(obj.GetNamespace())
	doing := "giving up the fields of " + what
	for tries := 5; ; tries-- {
		rest := slices.DeleteFunc(slices.Clone(owners), func(m metav1.ManagedFieldsEntry) bool {
			return m.Manager == v1beta1.FieldManager && slices.Contains(operations, m.Operation)
		})
		if len(rest) == 0 {
			rest = []metav1.ManagedFieldsEntry{{}} // an empty list would say nothing; this resets it
		}
		patch, err := change{metadata: map[string]any{"managedFields": rest}}.of(obj)
		if err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		_, err = write(ctx, w, gvr, doing, func(ctx context.Context) (*unstructured.Unstructured, error) {
			return resource.Patch(ctx, obj.GetName(), types.MergePatchType, patch,
				metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
		})
		if !apierrors.IsConflict(err) || tries == 0 {
			return err
		}
		if obj, err = resource.Get(ctx, obj.GetName(), metav1.GetOptions{}); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		owners = obj.GetManagedFields()
	}
}
