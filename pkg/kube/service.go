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
	}
	return w.Apply(ctx, services, intent, was)
}

// Pin holds a Service, the user's own apex above all, to the pods of one revision, or, with an empty hash, to none.
// Its selector is one atomic map under server-side apply: applying it would take it over, and giving it
// up could delete it. So the one key is patched, and nothing else.
func (w *Writer) Pin(ctx context.Context, svc *corev1.Service, hash string) error {
	path := "/spec/selector/" + workload.HashLabel
	was, pinned := svc.Spec.Selector[workload.HashLabel]
	var op operation
	var doing string
	switch {
	case hash == "" && !pinned, pinned && was == hash:
		return nil
	case hash == "":
		doing = fmt.Sprintf("unpinning Service %s/%s", svc.Namespace, svc.Name)
		op = operation{Op: "remove", Path: path}
	default:
		doing = fmt.Sprintf("pinning Service %s/%s to %s", svc.Namespace, svc.Name, hash)
		op = operation{Op: "add", Path: path, Value: hash}
	}
	return w.patchService(ctx, svc, doing, op)
}

// ReleaseService gives up an apex Service that Weir made: it stays, and belongs to nobody.
func (w *Writer) ReleaseService(ctx context.Context, svc *corev1.Service) error {
	if len(svc.OwnerReferences) == 0 {
		return nil
	}
	w.applied.forget(keyOf(services, svc))
	return w.patchService(ctx, svc, fmt.Sprintf("releasing Service %s/%s", svc.Namespace, svc.Name),
		operation{Op: "remove", Path: "/metadata/ownerReferences"})
}

// DeleteService deletes a Service that Weir made.
func (w *Writer) DeleteService(ctx context.Context, svc *corev1.Service) error {
	w.applied.forget(keyOf(services, svc))
	doing := fmt.Sprintf("deleting Service %s/%s", svc.Namespace, svc.Name)
	return w.erase(ctx, services, svc, doing, func(ctx context.Context, o metav1.DeleteOptions) error {
		return w.kube.CoreV1().Services(svc.Namespace).Delete(ctx, svc.Name, o)
	})
}

func (w *Writer) patchService(ctx context.Context, svc *corev1.Service, doing string, op operation) error {
	patch, err := guarded(svc, op)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	_, err = write(ctx, w, services, doing, func(ctx context.Context) (*corev1.Service, error) {
		return w.kube.CoreV1().Services(svc.Namespace).Patch(ctx, svc.Name, types.JSONPatchType, patch,
			metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
	})
	return err
}
