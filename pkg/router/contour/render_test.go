package contour_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/contour"
)

func byHeader(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

func onPath(kind gatewayv1.PathMatchType, value string) gatewayv1.HTTPRouteMatch {
	return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
}

// A prefix is of whole elements of a path, and so is what takes its place, also where a root includes all of it under
// a prefix of its own.
func TestPaths(t *testing.T) {
	for _, c := range []struct {
		prefix, by, under string
		// sent are paths and what becomes of them; a path that does not match becomes nothing.
		sent map[string]string
	}{
		{"/api", "", "", map[string]string{"/api": "/api", "/api/": "/api/", "/api/info": "/api/info", "/apix": "", "/": ""}},
		{"/api", "", "/shop", map[string]string{"/shop/api": "/shop/api", "/shop/api/a": "/shop/api/a", "/shop/apix": "", "/shop": ""}},
		{"/", "", "/shop", map[string]string{"/shop": "/shop", "/shop/info": "/shop/info"}},
		{"/api", "/", "", map[string]string{"/api": "/", "/api/": "/", "/api/info": "/info", "/apix": "", "/": ""}},
		{"/api/", "/v1", "", map[string]string{"/api": "/v1", "/api/": "/v1/", "/api/info": "/v1/info", "/apix": ""}},
		{"/a.b", "/v1/", "", map[string]string{"/a.b": "/v1", "/a.b/c": "/v1/c", "/axb": "", "/axb/c": ""}},
		{"/api", "/v1", "/shop", map[string]string{"/shop/api": "/v1", "/shop/api/info": "/v1/info", "/shop/apix": "", "/api": ""}},
		{"/", "/v1", "", map[string]string{"/": "/v1/", "/info": "/v1/info"}},
		{"", "/v1", "", map[string]string{"/info": "/v1/info"}},
		{"", "/v1", "/shop", map[string]string{"/shop": "/v1", "/shop/": "/v1/", "/shop/info": "/v1/info"}},
		{"", "/v1", "/shop/", map[string]string{"/shop/": "/v1/", "/shop/info": "/v1/info"}},
		{"", "/", "/shop", map[string]string{"/shop": "/", "/shop/": "/", "/shop/info": "/info"}},
	} {
		can := bare(t)
		if c.prefix != "" {
			can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{onPath(gatewayv1.PathMatchPathPrefix, c.prefix)}
		}
		if c.by != "" {
			can.Spec.Service.Rewrite = &v1beta1.Rewrite{URI: c.by, Type: "ReplacePrefixMatch"}
		}
		h := render(t, can, rollout.Split{Weight: 10})
		for path, want := range c.sent {
			require.Equal(t, want, becomes(h, c.under, path), "%s under %q by %q in %q", path, c.prefix, c.by, c.under)
			require.Equal(t, want, strings.TrimSuffix(becomes(h, c.under, path+"?a=/b"), "?a=/b"), "%s with a query", path)
		}
	}
}

// becomes does with a path what Contour and Envoy do: the longest path goes first, and of two routes with the same
// conditions the last.
func becomes(h *unstructured.Unstructured, under, path string) string {
	plain, _, _ := strings.Cut(path, "?")
	result, longest := "", -1
	for _, r := range routes(h) {
		prefix, exact, tail := under, "", ""
		conditions, _ := r.(map[string]any)["conditions"].([]any)
		for _, condition := range conditions {
			condition := condition.(map[string]any)
			if p, ok := condition["prefix"].(string); ok {
				prefix = strings.ReplaceAll(under+p, "//", "/")
			}
			if e, ok := condition["exact"].(string); ok {
				exact = under + e
			}
			if header, ok := condition["header"].(map[string]any); ok && header["name"] == ":path" {
				tail = header["regex"].(string)
			}
		}
		if prefix == "" {
			prefix = "/"
		}
		matches := strings.HasPrefix(plain, prefix)
		if exact != "" {
			prefix, matches = exact, plain == exact
		}
		if tail != "" {
			matches = matches && regexp.MustCompile("^(?:"+tail+")$").MatchString(path)
		}
		if matches && len(prefix) >= longest {
			longest = len(prefix)
			result = replaced(r.(map[string]any), prefix) + strings.TrimPrefix(path, prefix)
		}
	}
	return result
}

// replaced is what takes the place of a prefix.
func replaced(route map[string]any, prefix string) string {
	policy, ok := route["pathRewritePolicy"].(map[string]any)
	if !ok {
		return prefix
	}
	by := ""
	for _, p := range policy["replacePrefix"].([]any) {
		p := p.(map[string]any)
		if p["prefix"] == prefix {
			return p["replacement"].(string)
		}
		if p["prefix"] == nil {
			by = p["replacement"].(string)
		}
	}
	return by
}

func TestMatches(t *testing.T) {
	can := bare(t)
	byParam := gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "v", Value: "2"}}}
	can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{
		onPath(gatewayv1.PathMatchExact, "/a"), onPath(gatewayv1.PathMatchRegularExpression, "/b.*"), byParam,
	}
	var conditions []any
	for _, r := range routes(render(t, can, rollout.Split{})) {
		conditions = append(conditions, r.(map[string]any)["conditions"])
	}
	require.Equal(t, []any{
		[]any{map[string]any{"exact": "/a"}},
		[]any{map[string]any{"regex": "/b.*"}},
		[]any{map[string]any{"queryParameter": map[string]any{"name": "v", "exact": "2"}}},
	}, conditions)
}

