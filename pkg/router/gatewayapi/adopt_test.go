package gatewayapi_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// routeTo is a user's route with a rule for each line of backends, as in "podinfo=3 legacy=1".
func routeTo(t *testing.T, lines ...string) *unstructured.Unstructured {
	t.Helper()
	route := parse(t, plainRoute)
	var all []any
	for i, line := range lines {
		var to []any
		for _, field := range strings.Fields(line) {
			name, weight, _ := strings.Cut(field, "=")
			w, err := strconv.ParseInt(weight, 10, 64)
			require.NoError(t, err)
			to = append(to, map[string]any{"name": name, "port": int64(80), "weight": w})
		}
		path := map[string]any{"type": "Exact", "value": "/" + strconv.Itoa(i)}
		all = append(all, map[string]any{"matches": []any{map[string]any{"path": path}}, "backendRefs": to})
	}
	setRules(route, all)
	return route
}

func TestRenderRefuses(t *testing.T) {
	const none = "none of its rules sends traffic to Service podinfo"
	alike := func(field string) *unstructured.Unstructured {
		route := routeTo(t, "podinfo=1")
		backends(route, 0)[0].(map[string]any)[field] = "another"
		return route
	}
	timeout := func(s *v1beta1.CanaryService) { s.Timeout = "1s" }
	gateways := func(s *v1beta1.CanaryService) {
		s.GatewayRefs = []gatewayv1.ParentReference{{Name: "edge"}, {Name: "inner"}}
	}
	for _, c := range []struct {
		name  string
		have  *unstructured.Unstructured
		shape func(*v1beta1.CanaryService)
		says  string
	}{
		{"no route, and nowhere to make one", nil, nil, "spec.service.gatewayRefs"},
		{"the apex is not named", routeTo(t, "legacy=1"), nil, none},
		{"another kind has its name", alike("kind"), nil, none},
		{"another group has its name", alike("group"), nil, none},
		{"another namespace has its name", alike("namespace"), nil, none},
		{"the apex gets nothing", routeTo(t, "podinfo=0"), nil, none},
		{"a weight leaves no room", routeTo(t, "podinfo=1", "podinfo=10001"), nil, "its rule 2 has a weight of 10001"},
		{"too many backends", routeTo(t, "podinfo=1"+strings.Repeat(" other=1", 15)), nil, "its rule 1 has too many backends"},
		{
			"a division of the user's own beside the apex", routeTo(t, "podinfo-primary=60 podinfo-canary=40", "podinfo=1"), nil,
			"its rule 2 sends traffic to Service podinfo while another divides it",
		},
		{"a field that would not hold", routeTo(t, "podinfo=1"), timeout, "spec.service.timeout"},
		{"a Gateway that is not its parent", routeTo(t, "podinfo=1"), gateways, "inner in spec.service.gatewayRefs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := appOf(bare(t))
			if c.shape != nil {
				c.shape(&app.Canary.Spec.Service)
			}
			_, err := gatewayapi.Router{}.Render(app, rollout.Split{Weight: 10}, foundOf(app, c.have))
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "HTTPRoute shop/podinfo")
		})
	}
}

func TestAdoptsTheRemainsOfAnother(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo-primary=100 podinfo-canary=0")
	intent := render(t, app, 30, have)
	require.Equal(t, []int64{70, 30}, weights(t, intent, 0))
	require.Equal(t, []string{"podinfo"}, namesIn(t, release(t, app, have), 0))
}

// Once a route is adopted, a change of the Canary's spec does not stand in the way of a rollback.
func TestAdoptedStaysRenderable(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo=1")
	have = asStored(have, render(t, app, 30, have))
	app.Canary.Spec.Service.Timeout = "1s"
	require.Equal(t, []int64{100, 0}, weights(t, render(t, app, 0, have), 0))
}

// A made route does not leave its Gateways because somebody has emptied the list of them.
func TestMadeKeepsItsGateways(t *testing.T) {
	app := appOf(canary(t))
	have := render(t, app, 10, nil)
	parents := have.Object["spec"].(map[string]any)["parentRefs"]
	app.Canary.Spec.Service.GatewayRefs = nil
	require.Equal(t, parents, render(t, app, 0, have).Object["spec"].(map[string]any)["parentRefs"])
}

// What these types do not know, here a field of the experimental channel, stays in an adopted route.
func TestAdoptedKeepsUnknownFields(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo=1")
	backends(have, 0)[0].(map[string]any)["surprise"] = []any{int64(1)}
	rules(have)[0].(map[string]any)["retry"] = map[string]any{"attempts": int64(2), "surprise": true}
	stored := asStored(have, render(t, app, 30, have))
	rule := rules(stored)[0].(map[string]any)
	require.Equal(t, map[string]any{"attempts": int64(2), "surprise": true}, rule["retry"])
	for _, b := range backends(stored, 0) {
		require.Equal(t, []any{int64(1)}, b.(map[string]any)["surprise"])
	}
	require.Equal(t, rules(have), rules(release(t, app, stored)))
}

// A pair that somebody else damaged after changing the rule around it is folded by its weights.
func TestFoldsByProportion(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo=3 legacy=1")
	stored := asStored(have, render(t, app, 10, have))
	rules(stored)[0].(map[string]any)["timeouts"] = map[string]any{"request": "1s"}
	p, c := pairOf(stored, 0)
	p["weight"], c["weight"] = int64(149), int64(1)
	require.Equal(t, []int64{135_00, 15_00, 100_00}, weights(t, render(t, app, 10, stored), 0), "150 of 250, as he left it")
}

func bare(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := canary(t)
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	return c
}

// asStored is a route after an intent was applied to it.
func asStored(have, intent *unstructured.Unstructured) *unstructured.Unstructured {
	stored := have.DeepCopy()
	stored.SetAnnotations(intent.GetAnnotations())
	setRules(stored, rules(intent.DeepCopy()))
	return stored
}

func weights(t *testing.T, route *unstructured.Unstructured, rule int) []int64 {
	t.Helper()
	var all []int64
	for _, b := range backends(route, rule) {
		all = append(all, b.(map[string]any)["weight"].(int64))
	}
	return all
}

func namesIn(t *testing.T, route *unstructured.Unstructured, rule int) []string {
	t.Helper()
	var all []string
	for _, b := range backends(route, rule) {
		all = append(all, b.(map[string]any)["name"].(string))
	}
	return all
}
