package workload

import (
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Target is what Services, pins and events need of a workload, whatever its kind.
type Target struct {
	Kind, Namespace, Name string
	UID                   types.UID
	Selector              *metav1.LabelSelector
	Template              *corev1.PodTemplateSpec
}

// OfDeployment is a Deployment as a Target.
func OfDeployment(d *appsv1.Deployment) *Target {
	return &Target{v1beta1.KindDeployment, d.Namespace, d.Name, d.UID, d.Spec.Selector, &d.Spec.Template}
}

// OfStatefulSet is a StatefulSet as a Target.
func OfStatefulSet(s *appsv1.StatefulSet) *Target {
	return &Target{v1beta1.KindStatefulSet, s.Namespace, s.Name, s.UID, s.Spec.Selector, &s.Spec.Template}
}

// OfDaemonSet is a DaemonSet as a Target.
func OfDaemonSet(d *appsv1.DaemonSet) *Target {
	return &Target{v1beta1.KindDaemonSet, d.Namespace, d.Name, d.UID, d.Spec.Selector, &d.Spec.Template}
}

// PinLabel is the label that tells the pods of one revision from those of another, by the kind of their workload.
func PinLabel(kind string) string {
	if kind == v1beta1.KindStatefulSet || kind == v1beta1.KindDaemonSet {
		return appsv1.ControllerRevisionHashLabelKey
	}
	return HashLabel
}

// Local says that a Service sends its callers to pods on their own node, if to any.
func Local(svc *corev1.Service) bool {
	internal := svc.Spec.InternalTrafficPolicy
	return svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal ||
		internal != nil && *internal == corev1.ServiceInternalTrafficPolicyLocal
}

// PauseHeld says that the Deployment is paused, and that this is Weir's doing.
func PauseHeld(d *appsv1.Deployment) bool {
	return d.Spec.Paused && owns(d, "f:spec", "f:paused")
}

// AtRest says that the Deployment is not paused, and that this is Weir's doing: it will be with its next template.
func AtRest(d *appsv1.Deployment) bool {
	return !d.Spec.Paused && owns(d, "f:spec", "f:paused")
}

// owns says that Weir owns a field by having applied it. The path is as in "f:spec", "f:updateStrategy".
func owns(obj metav1.Object, path ...string) bool {
	for _, m := range obj.GetManagedFields() {
		if m.Manager != v1beta1.FieldManager || m.Operation != metav1.ManagedFieldsOperationApply || m.Subresource != "" ||
			m.FieldsV1 == nil {
			continue
		}
		var fields map[string]any
		if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) == nil && has(fields, path) {
			return true
		}
	}
	return false
}

func has(fields map[string]any, path []string) bool {
	for _, name := range path {
		next, ok := fields[name].(map[string]any)
		if !ok {
			return false
		}
		fields = next
	}
	return true
}
