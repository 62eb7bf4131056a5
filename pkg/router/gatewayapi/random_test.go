package gatewayapi_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/gatewayapi"
)

// TestRandomRoutes adopts routes of all kinds, walks through splits of all kinds, and wants back what was there.
func TestRandomRoutes(t *testing.T) {
	adoptedRoutes := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		app := sticky(t)
		if r.IntN(2) == 0 {
			app.Canary.Spec.Analysis.SessionAffinity = nil
		}
		have := randomRoute(t, r)
		if _, err := (gatewayapi.Router{}).Render(app, rollout.Split{}, foundOf(app, have)); err != nil {
			continue // refused before anything was touched
		}
		adoptedRoutes++
		stored := have
		for range 3 {
			split := randomSplit(r)
			intent, err := gatewayapi.Router{}.Render(app, split, foundOf(app, stored))
			if err != nil {
				continue // the route cannot hold it, and stays as it is
			}
			stored = asStored(stored, intent[0].Intent)
			accept(stored)
			read := gatewayapi.Router{}.Read(app, split, foundOf(app, stored))
			require.True(t, read.Accepted && read.Split.Equal(split), "seed %d: %+v is read of %+v", seed, read, split)
			require.Equal(t, rules(stored), rules(renderSplit(t, app, split, stored)), "seed %d: again", seed)
			other := randomSplit(r)
			read = gatewayapi.Router{}.Read(app, other, foundOf(app, stored))
			require.Equal(t, split.Equal(other), read.Split.Equal(other), "seed %d: %+v, and %+v is committed", seed, split, other)
		}
		require.Equal(t, rules(have), rules(release(t, app, asStored(stored, render(t, app, 0, stored)))), "seed %d: at rest", seed)
		require.Equal(t, rules(have), rules(release(t, app, stored)), "seed %d", seed)
	}
	require.Greater(t, adoptedRoutes, 250, "hardly any route is one to adopt")
}

func randomSplit(r *rand.Rand) rollout.Split {
	split := rollout.Split{}
	if r.IntN(3) > 0 {
		split.Weight = r.Int32N(101)
	}
	if r.IntN(3) == 0 {
		split.Mirror = 1 + r.Int32N(100)
	}
	for range r.IntN(3) {
		texts := texts{"x-insider": {Exact: fmt.Sprint(r.IntN(2))}}
		split.Match = append(split.Match, []v1beta1.RequestMatch{
			{Headers: texts}, {QueryParams: texts}, {Method: "GET"}, {Method: "GET", Headers: texts},
		}[r.IntN(4)])
	}
	return split
}

// randomRoute has rules as a user may have them, with what Weir adds among them in other places.
func randomRoute(t *testing.T, r *rand.Rand) *unstructured.Unstructured {
	t.Helper()
	maybe := func() bool { return r.IntN(4) == 0 }
	filters := func() []any {
		var all []any
		if maybe() {
			all = append(all, map[string]any{
				"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{"remove": []any{"x-a"}},
			})
		}
		if maybe() {
			all = append(all, adds("x-b", "1"))
		}
		return all
	}
	route := parse(t, plainRoute)
	var all []any
	for i := range 1 + r.IntN(4) {
		match := map[string]any{"path": map[string]any{"type": "PathPrefix", "value": fmt.Sprint("/", i)}}
		if maybe() {
			match["headers"] = []any{map[string]any{"name": "x-tenant", "type": "Exact", "value": "blue"}}
		}
		if maybe() {
			match["method"] = []string{"GET", "POST"}[r.IntN(2)]
		}
		rule := map[string]any{"matches": []any{match}}
		own := filters()
		if maybe() {
			own = append(own, map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{
				"path": map[string]any{"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"},
			}})
		}
		if maybe() {
			to := []string{"podinfo", "recorder", "podinfo-canary"}[r.IntN(3)]
			own = append(own, map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{
				"backendRef": map[string]any{"name": to, "port": int64(80)},
			}})
		}
		if own != nil {
			rule["filters"] = own
		}
		if maybe() {
			rule["name"] = fmt.Sprint("mine-", i)
		}
		var to []any
		name := ""
		for range 1 + r.IntN(3) {
			before := name
			name = []string{"podinfo", "podinfo", "podinfo", "legacy", "podinfo-canary", "podinfo-primary"}[r.IntN(6)]
			if before == "podinfo-primary" && name == "podinfo-canary" {
				name = "legacy" // the two side by side are taken for Weir's
			}
			backend := map[string]any{"name": name, "port": int64(80 + r.IntN(2)), "weight": int64(r.IntN(4))}
			if f := filters(); f != nil {
				backend["filters"] = f
			}
			to = append(to, backend)
		}
		rule["backendRefs"] = to
		all = append(all, rule)
	}
	setRules(route, all)
	return route
}