// Contour tells an exact path from a prefix by the last condition alone.
func TestPathStandsLast(t *testing.T) {
	can := bare(t)
	exact := onPath(gatewayv1.PathMatchExact, "/a")
	exact.Headers = []gatewayv1.HTTPHeaderMatch{{Name: "x-a", Value: "1"}}
	exact.QueryParams = []gatewayv1.HTTPQueryParamMatch{{Name: "v", Value: "2"}}
	can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{exact}
	for _, r := range routes(render(t, can, rollout.Split{Match: byHeader("x-b", v1beta1.StringMatch{Exact: "1"})})) {
		conditions := r.(map[string]any)["conditions"].([]any)
		require.Equal(t, map[string]any{"exact": "/a"}, conditions[len(conditions)-1])
	}
}

// What contradicts itself, or is nothing that Contour takes, sends nothing to the canary: one faulty route would cost
// all of them.
func TestContradictionSendsNothing(t *testing.T) {
	can := bare(t)
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "blue"}}}
	can.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{tenant}
	count := func(m []v1beta1.RequestMatch) int { return len(routes(render(t, can, rollout.Split{Match: m}))) }
	require.Equal(t, 1, count(byHeader("x-tenant", v1beta1.StringMatch{Exact: "green"})))
	require.Equal(t, 1, count(byHeader("x-zone", v1beta1.StringMatch{Regex: "("})))
	require.Equal(t, 2, count(byHeader("x-tenant", v1beta1.StringMatch{Regex: "b.+"})), "both can be so")
	can.Spec.Service.Match = append(can.Spec.Service.Match, onPath(gatewayv1.PathMatchExact, "/a"))
	require.Equal(t, 3, count(byHeader("x-tenant", v1beta1.StringMatch{Exact: "green"})))
	can.Spec.Service.Match = append(can.Spec.Service.Match, onPath(gatewayv1.PathMatchRegularExpression, "("))
	require.Equal(t, 3, count(byHeader("x-tenant", v1beta1.StringMatch{Exact: "green"})), "nothing comes that way")
	twice := append(byHeader("x-a", v1beta1.StringMatch{Exact: "1"}), byHeader("X-A", v1beta1.StringMatch{Exact: "1"})...)
	require.Equal(t, 4, count(twice), "the same requests once")
}

