package routes

import (
	"fmt"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
)

// webApp is an application that is called by HTTP.
func (m *mesh) webApp() router.App {
	app := m.app()
	app.Canary.Spec.Service.Port = 9898
	return app
}

// sidecar is the proxy beside a pod with the labels.
func (m *mesh) sidecar(t *testing.T, labels map[string]string) envoyNode {
	t.Helper()
	return newEnvoy(t, m.controlPlane, "sidecar", m.namespace, labels)
}

// at names a Service's port as the control plane names it to proxies.
func (m *mesh) at(service string, port int) string {
	return fmt.Sprintf("outbound|%d||%s.%s.svc.cluster.local", port, service, m.namespace)
}

func (m *mesh) apex(port int) string    { return m.at("podinfo", port) }
func (m *mesh) primary(port int) string { return m.at("podinfo-primary", port) }
func (m *mesh) canary(port int) string  { return m.at("podinfo-canary", port) }

// between are the shares at a weight.
func (m *mesh) between(port int, weight uint32) map[string]uint32 {
	all := map[string]uint32{m.primary(port): 100 - weight, m.canary(port): weight}
	for to, share := range all {
		if share == 0 {
			delete(all, to) // nobody is sent there, and nothing is said of it
		}
	}
	return all
}

// heard writes a split, and gives the routes of requests to the apex as soon as the proxy is told of them.
func (m *mesh) heard(
	t *testing.T, app router.App, split rollout.Split, by envoyNode, want ...map[string]uint32,
) []*routev3.Route {
	t.Helper()
	m.write(t, istio.Router{}, app, split)
	return m.hears(t, by, "9898", "podinfo", want...)
}

func (m *mesh) hears(t *testing.T, by envoyNode, of, host string, want ...map[string]uint32) []*routev3.Route {
	t.Helper()
	time.Sleep(istio.Router{}.Settle())
	routes := by.routes(t, of, host)
	require.Equal(t, want, divided(routes))
	return routes
}

func (m *mesh) testToldAffinity(t *testing.T) {
	app, sidecar := m.webApp(), m.sidecar(t, nil)
	app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "weir.canary", MaxAge: 3600, HTTPOnly: true}
	for _, weight := range []uint32{0, 100} {
		m.heard(t, app, rollout.Split{Weight: int32(weight)}, sidecar, m.between(9898, weight))
	}
	routes := m.heard(t, app, rollout.Split{Weight: 20}, sidecar, map[string]uint32{m.canary(9898): 100}, m.between(9898, 20))
	require.Len(t, routes[0].GetMatch().GetHeaders(), 1)
	by := routes[0].GetMatch().GetHeaders()[0]
	assert.Equal(t, "cookie", by.GetName())
	assert.Equal(t, `(.*; *)?weir\.canary=5f64b8c9d7(;.*)?`, by.GetStringMatch().GetSafeRegex().GetRegex())
	for _, to := range routes[1].GetRoute().GetWeightedClusters().GetClusters() {
		if to.GetName() == m.primary(9898) {
			assert.Empty(t, to.GetResponseHeadersToAdd(), "only the canary's answers set the cookie")
			continue
		}
		require.Len(t, to.GetResponseHeadersToAdd(), 1)
		sets := to.GetResponseHeadersToAdd()[0]
		assert.Equal(t, "Set-Cookie", sets.GetHeader().GetKey())
		assert.Equal(t, "weir.canary=5f64b8c9d7; Path=/; Max-Age=3600; HttpOnly", sets.GetHeader().GetValue())
		assert.Equal(t, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD, sets.GetAppendAction(), "beside cookies of the application's")
	}
}

func (m *mesh) testToldQuery(t *testing.T) {
	split := rollout.Split{Match: []v1beta1.RequestMatch{
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Exact: "a b"}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Prefix: "(v"}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "[0-9]"}}},
	}}
	canary := map[string]uint32{m.canary(9898): 100}
	routes := m.heard(t, m.webApp(), split, m.sidecar(t, nil), canary, canary, canary, m.between(9898, 0))
	for i, r := range routes[:3] {
		params := r.GetMatch().GetQueryParameters()
		require.Len(t, params, 1)
		assert.Equal(t, "beta", params[0].GetName())
		text := params[0].GetStringMatch()
		assert.Equal(t, []string{"a b", "(v", "[0-9]"}[i], text.GetExact()+text.GetPrefix()+text.GetSafeRegex().GetRegex())
	}
}

