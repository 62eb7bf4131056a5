package v1beta1

// What a mesh does with requests and connections. Names and meanings are Istio's, as they are in Flagger.

// MeshDuration is a time as Istio writes it.
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) > duration('0s')",message="a time in a mesh must be a duration above zero without a fraction, for example 2s or 500ms"
type MeshDuration string

// Retries of a request that has failed.
type Retries struct {
	// Attempts is how often a request is tried again at most. 0 means never.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Attempts int32 `json:"attempts"`
	// PerTryTimeout of one try, the first among them.
	// +optional
	PerTryTimeout MeshDuration `json:"perTryTimeout,omitempty"`
	// RetryOn names what is tried again, in Envoy's words, as in `5xx,reset`. Without it, Istio decides.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	RetryOn string `json:"retryOn,omitempty"`
	// RetryRemoteLocalities lets a try go to another locality.
	// +optional
	RetryRemoteLocalities *bool `json:"retryRemoteLocalities,omitempty"`
}

// CorsPolicy says which pages of other origins may read answers.
type CorsPolicy struct {
	// AllowOrigins are those whose pages may.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	AllowOrigins []StringMatch `json:"allowOrigins"`
	// AllowMethods that they may use.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	AllowMethods []string `json:"allowMethods,omitempty"`
	// AllowHeaders that they may send.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	AllowHeaders []string `json:"allowHeaders,omitempty"`
	// ExposeHeaders of answers that they may read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=256
	ExposeHeaders []string `json:"exposeHeaders,omitempty"`
	// MaxAge is how long a browser may remember what it was told.
	// +optional
	MaxAge MeshDuration `json:"maxAge,omitempty"`
	// AllowCredentials lets them send cookies.
	// +optional
	AllowCredentials *bool `json:"allowCredentials,omitempty"`
}

// TrafficPolicy is how proxies connect to the pods of primary and canary.
//
// +kubebuilder:validation:XValidation:rule="has(self.loadBalancer) || has(self.connectionPool) || has(self.outlierDetection) || has(self.tls)",message="spec.service.trafficPolicy needs loadBalancer, connectionPool, outlierDetection or tls"
type TrafficPolicy struct {
	// LoadBalancer says which pod gets a request.
	// +optional
	LoadBalancer *LoadBalancer `json:"loadBalancer,omitempty"`
	// ConnectionPool bounds connections and waiting requests.
	// +optional
	ConnectionPool *ConnectionPool `json:"connectionPool,omitempty"`
	// OutlierDetection leaves out pods that fail.
	// +optional
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	// TLS to the pods.
	// +optional
	TLS *ClientTLS `json:"tls,omitempty"`
}

// LoadBalancer says which pod gets a request.
//
// +kubebuilder:validation:XValidation:rule="!has(self.simple) || !has(self.consistentHash)",message="a loadBalancer is simple or has a consistentHash, not both"
type LoadBalancer struct {
	// Simple is an algorithm that knows nothing of the request.
	// +optional
	// +kubebuilder:validation:Enum=UNSPECIFIED;LEAST_REQUEST;RANDOM;PASSTHROUGH;ROUND_ROBIN;LEAST_CONN
	Simple string `json:"simple,omitempty"`
	// ConsistentHash sends what is alike to the same pod. With each step of a run it is another one.
	// +optional
	ConsistentHash *ConsistentHash `json:"consistentHash,omitempty"`
	// LocalityLbSetting prefers pods that are near.
	// +optional
	LocalityLbSetting *LocalityLbSetting `json:"localityLbSetting,omitempty"`
	// WarmupDurationSecs is how long a new pod gets less than its share.
	// +optional
	WarmupDurationSecs MeshDuration `json:"warmupDurationSecs,omitempty"`
}

// ConsistentHash says by what requests are alike.
//
// +kubebuilder:validation:XValidation:rule="[has(self.httpHeaderName), has(self.httpCookie), has(self.useSourceIp), has(self.httpQueryParameterName)].filter(x, x).size() == 1",message="a consistentHash is made of one of httpHeaderName, httpCookie, useSourceIp and httpQueryParameterName"
type ConsistentHash struct {
	// HTTPHeaderName is the header that is looked at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	HTTPHeaderName string `json:"httpHeaderName,omitempty"`
	// HTTPCookie is the cookie that is looked at.
	// +optional
	HTTPCookie *HTTPCookie `json:"httpCookie,omitempty"`
	// UseSourceIP looks at the address of the client.
	// +optional
	UseSourceIP bool `json:"useSourceIp,omitempty"`
	// HTTPQueryParameterName is the query parameter that is looked at.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	HTTPQueryParameterName string `json:"httpQueryParameterName,omitempty"`
	// MinimumRingSize of the ring on which pods and requests are laid.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8388608
	MinimumRingSize int64 `json:"minimumRingSize,omitempty"`
}

