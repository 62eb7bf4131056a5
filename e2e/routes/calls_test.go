package routes

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// TestTraefikCalls sends calls of gRPC over GRPCRoutes that the router gatewayapi renders.
func TestTraefikCalls(t *testing.T) {
	c := dial(t, raise(t, "routes-calls"))
	w := seen.By(t, gatewayapi.Router{}, "Traefik 3.7.9")
	w.Sees("by weight", c.testWeight, router.GRPC, router.OwnsRoute, router.Gateways, router.Hosts, router.Weighted)
	w.Sees("by header", c.testHeader, router.HeaderMatch, router.ManyConditions)
	w.Sees("of services and methods", c.testMatches, router.Matches, router.EditsHeaders)
	w.Sees("put right", c.testPutRight)
	w.Sees("beside rules of the user's", c.testUsersRules, router.AdoptsRoute)
	w.Sees("a protocol that it does not know", c.testProtocol)
	w.Sees("filters that fail every call", c.testFilters)
}

// callers call an application through Traefik.
type callers struct {
	*proxy
	client *grpc.ClientConn
}

func dial(t *testing.T, p *proxy) *callers {
	t.Helper()
	for _, revision := range []string{"primary", "canary", "legacy"} {
		c := &callers{proxy: p}
		c.serve(t, revision, "")
	}
	at, err := url.Parse(p.sandbox.TraefikURL)
	require.NoError(t, err)
	gateway := net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), "80"))
	client, err := grpc.NewClient("passthrough:///"+gateway, grpc.WithAuthority(p.host),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &callers{p, client}
}

// serve makes the Service of a revision, whose port of gRPC has a protocol or none.
func (c *callers) serve(t *testing.T, revision, protocol string) {
	t.Helper()
	if protocol != "" {
		protocol = ", appProtocol: " + protocol
	}
	require.NoError(t, sandbox.Apply(t.Context(), c.sandbox.RESTConfig(), fmt.Appendf(nil, `apiVersion: v1
kind: Service
metadata: {name: podinfo-%[1]s, namespace: %[2]s}
spec: {selector: {app: %[1]s}, ports: [{name: http, port: 9898}, {name: grpc, port: 9999%[3]s}]}
`, revision, c.namespace, protocol)))
}

// app is an application that speaks gRPC.
func (c *callers) app() router.App {
	app := c.proxy.app()
	app.Canary.Spec.Service.Port, app.Canary.Spec.Service.PortName = 9999, "grpc"
	return app
}

func (c *callers) routes() dynamic.ResourceInterface {
	return c.proxy.client.Resource(gatewayapi.GRPCRoutes()).Namespace(c.namespace)
}

// divide writes a split, and waits until Traefik has accepted it and a call goes where it ought to.
func (c *callers) divide(t *testing.T, app router.App, split rollout.Split, to string, header map[string]string) {
	t.Helper()
	var r gatewayapi.Router
	c.apply(t, r, app, split)
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Eventually(t, func() bool {
		return assert.ObjectsAreEqual(in, r.Read(app, split, c.look(t, r, app))) && load.Call(c.client, header).Version == to
	}, patience, 200*time.Millisecond)
}

func (c *callers) testWeight(t *testing.T) {
	c.divide(t, c.app(), rollout.Split{}, "primary", nil)
	onlyTo(t, c.client, nil, "primary")
	for _, weight := range []int{1, 30, 99, 100} {
		c.divide(t, c.app(), rollout.Split{Weight: int32(weight)}, "canary", nil)
		sharedBy(t, c.client, nil, weight)
	}
}

