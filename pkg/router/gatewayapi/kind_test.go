package gatewayapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// asKind is a route of the other kind.
func asKind(t *testing.T, kind string, lines ...string) *unstructured.Unstructured {
	t.Helper()
	route := routeTo(t, lines...)
	route.SetKind(kind)
	for _, rule := range rules(route) {
		delete(rule.(map[string]any), "matches")
		for _, b := range rule.(map[string]any)["backendRefs"].([]any) {
			b.(map[string]any)["port"] = int64(9898)
		}
	}
	return route
}

// both are what is found of an application with routes of both kinds.
func both(app router.App, routes ...*unstructured.Unstructured) router.Found {
	found := router.Found{}
	for _, ref := range (gatewayapi.Router{}).Refs(app) {
		for _, r := range routes {
			if r != nil && strings.ToLower(r.GetKind())+"s" == ref.Resource.Resource {
				found[ref] = r
			}
		}
	}
	return found
}

func TestKindOfRoute(t *testing.T) {
	for portName, want := range map[string]string{
		"": "HTTPRoute", "http": "HTTPRoute", "grpc": "GRPCRoute", "grpc-orders": "GRPCRoute",
	} {
		c := bare(t)
		c.Spec.Service.PortName = portName
		c.Spec.Service.GatewayRefs = []gatewayv1.ParentReference{{Name: "edge"}}
		objects, err := gatewayapi.Router{}.Render(appOf(c), rollout.Split{}, nil)
		require.NoError(t, err)
		require.Equal(t, want, objects[0].Intent.GetKind(), portName)
	}
}

// The other kind's route of that name is refused only where Weir would leave a part of the traffic alone.
func TestRouteOfTheOtherKindInTheWay(t *testing.T) {
	elsewhere := asKind(t, "GRPCRoute", "podinfo=1")
	backends(elsewhere, 0)[0].(map[string]any)["port"] = int64(9999)
	for _, c := range []struct {
		name  string
		port  string
		own   *unstructured.Unstructured
		other *unstructured.Unstructured
		says  string
	}{
		{"HTTP", "http", asKind(t, "HTTPRoute", "podinfo=1"), asKind(t, "GRPCRoute", "podinfo=1"),
			"the GRPCRoute of that name leads to port 9898 of Service podinfo, and Weir would leave that one alone"},
		{"gRPC", "grpc", asKind(t, "GRPCRoute", "podinfo=1"), asKind(t, "HTTPRoute", "podinfo=1"),
			"the HTTPRoute of that name leads to port 9898 of Service podinfo, and Weir would leave that one alone"},
		{"a route of the other kind alone", "http", nil, asKind(t, "GRPCRoute", "podinfo=1"),
			"HTTPRoute shop/podinfo: the GRPCRoute of that name leads to port 9898"},
		{"another Service", "grpc", asKind(t, "GRPCRoute", "podinfo=1"), asKind(t, "HTTPRoute", "legacy=1"), ""},
		{"another port", "http", asKind(t, "HTTPRoute", "podinfo=1"), elsewhere, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			canary := bare(t)
			canary.Spec.Service.PortName = c.port
			app := appOf(canary)
			objects, err := gatewayapi.Router{}.Render(app, rollout.Split{}, both(app, c.own, c.other))
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, `correct spec.service.portName, which says that the port speaks "`+c.port+`"`)
			require.Empty(t, objects)
		})
	}
}

// A port that is said to speak something else in mid-run does not stand in the way of a rollback, and not in that of
// giving the route back.
func TestKindStaysInMidRun(t *testing.T) {
	c := bare(t)
	app := appOf(c)
	have := asKind(t, "HTTPRoute", "podinfo=1")
	running := asStored(have, render(t, app, 30, have))
	c.Spec.Service.PortName = "grpc"
	found := both(app, running)
	require.Equal(t, rollout.Split{Weight: 30}, gatewayapi.Router{}.Read(app, rollout.Split{}, found).Split)
	objects, err := gatewayapi.Router{}.Render(app, rollout.Split{}, found)
	require.NoError(t, err)
	require.Equal(t, "HTTPRoute", objects[0].Intent.GetKind())
	require.Equal(t, []int64{100, 0}, weights(t, objects[0].Intent, 0))

	atRest := both(app, asStored(have, objects[0].Intent))
	_, err = gatewayapi.Router{}.Render(app, rollout.Split{}, atRest)
	require.ErrorContains(t, err, `HTTPRoute shop/podinfo: spec.service.portName says now that the port speaks "grpc"`)
	released, err := gatewayapi.Router{}.Release(app, atRest)
	require.NoError(t, err)
	require.Equal(t, rules(have), rules(released[0].Object))
}

