package istio_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router/istio"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	definitions, err := sandbox.IstioDefinitions(t.Context())
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router:      istio.Router{},
		Definitions: definitions,
		Shares:      shares,
		Ways:        ways,
		Damage:      append(damage(), additions()...),
	})
}

// of is done to the VirtualService alone.
func of(do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if o.GetKind() == "VirtualService" {
			do(o)
		}
	}
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: of(func(v *unstructured.Unstructured) { v.SetOwnerReferences(nil) })},
		{Name: "the shares were swapped", Do: of(func(v *unstructured.Unstructured) {
			p, c := pairOf(own(v))
			p["weight"], c["weight"] = c["weight"], p["weight"]
		})},
		{Name: "the weights were made odd", Do: of(func(v *unstructured.Unstructured) {
			p, c := pairOf(own(v))
			p["weight"], c["weight"] = int64(7), int64(5)
		})},
		{Name: "all traffic was stopped", Do: of(func(v *unstructured.Unstructured) {
			p, c := pairOf(own(v))
			p["weight"], c["weight"] = int64(0), int64(0)
		})},
		{Name: "the canary was removed", Do: of(func(v *unstructured.Unstructured) {
			own(v)["route"] = own(v)["route"].([]any)[:1]
		})},
		{Name: "the primary was removed", Do: of(func(v *unstructured.Unstructured) {
			own(v)["route"] = own(v)["route"].([]any)[1:]
		})},
		{Name: "it was sent to the apex", Do: of(func(v *unstructured.Unstructured) {
			own(v)["route"] = []any{map[string]any{"destination": map[string]any{"host": "podinfo"}}}
		})},
		{Name: "a route was put in front", Do: of(func(v *unstructured.Unstructured) {
			setRoutes(v, append([]any{map[string]any{
				"route": []any{map[string]any{"destination": map[string]any{"host": "podinfo"}}},
			}}, routes(v)...))
		})},
		{Name: "it was taken off its gateways", Do: of(func(v *unstructured.Unstructured) {
			unstructured.RemoveNestedField(v.Object, "spec", "gateways")
		})},
		{Name: "it was made to answer to another host", Do: of(func(v *unstructured.Unstructured) {
			v.Object["spec"].(map[string]any)["hosts"] = []any{"other"}
		})},
		{Name: "its timeout was changed", Do: of(func(v *unstructured.Unstructured) { own(v)["timeout"] = "1s" })},
		{Name: "a policy was changed", Do: func(o *unstructured.Unstructured) {
			if o.GetKind() == "DestinationRule" {
				o.Object["spec"].(map[string]any)["trafficPolicy"] = map[string]any{}
			}
		}},
	}
}

// additions is what is done to what stands in a route beside its shares.
func additions() []routertest.Edit {
	first := func(v *unstructured.Unstructured) map[string]any { return routes(v)[0].(map[string]any) }
	return []routertest.Edit{
		{Name: "a route for matching requests was removed", Do: of(func(v *unstructured.Unstructured) {
			setRoutes(v, routes(v)[1:])
		})},
		{Name: "a route for matching requests was put last", Do: of(func(v *unstructured.Unstructured) {
			setRoutes(v, append(routes(v)[1:], first(v)))
		})},
		{Name: "a route for matching requests was sent elsewhere", Do: of(func(v *unstructured.Unstructured) {
			first(v)["route"] = []any{map[string]any{"destination": map[string]any{"host": "legacy"}}}
		})},
		{Name: "a route for matching requests was made to match all", Do: of(func(v *unstructured.Unstructured) {
			delete(first(v), "match")
		})},
		{Name: "the mirror was removed", Do: of(func(v *unstructured.Unstructured) {
			delete(own(v), "mirror")
			delete(own(v), "mirrorPercentage")
		})},
		{Name: "the mirror was made smaller", Do: of(func(v *unstructured.Unstructured) {
			own(v)["mirrorPercentage"] = map[string]any{"value": 0.5}
		})},
		{Name: "the mirror was sent elsewhere", Do: of(func(v *unstructured.Unstructured) {
			own(v)["mirror"] = map[string]any{"host": "legacy"}
		})},
		{Name: "the cookie was changed", Do: of(func(v *unstructured.Unstructured) {
			_, c := pairOf(own(v))
			c["headers"] = map[string]any{"response": map[string]any{"add": map[string]any{"Set-Cookie": "weir.canary=mine"}}}
		})},
		{Name: "the cookie was removed", Do: of(func(v *unstructured.Unstructured) {
			_, c := pairOf(own(v))
			delete(c, "headers")
		})},
	}
}

func field(v *unstructured.Unstructured) string {
	if _, tcp := v.Object["spec"].(map[string]any)["tcp"]; tcp {
		return "tcp"
	}
	return "http"
}

func routes(v *unstructured.Unstructured) []any {
	list, _ := v.Object["spec"].(map[string]any)[field(v)].([]any)
	return list
}

func setRoutes(v *unstructured.Unstructured, to []any) {
	v.Object["spec"].(map[string]any)[field(v)] = to
}

func isAdded(route any) bool {
	name, _ := route.(map[string]any)["name"].(string)
	return strings.HasPrefix(name, "weir-canary-")
}

// own is the first route that shares traffic out.
func own(v *unstructured.Unstructured) map[string]any {
	for _, route := range routes(v) {
		if !isAdded(route) {
			return route.(map[string]any)
		}
	}
	return nil
}

func hostOf(of any) string {
	to, _ := of.(map[string]any)
	host, _ := to["host"].(string)
	return host
}

func pairOf(route map[string]any) (primary, canary map[string]any) {
	for _, d := range route["route"].([]any) {
		switch d := d.(map[string]any); hostOf(d["destination"]) {
		case "podinfo-primary":
			primary = d
		case "podinfo-canary":
			canary = d
		}
	}
	return primary, canary
}

// shares are those of every route that was not added for matching requests.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, v := range objects {
		for _, route := range routes(v) {
			if isAdded(route) {
				continue
			}
			shares := map[string]int64{}
			for _, d := range route.(map[string]any)["route"].([]any) {
				d := d.(map[string]any)
				shares[hostOf(d["destination"])], _ = d["weight"].(int64)
			}
			all = append(all, shares)
		}
	}
	return all
}

// ways are the matches of added routes with what they lead to and what stands before them, and the mirrors.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, v := range objects {
		for i, r := range routes(v) {
			route := r.(map[string]any)
			if isAdded(r) {
				all = append(all, fmt.Sprintf("%d: %v to %v", i, route["match"], route["route"]))
			} else if hostOf(route["mirror"]) == "podinfo-canary" {
				all = append(all, fmt.Sprintf("%d: %v copied to %v", i, route["mirrorPercentage"], route["mirror"]))
			}
		}
	}
	return all
}
