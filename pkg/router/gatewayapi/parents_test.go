package gatewayapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/gatewayapi"
)

func serviceParent(name string, port int32) gatewayv1.ParentReference {
	return gatewayv1.ParentReference{
		Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: gatewayv1.ObjectName(name), Port: new(port),
	}
}

// A route of Weir's hangs on what the spec names, and in a mesh of Linkerd on the apex in any case.
func TestParentsOfMade(t *testing.T) {
	edge := gatewayv1.ParentReference{Name: "edge"}
	apex, all := serviceParent("podinfo", 9898), serviceParent("podinfo", 9898)
	all.Port = nil
	inJSON := func(refs ...gatewayv1.ParentReference) []any {
		var out []any
		for _, r := range refs {
			m := map[string]any{"name": string(r.Name)}
			if r.Kind != nil {
				m["group"], m["kind"] = string(*r.Group), string(*r.Kind)
			}
			if r.Port != nil {
				m["port"] = int64(*r.Port)
			}
			out = append(out, m)
		}
		return out
	}
	for _, c := range []struct {
		name        string
		router      gatewayapi.Router
		named, hang []gatewayv1.ParentReference
	}{
		{"several Gateways, and a Service", gatewayapi.Router{}, []gatewayv1.ParentReference{edge, {Name: "inner"}, apex},
			[]gatewayv1.ParentReference{edge, {Name: "inner"}, apex}},
		{"Linkerd alone", gatewayapi.Linkerd(), nil, []gatewayv1.ParentReference{apex}},
		{"Linkerd beside a Gateway", gatewayapi.Linkerd(), []gatewayv1.ParentReference{edge}, []gatewayv1.ParentReference{apex, edge}},
		{"Linkerd, said", gatewayapi.Linkerd(), []gatewayv1.ParentReference{apex}, []gatewayv1.ParentReference{apex}},
		{
			"Linkerd, for all ports", gatewayapi.Linkerd(),
			[]gatewayv1.ParentReference{all, edge}, []gatewayv1.ParentReference{all, edge},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			canary := bare(t)
			canary.Spec.Service.GatewayRefs = c.named
			objects, err := c.router.Render(appOf(canary), rollout.Split{}, nil)
			require.NoError(t, err)
			parents, _, _ := unstructured.NestedSlice(objects[0].Intent.Object, "spec", "parentRefs")
			require.Equal(t, inJSON(c.hang...), parents)
		})
	}
}

// Every parent has to accept a route, each by its own controller.
func TestReadParentsOfAllKinds(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo-primary=70 podinfo-canary=30")
	have.SetGeneration(3)
	have.Object["spec"].(map[string]any)["parentRefs"] = []any{
		map[string]any{"name": "edge"},
		map[string]any{"group": "", "kind": "Service", "name": "podinfo", "port": int64(9898)},
	}
	status := func(parent map[string]any, controller, says string, generation int64) map[string]any {
		var conditions []any
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			c := map[string]any{"type": kind, "status": says, "reason": "Because", "message": "of that"}
			if generation > 0 {
				c["observedGeneration"] = generation
			}
			conditions = append(conditions, c)
		}
		return map[string]any{"parentRef": parent, "controllerName": controller, "conditions": conditions}
	}
	edge := status(map[string]any{"name": "edge"}, "example.com/gateway", "True", 3)
	service := map[string]any{"group": "", "kind": "Service", "name": "podinfo", "port": int64(9898)}
	core := map[string]any{"group": "core", "kind": "Service", "name": "podinfo", "namespace": "shop", "port": int64(9898)}
	gateway := map[string]any{"kind": "Gateway", "name": "podinfo", "port": int64(9898)}
	const istio, linkerd = "istio.io/mesh-controller", "linkerd.io/policy-controller"
	for _, c := range []struct {
		name     string
		says     []any
		accepted bool
		refused  string
	}{
		{"the Gateway alone has spoken", []any{edge}, false, ""},
		{"the mesh alone has spoken", []any{status(service, istio, "True", 3)}, false, ""},
		{"both have accepted it", []any{edge, status(service, istio, "True", 3)}, true, ""},
		{"the group is written out", []any{edge, status(core, istio, "True", 3)}, true, ""},
		{"a Gateway of that name has spoken", []any{edge, status(gateway, istio, "True", 3)}, false, ""},
		{"the mesh speaks of the version before", []any{edge, status(service, istio, "True", 2)}, false, ""},
		{"the mesh says of no version that it accepts it", []any{edge, status(service, istio, "True", 0)}, false, ""},
		{"Linkerd says of no version that it accepts it", []any{edge, status(core, linkerd, "True", 0)}, true, ""},
		{"Linkerd speaks of the version before", []any{edge, status(core, linkerd, "True", 2)}, false, ""},
		{"Linkerd refuses it", []any{edge, status(core, linkerd, "False", 0)}, false,
			"HTTPRoute shop/podinfo is not served whole by podinfo: Because: of that"},
	} {
		t.Run(c.name, func(t *testing.T) {
			have.Object["status"] = map[string]any{"parents": c.says}
			route := gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, have))
			require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 30}, Accepted: c.accepted, Refused: c.refused}, route)
		})
	}
}

