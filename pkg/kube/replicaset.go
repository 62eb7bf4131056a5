package kube

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// The annotations by which the Deployment's controller knows that a ReplicaSet is saturated.
const (
	desiredReplicas = "deployment.kubernetes.io/desired-replicas"
	maxReplicas     = "deployment.kubernetes.io/max-replicas"
)

// CreateReplicaSet makes the canary ReplicaSet, without pods.
func (w *Writer) CreateReplicaSet(ctx context.Context, rs *appsv1.ReplicaSet) (*appsv1.ReplicaSet, error) {
	doing := fmt.Sprintf("creating ReplicaSet %s/%s", rs.Namespace, rs.Name)
	return write(ctx, w, replicaSets, doing, func(ctx context.Context) (*appsv1.ReplicaSet, error) {
		return w.kube.AppsV1().ReplicaSets(rs.Namespace).Create(ctx, rs,
			metav1.CreateOptions{FieldManager: v1beta1.FieldManager})
	})
}

// Borrow takes one of the Deployment's own ReplicaSets for the canary: an equal old one at the start of
// a run, or one that was handed over while the template moved on. The Deployment's controller leaves it
// alone from then on, and its pods stay.
func (w *Writer) Borrow(
	ctx context.Context, rs *appsv1.ReplicaSet, canary *v1beta1.Canary,
) (*appsv1.ReplicaSet, error) {
	var annotations map[string]any
	if owner := metav1.GetControllerOf(rs); owner != nil {
		annotations = map[string]any{workload.BorrowedAnnotation: string(owner.UID)}
	}
	return w.reparent(ctx, rs, "borrowing", workload.ControlledByCanary(canary), annotations)
}

// Scale sets the size of a ReplicaSet of Weir's.
func (w *Writer) Scale(ctx context.Context, rs *appsv1.ReplicaSet, replicas int32) (*appsv1.ReplicaSet, error) {
	if rs.Spec.Replicas != nil && *rs.Spec.Replicas == replicas {
		return rs, nil
	}
	doing := fmt.Sprintf("scaling ReplicaSet %s/%s to %d", rs.Namespace, rs.Name, replicas)
	return w.patchReplicaSet(ctx, rs, doing, change{spec: map[string]any{"replicas": replicas}})
}

// HandOver makes the canary ReplicaSet the Deployment's own. It is the one thing that is done on a live
// read: the Deployment must still be what was decided on, because its controller ends the old pods right
// after. It returns ErrMoved where it is not.
func (w *Writer) HandOver(ctx context.Context, rs *appsv1.ReplicaSet, deploy *appsv1.Deployment) error {
	return w.handOver(ctx, rs, deploy, func(live *appsv1.Deployment) bool {
		return workload.Equal(&live.Spec.Template, &rs.Spec.Template)
	})
}

// HandOverQueued hands over beside a newer template, which is to be released next. For its controller the
// ReplicaSet is an old one then, beside that of the primary, of which it leaves as many pods as the Deployment may
// have too many. The ReplicaSet that is handed over keeps its pods, because it says of itself that it is
// of the right size, and is the younger one. A template that is the primary's again would end it at once.
func (w *Writer) HandOverQueued(ctx context.Context, rs, primary *appsv1.ReplicaSet, deploy *appsv1.Deployment) error {
	return w.handOver(ctx, rs, deploy, func(live *appsv1.Deployment) bool {
		return !workload.Equal(&live.Spec.Template, &primary.Spec.Template)
	})
}

func (w *Writer) handOver(
	ctx context.Context, rs *appsv1.ReplicaSet, deploy *appsv1.Deployment, fits func(live *appsv1.Deployment) bool,
) error {
	if metav1.IsControlledBy(rs, deploy) {
		return nil
	}
	doing := fmt.Sprintf("handing ReplicaSet %s/%s over to Deployment %s", rs.Namespace, rs.Name, deploy.Name)
	live, err := w.kube.AppsV1().Deployments(deploy.Namespace).Get(ctx, deploy.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("%s: reading the Deployment: %w", doing, err)
	}
	replicas := workload.Replicas(live)
	switch {
	case live.UID != deploy.UID, live.DeletionTimestamp != nil, !live.Spec.Paused,
		!fits(live), rs.Spec.Replicas == nil || *rs.Spec.Replicas != replicas:
		return fmt.Errorf("%s: %w", doing, ErrMoved)
	}
	_, err = w.reparent(ctx, rs, "handing over", workload.ControlledByDeployment(live), map[string]any{
		workload.BorrowedAnnotation: nil,
		desiredReplicas:             strconv.Itoa(int(replicas)),
		maxReplicas:                 strconv.Itoa(int(workload.MaxReplicas(live))),
	})
	return err
}

// Remove takes a ReplicaSet of Weir's away: first its pods, then, once they are gone, the ReplicaSet
// itself. A borrowed one goes back to the Deployment it came from instead.
func (w *Writer) Remove(ctx context.Context, rs *appsv1.ReplicaSet, deploy *appsv1.Deployment) error {
	if rs.Spec.Replicas == nil || *rs.Spec.Replicas > 0 {
		_, err := w.Scale(ctx, rs, 0)
		return err
	}
	if rs.Status.Replicas > 0 || rs.Status.ObservedGeneration < rs.Generation {
		return nil
	}
	if deploy != nil && rs.Annotations[workload.BorrowedAnnotation] == string(deploy.UID) {
		_, err := w.reparent(ctx, rs, "giving back", workload.ControlledByDeployment(deploy),
			map[string]any{workload.BorrowedAnnotation: nil})
		return err
	}
	doing := fmt.Sprintf("deleting ReplicaSet %s/%s", rs.Namespace, rs.Name)
	return w.erase(ctx, replicaSets, rs, doing, func(ctx context.Context, o metav1.DeleteOptions) error {
		return w.kube.AppsV1().ReplicaSets(rs.Namespace).Delete(ctx, rs.Name, o)
	})
}

// reparent replaces the controller reference, and leaves every other owner as it is.
func (w *Writer) reparent(
	ctx context.Context, rs *appsv1.ReplicaSet, verb string, owner metav1.OwnerReference, annotations map[string]any,
) (*appsv1.ReplicaSet, error) {
	doing := fmt.Sprintf("%s ReplicaSet %s/%s", verb, rs.Namespace, rs.Name)
	return w.patchReplicaSet(ctx, rs, doing, change{metadata: map[string]any{
		"ownerReferences": append([]metav1.OwnerReference{owner}, bystanders(rs)...),
		"annotations":     annotations,
	}})
}

// bystanders are the owners of an object that do not control it.
func bystanders(obj metav1.Object) []metav1.OwnerReference {
	return slices.DeleteFunc(slices.Clone(obj.GetOwnerReferences()), func(o metav1.OwnerReference) bool {
		return o.Controller != nil && *o.Controller
	})
}

func (w *Writer) patchReplicaSet(
	ctx context.Context, rs *appsv1.ReplicaSet, doing string, c change,
) (*appsv1.ReplicaSet, error) {
	patch, err := c.of(rs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return write(ctx, w, replicaSets, doing, func(ctx context.Context) (*appsv1.ReplicaSet, error) {
		return w.kube.AppsV1().ReplicaSets(rs.Namespace).Patch(ctx, rs.Name, types.MergePatchType, patch,
			metav1.PatchOptions{FieldManager: v1beta1.FieldManager})
	})
}
