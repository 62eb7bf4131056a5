package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	if slices.Contains(c.Finalizers, Finalizer) {
		return nil
	}
	return w.setFinalizers(ctx, c, "adding the finalizer of", append(slices.Clone(c.Finalizers), Finalizer))
}

// RemoveFinalizer lets a Canary go.
func (w *Writer) RemoveFinalizer(ctx context.Context, c *v1beta1.Canary) error {
	rest := slices.DeleteFunc(slices.Clone(c.Finalizers), func(f string) bool { return f == Finalizer })
	if len(rest) == len(c.Finalizers) {
		return nil
	}
	err := w.setFinalizers(ctx, c, "removing the finalizer of", rest)
	// The API server answers with the version that a cache has. Who believed that would take over again what was given back.
	if len(rest) == 0 && c.DeletionTimestamp != nil && !apierrors.IsConflict(err) {
		w.fresh.Leaving(canaries, c)
	}
	return err
}

func (w *Writer) setFinalizers(ctx context.Context, c *v1beta1.Canary, verb string, finalizers []string) error {
	doing := fmt.Sprintf("%s Canary %s/%s", verb, c.Namespace, c.Name)
	patch, err := change{metadata: map[string]any{"finalizers": finalizers}}.of(c)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	_, err = write(ctx, w, canaries, doing, func(ctx context.Context) (*v1beta1.Canary, error) {
		return w.weir.WeirV1beta1().Canaries(c.Namespace).Patch(ctx, c.Name, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
	})
	return err
}
