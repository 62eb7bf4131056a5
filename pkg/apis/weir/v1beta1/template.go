package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MetricTemplate is a query that Canaries can share, and the server that answers it.
//
// +genclient
// +genclient:noStatus
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mt
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MetricTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MetricTemplateSpec `json:"spec"`
}

// MetricTemplateList is a list of MetricTemplates.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type MetricTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []MetricTemplate `json:"items"`
}

// MetricTemplateSpec is the query and the server it goes to.
type MetricTemplateSpec struct {
	// Provider is the server that answers.
	Provider MetricProvider `json:"provider"`

	// Query is a Go template whose result is sent to the provider. Its functions are `name`,
	// `namespace`, `target`, `service`, `ingress`, `route`, `interval`, `variables` (a map),
	// `revision` (`primary` or `canary`), `pods` (a regular expression of that revision's pods),
	// `hash` (its pod-template-hash) and `weight`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Query string `json:"query"`
}

// MetricProvider is a server that answers queries.
type MetricProvider struct {
	// Type of the server.
	// +kubebuilder:validation:Enum=prometheus
	Type string `json:"type"`

	// Address is the URL of the server. Without it, the operator's --metrics-server is asked.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.provider.address must be an http or https URL"
	Address string `json:"address,omitempty"`

	// SecretRef names a Secret in the template's namespace with `username` and `password`, or
	// `token`.
	// +optional
	SecretRef *LocalSecretRef `json:"secretRef,omitempty"`

	// Headers are sent with every query.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Headers map[string]string `json:"headers,omitempty"`

	// InsecureSkipVerify accepts any certificate of the server.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// LocalSecretRef names a Secret in the namespace of the object that refers to it.
type LocalSecretRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
