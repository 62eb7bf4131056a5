package routes

import (
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// testToldParents reads what the control plane tells proxies of HTTPRoutes with Service parents.
func (m *mesh) testToldParents(t *testing.T) {
	w := seen.By(t, gatewayapi.Router{}, "Istio's control plane "+sandbox.IstioVersion+", by what it tells proxies")
	w.Sees("mirrors", m.testParentMirror, router.Mirrors, router.MirrorsPercent, router.Gateways, router.Weighted)
	w.Sees("what answers set", m.testParentAffinity, router.SessionAffinity)
	w.Sees("by query parameter and method", m.testParentMatch, router.QueryMatch, router.MethodMatch, router.ManyConditions)
	w.Sees("rewrites, headers and timeouts", m.testParentShape,
		router.Matches, router.Rewrites, router.EditsHeaders, router.Timeouts)
	w.Sees("a Gateway beside the Service", m.testParentsOfTwoKinds)
}

// parentApp is an application of HTTP whose route hangs on its own Service.
func (m *mesh) parentApp() router.App {
	app := m.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898, GatewayRefs: []gatewayv1.ParentReference{{
		Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: "podinfo", Port: new(gatewayv1.PortNumber(9898)),
	}}}
	return app
}

// parented writes a split, and gives the routes of requests to the apex that a proxy is told of when the route has been
// accepted.
func (m *mesh) parented(t *testing.T, app router.App, split rollout.Split, want ...map[string]uint32) []*routev3.Route {
	t.Helper()
	var r gatewayapi.Router
	m.apply(t, r, app, split)
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Eventually(t, func() bool { return assert.ObjectsAreEqual(in, r.Read(app, split, m.look(t, r, app))) },
		patience, 100*time.Millisecond)
	return m.hears(t, m.sidecar(t, nil), "9898", "podinfo", want...)
}

func (m *mesh) testParentMirror(t *testing.T) {
	for _, percent := range []uint32{100, 30, 1} {
		routes := m.parented(t, m.parentApp(), rollout.Split{Weight: 10, Mirror: int32(percent)}, m.between(9898, 10))
		mirrors := routes[0].GetRoute().GetRequestMirrorPolicies()
		require.Len(t, mirrors, 1)
		assert.Equal(t, m.canary(9898), mirrors[0].GetCluster())
		part := mirrors[0].GetRuntimeFraction().GetDefaultValue()
		of := map[typev3.FractionalPercent_DenominatorType]uint32{
			typev3.FractionalPercent_HUNDRED: 100, typev3.FractionalPercent_MILLION: 1000000,
		}
		assert.Equal(t, percent*of[part.GetDenominator()], part.GetNumerator()*100)
	}
	routes := m.parented(t, m.parentApp(), rollout.Split{Weight: 10}, m.between(9898, 10))
	require.Empty(t, routes[0].GetRoute().GetRequestMirrorPolicies())
}

func (m *mesh) testParentAffinity(t *testing.T) {
	app := m.parentApp()
	app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "weir.canary", MaxAge: 3600, HTTPOnly: true}
	routes := m.parented(t, app, rollout.Split{Weight: 20}, map[string]uint32{m.canary(9898): 100}, m.between(9898, 20))
	require.Len(t, routes[0].GetMatch().GetHeaders(), 1)
	by := routes[0].GetMatch().GetHeaders()[0]
	assert.Equal(t, "cookie", by.GetName())
	assert.Equal(t, `^((.*; *)?weir\.canary=5f64b8c9d7(;.*)?)$`, by.GetStringMatch().GetSafeRegex().GetRegex())
	for _, to := range routes[1].GetRoute().GetWeightedClusters().GetClusters() {
		if to.GetName() == m.primary(9898) {
			assert.Empty(t, to.GetResponseHeadersToAdd(), "only the canary's answers set the cookie")
			continue
		}
		require.Len(t, to.GetResponseHeadersToAdd(), 1)
		sets := to.GetResponseHeadersToAdd()[0]
		assert.Equal(t, "set-cookie", strings.ToLower(sets.GetHeader().GetKey()))
		assert.Equal(t, "weir.canary=5f64b8c9d7; Path=/; Max-Age=3600; HttpOnly", sets.GetHeader().GetValue())
		assert.Equal(t, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD, sets.GetAppendAction(), "beside cookies of the application's")
	}
}

