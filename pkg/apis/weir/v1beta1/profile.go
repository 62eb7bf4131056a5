package v1beta1

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The annotations by which a workload gets a Canary. Others, which set single fields of it, are told of in package
// annotated.
const (
	// AnnotationCanary asks for a Canary, with the value "true".
	AnnotationCanary = "weir.dev/canary"
	// AnnotationProfile names the CanaryProfile of a workload or of a Canary.
	AnnotationProfile = "weir.dev/profile"
)

// The annotations of a Canary that say where people find help; they are shown with its alerts. That of an annotated
// workload has them from the workload.
const (
	// AnnotationRunbook is a URL, http or https; another value is shown to nobody.
	AnnotationRunbook = "weir.dev/runbook-url"
	// AnnotationDashboard is another.
	AnnotationDashboard = "weir.dev/dashboard-url"
)

// CanaryProfile is a platform team's policy for releases: what the Canaries of annotated workloads are like, and the
// limits of every Canary that has the annotation weir.dev/profile with its name.
//
// +genclient
// +genclient:nonNamespaced
// +genclient:noStatus
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=cprof
// +kubebuilder:printcolumn:name="Default",type=boolean,JSONPath=`.spec.default`
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.canary.provider`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type CanaryProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec CanaryProfileSpec `json:"spec"`
}

// CanaryProfileList is a list of CanaryProfiles.
//
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
type CanaryProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []CanaryProfile `json:"items"`
}

// CanaryProfileSpec is what a profile gives, allows and insists on.
type CanaryProfileSpec struct {
	// Default makes it the profile of annotated workloads that name none. One profile alone may be that: where several
	// are, a workload has to name one.
	// +optional
	Default bool `json:"default,omitempty"`

	// Canary is what the Canaries of annotated workloads are like. In hosts, in URLs and metadata of webhooks and in
	// templateVariables, `$(name)`, `$(namespace)`, `$(service)` and `$(port)` stand for those of the workload.
	// +optional
	Canary ProfileCanary `json:"canary,omitempty"`

	// Limits that a Canary of this profile must keep, whoever wrote it. One that does not is not accepted.
	// +optional
	Limits *ProfileLimits `json:"limits,omitempty"`

	// Locks are fields of a Canary's spec that are as the profile has them, as in `analysis.metrics`, with all that is
	// below: an annotation cannot set them, and what a person sets on the Canary of an annotated workload is set back, where
	// the profile has a value.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^(analysis|service|provider|metricsServer|metricsServerSecretRef|progressDeadlineSeconds|skipAnalysis|configTracking|onNewRevision|promotionDelay|scaleDownDelay|abortScaleDownDelay)([.][a-zA-Z]+)*$`
	Locks []string `json:"locks,omitempty"`
}

// Locked says that a field below a Canary's spec, or one above or below it, is as the profile has it.
func (s *CanaryProfileSpec) Locked(path string) bool {
	return slices.ContainsFunc(s.Locks, func(lock string) bool {
		return lock == path || strings.HasPrefix(lock, path+".") || strings.HasPrefix(path, lock+".")
	})
}