func (c *callers) testHeader(t *testing.T) {
	zone := func(value string) map[string]string { return map[string]string{"x-zone": value} }
	for _, m := range []struct {
		headers  map[string]v1beta1.StringMatch
		yes, not []map[string]string
	}{
		{
			map[string]v1beta1.StringMatch{"X-Zone": {Exact: "eu"}},
			[]map[string]string{zone("eu")}, []map[string]string{zone("eu-1"), zone("EU"), nil},
		},
		{
			map[string]v1beta1.StringMatch{"x-zone": {Prefix: "e."}},
			[]map[string]string{zone("e."), zone("e.u")}, []map[string]string{zone("eu"), zone("the e.u"), nil},
		},
		{
			map[string]v1beta1.StringMatch{"x-zone": {Regex: "eu|us-[0-9]+"}},
			[]map[string]string{zone("eu"), zone("us-12")}, []map[string]string{zone("eu-1"), zone("us-12a"), nil},
		},
		{
			map[string]v1beta1.StringMatch{"x-zone": {Exact: "eu"}, "x-insider": {Exact: "yes"}},
			[]map[string]string{{"x-zone": "eu", "x-insider": "yes"}},
			[]map[string]string{zone("eu"), {"x-insider": "yes"}, {"x-zone": "eu", "x-insider": "no"}},
		},
	} {
		c.divide(t, c.app(), rollout.Split{}, "primary", m.yes[0])
		c.divide(t, c.app(), rollout.Split{Match: []v1beta1.RequestMatch{{Headers: m.headers}}}, "canary", m.yes[0])
		for _, header := range m.yes {
			onlyTo(t, c.client, header, "canary")
		}
		for _, header := range m.not {
			onlyTo(t, c.client, header, "primary")
		}
	}
	either := []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-zone": {Exact: "eu"}}},
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}},
	}
	c.divide(t, c.app(), rollout.Split{Weight: 50, Match: either}, "canary", zone("eu"))
	onlyTo(t, c.client, zone("eu"), "canary")
	onlyTo(t, c.client, map[string]string{"x-insider": "yes"}, "canary")
	sharedBy(t, c.client, zone("us"), 50)
}

// testMatches has an application that takes the calls of one service from one tenant, and all of one method.
func (c *callers) testMatches(t *testing.T) {
	blue := map[string]string{"x-tenant": "blue"}
	app := c.app()
	app.Canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{
		{
			Path:    &gatewayv1.HTTPPathMatch{Value: new("/info.InfoService")},
			Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "blue"}},
		},
		{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: new("/header.HeaderService/Header")}},
	}
	app.Canary.Spec.Service.Headers = &v1beta1.Headers{Request: &v1beta1.HeaderOperations{
		Set: map[string]string{"x-set": "by weir"}, Remove: []string{"x-secret"},
	}}
	insider := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	c.divide(t, app, rollout.Split{}, "primary", blue)
	c.divide(t, app, rollout.Split{Weight: 50, Match: insider}, "canary", map[string]string{"x-tenant": "blue", "x-insider": "yes"})
	onlyTo(t, c.client, map[string]string{"x-tenant": "blue", "x-insider": "yes"}, "canary")
	sharedBy(t, c.client, blue, 50)
	for _, header := range []map[string]string{nil, {"x-tenant": "green"}, {"x-insider": "yes"}} {
		assert.Contains(t, load.Call(c.client, header).Err, "404", "%v", header)
	}
	got, err := c.headers(t, map[string]string{"x-secret": "none of yours", "x-kept": "yes"})
	require.NoError(t, err)
	assert.Contains(t, got, "x-set=by weir")
	assert.Contains(t, got, "x-kept=yes")
	assert.NotContains(t, got, "x-secret")
}

// headers are those that the application sees of a call.
func (c *callers) headers(t *testing.T, send map[string]string) (string, error) {
	t.Helper()
	var answer emptypb.Empty
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.New(send))
	err := c.client.Invoke(ctx, "/header.HeaderService/Header", &emptypb.Empty{}, &answer)
	return string(answer.ProtoReflect().GetUnknown()), err
}

