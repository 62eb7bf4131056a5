package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Canary says how every change of one Deployment's pod template is released: which traffic is
// shifted, in which steps, and what must be true of the new version at each step.
//
// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=can,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.weight`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step.progress`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.failedChecks`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name of a Canary must have at most 63 characters; it is the label weir.dev/canary of all that Weir makes"
type Canary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec CanarySpec `json:"spec"`
	// +optional
	Status CanaryStatus `json:"status,omitempty"`
}

// CanaryList is a list of Canaries.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type CanaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Canary `json:"items"`
}

// CanarySpec is what a person asks for.
//
// +kubebuilder:validation:XValidation:rule="has(self.service.name) || (size(self.targetRef.name) <= 55 && self.targetRef.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))",message="the target's name cannot be a Service's; set spec.service.name to lower case letters, digits and hyphens, a letter first, at most 55 characters"
// +kubebuilder:validation:XValidation:rule="(has(self.service.name) ? self.service.name : self.targetRef.name) == (has(oldSelf.service.name) ? oldSelf.service.name : oldSelf.targetRef.name)",message="spec.service.name cannot change; delete this Canary and make it anew"
type CanarySpec struct {
	// TargetRef names the workload whose releases are watched over. It lives in the Canary's
	// namespace, and no other Canary may name it.
	// +kubebuilder:validation:XValidation:rule="self.kind == 'Deployment' && self.apiVersion == 'apps/v1'",message="spec.targetRef must name a Deployment of apps/v1"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.targetRef cannot change; delete this Canary and make one for the other workload"
	TargetRef TargetRef `json:"targetRef"`

	// Provider is the router that shifts the traffic of this Canary. Without it, the operator's
	// --mesh-provider decides. A version suffix as in `gatewayapi:v1` is accepted.
	// +optional
	// +kubebuilder:validation:Enum=gatewayapi;"gatewayapi:v1"
	Provider string `json:"provider,omitempty"`

	// MetricsServer is the URL of the Prometheus that answers the built-in metrics of this Canary.
	// Without it, the operator's --metrics-server is asked.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.metricsServer must be an http or https URL"
	MetricsServer string `json:"metricsServer,omitempty"`

	// ProgressDeadlineSeconds is how long a step may wait for its canary pods, counted from when it
	// began to lack them. After it, the run is rolled back.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// Service says how the target is reached.
	Service CanaryService `json:"service"`

	// Analysis says in which steps traffic is shifted and what is judged at each.
	Analysis CanaryAnalysis `json:"analysis"`
}

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

