package istio_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
)

func bare(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := canary(t)
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	c.Spec.Analysis.SessionAffinity = nil
	return c
}

func byHeader(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

func onPath(kind gatewayv1.PathMatchType, value string) gatewayv1.HTTPRouteMatch {
	return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
}

// A prefix is of whole elements of a path, and so is what takes its place.
func TestPaths(t *testing.T) {
	const prefix, full = "ReplacePrefixMatch", "ReplaceFullPath"
	for _, c := range []struct {
		prefix, kind, by string
		// sent are paths and what becomes of them; a path that does not match becomes nothing.
		sent map[string]string
	}{
		{"/api", prefix, "/", map[string]string{"/api": "/", "/api/": "/", "/api/info": "/info", "/apix": "", "/": ""}},
		{"/api/", prefix, "/v1", map[string]string{"/api": "/v1", "/api/": "/v1/", "/api/info": "/v1/info", "/apix": ""}},
		{"/a.b", prefix, "/v1/", map[string]string{"/a.b/c": "/v1/c", "/axb/c": ""}},
		{"/", prefix, "/v1", map[string]string{"/": "/v1/", "/info": "/v1/info"}},
		{"", prefix, "/v1", map[string]string{"/info": "/v1/info"}},
		{"/api", full, "/status", map[string]string{"/api": "/status", "/api/info": "/status", "/other": ""}},
		{"/api", prefix, `/a\1b`, map[string]string{"/api/info": `/a\1b/info`}},
	} {
		can := bare(t)
		if c.prefix != "" {
			can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{onPath(gatewayv1.PathMatchPathPrefix, c.prefix)}
		}
		can.Spec.Service.Rewrite = &v1beta1.Rewrite{URI: c.by, Type: c.kind}
		route := own(virtualService(render(t, can, rollout.Split{Weight: 10})))
		for path, want := range c.sent {
			require.Equal(t, want, becomes(t, route, path), "%s under %q by %s", path, c.prefix, c.by)
		}
	}
}

// becomes does with a path what a proxy does.
func becomes(t *testing.T, route map[string]any, path string) string {
	t.Helper()
	matches, _ := route["match"].([]any)
	matched := len(matches) == 0
	for _, m := range matches {
		uri := m.(map[string]any)["uri"].(map[string]any)
		exact, isExact := uri["exact"].(string)
		start, isPrefix := uri["prefix"].(string)
		matched = matched || isExact && path == exact || isPrefix && strings.HasPrefix(path, start)
	}
	if !matched {
		return ""
	}
	by := route["rewrite"].(map[string]any)["uriRegexRewrite"].(map[string]any)
	require.NotRegexp(t, `[^\\]\\[0-9]`, by["rewrite"], "a part of the path is put in")
	plain := strings.ReplaceAll(by["rewrite"].(string), `\\`, `\`)
	return regexp.MustCompile(by["match"].(string)).ReplaceAllLiteralString(path, plain)
}

func TestMatches(t *testing.T) {
	can := bare(t)
	byParam := gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "v", Value: "2"}}}
	can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{
		onPath(gatewayv1.PathMatchExact, "/a"), onPath(gatewayv1.PathMatchRegularExpression, "/b.*"), byParam,
	}
	require.Equal(t, []any{
		map[string]any{"uri": map[string]any{"exact": "/a"}},
		map[string]any{"uri": map[string]any{"regex": "/b.*"}},
		map[string]any{"queryParams": map[string]any{"v": map[string]any{"exact": "2"}}},
	}, own(virtualService(render(t, can, rollout.Split{})))["match"])

	can.Spec.Service.Match = append(can.Spec.Service.Match, onPath(gatewayv1.PathMatchPathPrefix, "/"))
	require.NotContains(t, own(virtualService(render(t, can, rollout.Split{}))), "match", "one of them is for everything")
}

// What contradicts itself sends nothing to the canary, and above all not everything.
func TestContradictionSendsNothing(t *testing.T) {
	can := bare(t)
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "blue"}}}
	can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{tenant}
	split := rollout.Split{Match: byHeader("x-tenant", v1beta1.StringMatch{Exact: "green"})}
	require.Len(t, routes(virtualService(render(t, can, split))), 1)
	can.Spec.Service.Match = append(can.Spec.Service.Match, onPath(gatewayv1.PathMatchExact, "/a"))
	require.Len(t, routes(virtualService(render(t, can, split))), 2)
	require.Len(t, routes(virtualService(render(t, can, split)))[0].(map[string]any)["match"], 1)
	same := rollout.Split{Match: byHeader("X-TENANT", v1beta1.StringMatch{Exact: "blue"})}
	require.Len(t, routes(virtualService(render(t, can, same)))[0].(map[string]any)["match"], 2)
}

func TestGatewaysAndPorts(t *testing.T) {
	for _, c := range []struct {
		gateways []string
		// ports are whether each route has the spec's port, and gateways those it is for.
		ports  []bool
		routes [][]any
	}{
		{nil, []bool{false}, [][]any{nil}},
		{[]string{"mesh"}, []bool{false}, [][]any{nil}},
		{[]string{"a", "b/c"}, []bool{true}, [][]any{nil}},
		{[]string{"a", "mesh", "b/c"}, []bool{true, false}, [][]any{{"a", "b/c"}, {"mesh"}}},
	} {
		can := bare(t)
		can.Spec.Service.Gateways = c.gateways
		v := virtualService(render(t, can, rollout.Split{Weight: 10}))
		require.Len(t, routes(v), len(c.ports))
		for i, r := range routes(v) {
			route := r.(map[string]any)
			p, _ := pairOf(route)
			_, port := p["destination"].(map[string]any)["port"]
			require.Equal(t, c.ports[i], port, "%v", c.gateways)
			var named []any
			if matches, ok := route["match"].([]any); ok {
				named = matches[0].(map[string]any)["gateways"].([]any)
			}
			require.Equal(t, c.routes[i], named, "%v", c.gateways)
		}
	}
	can := bare(t)
	can.Spec.Service.Hosts = []gatewayv1.Hostname{"podinfo", "a.example.com"}
	spec := virtualService(render(t, can, rollout.Split{})).Object["spec"].(map[string]any)
	require.Equal(t, []any{"a.example.com", "podinfo"}, spec["hosts"], "the apex once")
}

// Where a match names gateways, Istio does not look at its source labels: it would be for the whole mesh.
func TestSourceLabelsBesideGateways(t *testing.T) {
	can := bare(t)
	can.Spec.Service.Gateways = []string{"public", "mesh"}
	tester := v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"x-tester": {Exact: "yes"}}}
	shop := v1beta1.RequestMatch{SourceLabels: map[string]string{"app": "shop"}}
	all := routes(virtualService(render(t, can, rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{tester, shop}})))
	require.Len(t, all, 4)
	headers := map[string]any{"x-tester": map[string]any{"exact": "yes"}}
	require.Equal(t, []any{map[string]any{"headers": headers, "gateways": []any{"public"}}}, all[0].(map[string]any)["match"])
	require.Equal(t, []any{map[string]any{"gateways": []any{"public"}}}, all[1].(map[string]any)["match"],
		"everything that comes by the gateway ends here")
	require.Equal(t, []any{
		map[string]any{"headers": headers, "gateways": []any{"mesh"}},
		map[string]any{"sourceLabels": map[string]any{"app": "shop"}},
	}, all[2].(map[string]any)["match"])
}

// Nobody's object is taken over unasked.
func TestForeign(t *testing.T) {
	can := canary(t)
	app := appOf(can)
	mine := render(t, can, rollout.Split{Weight: 10})
	foreign := func(at int, change func(*unstructured.Unstructured)) router.Found {
		found := foundOf(mine)
		o := found[mine[at].Ref]
		o.SetLabels(nil)
		o.SetOwnerReferences(nil)
		change(o)
		return found
	}
	as := func(*unstructured.Unstructured) {}
	for at, what := range []string{
		"DestinationRule shop/podinfo-primary", "DestinationRule shop/podinfo-canary", "VirtualService shop/podinfo",
	} {
		_, err := istio.Router{}.Render(app, rollout.Split{}, foreign(at, as))
		require.EqualError(t, err, what+" is not Weir's, and provider istio makes its own; say in spec.service what it says "+
			"and then give it the label weir.dev/canary=podinfo for Weir to take it over, or make this Canary anew with "+
			"another spec.service.name")
	}
	require.Equal(t, rollout.Route{}, istio.Router{}.Read(app, rollout.Split{}, foreign(2, as)))
	released, err := istio.Router{}.Release(app, foreign(2, as))
	require.NoError(t, err)
	require.Len(t, released, 2, "the DestinationRules are Weir's")

	controlled := func(o *unstructured.Unstructured) {
		yes := true
		o.SetLabels(app.Labels)
		o.SetOwnerReferences(controller("Canary", "podinfo-flagger", &yes))
	}
	_, err = istio.Router{}.Render(app, rollout.Split{}, foreign(2, controlled))
	require.ErrorContains(t, err, "VirtualService shop/podinfo belongs to Canary podinfo-flagger; delete it there")

	labelled := func(o *unstructured.Unstructured) { o.SetLabels(app.Labels) }
	_, err = istio.Router{}.Render(app, rollout.Split{}, foreign(2, labelled))
	require.NoError(t, err, "the label gives it to Weir")

	can.Spec.Service.TrafficPolicy = nil
	objects, err := istio.Router{}.Render(app, rollout.Split{}, foreign(0, as))
	require.NoError(t, err, "without a policy it contradicts nothing")
	require.Len(t, objects, 2)
	left := objects[0].Intent.Object["spec"]
	require.Equal(t, map[string]any{"host": "podinfo-canary"}, left, "of the one that was made")
}
