package named_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router/contour"
	"weir.dev/weir/pkg/router/smi"
	"weir.dev/weir/pkg/router/traefik"
)

// traefikService is one list, without rules that have names.
func traefikService() user {
	return user{
		name: "TraefikService", router: traefik.Router{},
		definitions: func(t *testing.T) []byte {
			t.Helper()
			all, err := sandbox.TraefikDefinitions(t.Context())
			require.NoError(t, err)
			return all
		},
		route: `apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: site, namespace: default}
spec:
  weighted:
    sticky: {cookie: {name: user}}
    services: [{name: legacy, port: 80, weight: 2}, {name: podinfo, port: 9898, passHostHeader: true}]
`,
		shares: sharesIn("services", "spec", "weighted"),
		want: func(w int64) []map[string]int64 {
			if w == 0 {
				return []map[string]int64{{"legacy": 2, "podinfo": -1}}
			}
			return []map[string]int64{{"legacy": 200, "podinfo": 100 - w, "podinfo-canary": w}}
		},
		damage: weigh(99, "services", "spec", "weighted"),
	}
}

func trafficSplit() user {
	return user{
		name: "TrafficSplit", router: smi.Router{},
		definitions: func(t *testing.T) []byte {
			t.Helper()
			all, err := sandbox.SMIDefinitions(t.Context(), "v1alpha4")
			require.NoError(t, err)
			return all
		},
		route: `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: site, namespace: default}
spec:
  service: shop
  backends: [{service: podinfo, weight: 9}, {service: legacy, weight: 1}]
`,
		shares: sharesIn("backends", "spec"),
		want: func(w int64) []map[string]int64 {
			if w == 0 {
				return []map[string]int64{{"podinfo": 9, "legacy": 1}}
			}
			return []map[string]int64{{"podinfo": 9 * (100 - w), "podinfo-canary": 9 * w, "legacy": 100}}
		},
		damage: weigh(99, "backends", "spec"),
	}
}

func httpProxy() user {
	return user{
		name: "HTTPProxy", router: unasked{contour.Router{}},
		definitions: func(t *testing.T) []byte {
			t.Helper()
			all, err := sandbox.ContourDefinitions(t.Context())
			require.NoError(t, err)
			return all
		},
		route: `apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: site, namespace: default}
spec:
  virtualhost: {fqdn: shop.example.com}
  includes: [{name: elsewhere, conditions: [{prefix: /elsewhere}]}]
  routes:
  - conditions: [{prefix: /api}]
    services: [{name: podinfo, port: 9898, requestHeadersPolicy: {remove: [x-a]}}, {name: legacy, port: 80}]
  - services: [{name: podinfo, port: 9898, weight: 9}, {name: legacy, port: 80, weight: 1}]
`,
		shares: sharesIn("services", "spec", "routes"),
		want: func(w int64) []map[string]int64 {
			if w == 0 {
				return []map[string]int64{{"podinfo": -1, "legacy": -1}, {"podinfo": 9, "legacy": 1}}
			}
			return []map[string]int64{
				{"podinfo": 100 - w, "podinfo-canary": w, "legacy": 100},
				{"podinfo": 9 * (100 - w), "podinfo-canary": 9 * w, "legacy": 100},
			}
		},
		damage: weigh(99, "services", "spec", "routes"),
	}
}
