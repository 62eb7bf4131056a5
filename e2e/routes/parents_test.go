package routes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// TestServiceParents has the router linkerd hang its routes on the apex Service, and calls by what Istio's control
// plane makes of them, which reads the same routes as Linkerd does.
func TestServiceParents(t *testing.T) {
	m := join(t, raise(t, "routes-parents"))
	for _, portName := range []string{"http", "grpc"} {
		t.Run("a port of "+portName, (&clients{m, portName}).test)
	}
	t.Run("at a proxy", m.testToldParents)
}

// clients call the apex within a mesh, by the port of gRPC, whatever the Canary says of it.
type clients struct {
	*mesh
	portName string
}

func (c *clients) test(t *testing.T) {
	w := seen.By(t, gatewayapi.Linkerd(), "Istio's control plane "+sandbox.IstioVersion+", by clients of gRPC")
	shares := []router.Feature{router.OwnsRoute, router.Weighted}
	if c.portName == "grpc" {
		shares = append(shares, router.GRPC)
	}
	w.Sees("by weight", c.testWeight, shares...)
	w.Sees("by header", c.testHeader, router.HeaderMatch, router.ManyConditions)
	w.Sees("put right", c.testPutRight)
	w.Sees("as it was", c.testReleased)
	w.Sees("a route of the user's", c.testUsersRoute, router.AdoptsRoute)
}

func (c *clients) app() router.App {
	app := c.mesh.app()
	app.Canary.Spec.Service.PortName = c.portName
	return app
}

// divide writes a split, and waits until the route is accepted and as long again as Weir does.
func (c *clients) divide(t *testing.T, split rollout.Split) {
	t.Helper()
	r, app := gatewayapi.Linkerd(), c.app()
	c.apply(t, r, app, split)
	require.Eventually(t, func() bool { return r.Read(app, split, c.look(t, r, app)).Accepted }, patience, 100*time.Millisecond)
	require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, r.Read(app, split, c.look(t, r, app)))
	time.Sleep(r.Settle())
}

func (c *clients) testWeight(t *testing.T) {
	caller := c.caller(t, nil)
	for _, weight := range []int{0, 1, 10, 50, 99, 100, 0} {
		c.divide(t, rollout.Split{Weight: int32(weight)})
		sharedBy(t, caller, nil, weight)
	}
	require.Len(t, c.look(t, gatewayapi.Linkerd(), c.app()), 1, "there is a route of one kind")
}

func (c *clients) testHeader(t *testing.T) {
	caller := c.caller(t, nil)
	c.divide(t, rollout.Split{Weight: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-zone": {Prefix: "e."}, "x-insider": {Exact: "yes"}}},
		{Headers: map[string]v1beta1.StringMatch{"x-tester": {Regex: "a|b"}}},
	}})
	onlyTo(t, caller, map[string]string{"x-zone": "e.u", "x-insider": "yes"}, "canary")
	onlyTo(t, caller, map[string]string{"x-tester": "b"}, "canary")
	for _, header := range []map[string]string{nil, {"x-zone": "e.u"}, {"x-zone": "eu", "x-insider": "yes"}, {"x-tester": "ab"}} {
		sharedBy(t, caller, header, 50)
	}
}

func (c *clients) routes(t *testing.T) (dynamic.ResourceInterface, *unstructured.Unstructured) {
	t.Helper()
	for ref, route := range c.look(t, gatewayapi.Linkerd(), c.app()) {
		return c.client.Resource(ref.Resource).Namespace(c.namespace), route
	}
	require.Fail(t, "there is no route")
	return nil, nil
}

// testPutRight has somebody change the weights in the middle of a run.
func (c *clients) testPutRight(t *testing.T) {
	caller := c.caller(t, nil)
	split := rollout.Split{Weight: 10}
	c.divide(t, split)
	routes, route := c.routes(t)
	rules := route.Object["spec"].(map[string]any)["rules"].([]any)
	for _, to := range rules[0].(map[string]any)["backendRefs"].([]any) {
		to.(map[string]any)["weight"] = int64(50)
	}
	_, err := routes.Update(t.Context(), route, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	r := gatewayapi.Linkerd()
	require.Equal(t, int32(50), r.Read(c.app(), split, c.look(t, r, c.app())).Split.Weight)
	c.divide(t, split)
	sharedBy(t, caller, nil, 10)
}

// release leaves the route behind as Weir does.
func (c *clients) release(t *testing.T) {
	t.Helper()
	r := gatewayapi.Linkerd()
	released, err := r.Release(c.app(), c.look(t, r, c.app()))
	require.NoError(t, err)
	require.Len(t, released, 1)
	routes, _ := c.routes(t)
	_, err = routes.Update(t.Context(), released[0].Object, metav1.UpdateOptions{})
	require.NoError(t, err)
	time.Sleep(r.Settle())
}

func (c *clients) testReleased(t *testing.T) {
	caller := c.caller(t, nil)
	c.divide(t, rollout.Split{Weight: 50})
	sharedBy(t, caller, nil, 50)
	c.release(t)
	onlyTo(t, caller, nil, "primary")
	routes, route := c.routes(t)
	require.NoError(t, routes.Delete(t.Context(), route.GetName(), metav1.DeleteOptions{}))
}

func (c *clients) testUsersRoute(t *testing.T) {
	caller := c.caller(t, nil)
	kind := map[string]string{"http": "HTTPRoute", "grpc": "GRPCRoute"}[c.portName]
	manifest := fmt.Appendf(nil, `apiVersion: gateway.networking.k8s.io/v1
kind: %s
metadata: {name: podinfo, namespace: %s}
spec:
  parentRefs: [{group: "", kind: Service, name: podinfo, port: 9999}]
  rules:
  - matches: [{headers: [{name: x-tester, value: "yes"}]}]
    backendRefs: [{name: podinfo-canary, port: 9999}]
  - backendRefs: [{name: podinfo, port: 9999}]
`, kind, c.namespace)
	require.NoError(t, sandbox.Apply(t.Context(), c.sandbox.RESTConfig(), manifest))
	_, before := c.routes(t)
	c.divide(t, rollout.Split{Weight: 50})
	sharedBy(t, caller, nil, 50)
	onlyTo(t, caller, map[string]string{"x-tester": "yes"}, "canary")
	c.release(t)
	onlyTo(t, caller, nil, "primary")
	routes, after := c.routes(t)
	require.Equal(t, before.Object["spec"], after.Object["spec"])
	require.NoError(t, routes.Delete(t.Context(), after.GetName(), metav1.DeleteOptions{}))
	require.Eventually(t, func() bool { return strings.Contains(load.Call(caller, nil).Version, "primary") }, patience, time.Second)
}