// A cluster that serves HTTPRoutes alone can have all that goes by them.
func TestOverHTTPRoutesAlone(t *testing.T) {
	r := gatewayapi.Router{}.Over([]schema.GroupVersionResource{gatewayapi.HTTPRoutes()})
	c := bare(t)
	app := appOf(c)
	require.Len(t, r.Refs(app), 1)
	require.Empty(t, r.Validate(c))
	have := asKind(t, "HTTPRoute", "podinfo=1")
	objects, err := r.Render(app, rollout.Split{Weight: 10}, both(app, have))
	require.NoError(t, err)
	running := asStored(have, objects[0].Intent)

	c.Spec.Service.PortName = "grpc"
	problems := r.Validate(c)
	require.Len(t, problems, 1)
	require.Equal(t, `spec.service.portName says that the port speaks "grpc", which goes by a GRPCRoute, and the cluster `+
		"serves none; install the CRD and restart Weir", problems[0].Message)
	_, err = r.Render(app, rollout.Split{}, both(app, have))
	require.ErrorContains(t, err, "which goes by a route of the other kind")
	objects, err = r.Render(app, rollout.Split{}, both(app, running))
	require.NoError(t, err, "a rollback is not held up")
	require.Equal(t, []int64{100, 0}, weights(t, objects[0].Intent, 0))
}

func TestMatchesOfCalls(t *testing.T) {
	exact, regex := gatewayv1.PathMatchExact, gatewayv1.PathMatchRegularExpression
	for _, c := range []struct {
		path   *gatewayv1.PathMatchType
		value  string
		method map[string]any // nil is all calls
		fits   bool
	}{
		{nil, "/", nil, true},
		{nil, "/shop.Orders", map[string]any{"type": "Exact", "service": "shop.Orders"}, true},
		{nil, "/shop.Orders/", map[string]any{"type": "Exact", "service": "shop.Orders"}, true},
		{nil, "/shop.Orders/Get", map[string]any{"type": "Exact", "service": "shop.Orders", "method": "Get"}, true},
		{&exact, "/shop.Orders/Get", map[string]any{"type": "Exact", "service": "shop.Orders", "method": "Get"}, true},
		{&exact, "/shop.Orders", nil, false},
		{&exact, "/", nil, false},
		{nil, "/shop.Orders/Get/1", nil, false},
		{nil, "/shop-orders", nil, false},
		{nil, "/shop..Orders", nil, false},
		{&regex, "/shop.*", nil, false},
	} {
		canary := ofCalls(canary(t))
		canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: c.path, Value: new(c.value)}}}
		problems := gatewayapi.Router{}.Validate(canary)
		if !c.fits {
			require.Len(t, problems, 1, c.value)
			require.Contains(t, problems[0].Message, "spec.service.match[0].path cannot be written as a service and a method")
			continue
		}
		require.Empty(t, problems, c.value)
		matches := rules(render(t, appOf(canary), 10, nil))[0].(map[string]any)["matches"]
		if c.method == nil {
			require.Nil(t, matches, c.value)
			continue
		}
		require.Equal(t, []any{map[string]any{"method": c.method}}, matches, c.value)
	}
	canary := ofCalls(canary(t))
	canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{{
		Method: new(gatewayv1.HTTPMethodPost), QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "a", Value: "b"}},
	}, {}}
	problems := gatewayapi.Router{}.Validate(canary)
	require.Len(t, problems, 2)
	require.Contains(t, problems[0].Message, "spec.service.match[0].method is that of HTTP")
	require.Contains(t, problems[1].Message, "spec.service.match[0].queryParams says what no call of gRPC has")
	require.Nil(t, rules(render(t, appOf(canary), 10, nil))[0].(map[string]any)["matches"], "the second takes all")
}

// What a GRPCRoute has no word for is refused by the field, as something that this router can do over HTTP.
func TestRefusedOverGRPC(t *testing.T) {
	c := ofCalls(canary(t))
	c.Spec.Service.Timeout = "1s"
	c.Spec.Analysis.Match = []v1beta1.RequestMatch{{QueryParams: texts{"a": {Exact: "1"}}, Method: "GET"}}
	var all []string
	for _, p := range (gatewayapi.Router{}).Validate(c) {
		all = append(all, p.Message)
	}
	const rest = ", which router gatewayapi over gRPC does not offer; remove the field or choose another spec.provider"
	require.Equal(t, []string{
		"spec.service.timeout asks for timeouts" + rest,
		"spec.analysis.match[0].queryParams asks for matching by query parameter" + rest,
		"spec.analysis.match[0].method asks for matching by method" + rest,
	}, all)
}

// A split from before the port was said to speak gRPC cannot be carried over into a GRPCRoute.
func TestCallsHaveNoQuery(t *testing.T) {
	c := bare(t)
	c.Spec.Service.PortName = "grpc"
	app := appOf(c)
	found := both(app, asKind(t, "GRPCRoute", "podinfo=1"))
	for _, m := range []v1beta1.RequestMatch{{QueryParams: texts{"a": {Exact: "1"}}}, {Method: "POST"}} {
		_, err := gatewayapi.Router{}.Render(app, rollout.Split{Match: []v1beta1.RequestMatch{m}}, found)
		require.ErrorContains(t, err, "its rule 1 matches calls of gRPC, which have no query parameters and all the same method")
	}
	_, err := gatewayapi.Router{}.Render(app, rollout.Split{Match: byHeader(texts{"a": {Exact: "1"}})}, found)
	require.NoError(t, err)
}
