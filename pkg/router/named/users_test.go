package named_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/istio"
)

// user has a route of a kind.
type user struct {
	name        string
	router      router.Router
	definitions func(*testing.T) []byte
	route       string
	rules       []string
	// shares reads the weights of every rule without the router's help.
	shares func(*unstructured.Unstructured) []map[string]int64
	// want are they, at a weight of the canary's.
	want func(canary int64) []map[string]int64
	// damage moves a weight.
	damage func(*unstructured.Unstructured)
}

// users have one route of each kind; more than one rule where a route has rules.
func users() []user {
	return []user{httpRoute(), virtualService(), traefikService(), trafficSplit(), httpProxy()}
}

func httpRoute() user {
	return user{
		name: "HTTPRoute", router: unasked{gatewayapi.Router{}},
		definitions: func(t *testing.T) []byte {
			t.Helper()
			all, err := sandbox.GatewayDefinitions(t.Context())
			require.NoError(t, err)
			return all
		},
		rules: []string{"web"},
		route: `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site, namespace: default, annotations: {team: a}}
spec:
  parentRefs: [{name: edge}]
  rules:
  - name: web
    matches: [{path: {value: /}}]
    backendRefs:
    - {name: podinfo, port: 9898, weight: 3, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-a]}}]}
    - {name: legacy, port: 80}
  - name: api
    matches: [{path: {value: /api}}]
    backendRefs: [{name: podinfo, port: 9898}]
`,
		shares: sharesIn("backendRefs", "spec", "rules"),
		want: func(w int64) []map[string]int64 {
			if w == 0 {
				return []map[string]int64{{"podinfo": 3, "legacy": 1}, {"podinfo": 1}}
			}
			return []map[string]int64{
				{"podinfo": 3 * (100 - w), "podinfo-canary": 3 * w, "legacy": 100}, {"podinfo": 1},
			}
		},
		damage: weigh(99, "backendRefs", "spec", "rules"),
	}
}

func virtualService() user {
	return user{
		name: "VirtualService", router: istio.Router{},
		definitions: func(t *testing.T) []byte {
			t.Helper()
			all, err := sandbox.IstioDefinitions(t.Context())
			require.NoError(t, err)
			return all
		},
		route: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site, namespace: default}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http:
  - name: web
    match: [{uri: {prefix: /}}]
    timeout: 3s
    route: [{destination: {host: podinfo.default.svc.cluster.local, port: {number: 9898}}, headers: {request: {remove: [x-a]}}}]
  - route:
    - {destination: {host: podinfo}, weight: 30}
    - {destination: {host: legacy}, weight: 70}
  - redirect: {uri: /elsewhere}
`,
		shares: sharesIn("route", "spec", "http"),
		want: func(w int64) []map[string]int64 {
			if w == 0 {
				return []map[string]int64{{"podinfo.default.svc.cluster.local": -1}, {"podinfo": 30, "legacy": 70}, {}}
			}
			return []map[string]int64{
				{"podinfo.default.svc.cluster.local": 100 - w, "podinfo-canary.default.svc.cluster.local": w},
				{"podinfo": 30 * (100 - w), "podinfo-canary": 30 * w, "legacy": 7000},
				{},
			}
		},
		damage: weigh(99, "route", "spec", "http"),
	}
}

// sharesIn reads lists of backends; a weight that is not there is -1.
func sharesIn(backends string, rules ...string) func(*unstructured.Unstructured) []map[string]int64 {
	return func(route *unstructured.Unstructured) []map[string]int64 {
		var all []map[string]int64
		for _, rule := range rulesIn(route, rules...) {
			shares := map[string]int64{}
			list, _ := rule[backends].([]any)
			for _, b := range list {
				shares[serviceIn(b.(map[string]any))] = weightIn(b.(map[string]any))
			}
			all = append(all, shares)
		}
		return all
	}
}

func weightIn(backend map[string]any) int64 {
	if w, ok := backend["weight"].(int64); ok {
		return w
	}
	return -1
}

func serviceIn(backend map[string]any) string {
	if destination, ok := backend["destination"].(map[string]any); ok {
		return destination["host"].(string)
	}
	for _, field := range []string{"name", "service"} {
		if name, ok := backend[field].(string); ok {
			return name
		}
	}
	return ""
}

func rulesIn(route *unstructured.Unstructured, path ...string) []map[string]any {
	at, _, _ := unstructured.NestedFieldNoCopy(route.Object, path...)
	if one, ok := at.(map[string]any); ok {
		return []map[string]any{one}
	}
	var all []map[string]any
	list, _ := at.([]any)
	for _, rule := range list {
		all = append(all, rule.(map[string]any))
	}
	return all
}

// weigh sets the first weight of the first rule.
func weigh(weight int64, backends string, rules ...string) func(*unstructured.Unstructured) {
	return func(route *unstructured.Unstructured) {
		rulesIn(route, rules...)[0][backends].([]any)[0].(map[string]any)["weight"] = weight
	}
}

// unasked is a router whose routes nobody accepts: there is no Gateway in these tests.
type unasked struct{ router.Router }
