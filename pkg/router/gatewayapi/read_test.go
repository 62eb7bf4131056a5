package gatewayapi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// TestReadAcceptance has routes of generation 3 on two Gateways, edge and inner, with weight 20.
func TestReadAcceptance(t *testing.T) {
	type condition struct {
		kind, status string
		generation   int64
	}
	type says struct {
		parent     map[string]any
		conditions []condition
	}
	edge, inner := map[string]any{"name": "edge"}, map[string]any{"name": "inner", "sectionName": "web"}
	spelledOut := map[string]any{
		"name": "edge", "namespace": "shop", "group": "gateway.networking.k8s.io", "kind": "Gateway",
	}
	otherListener, former := map[string]any{"name": "inner", "sectionName": "other"}, map[string]any{"name": "old"}
	known := func(accepted, resolved string, generation int64) []condition {
		return []condition{{"Accepted", accepted, generation}, {"ResolvedRefs", resolved, generation}}
	}
	fine := known("True", "True", 3)
	partly := func(generation int64) []condition {
		return append(known("True", "True", 3), condition{"PartiallyInvalid", "True", generation})
	}
	const refused = "HTTPRoute shop/podinfo is not served whole by edge: Because: of that"
	for _, c := range []struct {
		name     string
		status   []says
		accepted bool
		refused  string
	}{
		{"nobody has spoken", nil, false, ""},
		{"both have accepted it", []says{{edge, fine}, {inner, fine}}, true, ""},
		{"the parent is spelled out", []says{{spelledOut, fine}, {inner, fine}}, true, ""},
		{"one is silent", []says{{edge, fine}}, false, ""},
		{"another listener has spoken", []says{{edge, fine}, {otherListener, fine}}, false, ""},
		{"the version before is accepted", []says{{edge, known("True", "True", 2)}, {inner, fine}}, false, ""},
		{"the version before is refused", []says{{edge, known("False", "False", 2)}, {inner, fine}}, false, ""},
		{"it is not yet known", []says{{edge, known("Unknown", "True", 3)}, {inner, fine}}, false, ""},
		{"references are not judged yet", []says{{edge, fine[:1]}, {inner, fine}}, false, ""},
		{"it is refused", []says{{inner, fine}, {edge, known("False", "True", 3)}}, false, refused},
		{"a backend is missing", []says{{inner, fine}, {edge, known("True", "False", 3)}}, false, refused},
		{"a part of it is not served", []says{{inner, fine}, {edge, partly(3)}}, false, refused},
		{"a part of the version before was not", []says{{inner, fine}, {edge, partly(2)}}, true, ""},
		{"a second controller refuses it", []says{{edge, fine}, {inner, fine}, {edge, known("False", "True", 3)}}, false, refused},
		{"a Gateway that it has left refuses it", []says{{edge, fine}, {inner, fine}, {former, known("False", "True", 3)}}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := appOf(bare(t))
			have := userRoute(t)
			have = asStored(have, render(t, app, 20, have))
			have.SetGeneration(3)
			var parents []any
			for _, s := range c.status {
				var conditions []any
				for _, cond := range s.conditions {
					conditions = append(conditions, map[string]any{
						"type": cond.kind, "status": cond.status, "observedGeneration": cond.generation,
						"reason": "Because", "message": "of that", "lastTransitionTime": "2026-01-01T00:00:00Z",
					})
				}
				parents = append(parents, map[string]any{
					"controllerName": "example.com/gateway", "parentRef": s.parent, "conditions": conditions,
				})
			}
			have.Object["status"] = map[string]any{"parents": parents}
			want := rollout.Route{Found: true, Split: rollout.Split{Weight: 20}, Accepted: c.accepted, Refused: c.refused}
			require.Equal(t, want, gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, have)))
		})
	}
}

// TestReadSplit has routes that every Gateway accepts.
func TestReadSplit(t *testing.T) {
	inForce := func(weight int32) rollout.Route {
		return rollout.Route{Found: true, Split: rollout.Split{Weight: weight}, Accepted: true}
	}
	moving := func(weight int32) rollout.Route {
		return rollout.Route{Found: true, Split: rollout.Split{Weight: weight}}
	}
	for _, c := range []struct {
		name  string
		rules []string
		is    rollout.Route
	}{
		{"somebody else's", []string{"podinfo=1"}, rollout.Route{}},
		{"a tester's way alone", []string{"podinfo-canary=1"}, rollout.Route{}},
		{"a pair", []string{"podinfo-primary=70 podinfo-canary=30"}, inForce(30)},
		{"a pair beside another", []string{"legacy=100 podinfo-primary=210 podinfo-canary=90"}, inForce(30)},
		{"two that agree", []string{"podinfo-primary=70 podinfo-canary=30", "podinfo-primary=70 podinfo-canary=30"}, inForce(30)},
		{"two that do not", []string{"podinfo-primary=70 podinfo-canary=30", "podinfo-primary=95 podinfo-canary=5"}, moving(30)},
		{"no whole percent", []string{"podinfo-primary=70 podinfo-canary=35"}, moving(34)},
		{"a weight beside it that is not Weir's", []string{"legacy=1 podinfo-primary=70 podinfo-canary=30"}, moving(30)},
		{"the apex in one rule again", []string{"podinfo-primary=70 podinfo-canary=30", "podinfo=1"}, moving(30)},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := appOf(bare(t))
			have := routeTo(t, c.rules...)
			accept(have)
			require.Equal(t, c.is, gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, have)))
		})
	}
	require.Equal(t, rollout.Route{}, gatewayapi.Router{}.Read(appOf(bare(t)), rollout.Split{}, nil), "no route at all")
}

func TestReadWithoutParents(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo-primary=70 podinfo-canary=30")
	have.Object["spec"].(map[string]any)["parentRefs"] = []any{}
	route := gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, have))
	require.False(t, route.Accepted)
	require.Contains(t, route.Refused, "spec.parentRefs")
}
