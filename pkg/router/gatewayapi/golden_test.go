package gatewayapi_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the routes. Rewrite them with `go test ./pkg/router/gatewayapi -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	everything, least := canary(t), canary(t)
	least.Spec.Service = v1beta1.CanaryService{Port: 9898, GatewayRefs: least.Spec.Service.GatewayRefs}

	golden(t, "made-least.yaml", render(t, appOf(least), 0, nil))

	made := render(t, appOf(everything), 10, nil)
	golden(t, "made.yaml", made)
	golden(t, "made-released.yaml", release(t, appOf(everything), made))

	// What the user has comes back; TestConformance says so of a real API server.
	bare := canary(t)
	bare.Spec.Service = v1beta1.CanaryService{Port: 9898}
	golden(t, "user-adopted.yaml", render(t, appOf(bare), 10, userRoute(t)))

	// All that a split can hold, and a cookie.
	bare.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "podinfo-canary", MaxAge: 3600}
	bare.Status.Canary = &v1beta1.RevisionStatus{Hash: "5f64b8c9d7"}
	golden(t, "user-all.yaml", renderSplit(t, appOf(bare), rollout.Split{Weight: 10, Mirror: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}, "user-agent": {Prefix: "curl/8."}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "1|true"}}},
	}}, userRoute(t)))
}

// TestGoldenOverGRPC shows routes of calls.
func TestGoldenOverGRPC(t *testing.T) {
	c := ofCalls(canary(t))
	golden(t, "grpc-made.yaml", render(t, appOf(c), 10, nil))

	c.Spec.Service = v1beta1.CanaryService{Port: 9898, PortName: "grpc"}
	golden(t, "grpc-user-all.yaml", renderSplit(t, appOf(c), rollout.Split{Weight: 10, Mirror: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}},
	}}, parse(t, manifest(t, "grpc-user.yaml"))))
}

// TestGoldenOfLinkerd shows a route of the callers of a Service.
func TestGoldenOfLinkerd(t *testing.T) {
	c := canary(t)
	c.Spec.Service = v1beta1.CanaryService{Port: 9898, Headers: c.Spec.Service.Headers, Match: c.Spec.Service.Match}
	app := appOf(c)
	intent, err := gatewayapi.Linkerd().Render(app, rollout.Split{Weight: 10}, nil)
	require.NoError(t, err)
	require.Len(t, intent, 1)
	golden(t, "linkerd.yaml", intent[0].Intent)
}

// ofCalls is a Canary whose port speaks gRPC, without what only HTTP has.
func ofCalls(c *v1beta1.Canary) *v1beta1.Canary {
	s := &c.Spec.Service
	s.PortName, s.Rewrite, s.Timeout = "grpc", nil, ""
	s.Match = []gatewayv1.HTTPRouteMatch{
		{Path: &gatewayv1.HTTPPathMatch{Value: new("/shop.Orders/")}, Headers: s.Match[0].Headers},
		{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: new("/shop.Stock/Get")}},
	}
	return c
}

func golden(t *testing.T, name string, route *unstructured.Unstructured) {
	t.Helper()
	got, err := yaml.Marshal(route.Object)
	require.NoError(t, err)
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func canary(t testing.TB) *v1beta1.Canary {
	t.Helper()
	var c v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict([]byte(manifest(t, "canary.yaml")), &c))
	return &c
}

func userRoute(t testing.TB) *unstructured.Unstructured {
	t.Helper()
	return parse(t, manifest(t, "user.yaml"))
}

// parse reads a route as an API server would give it.
func parse(t testing.TB, manifest string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	require.NoError(t, err)
	route := &unstructured.Unstructured{}
	require.NoError(t, route.UnmarshalJSON(raw))
	route.SetNamespace("shop")
	route.SetUID("7f3e")
	return route
}

func appOf(c *v1beta1.Canary) router.App {
	owner := workload.ControlledByCanary(c)
	return router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}
}

func foundOf(app router.App, route *unstructured.Unstructured) router.Found {
	found := router.Found{}
	if route != nil {
		found[gatewayapi.Router{}.Refs(app)[0]] = route
	}
	return found
}

func render(t *testing.T, app router.App, weight int32, have *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	return renderSplit(t, app, rollout.Split{Weight: weight}, have)
}

func renderSplit(
	t *testing.T, app router.App, split rollout.Split, have *unstructured.Unstructured,
) *unstructured.Unstructured {
	t.Helper()
	intent, err := gatewayapi.Router{}.Render(app, split, foundOf(app, have))
	require.NoError(t, err)
	require.Len(t, intent, 1)
	return intent[0].Intent
}

func release(t *testing.T, app router.App, have *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	released, err := gatewayapi.Router{}.Release(app, foundOf(app, have))
	require.NoError(t, err)
	require.Len(t, released, 1)
	return released[0].Object
}
