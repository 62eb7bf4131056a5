package routes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
)

// TestIstio shows what Istio's control plane makes of what the router istio renders. Calls of gRPC go where it says,
// without a proxy. What only a proxy can do is read from what it tells one (istio_proxies_test.go).
func TestIstio(t *testing.T) {
	m := join(t, raise(t, "routes-istio"))
	consumer := "Istio's control plane " + sandbox.IstioVersion + ", by clients of gRPC and by what it tells proxies"
	w := seen.By(t, istio.Router{}, consumer)
	w.Sees("by weight", m.testWeight, router.Weighted, router.OwnsRoute)
	w.Sees("by header", m.testHeader, router.HeaderMatch, router.ManyConditions)
	w.Sees("by source labels", m.testSource, router.SourceMatch)
	w.Sees("by the cookie of session affinity", m.testCookie)
	w.Sees("calls that match nothing", m.testMatches, router.Matches)
	w.Sees("in time", m.testTimeout)
	w.Sees("by delegation", m.testDelegation)
	w.Sees("put right", m.testPutRight)

	w.Sees("at a proxy: weights and what answers set", m.testToldAffinity, router.SessionAffinity)
	w.Sees("at a proxy: by query parameter", m.testToldQuery, router.QueryMatch)
	w.Sees("at a proxy: by source labels beside gateways", m.testToldSource)
	w.Sees("at a proxy: mirrors", m.testToldMirror, router.Mirrors, router.MirrorsPercent)
	w.Sees("at a proxy: rewrites and headers", m.testToldRewrite, router.Rewrites, router.EditsHeaders)
	w.Sees("at a proxy: timeouts and retries", m.testToldPatience, router.Timeouts, router.Retries)
	w.Sees("at a proxy: pages of other origins", m.testToldCORS, router.CORS)
	w.Sees("at a proxy: a traffic policy", m.testToldPolicy, router.TrafficPolicies)
	w.Sees("at a gateway: hosts and matches", m.testToldGateway, router.NamedGateways, router.Hosts)
	w.Sees("at a gateway: by delegation", m.testToldDelegation, router.Delegates)
	w.Sees("connections", m.testToldTCP, router.TCP)
	w.Sees("as it was", m.testReleased)
}

// mesh is Istio's control plane over the pods of two revisions.
type mesh struct {
	*proxy
	controlPlane string
}

// join makes the Services of an application in a mesh. The apex is held to the primary's pods, as Weir holds it.
func join(t *testing.T, p *proxy) *mesh {
	t.Helper()
	at, err := p.sandbox.StartIstiod(t.Context())
	require.NoError(t, err)
	m := &mesh{proxy: p, controlPlane: at}
	for name, app := range map[string]string{"podinfo": "primary", "podinfo-primary": "primary", "podinfo-canary": "canary"} {
		require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil, servicesYAML, name, p.namespace, app)))
	}
	require.NoError(t, load.AwaitCalls(t.Context(), m.calls("podinfo-primary", nil)))
	require.NoError(t, load.AwaitCalls(t.Context(), m.calls("podinfo-canary", nil)))
	return m
}

const servicesYAML = `apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  selector: {app: %[3]s}
  ports:
  - {name: http, port: 9898}
  - {name: grpc, port: 9999}
  - {name: tcp, port: 6379, targetPort: 9898}
`

func (m *mesh) calls(service string, labels map[string]string) load.Calls {
	return load.Calls{
		ControlPlane: m.controlPlane, Target: fmt.Sprintf("%s.%s.svc.cluster.local:9999", service, m.namespace),
		Namespace: m.namespace, Labels: labels,
	}
}

// app is an application that is called within the mesh.
func (m *mesh) app() router.App {
	app := m.proxy.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9999}
	return app
}