// ProfileCanary is the part of a Canary's spec that a profile can give. Each field means what it means there.
type ProfileCanary struct {
	// Annotations of the Canary, for example weir.dev/runbook-url.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Annotations map[string]string `json:"annotations,omitempty"`
	// Provider is the router.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(:v[0-9][a-z0-9]*)?$`
	// +kubebuilder:validation:MaxLength=63
	Provider string `json:"provider,omitempty"`
	// MetricsServer is the URL of the Prometheus that answers the built-in metrics.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.canary.metricsServer must be an http or https URL"
	MetricsServer string `json:"metricsServer,omitempty"`
	// ProgressDeadlineSeconds is how long a step may wait for its canary pods.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`
	// SkipAnalysis releases without steps and checks.
	// +optional
	SkipAnalysis bool `json:"skipAnalysis,omitempty"`
	// ConfigTracking says whether a change of a ConfigMap or Secret is a new revision.
	// +optional
	// +kubebuilder:validation:Enum=Ignore;Restart
	ConfigTracking string `json:"configTracking,omitempty"`
	// OnNewRevision says what a new template does to a run that is on.
	// +optional
	// +kubebuilder:validation:Enum=Restart;Queue
	OnNewRevision string `json:"onNewRevision,omitempty"`
	// PromotionDelay is how long the canary bakes with all of the traffic.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.canary.promotionDelay must be a duration, for example 5m"
	PromotionDelay string `json:"promotionDelay,omitempty"`
	// ScaleDownDelay is how long the old pods stay after the canary has all of the traffic.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.canary.scaleDownDelay must be a duration, for example 10m"
	ScaleDownDelay string `json:"scaleDownDelay,omitempty"`
	// AbortScaleDownDelay is how long the pods of a canary that was rolled back stay.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.canary.abortScaleDownDelay must be a duration, for example 30s"
	AbortScaleDownDelay string `json:"abortScaleDownDelay,omitempty"`
	// Service says how the workload is reached.
	// +optional
	Service ProfileService `json:"service,omitempty"`
	// Analysis is the plan of a run, and what is judged.
	// +optional
	Analysis *CanaryAnalysis `json:"analysis,omitempty"`
}

// ProfileService is the part of a Canary's spec.service that a profile can give. Each field means what it means there.
type ProfileService struct {
	// AppProtocol tells proxies what the port speaks.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AppProtocol *string `json:"appProtocol,omitempty"`
	// GatewayRefs are the Gateways that the route hangs on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	GatewayRefs []gatewayv1.ParentReference `json:"gatewayRefs,omitempty"`
	// Gateways of Istio that the route hangs on.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Gateways []string `json:"gateways,omitempty"`
	// Hosts that the route answers to, for example `$(name).example.com`.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Hosts []string `json:"hosts,omitempty"`
	// Headers to set, add or remove on requests and responses.
	// +optional
	Headers *Headers `json:"headers,omitempty"`
	// Timeout of a whole request.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) > duration('0s')",message="spec.canary.service.timeout must be a duration above zero without a fraction, for example 15s or 1500ms"
	Timeout string `json:"timeout,omitempty"`
	// Retries of requests that fail.
	// +optional
	Retries *Retries `json:"retries,omitempty"`
	// TrafficPolicy is how proxies connect to the pods.
	// +optional
	TrafficPolicy *TrafficPolicy `json:"trafficPolicy,omitempty"`
	// Settle is how long after a change of the route Weir presumes that traffic follows it.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s') && duration(self) <= duration('5m')",message="spec.canary.service.settle must be a duration from 0s to 5m, for example 5s"
	Settle string `json:"settle,omitempty"`
}

// ProfileLimits are what a Canary must keep to.
type ProfileLimits struct {
	// MaxStep is the largest rise of the canary's weight from one step to the next, in percent of all traffic. The
	// promotion after the last step is not a step.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxStep *int32 `json:"maxStep,omitempty"`
	// MinChecks is the least number of rounds of checks that a canary passes before it is promoted. A Canary without steps,
	// or with skipAnalysis, has none.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinChecks *int32 `json:"minChecks,omitempty"`
	// RequiredMetrics are names of metrics that are to be among spec.analysis.metrics, and count: not with dryRun.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	RequiredMetrics []string `json:"requiredMetrics,omitempty"`
	// Providers are the routers that a Canary may name. Empty means all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Providers []string `json:"providers,omitempty"`
	// MaxRuns is how many Canaries of the profile may have a run at the same time. Others wait in the order in which their
	// revisions were detected, before anything of their runs begins.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxRuns *int32 `json:"maxRuns,omitempty"`
	// MaxRunsPerNamespace is MaxRuns in each namespace.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxRunsPerNamespace *int32 `json:"maxRunsPerNamespace,omitempty"`
	// MetricProviders are the types of servers, as in spec.provider.type of a MetricTemplate, that the metrics of a Canary
	// may be asked of. Metrics without a template are asked of a prometheus. Empty means all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Enum=cloudwatch;datadog;dynatrace;externalmetrics;graphite;influxdb;job;newrelic;prometheus;splunk;stackdriver;web
	MetricProviders []string `json:"metricProviders,omitempty"`
}
