package smi_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router/routertest"
	"weir.dev/weir/pkg/router/smi"
)

// TestConformance has a cluster of each version alone.
func TestConformance(t *testing.T) {
	for version, r := range map[string]smi.Router{
		"v1alpha1": {Served: []string{"v1alpha1"}},
		"v1alpha2": {Served: []string{"v1alpha2"}},
		"v1alpha3": {Served: []string{"v1alpha3"}},
		"v1alpha4": {}, // which it prefers
	} {
		t.Run(version, func(t *testing.T) {
			definitions, err := sandbox.SMIDefinitions(t.Context(), version)
			require.NoError(t, err)
			routertest.Run(t, routertest.Subject{
				Router:      r,
				Definitions: definitions,
				Shares:      shares,
				Damage:      damage(),
			})
		})
	}
}

// shares are those of the two Services.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		shares := map[string]int64{}
		for _, backend := range backends(o) {
			weight, _ := backend["weight"].(int64)
			shares[backend["service"].(string)] = weight
		}
		all = append(all, shares)
	}
	return all
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) }},
		{Name: "the weights were made odd", Do: weigh(int64(7), int64(5))},
		{Name: "the weights were made fractions", Do: weigh(0.5, 0.25)},
		{Name: "all traffic was stopped", Do: weigh(int64(0), int64(0))},
		{Name: "the canary was given all", Do: weigh(int64(0), int64(1))},
		{Name: "the canary was removed", Do: func(o *unstructured.Unstructured) {
			spec(o)["backends"] = spec(o)["backends"].([]any)[:1]
		}},
		{Name: "the primary was removed", Do: func(o *unstructured.Unstructured) {
			spec(o)["backends"] = spec(o)["backends"].([]any)[1:]
		}},
		{Name: "another Service was put beside them", Do: func(o *unstructured.Unstructured) {
			spec(o)["backends"] = append(spec(o)["backends"].([]any), map[string]any{"service": "legacy", "weight": int64(50)})
		}},
		{Name: "it was made one of another Service", Do: func(o *unstructured.Unstructured) { spec(o)["service"] = "legacy" }},
	}
}

func spec(o *unstructured.Unstructured) map[string]any { return o.Object["spec"].(map[string]any) }

func backends(o *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	for _, backend := range spec(o)["backends"].([]any) {
		all = append(all, backend.(map[string]any))
	}
	return all
}

// weigh sets the weights of primary and canary.
func weigh(primary, canary any) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		backends(o)[0]["weight"], backends(o)[1]["weight"] = primary, canary
	}
}