// Linkerd serves a route for the Services that it hangs on, so one that does not hang on the apex is no use there.
func TestLinkerdAdoptsRoutesOfTheApex(t *testing.T) {
	app := appOf(bare(t))
	for parent, refused := range map[string]bool{
		`{name: podinfo, kind: Service, group: core, port: 9898}`: false,
		`{name: podinfo, kind: Service, group: ""}`:               false,
		`{name: podinfo, kind: Service, group: "", port: 80}`:     true,
		`{name: legacy, kind: Service, group: ""}`:                true,
		`{name: podinfo}`: true,
		`{name: edge}`:    true,
	} {
		have := parse(t, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: podinfo}\n"+
			"spec:\n  parentRefs: ["+parent+"]\n  rules: [{backendRefs: [{name: podinfo, port: 9898}]}]\n")
		_, err := gatewayapi.Linkerd().Render(app, rollout.Split{}, foundOf(app, have))
		if !refused {
			require.NoError(t, err, parent)
			continue
		}
		require.ErrorContains(t, err, "it does not hang on Service podinfo", parent)
	}
}

// Answers of a GRPCRoute whose headers are to be changed are errors, all of them, where Traefik serves it.
func TestHeadersOfAnswersThroughTraefik(t *testing.T) {
	c := ofCalls(canary(t))
	app := appOf(c)
	made := asMade(render(t, app, 0, nil))
	by(traefik)(made)
	_, err := gatewayapi.Router{}.Render(app, rollout.Split{}, foundOf(app, made))
	require.ErrorContains(t, err, "spec.service.headers.response cannot be carried out: its parent edge is served by Traefik")
	c.Spec.Service.Headers.Response = nil
	_, err = gatewayapi.Router{}.Render(app, rollout.Split{}, foundOf(app, made))
	require.NoError(t, err)

	overHTTP := appOf(canary(t))
	made = asMade(render(t, overHTTP, 0, nil))
	by(traefik)(made)
	_, err = gatewayapi.Router{}.Render(overHTTP, rollout.Split{}, foundOf(overHTTP, made))
	require.NoError(t, err)
}

func asMade(intent *unstructured.Unstructured) *unstructured.Unstructured {
	made := intent.DeepCopy()
	made.SetGeneration(1)
	return made
}

func TestFeaturesOfLinkerd(t *testing.T) {
	c := canary(t)
	c.Spec.Analysis.Mirror = true
	var all []string
	for _, p := range gatewayapi.Linkerd().Validate(c) {
		all = append(all, p.Message)
	}
	const rest = ", which router linkerd does not offer; remove the field or choose another spec.provider"
	require.Equal(t, []string{
		"spec.service.hosts asks for hosts" + rest, "spec.service.rewrite asks for rewriting" + rest,
		"spec.service.timeout asks for timeouts" + rest, "spec.analysis.mirror asks for mirroring" + rest,
	}, all)
	require.Empty(t, gatewayapi.Linkerd().Validate(&v1beta1.Canary{}))
}