// caller calls the apex from a pod with the labels.
func (m *mesh) caller(t *testing.T, labels map[string]string) *grpc.ClientConn {
	t.Helper()
	conn, err := load.Connect(m.calls("podinfo", labels))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// divide writes a split, and waits as long as Weir does until it presumes that traffic follows.
func (m *mesh) divide(t *testing.T, app router.App, split rollout.Split) {
	t.Helper()
	m.write(t, istio.Router{}, app, split)
	time.Sleep(istio.Router{}.Settle())
}

// answered calls so many times, and counts who answered.
func answered(t *testing.T, client *grpc.ClientConn, header map[string]string, times int) map[string]int {
	t.Helper()
	from := map[string]int{}
	for range times {
		a := load.Call(client, header)
		require.Empty(t, a.Err)
		from[a.Version]++
	}
	return from
}

// onlyTo says that one revision alone answers.
func onlyTo(t *testing.T, client *grpc.ClientConn, header map[string]string, revision string) {
	t.Helper()
	assert.Equal(t, map[string]int{revision: 100}, answered(t, client, header, 100), "%v", header)
}

// sharedBy says that the canary answers its share.
func sharedBy(t *testing.T, client *grpc.ClientConn, header map[string]string, weight int) {
	t.Helper()
	const times = 1000
	byChance(t, weight, times, answered(t, client, header, times)["canary"], header)
}

func (m *mesh) testWeight(t *testing.T) {
	client := m.caller(t, nil)
	for _, weight := range []int{0, 1, 10, 50, 99, 100, 0} {
		m.divide(t, m.app(), rollout.Split{Weight: int32(weight)})
		sharedBy(t, client, nil, weight)
	}
}

func (m *mesh) testHeader(t *testing.T) {
	client := m.caller(t, nil)
	zone := func(value string) map[string]string { return map[string]string{"x-zone": value} }
	for _, c := range []struct {
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
		m.divide(t, m.app(), rollout.Split{Match: []v1beta1.RequestMatch{{Headers: c.headers}}})
		for _, header := range c.yes {
			onlyTo(t, client, header, "canary")
		}
		for _, header := range c.not {
			onlyTo(t, client, header, "primary")
		}
	}
	either := []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-zone": {Exact: "eu"}}},
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}},
	}
	m.divide(t, m.app(), rollout.Split{Weight: 50, Match: either})
	onlyTo(t, client, zone("eu"), "canary")
	onlyTo(t, client, map[string]string{"x-insider": "yes"}, "canary")
	sharedBy(t, client, zone("us"), 50)
}

func (m *mesh) testSource(t *testing.T) {
	shop, other := m.caller(t, map[string]string{"app": "shop", "tier": "web"}), m.caller(t, map[string]string{"app": "cart"})
	split := rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{{SourceLabels: map[string]string{"app": "shop"}}}}
	m.divide(t, m.app(), split)
	onlyTo(t, shop, nil, "canary")
	sharedBy(t, other, nil, 10)
}

func (m *mesh) testCookie(t *testing.T) {
	client := m.caller(t, nil)
	app := m.app()
	app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "weir.canary"}
	m.divide(t, app, rollout.Split{Weight: 20})
	for _, cookie := range []string{"%s", "a=b; %s", "%s; a=b", "a=b; %s; c=d"} {
		onlyTo(t, client, map[string]string{"cookie": fmt.Sprintf(cookie, "weir.canary=5f64b8c9d7")}, "canary")
	}
	for _, cookie := range []string{"weir.canary=before", "weir-canary=5f64b8c9d7", "xweir.canary=5f64b8c9d7"} {
		sharedBy(t, client, map[string]string{"cookie": cookie}, 20)
	}
	for weight, from := range map[int32]string{0: "primary", 100: "canary"} {
		m.divide(t, app, rollout.Split{Weight: weight})
		onlyTo(t, client, map[string]string{"cookie": "weir.canary=5f64b8c9d7"}, from)
	}
}

// testMatches has an application that takes some calls alone. The path of a call is its service and its method.
func (m *mesh) testMatches(t *testing.T) {
	client := m.caller(t, nil)
	blue := map[string]string{"x-tenant": "blue"}
	app := m.app()
	app.Canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{{
		Path:    &gatewayv1.HTTPPathMatch{Value: new("/info.InfoService")},
		Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "blue"}},
	}}
	insider := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	m.divide(t, app, rollout.Split{Weight: 50, Match: insider})
	sharedBy(t, client, blue, 50)
	onlyTo(t, client, map[string]string{"x-tenant": "blue", "x-insider": "yes"}, "canary")
	for _, header := range []map[string]string{nil, {"x-tenant": "green"}, {"x-insider": "yes"}} {
		assert.Contains(t, load.Call(client, header).Err, "no matched route", "%v", header)
	}

	app.Canary.Spec.Service.Match[0].Path.Value = new("/info.Info")
	m.divide(t, app, rollout.Split{Weight: 50})
	assert.Contains(t, load.Call(client, blue).Err, "no matched route", "a prefix is of whole elements")
}

func (m *mesh) testTimeout(t *testing.T) {
	client := m.caller(t, nil)
	app := m.app()
	m.divide(t, app, rollout.Split{Weight: 50})
	require.NoError(t, slowly(t, client), "without a timeout")
	app.Canary.Spec.Service.Timeout = "1s"
	m.divide(t, app, rollout.Split{Weight: 50})
	begun := time.Now()
	require.Equal(t, codes.DeadlineExceeded, status.Code(slowly(t, client)))
	assert.InDelta(t, 1, time.Since(begun).Seconds(), 0.5)
}