// CanaryService says how the target is reached: by which Service, and over which routes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rewrite) || !has(self.rewrite.uri) || self.rewrite.type != 'ReplacePrefixMatch' || !has(self.match) || size(self.match) == 0 || (size(self.match) == 1 && has(self.match[0].path) && self.match[0].path.type == 'PathPrefix')",message="spec.service.rewrite replaces the matched prefix, so spec.service.match must have one entry with a path of type PathPrefix; or set rewrite.type to ReplaceFullPath"
type CanaryService struct {
	// Name of the apex Service, the one clients use. Defaults to the target's name. A Service of
	// that name is adopted as it is; where there is none, Weir makes it.
	// +optional
	// +kubebuilder:validation:MaxLength=55
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="spec.service.name must be lower case letters, digits and hyphens, with a letter first and no hyphen last"
	Name string `json:"name,omitempty"`

	// Port of the apex Service that traffic comes in by.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// PortName is the name of that port on the Services that Weir makes.
	// +optional
	// +kubebuilder:default=http
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="spec.service.portName must be lower case letters, digits and hyphens, with no hyphen first or last"
	PortName string `json:"portName,omitempty"`

	// TargetPort is the number or name of the container port behind it. Defaults to what the apex
	// Service says, or, where Weir makes that Service, to the port itself.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : size(self) <= 15 && self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.matches('[a-z]')",message="spec.service.targetPort must be a port number or the name of a container port, for example 9898 or http"
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`

	// AppProtocol tells proxies what the port speaks, as on a Service.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')",message="spec.service.appProtocol must be a name with or without a domain, for example http or kubernetes.io/h2c"
	AppProtocol *string `json:"appProtocol,omitempty"`

	// GatewayRefs are the Gateways, or for a mesh the Services, that the route hangs on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	GatewayRefs []gatewayv1.ParentReference `json:"gatewayRefs,omitempty"`

	// Hosts that the route answers to. Empty means every host that the Gateway lets in.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Hosts []gatewayv1.Hostname `json:"hosts,omitempty"`

	// Match says which requests are the application's. Empty means all of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Match []gatewayv1.HTTPRouteMatch `json:"match,omitempty"`

	// Rewrite changes host or path of a request before the application sees it.
	// +optional
	Rewrite *Rewrite `json:"rewrite,omitempty"`

	// Headers to set, add or remove on requests and responses.
	// +optional
	Headers *Headers `json:"headers,omitempty"`

	// Timeout of a whole request, as a duration such as `15s`.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) > duration('0s')",message="spec.service.timeout must be a duration above zero without a fraction, for example 15s or 1500ms"
	Timeout string `json:"timeout,omitempty"`

	// Settle is how long after a change of the route Weir waits before it presumes that traffic
	// follows it. Defaults to the router's own time (5s for gatewayapi).
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s') && duration(self) <= duration('5m')",message="spec.service.settle must be a duration from 0s to 5m, for example 5s"
	Settle string `json:"settle,omitempty"`
}

// Rewrite changes a request on its way to the application.
//
// +kubebuilder:validation:XValidation:rule="has(self.uri) || has(self.authority)",message="spec.service.rewrite needs uri, authority or both"
type Rewrite struct {
	// URI replaces the matched path prefix, or, with type ReplaceFullPath, the whole path.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	URI string `json:"uri,omitempty"`
	// Type says what URI replaces.
	// +optional
	// +kubebuilder:default=ReplacePrefixMatch
	// +kubebuilder:validation:Enum=ReplacePrefixMatch;ReplaceFullPath
	Type string `json:"type,omitempty"`
	// Authority replaces the Host header.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="spec.service.rewrite.authority must be a host name in lower case without a port"
	Authority string `json:"authority,omitempty"`
}

// Headers are changes to the headers of requests and responses.
type Headers struct {
	// +optional
	Request *HeaderOperations `json:"request,omitempty"`
	// +optional
	Response *HeaderOperations `json:"response,omitempty"`
}

// HeaderOperations are changes to one set of headers.
type HeaderOperations struct {
	// Set replaces the value of a header.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 256 && k.matches('^[-A-Za-z0-9!#$%&*+.^_|~]+$') && size(self[k]) >= 1 && size(self[k]) <= 4096)",message="a header needs a name of letters, digits and hyphens, and a value"
	Set map[string]string `json:"set,omitempty"`
	// Add appends a value to a header.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 256 && k.matches('^[-A-Za-z0-9!#$%&*+.^_|~]+$') && size(self[k]) >= 1 && size(self[k]) <= 4096)",message="a header needs a name of letters, digits and hyphens, and a value"
	Add map[string]string `json:"add,omitempty"`
	// Remove takes headers away.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	Remove []string `json:"remove,omitempty"`
}

// CanaryAnalysis is the plan of a run: its steps, and what is judged at each.
//
// +kubebuilder:validation:XValidation:rule="has(self.stepWeight) != has(self.stepWeights)",message="spec.analysis needs either stepWeight or stepWeights, not both"
// +kubebuilder:validation:XValidation:rule="!has(self.stepWeight) || self.stepWeight <= self.maxWeight",message="spec.analysis.stepWeight must not exceed maxWeight"
// +kubebuilder:validation:XValidation:rule="!has(self.stepWeights) || self.stepWeights.all(w, w <= self.maxWeight)",message="spec.analysis.stepWeights must not exceed maxWeight"
type CanaryAnalysis struct {
	// Interval is how long a step holds before it is judged, and the time between two rounds of
	// checks. At least 1s.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="spec.analysis.interval must be a duration of at least 1s, for example 30s"
	Interval string `json:"interval,omitempty"`

	// Threshold is the number of failed rounds of checks in a run at which it is rolled back.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Threshold int32 `json:"threshold,omitempty"`

	// MaxWeight is the largest weight, in percent, at which the canary is judged. After it has
	// passed there, it is promoted.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxWeight int32 `json:"maxWeight,omitempty"`

	// StepWeight is the percentage added at each step, up to maxWeight.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	StepWeight *int32 `json:"stepWeight,omitempty"`

	// StepWeights are the weights of the steps one by one, in percent, each above the one before.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=100
	// +kubebuilder:validation:XValidation:rule="self.isSorted() && self.all(a, self.exists_one(b, a == b))",message="spec.analysis.stepWeights must rise from step to step, for example [5, 20, 50]"
	StepWeights []int32 `json:"stepWeights,omitempty"`

	// Metrics are the checks of each step. Without any, a step passes when its interval is over and
	// its pods are healthy.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Metrics []CanaryMetric `json:"metrics,omitempty"`
}

// What to do when a check has no answer to judge.
const (
	// Hold keeps the step as it is and asks again an interval later.
	Hold = "Hold"
	// Fail counts the missing answer as a failed check.
	Fail = "Fail"
	// Pass counts the missing answer as a passed check.
	Pass = "Pass"
)

// The metrics that need no template.
const (
	RequestSuccessRate = "request-success-rate"
	RequestDuration    = "request-duration"
)

// CanaryMetric is one metric that the canary is judged by.
//
// +kubebuilder:validation:XValidation:rule="has(self.templateRef) || self.name in ['request-success-rate', 'request-duration']",message="a metric needs a templateRef unless it is built in (request-success-rate, request-duration)"
type CanaryMetric struct {
	// Name of the metric. `request-success-rate` (percent of requests without a server error) and
	// `request-duration` (99th percentile, in milliseconds) are built in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Interval is the window of the query. Defaults to the analysis interval.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('1s')",message="a metric's interval must be a duration of at least 1s, for example 30s"
	Interval string `json:"interval,omitempty"`

	// ThresholdRange holds the accepted values, bounds included.
	ThresholdRange ThresholdRange `json:"thresholdRange"`

	// TemplateRef names the MetricTemplate that is asked.
	// +optional
	TemplateRef *TemplateRef `json:"templateRef,omitempty"`

	// TemplateVariables are given to the template's function `variables`.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	TemplateVariables map[string]string `json:"templateVariables,omitempty"`

	// OnNoData says what a query without an answer means: Hold keeps the step, Fail counts a failed
	// check, Pass a passed one.
	// +optional
	// +kubebuilder:default=Hold
	// +kubebuilder:validation:Enum=Hold;Fail;Pass
	OnNoData string `json:"onNoData,omitempty"`

	// OnError says what a query that could not be asked means: Hold keeps the step, Fail counts a
	// failed check.
	// +optional
	// +kubebuilder:default=Hold
	// +kubebuilder:validation:Enum=Hold;Fail
	OnError string `json:"onError,omitempty"`
}

// ThresholdRange is a range of accepted values. Both bounds are accepted values themselves.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="thresholdRange needs min, max or both"
// +kubebuilder:validation:XValidation:rule="!has(self.min) || !has(self.max) || self.min <= self.max",message="thresholdRange.min must not exceed max"
type ThresholdRange struct {
	// Min is the smallest accepted value.
	// +optional
	Min *float64 `json:"min,omitempty"`
	// Max is the largest accepted value.
	// +optional
	Max *float64 `json:"max,omitempty"`
}

// TemplateRef names a MetricTemplate.
type TemplateRef struct {
	// Name of the MetricTemplate.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the MetricTemplate. Defaults to the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}
