package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// ApplyService makes a Service of Weir's what it ought to be.
func (w *Writer) ApplyService(ctx context.Context, svc, found *corev1.Service) error {
	intent, err := Intent(svc)
	if err != nil {
		return err
	}
	var was *unstructured.Unstructured
	if found != nil {
		if was, err = Intent(found); err != nil {
			return err
		}
		was.SetGroupVersionKind(intent.GroupVersionKind()) // which a cache drops
	}
	return w.Apply(ctx, services, intent, was)
}

// Pin holds a Service, the user's own apex above all, to the pods of one revision by their label, or, with an empty
// hash, to none.
// Its selector is one atomic map under server-side apply: applying it would take it over, and giving it
// up could delete it. So the one key is patched, and nothing else. Even so the API server books the whole
// selector on Weir; a second write puts the books right, so that its owner meets no conflict.
func (w *Writer) Pin(ctx context.Context, svc *corev1.Service, label, hash string) error {
	was, pinned := svc.Spec.Selector[label]
	if pinned == (hash != "") && was == hash {
		return nil
	}
	what := fmt.Sprintf("Service %s/%s", svc.Namespace, svc.Name)
	doing := "unpinning " + what
	var value any // none takes the key away
	if hash != "" {
		doing, value = fmt.Sprintf("pinning %s to %s", what, hash), hash
	}
	selector := map[string]any{label: value}
	pinnedTo, err := w.patchService(ctx, svc, doing, change{spec: map[string]any{"selector": selector}})
	if err != nil {
		return err
	}
	return w.giveUp(ctx, services, pinnedTo, what, svc.ManagedFields, metav1.ManagedFieldsOperationUpdate)
}

// ReleaseService gives up an apex Service that Weir made: it stays for the clients that use it, selects
// the pods of every revision, and belongs to nobody.
func (w *Writer) ReleaseService(ctx context.Context, svc *corev1.Service, label string) error {
	if metav1.GetControllerOf(svc) == nil {
		return nil
	}
	w.applied.forget(keyOf(services, svc))
	what := fmt.Sprintf("Service %s/%s", svc.Namespace, svc.Name)
	released, err := w.patchService(ctx, svc, "releasing "+what, change{
		metadata: map[string]any{
			"ownerReferences": bystanders(svc),
			"labels":          map[string]any{workload.CanaryLabel: nil},
			"annotations":     map[string]any{AppliedAnnotation: nil},
		},
		spec: map[string]any{"selector": map[string]any{label: nil}},
	})
	if err != nil {
		return err
	}
	return w.giveUp(ctx, services, released, what, released.ManagedFields,
		metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate)
}

// DeleteService deletes a Service that Weir made.
func (w *Writer) DeleteService(ctx context.Context, svc *corev1.Service) error {
	w.applied.forget(keyOf(services, svc))
	doing := fmt.Sprintf("deleting Service %s/%s", svc.Namespace, svc.Name)
	return w.erase(ctx, services, svc, doing, func(ctx context.Context, o metav1.DeleteOptions) error {
		return w.kube.CoreV1().Services(svc.Namespace).Delete(ctx, svc.Name, o)
	})
}

func (w *Writer) patchService(
	ctx context.Context, svc *corev1.Service, doing string, c change,
) (*corev1.Service, error) {
	patch, err := c.of(svc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return write(ctx, w, services, doing, func(ctx context.Context) (*corev1.Service, error) {
		return w.kube.CoreV1().Services(svc.Namespace).Patch(ctx, svc.Name, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
	})
}
