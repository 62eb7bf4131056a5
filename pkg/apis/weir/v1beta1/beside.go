package v1beta1

// IngressRef names an Ingress in the Canary's namespace.
type IngressRef struct {
	// APIVersion of the Ingress.
	// +kubebuilder:default="networking.k8s.io/v1"
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the Ingress.
	// +kubebuilder:default=Ingress
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Name of the Ingress.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=246
	Name string `json:"name"`
}

// RouteRef names an ApisixRoute in the Canary's namespace.
type RouteRef struct {
	// APIVersion of the ApisixRoute.
	// +kubebuilder:default="apisix.apache.org/v2"
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the ApisixRoute.
	// +kubebuilder:default=ApisixRoute
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Name of the ApisixRoute.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=246
	Name string `json:"name"`
}

// UpstreamRef names an Upstream of Gloo's.
type UpstreamRef struct {
	// APIVersion of the Upstream.
	// +kubebuilder:default="gloo.solo.io/v1"
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the Upstream.
	// +kubebuilder:default=Upstream
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Name of the Upstream.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the Upstream. Defaults to the Canary's.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// NamedRoute is a route in the Canary's namespace, and the rules of it that are meant.
type NamedRoute struct {
	// APIVersion of the route, as in `networking.istio.io/v1`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion"`
	// Kind of the route, as in `VirtualService`.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Name of the route.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Rules are the names of those in which weights are shifted. Without them it is every rule that sends traffic to
	// the apex Service.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Rules []string `json:"rules,omitempty"`
}