// testToldSource has an application that is reached by a gateway, too. A gateway is no pod that sends requests.
func (m *mesh) testToldSource(t *testing.T) {
	shop := map[string]string{"app": "shop"}
	app := m.webApp()
	app.Canary.Spec.Service.Gateways = []string{"public", "mesh"}
	split := rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{{SourceLabels: shop}}}
	canary := map[string]uint32{m.canary(9898): 100}
	m.heard(t, app, split, m.sidecar(t, map[string]string{"app": "shop", "tier": "web"}), canary)
	m.hears(t, m.sidecar(t, map[string]string{"app": "cart"}), "9898", "podinfo", m.between(9898, 10))
}

func (m *mesh) testToldMirror(t *testing.T) {
	for _, percent := range []uint32{100, 30, 1} {
		split := rollout.Split{Weight: 10, Mirror: int32(percent)}
		routes := m.heard(t, m.webApp(), split, m.sidecar(t, nil), m.between(9898, 10))
		mirrors := routes[0].GetRoute().GetRequestMirrorPolicies()
		require.Len(t, mirrors, 1)
		assert.Equal(t, m.canary(9898), mirrors[0].GetCluster())
		part := mirrors[0].GetRuntimeFraction().GetDefaultValue()
		assert.Equal(t, "MILLION", part.GetDenominator().String())
		assert.Equal(t, percent*10000, part.GetNumerator())
	}
	routes := m.heard(t, m.webApp(), rollout.Split{Weight: 10}, m.sidecar(t, nil), m.between(9898, 10))
	require.Empty(t, routes[0].GetRoute().GetRequestMirrorPolicies())
}

func (m *mesh) testToldRewrite(t *testing.T) {
	app := m.webApp()
	app.Canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new("/api")}}}
	app.Canary.Spec.Service.Rewrite = &v1beta1.Rewrite{URI: "/v1", Type: "ReplacePrefixMatch", Authority: "podinfo.internal"}
	app.Canary.Spec.Service.Headers = &v1beta1.Headers{
		Request:  &v1beta1.HeaderOperations{Set: map[string]string{"x-a": "1"}, Remove: []string{"x-secret"}},
		Response: &v1beta1.HeaderOperations{Add: map[string]string{"x-served-by": "weir"}},
	}
	half := m.between(9898, 50)
	routes := m.heard(t, app, rollout.Split{Weight: 50}, m.sidecar(t, nil), half, half)
	assert.Equal(t, "/api", routes[0].GetMatch().GetPath())
	assert.Equal(t, "/api/", routes[1].GetMatch().GetPrefix())
	for _, r := range routes {
		assert.Equal(t, "^/api", r.GetRoute().GetRegexRewrite().GetPattern().GetRegex())
		assert.Equal(t, "/v1", r.GetRoute().GetRegexRewrite().GetSubstitution())
		assert.Equal(t, "podinfo.internal", r.GetRoute().GetHostRewriteLiteral())
		assert.Equal(t, []string{"x-secret"}, r.GetRequestHeadersToRemove())
		for name, h := range map[string]*corev3.HeaderValueOption{
			"x-a: 1": r.GetRequestHeadersToAdd()[0], "x-served-by: weir": r.GetResponseHeadersToAdd()[0],
		} {
			assert.Equal(t, name, h.GetHeader().GetKey()+": "+h.GetHeader().GetValue())
			assert.Equal(t, name == "x-a: 1", h.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
		}
	}
}

func (m *mesh) testToldPatience(t *testing.T) {
	app := m.webApp()
	plain := m.heard(t, app, rollout.Split{}, m.sidecar(t, nil), m.between(9898, 0))[0].GetRoute()
	assert.Zero(t, plain.GetTimeout().AsDuration(), "none")
	assert.Equal(t, uint32(2), plain.GetRetryPolicy().GetNumRetries().GetValue(), "Istio's own")
	app.Canary.Spec.Service.Timeout = "15s"
	app.Canary.Spec.Service.Retries = &v1beta1.Retries{
		Attempts: 3, PerTryTimeout: "2s", RetryOn: "5xx,reset", RetryRemoteLocalities: new(true),
	}
	route := m.heard(t, app, rollout.Split{}, m.sidecar(t, nil), m.between(9898, 0))[0].GetRoute()
	assert.Equal(t, 15*time.Second, route.GetTimeout().AsDuration())
	retries := route.GetRetryPolicy()
	assert.Equal(t, uint32(3), retries.GetNumRetries().GetValue())
	assert.Equal(t, 2*time.Second, retries.GetPerTryTimeout().AsDuration())
	assert.Equal(t, "5xx,reset", retries.GetRetryOn())
	assert.NotNil(t, retries.GetRetryPriority(), "of other localities, too")
}

