package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Canary says how every change of one workload's pod template is released: which traffic is
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
	// Status begins with a generation that no Canary has, so that tools do not take one for done that Weir has not
	// looked at yet.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
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
// +kubebuilder:validation:XValidation:rule="!has(self.metricsServerSecretRef) || has(self.metricsServer)",message="spec.metricsServerSecretRef is for the Prometheus of spec.metricsServer: set that, too"
// +kubebuilder:validation:XValidation:rule="!has(self.provider) || self.provider != 'nginx' || has(self.ingressRef)",message="the provider nginx needs spec.ingressRef, the Ingress that leads to the apex Service"
// +kubebuilder:validation:XValidation:rule="!has(self.provider) || self.provider != 'apisix' || has(self.routeRef)",message="the provider apisix needs spec.routeRef, the ApisixRoute that leads to the apex Service"
// +kubebuilder:validation:XValidation:rule="(has(self.service.name) ? self.service.name : self.targetRef.name) == (has(oldSelf.service.name) ? oldSelf.service.name : oldSelf.targetRef.name)",message="spec.service.name cannot change; delete this Canary and make it anew"
// +kubebuilder:validation:XValidation:rule="has(self.routeRefs) == has(oldSelf.routeRefs) && (!has(self.routeRefs) || self.routeRefs == oldSelf.routeRefs)",message="spec.routeRefs cannot change; delete this Canary and make one for the other routes"
type CanarySpec struct {
	// TargetRef names the workload whose releases are watched over. It lives in the Canary's
	// namespace, and no other Canary may name it. A canary of a Deployment has pods beside all of the primary's; the
	// pods of a StatefulSet or a DaemonSet are replaced in place, with the provider `kubernetes`. A Service of Knative's
	// shares out traffic among its own revisions, with the provider `knative`.
	// +kubebuilder:validation:XValidation:rule="self.apiVersion == 'apps/v1' ? self.kind in ['Deployment', 'StatefulSet', 'DaemonSet'] : self.apiVersion == 'serving.knative.dev/v1' && self.kind == 'Service'",message="spec.targetRef must name a Deployment, a StatefulSet or a DaemonSet of apps/v1, or a Service of serving.knative.dev/v1"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.targetRef cannot change; delete this Canary and make one for the other workload"
	TargetRef TargetRef `json:"targetRef"`

	// IngressRef names the Ingress that leads to the apex Service, in the Canary's namespace. A provider that
	// shifts the traffic of Ingresses makes others beside it, with `-canary` after its name, and leaves it as it is.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'Ingress' && self.apiVersion == 'networking.k8s.io/v1'",message="spec.ingressRef must name an Ingress of networking.k8s.io/v1"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.ingressRef cannot change; delete this Canary and make one for the other Ingress"
	IngressRef *IngressRef `json:"ingressRef,omitempty"`

	// RouteRef names the ApisixRoute that leads to the apex Service, in the Canary's namespace. The provider apisix
	// makes a second one beside it, with `-canary` after its name, and leaves it as it is.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'ApisixRoute' && self.apiVersion == 'apisix.apache.org/v2'",message="spec.routeRef must name an ApisixRoute of apisix.apache.org/v2"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.routeRef cannot change; delete this Canary and make one for the other ApisixRoute"
	RouteRef *RouteRef `json:"routeRef,omitempty"`

	// UpstreamRef names an Upstream of Gloo's that says how the apex Service is reached. The provider gloo makes one
	// like it for the primary and one for the canary, and leaves it as it is. Without it, Gloo's defaults hold.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.kind == 'Upstream' && self.apiVersion == 'gloo.solo.io/v1'",message="spec.upstreamRef must name an Upstream of gloo.solo.io/v1"
	UpstreamRef *UpstreamRef `json:"upstreamRef,omitempty"`

	// RouteRefs name routes of the user's own, in the Canary's namespace, in whose rules the weights are shifted: a
	// rule that sends traffic to the apex Service gets the canary Service beside it during a run, and is just as it was
	// found before and after. Which kinds there may be is up to the provider.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.kind == b.kind && a.name == b.name))",message="spec.routeRefs must not name a route twice; name all of its rules in one place"
	RouteRefs []NamedRoute `json:"routeRefs,omitempty"`

	// Provider is the router that shifts the traffic of this Canary. Without it, the operator's
	// --mesh-provider decides. It may carry a version, as in `gatewayapi:v1`; `smi:v1alpha1` asks for objects of that
	// one. Which there are is for the operator to say: a Canary with one that it does not have is not accepted.
	// +optional
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(:v[0-9][a-z0-9]*)?$`
	// +kubebuilder:validation:MaxLength=63
	Provider string `json:"provider,omitempty"`

	// MetricsServer is the URL of the Prometheus that answers the built-in metrics of this Canary.
	// Without it, the operator's --metrics-server is asked.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="spec.metricsServer must be an http or https URL"
	MetricsServer string `json:"metricsServer,omitempty"`

	// MetricsServerSecretRef names a Secret in the Canary's namespace with the credentials for metricsServer: `username`
	// and `password`, or `token`; and `ca.crt`, certificates that its own is signed by.
	// +optional
	MetricsServerSecretRef *LocalSecretRef `json:"metricsServerSecretRef,omitempty"`

	// ProgressDeadlineSeconds is how long a step may wait for its canary pods, counted from when it
	// began to lack them. After it, the run is rolled back.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// SkipAnalysis releases without steps and checks: the canary is promoted as soon as its pods are ready.
	// Gates are asked all the same.
	// +optional
	SkipAnalysis bool `json:"skipAnalysis,omitempty"`

	// Suspend keeps everything as it is: no run begins, and one that is on stays at its split. The command
	// `abort` and the deletion of the Canary work all the same, and traffic is still taken from a canary
	// that has no ready pod.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// ConfigTracking says whether a change of a ConfigMap or Secret that the target's template mentions is a
	// new revision. With Restart it is one, by the template's annotation weir.dev/config-digest, which Weir
	// sets at the first such change.
	// +optional
	// +kubebuilder:default=Ignore
	// +kubebuilder:validation:Enum=Ignore;Restart
	ConfigTracking string `json:"configTracking,omitempty"`

	// OnNewRevision says what a new template does to a run that is on. With Restart the run is superseded, and
	// the new revision begins at the first step. With Queue the run goes on to its end, and the newest template
	// is released after it; a run whose canary has no ReplicaSet yet is superseded all the same.
	// +optional
	// +kubebuilder:default=Restart
	// +kubebuilder:validation:Enum=Restart;Queue
	OnNewRevision string `json:"onNewRevision,omitempty"`

	// PromotionDelay is how long the canary bakes with all of the traffic, still judged, before its pods
	// are handed over. Until then going back is one change of the route.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.promotionDelay must be a duration, for example 5m"
	PromotionDelay string `json:"promotionDelay,omitempty"`

	// ScaleDownDelay is how long the pods of the old revision stay after the canary has all of the traffic
	// and has baked, for a person who may want to go back: until they go, `abort` is one change of the route.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.scaleDownDelay must be a duration, for example 10m"
	ScaleDownDelay string `json:"scaleDownDelay,omitempty"`

	// AbortScaleDownDelay is how long the pods of a canary that was rolled back stay, for a person to look at.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') && duration(self) >= duration('0s')",message="spec.abortScaleDownDelay must be a duration, for example 30s"
	AbortScaleDownDelay string `json:"abortScaleDownDelay,omitempty"`

	// AutoscalerRef names what scales the target. It is for people and other tools to read: an autoscaler stays on the
	// target, and Weir neither copies nor changes it.
	// +optional
	AutoscalerRef *AutoscalerRef `json:"autoscalerRef,omitempty"`

	// RevertOnDeletion changes nothing: a Canary that is deleted always gives everything back. The field is there for
	// manifests that come from elsewhere.
	// +optional
	RevertOnDeletion bool `json:"revertOnDeletion,omitempty"`

	// Service says how the target is reached.
	Service CanaryService `json:"service"`

	// Analysis says in which steps traffic is shifted and what is judged at each. Without it, a new revision is
	// released as soon as its pods are ready.
	// +optional
	// +kubebuilder:default={}
	Analysis CanaryAnalysis `json:"analysis,omitempty"`
}

// What a change of the configuration that a template mentions is.
const (
	// ConfigTrackingIgnore: nothing.
	ConfigTrackingIgnore = "Ignore"
	// ConfigTrackingRestart: a new revision.
	ConfigTrackingRestart = "Restart"
)

// What a new template does to a run that is on.
const (
	// OnNewRevisionRestart: it supersedes the run.
	OnNewRevisionRestart = "Restart"
	// OnNewRevisionQueue: it waits.
	OnNewRevisionQueue = "Queue"
)

// ShardLabel puts a Canary into a shard of the operator's `--shards`, by its number from 0 on. Without it, and where there is
// no such shard, the Canary is in that of its namespace.
const ShardLabel = "weir.dev/shard"

// ConfigDigestAnnotation of a template stands for the content of what it mentions.
const ConfigDigestAnnotation = "weir.dev/config-digest"

// CanaryService says how the target is reached: by which Service, and over which routes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rewrite) || !has(self.rewrite.uri) || self.rewrite.type != 'ReplacePrefixMatch' || !has(self.match) || size(self.match) == 0 || (size(self.match) == 1 && has(self.match[0].path) && self.match[0].path.type == 'PathPrefix')",message="spec.service.rewrite replaces the matched prefix, so spec.service.match must have one entry with a path of type PathPrefix; or set rewrite.type to ReplaceFullPath"
// +kubebuilder:validation:XValidation:rule="!has(self.delegation) || !self.delegation || ((!has(self.hosts) || size(self.hosts) == 0) && (!has(self.gateways) || size(self.gateways) == 0))",message="with spec.service.delegation, hosts and gateways are those of the VirtualService that delegates; remove spec.service.hosts and spec.service.gateways"
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

	// Gateways of Istio that the route hangs on, by name or by namespace and name; `mesh` are the proxies beside
	// the pods. Empty means the mesh alone.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(g, g.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'))",message="spec.service.gateways must be names, as in public, istio-system/public or mesh"
	Gateways []string `json:"gateways,omitempty"`

	// Delegation makes a VirtualService without hosts and gateways, to which another one delegates.
	// +optional
	Delegation bool `json:"delegation,omitempty"`

	// Hosts that the route answers to. Empty means every host that the Gateway lets in; in a mesh of Istio, the
	// apex Service is one of them in any case.
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

	// Retries of requests that fail.
	// +optional
	Retries *Retries `json:"retries,omitempty"`

	// CorsPolicy says which pages of other origins may read answers.
	// +optional
	CorsPolicy *CorsPolicy `json:"corsPolicy,omitempty"`

	// TrafficPolicy is how proxies connect to the pods of primary and canary.
	// +optional
	TrafficPolicy *TrafficPolicy `json:"trafficPolicy,omitempty"`

	// Settle is how long after a change of the route Weir waits before it presumes that traffic
	// follows it. Defaults to the router's own time, which is 5s for most and 10s for those beside a route of the user's.
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
