package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// HoldStatefulSet sets the one field of the user's StatefulSet that Weir owns: pods below the partition are not
// replaced, and are made of the revision of before.
func (w *Writer) HoldStatefulSet(ctx context.Context, s *appsv1.StatefulSet, partition int32) error {
	if workload.PartitionHeld(s) && workload.Partition(s) == partition {
		return nil
	}
	intent := appsv1ac.StatefulSet(s.Name, s.Namespace).WithSpec(appsv1ac.StatefulSetSpec().WithUpdateStrategy(
		appsv1ac.StatefulSetUpdateStrategy().WithRollingUpdate(
			appsv1ac.RollingUpdateStatefulSetStrategy().WithPartition(partition))))
	doing := fmt.Sprintf("setting the partition of StatefulSet %s/%s to %d", s.Namespace, s.Name, partition)
	if partition == workload.NoPartition {
		doing = fmt.Sprintf("holding StatefulSet %s/%s", s.Namespace, s.Name)
	}
	return w.applyStatefulSet(ctx, s, v1beta1.FieldManager, doing, intent)
}

// ReleaseStatefulSet gives the partition up.
func (w *Writer) ReleaseStatefulSet(ctx context.Context, s *appsv1.StatefulSet) error {
	if !applied(s) {
		return nil
	}
	doing := fmt.Sprintf("releasing StatefulSet %s/%s", s.Namespace, s.Name)
	return w.applyStatefulSet(ctx, s, v1beta1.FieldManager, doing, appsv1ac.StatefulSet(s.Name, s.Namespace))
}

// AnnotateStatefulSet sets one annotation of its template; see AnnotateTemplate.
func (w *Writer) AnnotateStatefulSet(ctx context.Context, s *appsv1.StatefulSet, key, value string) error {
	if s.Spec.Template.Annotations[key] == value {
		return nil
	}
	intent := appsv1ac.StatefulSet(s.Name, s.Namespace).WithSpec(appsv1ac.StatefulSetSpec().WithTemplate(annotated(key, value)))
	doing := fmt.Sprintf("annotating the template of StatefulSet %s/%s", s.Namespace, s.Name)
	return w.applyStatefulSet(ctx, s, configManager, doing, intent)
}

func (w *Writer) applyStatefulSet(
	ctx context.Context, s *appsv1.StatefulSet, manager, doing string, intent *appsv1ac.StatefulSetApplyConfiguration,
) error {
	intent.WithResourceVersion(s.ResourceVersion).WithUID(s.UID) // see applyDeploymentAs
	_, err := write(ctx, w, statefulSets, doing, func(ctx context.Context) (*appsv1.StatefulSet, error) {
		return w.kube.AppsV1().StatefulSets(s.Namespace).Apply(ctx, intent, metav1.ApplyOptions{FieldManager: manager, Force: true})
	})
	return err
}

// HoldDaemonSet sets the one field of the user's DaemonSet that Weir owns: no pod is replaced until it is deleted.
func (w *Writer) HoldDaemonSet(ctx context.Context, d *appsv1.DaemonSet) error {
	if workload.DeletionHeld(d) {
		return nil
	}
	intent := appsv1ac.DaemonSet(d.Name, d.Namespace).WithSpec(appsv1ac.DaemonSetSpec().WithUpdateStrategy(
		appsv1ac.DaemonSetUpdateStrategy().WithType(appsv1.OnDeleteDaemonSetStrategyType)))
	return w.applyDaemonSet(ctx, d, v1beta1.FieldManager, fmt.Sprintf("holding DaemonSet %s/%s", d.Namespace, d.Name), intent)
}

// ReleaseDaemonSet gives the type of its strategy up.
func (w *Writer) ReleaseDaemonSet(ctx context.Context, d *appsv1.DaemonSet) error {
	if !applied(d) {
		return nil
	}
	doing := fmt.Sprintf("releasing DaemonSet %s/%s", d.Namespace, d.Name)
	return w.applyDaemonSet(ctx, d, v1beta1.FieldManager, doing, appsv1ac.DaemonSet(d.Name, d.Namespace))
}

// AnnotateDaemonSet sets one annotation of its template; see AnnotateTemplate.
func (w *Writer) AnnotateDaemonSet(ctx context.Context, d *appsv1.DaemonSet, key, value string) error {
	if d.Spec.Template.Annotations[key] == value {
		return nil
	}
	intent := appsv1ac.DaemonSet(d.Name, d.Namespace).WithSpec(appsv1ac.DaemonSetSpec().WithTemplate(annotated(key, value)))
	doing := fmt.Sprintf("annotating the template of DaemonSet %s/%s", d.Namespace, d.Name)
	return w.applyDaemonSet(ctx, d, configManager, doing, intent)
}

func (w *Writer) applyDaemonSet(
	ctx context.Context, d *appsv1.DaemonSet, manager, doing string, intent *appsv1ac.DaemonSetApplyConfiguration,
) error {
	intent.WithResourceVersion(d.ResourceVersion).WithUID(d.UID) // see applyDeploymentAs
	_, err := write(ctx, w, daemonSets, doing, func(ctx context.Context) (*appsv1.DaemonSet, error) {
		return w.kube.AppsV1().DaemonSets(d.Namespace).Apply(ctx, intent, metav1.ApplyOptions{FieldManager: manager, Force: true})
	})
	return err
}

// Replace deletes a pod, so that its controller makes another in its place.
func (w *Writer) Replace(ctx context.Context, pod *corev1.Pod) error {
	doing := fmt.Sprintf("replacing Pod %s/%s", pod.Namespace, pod.Name)
	return w.erase(ctx, pods, pod, doing, func(ctx context.Context, o metav1.DeleteOptions) error {
		return w.kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, o)
	})
}

// applied says that Weir has applied something to an object that is another's.
func applied(obj metav1.Object) bool {
	for _, m := range obj.GetManagedFields() {
		if m.Manager == v1beta1.FieldManager && m.Operation == metav1.ManagedFieldsOperationApply {
			return true
		}
	}
	return false
}

func annotated(key, value string) *corev1ac.PodTemplateSpecApplyConfiguration {
	return corev1ac.PodTemplateSpec().WithAnnotations(map[string]string{key: value})
}