func (m *mesh) testToldCORS(t *testing.T) {
	app := m.webApp()
	app.Canary.Spec.Service.CorsPolicy = &v1beta1.CorsPolicy{
		AllowOrigins: []v1beta1.StringMatch{{Exact: "https://example.com"}, {Regex: "https://.+[.]example[.]com"}},
		AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-a"}, ExposeHeaders: []string{"x-b"},
		MaxAge: "24h", AllowCredentials: new(false),
	}
	route := m.heard(t, app, rollout.Split{}, m.sidecar(t, nil), m.between(9898, 0))[0]
	var policy corsv3.CorsPolicy
	require.NoError(t, route.GetTypedPerFilterConfig()["envoy.filters.http.cors"].UnmarshalTo(&policy))
	require.Len(t, policy.GetAllowOriginStringMatch(), 2)
	assert.Equal(t, "https://example.com", policy.GetAllowOriginStringMatch()[0].GetExact())
	assert.Equal(t, "https://.+[.]example[.]com", policy.GetAllowOriginStringMatch()[1].GetSafeRegex().GetRegex())
	assert.Equal(t, []string{"GET,POST", "x-a", "x-b", "86400"},
		[]string{policy.GetAllowMethods(), policy.GetAllowHeaders(), policy.GetExposeHeaders(), policy.GetMaxAge()})
	assert.False(t, policy.GetAllowCredentials().GetValue())
}

// testToldPolicy has a policy for both of the Services. That of the apex is as it was: nothing goes there.
func (m *mesh) testToldPolicy(t *testing.T) {
	app, sidecar := m.webApp(), m.sidecar(t, nil)
	app.Canary.Spec.Service.TrafficPolicy = &v1beta1.TrafficPolicy{
		LoadBalancer: &v1beta1.LoadBalancer{ConsistentHash: &v1beta1.ConsistentHash{HTTPHeaderName: "x-user"}},
		ConnectionPool: &v1beta1.ConnectionPool{
			TCP:  &v1beta1.TCPPool{MaxConnections: 100, ConnectTimeout: "1s"},
			HTTP: &v1beta1.HTTPPool{HTTP1MaxPendingRequests: 10, HTTP2MaxRequests: 200, MaxRetries: 3},
		},
		OutlierDetection: &v1beta1.OutlierDetection{
			Consecutive5xxErrors: new(int32(7)), Interval: "10s", BaseEjectionTime: "30s", MaxEjectionPercent: 50,
		},
		TLS: &v1beta1.ClientTLS{Mode: "SIMPLE", SNI: "podinfo.internal"},
	}
	routes := m.heard(t, app, rollout.Split{Weight: 50}, sidecar, m.between(9898, 50))
	require.NotEmpty(t, routes[0].GetRoute().GetHashPolicy())
	assert.Equal(t, "x-user", routes[0].GetRoute().GetHashPolicy()[0].GetHeader().GetHeaderName())
	for _, name := range []string{m.primary(9898), m.canary(9898)} {
		c := sidecar.cluster(t, name)
		require.NotNil(t, c, name)
		assert.Equal(t, clusterv3.Cluster_RING_HASH, c.GetLbPolicy())
		assert.Equal(t, time.Second, c.GetConnectTimeout().AsDuration())
		limits := c.GetCircuitBreakers().GetThresholds()[0]
		assert.Equal(t, []uint32{100, 10, 200, 3}, []uint32{
			limits.GetMaxConnections().GetValue(), limits.GetMaxPendingRequests().GetValue(),
			limits.GetMaxRequests().GetValue(), limits.GetMaxRetries().GetValue(),
		})
		out := c.GetOutlierDetection()
		assert.Equal(t, uint32(7), out.GetConsecutive_5Xx().GetValue())
		assert.Equal(t, uint32(50), out.GetMaxEjectionPercent().GetValue())
		assert.Equal(t, 30*time.Second, out.GetBaseEjectionTime().AsDuration())
		assert.Equal(t, "envoy.transport_sockets.tls", c.GetTransportSocket().GetName())
	}
	assert.NotEqual(t, clusterv3.Cluster_RING_HASH, sidecar.cluster(t, m.apex(9898)).GetLbPolicy())

	// Without the policy they become empty.
	app.Canary.Spec.Service.TrafficPolicy = nil
	m.heard(t, app, rollout.Split{Weight: 50}, sidecar, m.between(9898, 50))
	assert.NotEqual(t, clusterv3.Cluster_RING_HASH, sidecar.cluster(t, m.canary(9898)).GetLbPolicy())
}

