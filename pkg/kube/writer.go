package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/client/clientset/versioned"
)

// Tap is called right before and right after every write. An error of it stands for a death at that
// point: before, the write is not sent; after, its answer is lost. A replica that may have lost its Lease
// keeps from writing by it, and tests kill the operator with it at every write of a run.
type Tap func(when When, what string) error

// When says on which side of a write a Tap is called.
type When string

// The two sides of a write.
const (
	Before When = "before"
	After  When = "after"
)

// Writer writes to the API server. It is safe for concurrent use.
type Writer struct {
	kube    kubernetes.Interface
	weir    versioned.Interface
	dynamic dynamic.Interface
	fresh   *Freshness
	applied *memory
	tap     Tap
}

// NewWriter makes a Writer whose writes are remembered in fresh. The tap may be nil.
func NewWriter(kube kubernetes.Interface, weir versioned.Interface, dyn dynamic.Interface, fresh *Freshness, tap Tap) *Writer {
	if tap == nil {
		tap = func(When, string) error { return nil }
	}
	return &Writer{kube: kube, weir: weir, dynamic: dyn, fresh: fresh, applied: newMemory(), tap: tap}
}

// The resources that Weir writes, but for routes.
var (
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	statefulSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	daemonSets   = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	pods         = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	replicaSets  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	services     = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	canaries     = schema.GroupVersionResource{Group: "weir.dev", Version: "v1beta1", Resource: "canaries"}
)

// write is the one way out. The doing is named as in "applying Service default/podinfo-canary".
func write[T metav1.Object](
	ctx context.Context, w *Writer, gvr schema.GroupVersionResource, doing string,
	send func(context.Context) (T, error),
) (T, error) {
	var none T
	if err := w.tap(Before, doing); err != nil {
		return none, fmt.Errorf("%s: %w", doing, err)
	}
	obj, err := send(ctx)
	if err != nil {
		return none, fmt.Errorf("%s: %w", doing, err)
	}
	w.fresh.Wrote(gvr, obj)
	if err := w.tap(After, doing); err != nil {
		return none, fmt.Errorf("%s: %w", doing, err)
	}
	return obj, nil
}

// erase is write for a deletion.
func (w *Writer) erase(
	ctx context.Context, gvr schema.GroupVersionResource, obj metav1.Object, doing string,
	send func(context.Context, metav1.DeleteOptions) error,
) error {
	if err := w.tap(Before, doing); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	uid, rv := obj.GetUID(), obj.GetResourceVersion()
	background := metav1.DeletePropagationBackground
	err := send(ctx, metav1.DeleteOptions{
		PropagationPolicy: &background,
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &rv},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	w.fresh.Deleted(gvr, obj)
	if err := w.tap(After, doing); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