// testPutRight has somebody change the weights in the middle of a run.
func (c *callers) testPutRight(t *testing.T) {
	split := rollout.Split{Weight: 10}
	c.divide(t, c.app(), rollout.Split{}, "primary", nil)
	c.divide(t, c.app(), split, "canary", nil)
	route, err := c.routes().Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	rules := route.Object["spec"].(map[string]any)["rules"].([]any)
	for _, to := range rules[0].(map[string]any)["backendRefs"].([]any) {
		to.(map[string]any)["weight"] = int64(50)
	}
	_, err = c.routes().Update(t.Context(), route, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	read := gatewayapi.Router{}.Read(c.app(), split, c.look(t, gatewayapi.Router{}, c.app()))
	require.Equal(t, int32(50), read.Split.Weight)
	c.divide(t, c.app(), split, "canary", nil)
	sharedBy(t, c.client, nil, 10)
}

// testUsersRules has rules beside that of the apex: what is theirs stays theirs, also when the Canary goes.
func (c *callers) testUsersRules(t *testing.T) {
	require.NoError(t, c.routes().Delete(t.Context(), "podinfo", metav1.DeleteOptions{}))
	require.NoError(t, sandbox.Apply(t.Context(), c.sandbox.RESTConfig(), fmt.Appendf(nil, `
apiVersion: v1
kind: Service
metadata: {name: podinfo, namespace: %[1]s}
spec: {selector: {app: primary}, ports: [{name: grpc, port: 9999}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: podinfo, namespace: %[1]s}
spec:
  parentRefs: [{name: %[2]s, namespace: %[3]s}]
  hostnames: [%[4]s]
  rules:
  - backendRefs: [{name: podinfo, port: 9999}]
  - matches: [{headers: [{name: x-old, value: "yes"}]}]
    backendRefs: [{name: podinfo-legacy, port: 9999}]
`, c.namespace, c.sandbox.Gateway.Name, c.sandbox.Gateway.Namespace, c.host)))
	before, err := c.routes().Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	app := c.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9999, PortName: "grpc"}
	insider := map[string]string{"x-insider": "yes"}
	match := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	c.divide(t, app, rollout.Split{Weight: 50, Match: match}, "canary", insider)
	onlyTo(t, c.client, insider, "canary")
	sharedBy(t, c.client, nil, 50)
	onlyTo(t, c.client, map[string]string{"x-old": "yes"}, "legacy")

	released, err := gatewayapi.Router{}.Release(app, c.look(t, gatewayapi.Router{}, app))
	require.NoError(t, err)
	require.Len(t, released, 1)
	_, err = c.routes().Update(t.Context(), released[0].Object, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return load.Call(c.client, insider).Version == "primary" }, patience, 200*time.Millisecond)
	onlyTo(t, c.client, nil, "primary")
	after, err := c.routes().Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.Object["spec"], after.Object["spec"])
	require.NoError(t, c.routes().Delete(t.Context(), "podinfo", metav1.DeleteOptions{}))
}

// testProtocol is why docs/routers/gatewayapi.md tells to leave the protocol out where Traefik serves the route.
func (c *callers) testProtocol(t *testing.T) {
	c.divide(t, c.app(), rollout.Split{}, "primary", nil)
	c.serve(t, "canary", "grpc")
	defer c.serve(t, "canary", "")
	var r gatewayapi.Router
	require.Eventually(t, func() bool {
		route := r.Read(c.app(), rollout.Split{}, c.look(t, r, c.app()))
		return !route.Accepted && strings.Contains(route.Refused, "appProtocol")
	}, patience, 200*time.Millisecond)
}

// testFilters is why Weir refuses these filters through Traefik. When it fails, Traefik has learnt them.
func (c *callers) testFilters(t *testing.T) {
	var r gatewayapi.Router
	c.divide(t, c.app(), rollout.Split{}, "primary", nil)
	_, err := r.Render(c.app(), rollout.Split{Mirror: 50}, c.look(t, r, c.app()))
	require.ErrorContains(t, err, "Traefik")
	answers := c.app()
	answers.Canary.Spec.Service.Headers = &v1beta1.Headers{Response: &v1beta1.HeaderOperations{Set: map[string]string{"x-a": "1"}}}
	_, err = r.Render(answers, rollout.Split{}, c.look(t, r, answers))
	require.ErrorContains(t, err, "spec.service.headers.response cannot be carried out")

	require.NoError(t, c.routes().Delete(t.Context(), "podinfo", metav1.DeleteOptions{}))
	c.apply(t, r, answers, rollout.Split{}) // nobody knows yet who will serve it
	require.Eventually(t, func() bool {
		accepted := r.Read(answers, rollout.Split{}, c.look(t, r, answers)).Accepted
		return accepted && strings.Contains(load.Call(c.client, nil).Err, "application/json") // which is not gRPC
	}, patience, 200*time.Millisecond, "it says that all is well")
}
