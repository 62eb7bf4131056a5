package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The kinds of templates that a metric can name.
const (
	KindMetricTemplate        = "MetricTemplate"
	KindClusterMetricTemplate = "ClusterMetricTemplate"
)

// ProviderJob is the type of a provider that is no server: a Job is run, and its exit code is the verdict.
const ProviderJob = "job"

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

	// +kubebuilder:validation:XValidation:rule="!has(self.provider.secretRef) || !has(self.provider.secretRef.__namespace__)",message="spec.provider.secretRef.namespace is for a ClusterMetricTemplate; the Secret of a MetricTemplate is in its own namespace"
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

// ClusterMetricTemplate is a MetricTemplate for Canaries of all namespaces.
//
// +genclient
// +genclient:nonNamespaced
// +genclient:noStatus
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=cmt
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider.type`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterMetricTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="!has(self.provider.secretRef) || has(self.provider.secretRef.__namespace__)",message="spec.provider.secretRef.namespace is needed: a ClusterMetricTemplate is in no namespace that its Secret could be in, too"
	Spec MetricTemplateSpec `json:"spec"`
}

// ClusterMetricTemplateList is a list of ClusterMetricTemplates.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type ClusterMetricTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterMetricTemplate `json:"items"`
}

// MetricTemplateSpec is the query and the server it goes to.
//
// +kubebuilder:validation:XValidation:rule="self.provider.type == 'job' || has(self.query) || has(self.totalQuery)",message="a template needs spec.query, or spec.totalQuery for comparisons, or both"
// +kubebuilder:validation:XValidation:rule="self.provider.type != 'job' || !has(self.query)",message="type job is asked no spec.query: what is run is spec.provider.job.template, which has the variables in its environment"
// +kubebuilder:validation:XValidation:rule="has(self.totalQuery) == (has(self.badQuery) || has(self.sumQuery))",message="spec.totalQuery goes with spec.badQuery or spec.sumQuery: what is compared is the one by the other"
// +kubebuilder:validation:XValidation:rule="!has(self.totalQuery) || self.provider.type == 'prometheus'",message="spec.totalQuery is for type prometheus, whose counters can be read at any instant"
type MetricTemplateSpec struct {
	// Provider is the server that answers.
	Provider MetricProvider `json:"provider"`

	// Query is a Go template whose result is sent to the provider. Its functions are `name`,
	// `namespace`, `target`, `service`, `ingress`, `route`, `interval`, `variables` (a map),
	// `revision` (`primary` or `canary`), `pods` (a regular expression of that revision's pods),
	// `hash` (its pod-template-hash) and `weight`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	// +optional
	Query string `json:"query,omitempty"`

	// TotalQuery, BadQuery and SumQuery are templates like query, of counters that only grow, for comparisons: of all
	// events of a revision, of those that are bad, and of the sum of their values. They have to depend on the revision
	// (by `revision`, `pods` or `hash`), may give several series, such as one a pod, and are for type prometheus.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	TotalQuery string `json:"totalQuery,omitempty"`
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	BadQuery string `json:"badQuery,omitempty"`
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	SumQuery string `json:"sumQuery,omitempty"`
}

// MetricProvider is a server that answers queries.
//
// +kubebuilder:validation:XValidation:rule="!(self.type in ['dynatrace', 'graphite', 'influxdb', 'splunk', 'web']) || has(self.address)",message="spec.provider.address is needed for types dynatrace, graphite, influxdb, splunk and web, which have no address of their own"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['datadog', 'dynatrace', 'influxdb', 'newrelic', 'splunk', 'stackdriver']) || has(self.secretRef)",message="spec.provider.secretRef is needed for types datadog, dynatrace, influxdb, newrelic, splunk and stackdriver, which answer nobody without credentials"
// +kubebuilder:validation:XValidation:rule="(self.type == 'cloudwatch') == has(self.region)",message="spec.provider.region is needed for type cloudwatch, and is for no other"
// +kubebuilder:validation:XValidation:rule="(self.type == 'web') == has(self.value)",message="spec.provider.value is needed for type web, and is for no other"
// +kubebuilder:validation:XValidation:rule="self.type == 'web' || !has(self.method)",message="spec.provider.method is for type web alone"
// +kubebuilder:validation:XValidation:rule="(self.type == 'job') == has(self.job)",message="spec.provider.job is needed for type job, and is for no other"
// +kubebuilder:validation:XValidation:rule="self.type != 'job' || !has(self.address) && !has(self.secretRef) && !has(self.headers) && !has(self.insecureSkipVerify)",message="type job asks no server: remove address, secretRef, headers and insecureSkipVerify of spec.provider"
type MetricProvider struct {
	// Type of the server, or job, which is none.
	// +kubebuilder:validation:Enum=cloudwatch;datadog;dynatrace;externalmetrics;graphite;influxdb;job;newrelic;prometheus;splunk;stackdriver;web
	Type string `json:"type"`

	// Address is the URL of the server. Without it, type prometheus asks the operator's
	// --metrics-server, type externalmetrics the API server of the cluster that Weir runs in, and types
	// cloudwatch, datadog, newrelic and stackdriver ask the vendor's own.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.provider.address must be an http or https URL"
	Address string `json:"address,omitempty"`

	// Region of Amazon Web Services that type cloudwatch asks.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-z0-9-]+$`
	Region string `json:"region,omitempty"`

	// Method by which type web sends the query: GET puts it behind the address, POST sends it as the
	// body. Defaults to GET.
	// +optional
	// +kubebuilder:validation:Enum=GET;POST
	Method string `json:"method,omitempty"`

	// Value is an expression in CEL that takes the number out of what a server of type web answers.
	// Its variable is `body`, the answer's JSON. It may give a boolean, which is 1 or 0, and null
	// where there is no number.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`

	// Job is what type job runs.
	// +optional
	Job *JobProvider `json:"job,omitempty"`

	// SecretRef names a Secret with the credentials. Which keys it has depends on the type; `username`
	// and `password`, or `token`, for most.
	// +optional
	SecretRef *ProviderSecretRef `json:"secretRef,omitempty"`

	// Headers are sent with every query.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Headers map[string]string `json:"headers,omitempty"`

	// InsecureSkipVerify accepts any certificate of the server.
	// +optional
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// JobProvider is a Job of batch/v1, run once for each check, in the namespace of the Canary. The check passes if it
// completes, and fails if it fails.
type JobProvider struct {
	// Template of its pod, as a Job has it. Its restartPolicy is Never. Its containers find WEIR_NAME, WEIR_NAMESPACE,
	// WEIR_TARGET, WEIR_SERVICE, WEIR_REVISION, WEIR_HASH, WEIR_WEIGHT, and WEIR_VARIABLES_TOPIC for a variable topic in
	// their environment.
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Type=object
	Template runtime.RawExtension `json:"template"`

	// ActiveDeadlineSeconds is how long it may take, from its start. If its pod was running then, the check fails; if it
	// was not, for lack of a node or of its image, there is no answer.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	ActiveDeadlineSeconds int64 `json:"activeDeadlineSeconds,omitempty"`

	// TTLSecondsAfterFinished is how long it stays after its end, with its logs.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=600
	// +kubebuilder:validation:Maximum=604800
	TTLSecondsAfterFinished int32 `json:"ttlSecondsAfterFinished,omitempty"`
}

// ProviderSecretRef names a Secret of a provider.
type ProviderSecretRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the Secret, for a ClusterMetricTemplate; that of a MetricTemplate is in its own.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// LocalSecretRef names a Secret in the namespace of the object that refers to it.
type LocalSecretRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