// gatewayYAML is one of Istio's gateways, which nobody serves here.
const gatewayYAML = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: %[1]s}
spec:
  selector: {istio: %[1]s}
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 6380, name: tcp, protocol: TCP}, hosts: ["*"]}
`

// gateway is the proxy of one.
func (m *mesh) gateway(t *testing.T) envoyNode {
	t.Helper()
	require.NoError(t, sandbox.Apply(t.Context(), m.sandbox.RESTConfig(), fmt.Appendf(nil, gatewayYAML, m.namespace)))
	return newEnvoy(t, m.controlPlane, "router", m.namespace, map[string]string{"istio": m.namespace, "app": "shop"})
}

// testToldGateway has an application for the world and for the mesh: each has its routes.
func (m *mesh) testToldGateway(t *testing.T) {
	app, gateway := m.webApp(), m.gateway(t)
	s := &app.Canary.Spec.Service
	s.Gateways = []string{"public", "mesh"}
	s.Hosts = []gatewayv1.Hostname{"podinfo.example.com", "*.podinfo.example.com"}
	split := rollout.Split{Weight: 25, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}, {SourceLabels: map[string]string{"app": "shop"}},
	}}
	canary := map[string]uint32{m.canary(9898): 100}
	m.heard(t, app, split, m.sidecar(t, nil), canary, m.between(9898, 25))
	for _, host := range []string{"podinfo.example.com", "*.podinfo.example.com"} {
		routes := m.hears(t, gateway, "http.8080", host, canary, m.between(9898, 25))
		assert.Equal(t, "x-insider", routes[0].GetMatch().GetHeaders()[0].GetName())
	}
	s.Gateways = []string{"public"}
	m.write(t, istio.Router{}, app, rollout.Split{Weight: 25})
	m.hears(t, gateway, "http.8080", "podinfo.example.com", m.between(9898, 25))
	m.hears(t, m.sidecar(t, nil), "9898", "podinfo", map[string]uint32{m.apex(9898): 100})
}

func (m *mesh) testToldDelegation(t *testing.T) {
	gateway := m.gateway(t)
	app := m.delegating(t)
	m.write(t, istio.Router{}, app, rollout.Split{Weight: 25})
	routes := m.hears(t, gateway, "http.8080", "podinfo.example.com", m.between(9999, 25), map[string]uint32{m.primary(9999): 100})
	assert.Equal(t, "x-tenant", routes[0].GetMatch().GetHeaders()[0].GetName())
}

func (m *mesh) testToldTCP(t *testing.T) {
	app, gateway, sidecar := m.app(), m.gateway(t), m.sidecar(t, nil)
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 6379, PortName: "tcp", Gateways: []string{"public", "mesh"}}
	m.divide(t, app, rollout.Split{Weight: 25})
	assert.Contains(t, sidecar.connections(t, 6379), m.between(6379, 25))
	assert.Equal(t, []map[string]uint32{m.between(6379, 25)}, gateway.connections(t, 6380))
	m.hears(t, sidecar, "9898", "podinfo", map[string]uint32{m.apex(9898): 100})

	// An application of HTTP leaves its ports of TCP alone.
	m.divide(t, m.webApp(), rollout.Split{Weight: 25})
	assert.Contains(t, sidecar.connections(t, 6379), map[string]uint32{m.apex(6379): 100})
	assert.NotContains(t, sidecar.connections(t, 6379), m.between(6379, 25))
}