// HTTPCookie is a cookie that a proxy makes where there is none.
type HTTPCookie struct {
	// Name of the cookie.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// Path of the cookie.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path,omitempty"`
	// TTL of the cookie; 0s means for the session.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",message="a cookie's ttl must be a duration without a fraction, for example 0s or 24h"
	TTL string `json:"ttl,omitempty"`
}

// LocalityLbSetting prefers pods that are near.
//
// +kubebuilder:validation:XValidation:rule="!has(self.failover) || !has(self.failoverPriority)",message="a localityLbSetting has failover or failoverPriority, not both"
type LocalityLbSetting struct {
	// Enabled turns it on or off whatever the mesh does.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// Failover says where traffic goes from a region without healthy pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Failover []LocalityFailover `json:"failover,omitempty"`
	// FailoverPriority are labels of nodes and pods; the more of the first ones are the client's too, the nearer
	// is a pod.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=316
	FailoverPriority []string `json:"failoverPriority,omitempty"`
}

// LocalityFailover says where traffic goes from a region without healthy pods.
type LocalityFailover struct {
	// From is the region.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	From string `json:"from"`
	// To is the region that takes its traffic.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	To string `json:"to"`
}

// ConnectionPool bounds connections and waiting requests.
type ConnectionPool struct {
	// +optional
	TCP *TCPPool `json:"tcp,omitempty"`
	// +optional
	HTTP *HTTPPool `json:"http,omitempty"`
}

// TCPPool bounds connections.
type TCPPool struct {
	// MaxConnections to a revision's pods at a time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxConnections int32 `json:"maxConnections,omitempty"`
	// ConnectTimeout bounds the making of a connection.
	// +optional
	ConnectTimeout MeshDuration `json:"connectTimeout,omitempty"`
}

// HTTPPool bounds requests.
type HTTPPool struct {
	// HTTP1MaxPendingRequests that wait for a connection.
	// +optional
	// +kubebuilder:validation:Minimum=1
	HTTP1MaxPendingRequests int32 `json:"http1MaxPendingRequests,omitempty"`
	// HTTP2MaxRequests at a time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	HTTP2MaxRequests int32 `json:"http2MaxRequests,omitempty"`
	// MaxRequestsPerConnection after which it is closed; 1 means that none is kept alive.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxRequestsPerConnection int32 `json:"maxRequestsPerConnection,omitempty"`
	// MaxRetries that are under way at a time.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxRetries int32 `json:"maxRetries,omitempty"`
	// IdleTimeout after which a connection without a request is closed.
	// +optional
	IdleTimeout MeshDuration `json:"idleTimeout,omitempty"`
	// H2UpgradePolicy says whether HTTP/1.1 becomes HTTP/2.
	// +optional
	// +kubebuilder:validation:Enum=DEFAULT;DO_NOT_UPGRADE;UPGRADE
	H2UpgradePolicy string `json:"h2UpgradePolicy,omitempty"`
	// UseClientProtocol keeps to what the client speaks.
	// +optional
	UseClientProtocol bool `json:"useClientProtocol,omitempty"`
}

// OutlierDetection leaves out pods that fail.
type OutlierDetection struct {
	// Consecutive5xxErrors after which a pod is left out; 0 turns that off.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Consecutive5xxErrors *int32 `json:"consecutive5xxErrors,omitempty"`
	// ConsecutiveGatewayErrors are those among them of status 502, 503 and 504.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ConsecutiveGatewayErrors *int32 `json:"consecutiveGatewayErrors,omitempty"`
	// Interval between two looks.
	// +optional
	Interval MeshDuration `json:"interval,omitempty"`
	// BaseEjectionTime is how long a pod is left out at first.
	// +optional
	BaseEjectionTime MeshDuration `json:"baseEjectionTime,omitempty"`
	// MaxEjectionPercent of the pods that may be left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxEjectionPercent int32 `json:"maxEjectionPercent,omitempty"`
	// MinHealthPercent of the pods below which none is left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MinHealthPercent int32 `json:"minHealthPercent,omitempty"`
}

// ClientTLS is how a proxy speaks TLS to the pods.
type ClientTLS struct {
	// Mode says who proves who he is.
	// +kubebuilder:validation:Enum=DISABLE;SIMPLE;MUTUAL;ISTIO_MUTUAL
	Mode string `json:"mode"`
	// ClientCertificate is the proxy's file of its certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ClientCertificate string `json:"clientCertificate,omitempty"`
	// PrivateKey is the proxy's file of its key.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	PrivateKey string `json:"privateKey,omitempty"`
	// CACertificates is the proxy's file of the authorities that it trusts.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	CACertificates string `json:"caCertificates,omitempty"`
	// CredentialName is the Secret that has all of these, for a gateway.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	CredentialName string `json:"credentialName,omitempty"`
	// SubjectAltNames of which the pod's certificate must have one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	SubjectAltNames []string `json:"subjectAltNames,omitempty"`
	// SNI that is sent.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SNI string `json:"sni,omitempty"`
}