func (m *mesh) testParentMatch(t *testing.T) {
	split := rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{{
		QueryParams: map[string]v1beta1.StringMatch{"beta": {Exact: "a b"}, "user": {Prefix: "(v"}}, Method: "GET",
	}}}
	routes := m.parented(t, m.parentApp(), split, map[string]uint32{m.canary(9898): 100}, m.between(9898, 10))
	match := routes[0].GetMatch()
	require.Len(t, match.GetHeaders(), 1)
	assert.Equal(t, ":method", match.GetHeaders()[0].GetName())
	assert.Equal(t, "GET", match.GetHeaders()[0].GetStringMatch().GetExact())
	texts := map[string]string{}
	for _, p := range match.GetQueryParameters() {
		texts[p.GetName()] = p.GetStringMatch().GetExact() + p.GetStringMatch().GetSafeRegex().GetRegex()
	}
	assert.Equal(t, map[string]string{"beta": "a b", "user": `^\(v.*$`}, texts)
}

func (m *mesh) testParentShape(t *testing.T) {
	app := m.parentApp()
	s := &app.Canary.Spec.Service
	s.Match = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new("/api")}, Method: new(gatewayv1.HTTPMethodGet)}}
	s.Rewrite = &v1beta1.Rewrite{URI: "/v1", Type: "ReplacePrefixMatch", Authority: "podinfo.internal"}
	s.Headers = &v1beta1.Headers{
		Request:  &v1beta1.HeaderOperations{Set: map[string]string{"x-a": "1"}, Remove: []string{"x-secret"}},
		Response: &v1beta1.HeaderOperations{Add: map[string]string{"x-served-by": "weir"}},
	}
	s.Timeout = "15s"
	r := m.parented(t, app, rollout.Split{Weight: 50}, m.between(9898, 50))[0]
	assert.Equal(t, "/api", r.GetMatch().GetPathSeparatedPrefix())
	require.Len(t, r.GetMatch().GetHeaders(), 1)
	assert.Equal(t, "GET", r.GetMatch().GetHeaders()[0].GetStringMatch().GetExact())
	assert.Equal(t, "/v1", r.GetRoute().GetPrefixRewrite()+r.GetRoute().GetRegexRewrite().GetSubstitution())
	assert.Equal(t, "podinfo.internal", r.GetRoute().GetHostRewriteLiteral())
	assert.Equal(t, 15*time.Second, r.GetRoute().GetTimeout().AsDuration())
	assert.Equal(t, []string{"x-secret"}, r.GetRequestHeadersToRemove())
	require.Len(t, r.GetRequestHeadersToAdd(), 1)
	assert.Equal(t, "x-a", r.GetRequestHeadersToAdd()[0].GetHeader().GetKey())
	require.Len(t, r.GetResponseHeadersToAdd(), 1)
	assert.Equal(t, "x-served-by", r.GetResponseHeadersToAdd()[0].GetHeader().GetKey())
}

// testParentsOfTwoKinds has a route for the world and for the mesh: Traefik serves the one, Istio the other, and each has
// to say so.
func (m *mesh) testParentsOfTwoKinds(t *testing.T) {
	app, byGateway := m.parentApp(), m.proxy.app().Canary.Spec.Service
	s := &app.Canary.Spec.Service
	s.GatewayRefs, s.Hosts = append(s.GatewayRefs, byGateway.GatewayRefs...), byGateway.Hosts
	for _, weight := range []uint32{0, 30, 100} {
		m.parented(t, app, rollout.Split{Weight: int32(weight)}, m.between(9898, weight))
		m.shared(t, int(weight), ask{})
	}
	controllers := map[string]bool{}
	for _, route := range m.look(t, gatewayapi.Router{}, app) {
		parents, _ := route.Object["status"].(map[string]any)["parents"].([]any)
		for _, p := range parents {
			controllers[p.(map[string]any)["controllerName"].(string)] = true
		}
	}
	assert.Len(t, controllers, 2, "%v", controllers)
}
