package routes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// TestMeshRoute has the router gatewayapi hang its HTTPRoute on the apex Service, as a mesh has it, and calls by what
// Istio's control plane makes of it.
func TestMeshRoute(t *testing.T) {
	m := join(t, raise(t, "routes-mesh"))
	t.Run("by weight", m.testRouteWeight)
	t.Run("by header", m.testRouteHeader)
	t.Run("put right", m.testRoutePutRight)
	t.Run("as it was", m.testRouteReleased)
}

// routed is an application whose route hangs on its own Service.
func (m *mesh) routed() router.App {
	app := m.app()
	app.Canary.Spec.Service.GatewayRefs = []gatewayv1.ParentReference{{
		Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: "podinfo", Port: new(gatewayv1.PortNumber(9999)),
	}}
	return app
}

// share writes a split, and waits until Istio says that it has accepted it, and as long again as Weir does.
func (m *mesh) share(t *testing.T, split rollout.Split) {
	t.Helper()
	app, r := m.routed(), gatewayapi.Router{}
	m.apply(t, r, app, split)
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Eventually(t, func() bool { return r.Read(app, split, m.look(t, r, app)).Accepted }, patience, 100*time.Millisecond)
	require.Equal(t, in, r.Read(app, split, m.look(t, r, app)))
	time.Sleep(r.Settle())
}

func (m *mesh) testRouteWeight(t *testing.T) {
	caller := m.caller(t, nil)
	for _, weight := range []int{0, 10, 50, 100, 0} {
		m.share(t, rollout.Split{Weight: int32(weight)})
		sharedBy(t, caller, nil, weight)
	}
}

func (m *mesh) testRouteHeader(t *testing.T) {
	caller := m.caller(t, nil)
	match := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-zone": {Prefix: "e."}}}}
	m.share(t, rollout.Split{Weight: 50, Match: match})
	onlyTo(t, caller, map[string]string{"x-zone": "e.u"}, "canary")
	sharedBy(t, caller, map[string]string{"x-zone": "eu"}, 50)
}

// testRoutePutRight has somebody change the weights in the middle of a run.
func (m *mesh) testRoutePutRight(t *testing.T) {
	caller := m.caller(t, nil)
	split := rollout.Split{Weight: 10}
	m.share(t, split)
	m.edit(t, gatewayapi.HTTPRoutes(), func(spec map[string]any) {
		rule := spec["rules"].([]any)[0].(map[string]any)
		for _, to := range rule["backendRefs"].([]any) {
			to.(map[string]any)["weight"] = int64(50)
		}
	})
	read := gatewayapi.Router{}.Read(m.routed(), split, m.look(t, gatewayapi.Router{}, m.routed()))
	require.Equal(t, int32(50), read.Split.Weight)
	m.share(t, split)
	sharedBy(t, caller, nil, 10)
}

func (m *mesh) testRouteReleased(t *testing.T) {
	caller := m.caller(t, nil)
	m.share(t, rollout.Split{Weight: 50})
	sharedBy(t, caller, nil, 50)
	m.release(t, gatewayapi.Router{}, m.routed())
	time.Sleep(gatewayapi.Router{}.Settle())
	onlyTo(t, caller, nil, "primary")
	m.hears(t, m.sidecar(t, nil), "9999", "podinfo", map[string]uint32{m.apex(9999): 100})
}