// Every match of the canary's has more conditions than the route of which it is made, so that Contour takes it first.
func TestMatchesAreNarrower(t *testing.T) {
	can := canary(t)
	split := rollout.Split{Weight: 10, Match: byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})}
	all := routes(render(t, can, split))
	require.Len(t, all, 4)
	for i := range 2 {
		own, added := all[i].(map[string]any)["conditions"].([]any), all[i+2].(map[string]any)["conditions"].([]any)
		require.Len(t, added, len(own)+1)
		require.Subset(t, added, own)
		path := own[len(own)-1]
		require.Contains(t, path, "prefix")
		require.Equal(t, path, added[len(added)-1], "the path is the same, and last")
	}
}

func TestFields(t *testing.T) {
	can := bare(t)
	first := func() map[string]any { return own(render(t, can, rollout.Split{Mirror: 100})) }
	require.Equal(t, int64(100), mirrorOf(first())["weight"])
	require.NotContains(t, first(), "enableWebsockets")
	for protocol, speaks := range map[string]any{"grpc": "h2c", "kubernetes.io/h2c": "h2c", "https": "tls", "http": nil} {
		can.Spec.Service.AppProtocol = &protocol
		for _, s := range services(first()) {
			require.Equal(t, speaks, s.(map[string]any)["protocol"], protocol)
		}
	}
	can.Spec.Service.AppProtocol = new("kubernetes.io/ws")
	require.Equal(t, true, first()["enableWebsockets"])
	can.Spec.Service.Retries = &v1beta1.Retries{RetryOn: "5xx, reset", Attempts: 1}
	require.Equal(t, map[string]any{"count": int64(1), "retryOn": []any{"5xx", "reset"}}, first()["retryPolicy"])
	can.Spec.Service.Retries = &v1beta1.Retries{RetryOn: "5xx"}
	require.NotContains(t, first(), "retryPolicy", "never")
	can.Spec.Service.Retries = &v1beta1.Retries{Attempts: 2}
	require.Equal(t, map[string]any{"count": int64(2)}, first()["retryPolicy"])
}

// Nobody's object is taken over unasked.
func TestForeign(t *testing.T) {
	can := canary(t)
	app := appOf(can)
	mine := render(t, can, rollout.Split{Weight: 10})
	foreign := func(change func(*unstructured.Unstructured)) router.Found {
		h := mine.DeepCopy()
		h.SetLabels(nil)
		h.SetOwnerReferences(nil)
		change(h)
		return foundOf(can, h)
	}
	as := func(*unstructured.Unstructured) {}
	_, err := contour.Router{}.Render(app, rollout.Split{}, foreign(as))
	require.EqualError(t, err, "HTTPProxy shop/podinfo is not Weir's, and provider contour makes its own; say in spec.service "+
		"what its routes say and then give it the label weir.dev/canary=podinfo for Weir to take them over, or make this Canary "+
		"anew with another spec.service.name")
	require.Equal(t, rollout.Route{}, contour.Router{}.Read(app, rollout.Split{}, foreign(as)))
	released, err := contour.Router{}.Release(app, foreign(as))
	require.NoError(t, err)
	require.Empty(t, released)

	_, err = contour.Router{}.Render(app, rollout.Split{}, foreign(func(h *unstructured.Unstructured) {
		h.SetLabels(app.Labels)
		h.SetOwnerReferences([]metav1.OwnerReference{
			{APIVersion: "flagger.app/v1beta1", Kind: "Canary", Name: "podinfo-flagger", UID: "9", Controller: new(true)},
		})
	}))
	require.ErrorContains(t, err, "HTTPProxy shop/podinfo belongs to Canary podinfo-flagger; delete it there")

	// A root of the user's with the label keeps all that is not routes.
	root := foreign(func(h *unstructured.Unstructured) {
		h.SetLabels(app.Labels)
		h.Object["spec"].(map[string]any)["virtualhost"] = map[string]any{"fqdn": "shop.example.com"}
	})
	objects, err := contour.Router{}.Render(app, rollout.Split{}, root)
	require.NoError(t, err, "the label gives it to Weir")
	require.NotContains(t, objects[0].Intent.Object["spec"], "virtualhost")
	released, err = contour.Router{}.Release(app, root)
	require.NoError(t, err)
	require.Contains(t, released[0].Object.Object["spec"], "virtualhost")
}
