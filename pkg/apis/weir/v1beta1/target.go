package v1beta1

// The kinds that a target can be of.
const (
	// KindDeployment is released by a second ReplicaSet beside the one that serves.
	KindDeployment = "Deployment"
	// KindStatefulSet is released in place, the highest ordinals first.
	KindStatefulSet = "StatefulSet"
	// KindDaemonSet is released in place, node by node.
	KindDaemonSet = "DaemonSet"
	// KindKnativeService is that of Services of Knative's, of which each revision gets its share by its name.
	KindKnativeService = "Service"
)

// TargetRef names a workload in the Canary's namespace.
type TargetRef struct {
	// APIVersion of the workload.
	// +kubebuilder:default="apps/v1"
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the workload.
	// +kubebuilder:default=Deployment
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Name of the workload.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AutoscalerRef names an autoscaler in the Canary's namespace.
type AutoscalerRef struct {
	// APIVersion of the autoscaler.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the autoscaler, as HorizontalPodAutoscaler or ScaledObject.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Name of the autoscaler.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