// slowly calls what takes podinfo two seconds.
func slowly(t *testing.T, client *grpc.ClientConn) error {
	t.Helper()
	var ask, answer emptypb.Empty
	ask.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2))
	return client.Invoke(t.Context(), "/delay.DelayService/Delay", &ask, &answer)
}

// delegatingYAML is a VirtualService of the user's, which has the host and hands some of its requests on.
const delegatingYAML = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front, namespace: %[1]s}
spec:
  hosts: [podinfo, podinfo.example.com]
  gateways: [mesh, public]
  http:
  - match: [{headers: {x-tenant: {exact: blue}}}]
    delegate: {name: podinfo, namespace: %[1]s}
  - route: [{destination: {host: podinfo-primary, port: {number: 9999}}}]
`

// delegating has a VirtualService of the user's delegate to that of an application, until the end of the test.
func (m *mesh) delegating(t *testing.T) router.App {
	t.Helper()
	app := m.app()
	app.Canary.Spec.Service.Delegation = true
	// Two for one host would be one too many.
	m.divide(t, app, rollout.Split{})
	require.NoError(t, sandbox.Apply(t.Context(), m.sandbox.RESTConfig(), fmt.Appendf(nil, delegatingYAML, m.namespace)))
	t.Cleanup(func() {
		assert.NoError(t, m.virtualServices().Delete(context.Background(), "front", metav1.DeleteOptions{}))
	})
	return app
}

func (m *mesh) virtualServices() dynamic.ResourceInterface {
	return m.client.Resource(istio.VirtualServices()).Namespace(m.namespace)
}

func (m *mesh) testDelegation(t *testing.T) {
	caller := m.caller(t, nil)
	app := m.delegating(t)
	insider := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	m.divide(t, app, rollout.Split{Weight: 50, Match: insider})
	sharedBy(t, caller, map[string]string{"x-tenant": "blue"}, 50)
	onlyTo(t, caller, map[string]string{"x-tenant": "blue", "x-insider": "yes"}, "canary")
	onlyTo(t, caller, map[string]string{"x-insider": "yes"}, "primary")
}

// testPutRight has somebody change the VirtualService in the middle of a run.
func (m *mesh) testPutRight(t *testing.T) {
	caller := m.caller(t, nil)
	split := rollout.Split{Weight: 10}
	m.divide(t, m.app(), split)
	m.edit(t, istio.VirtualServices(), func(spec map[string]any) {
		spec["http"] = []any{map[string]any{"route": []any{
			map[string]any{"destination": map[string]any{"host": "podinfo-canary"}},
		}}}
	})
	r := istio.Router{}
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 100}}, r.Read(m.app(), split, m.look(t, r, m.app())))
	time.Sleep(r.Settle())
	onlyTo(t, caller, nil, "canary")
	m.divide(t, m.app(), split)
	sharedBy(t, caller, nil, 10)
}

// edit changes the object of the apex's name as somebody who is not Weir.
func (m *mesh) edit(t *testing.T, kind schema.GroupVersionResource, change func(spec map[string]any)) {
	t.Helper()
	objects := m.client.Resource(kind).Namespace(m.namespace)
	edited, err := objects.Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	change(edited.Object["spec"].(map[string]any))
	_, err = objects.Update(t.Context(), edited, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
}

// release leaves the objects behind as Weir does when the Canary goes.
func (m *mesh) release(t *testing.T, r router.Router, app router.App) []router.Released {
	t.Helper()
	released, err := r.Release(app, m.look(t, r, app))
	require.NoError(t, err)
	for _, left := range released {
		objects := m.client.Resource(left.Ref.Resource).Namespace(m.namespace)
		if left.Object == nil {
			require.NoError(t, objects.Delete(t.Context(), left.Ref.Name, metav1.DeleteOptions{}))
			continue
		}
		_, err = objects.Update(t.Context(), left.Object, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	return released
}

func (m *mesh) testReleased(t *testing.T) {
	caller := m.caller(t, nil)
	app := m.app()
	app.Canary.Spec.Service.TrafficPolicy = &v1beta1.TrafficPolicy{LoadBalancer: &v1beta1.LoadBalancer{Simple: "RANDOM"}}
	m.divide(t, app, rollout.Split{Weight: 50})
	sharedBy(t, caller, nil, 50)
	require.Len(t, m.release(t, istio.Router{}, app), 3)
	time.Sleep(istio.Router{}.Settle())
	for _, port := range []int{9898, 9999} {
		require.Equal(t, []map[string]uint32{{m.apex(port): 100}}, divided(m.sidecar(t, nil).routes(t, fmt.Sprint(port), "podinfo")))
	}
	onlyTo(t, caller, nil, "primary")
}
