package smi_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha1"
	"github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha2"
	"github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha3"
	"github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/smi"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the TrafficSplit. Rewrite them with `go test ./pkg/router/smi -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	for name, shown := range map[string]struct {
		version string
		weight  int32
	}{
		"nothing.yaml":  {"v1alpha4", 0},
		"v1alpha4.yaml": {"v1alpha4", 30},
		"v1alpha3.yaml": {"v1alpha3", 30},
		"v1alpha2.yaml": {"v1alpha2", 30},
		"v1alpha1.yaml": {"v1alpha1", 30},
	} {
		intent := render(t, smi.Router{Served: []string{shown.version}}, canary(t), shown.weight)
		got, err := yaml.Marshal(intent.Object)
		require.NoError(t, err)
		path := filepath.Join("testdata", name)
		if *rewrite {
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
}

func versions() []string { return []string{"v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"} }

// TestUnderstood reads what is rendered by SMI's own types, as whoever carries it out does.
func TestUnderstood(t *testing.T) {
	for _, weight := range []int32{0, 1, 30, 99, 100} {
		for _, version := range versions() {
			raw, err := json.Marshal(render(t, smi.Router{Served: []string{version}}, canary(t), weight))
			require.NoError(t, err)
			service, weights := readBySMI(t, version, raw)
			require.Equal(t, "podinfo", service)
			require.Equal(t, map[string]int64{"podinfo-primary": 100 - int64(weight), "podinfo-canary": int64(weight)}, weights)
		}
	}
}

// readBySMI gives the apex and the weights as the types of a version have them.
func readBySMI(t *testing.T, version string, raw []byte) (service string, weights map[string]int64) {
	t.Helper()
	weights = map[string]int64{}
	switch version {
	case "v1alpha1":
		var s v1alpha1.TrafficSplit
		require.NoError(t, json.Unmarshal(raw, &s))
		for _, b := range s.Spec.Backends {
			require.NotNil(t, b.Weight, "Linkerd reads it unseen")
			weights[b.Service] = b.Weight.Value()
		}
		return s.Spec.Service, weights
	case "v1alpha2":
		var s v1alpha2.TrafficSplit
		require.NoError(t, json.Unmarshal(raw, &s))
		for _, b := range s.Spec.Backends {
			weights[b.Service] = int64(b.Weight)
		}
		return s.Spec.Service, weights
	case "v1alpha3":
		var s v1alpha3.TrafficSplit
		require.NoError(t, json.Unmarshal(raw, &s))
		for _, b := range s.Spec.Backends {
			weights[b.Service] = int64(b.Weight)
		}
		return s.Spec.Service, weights
	}
	var s v1alpha4.TrafficSplit
	require.NoError(t, json.Unmarshal(raw, &s))
	for _, b := range s.Spec.Backends {
		weights[b.Service] = int64(b.Weight)
	}
	return s.Spec.Service, weights
}

func canary(t *testing.T) *v1beta1.Canary {
	t.Helper()
	raw, err := os.ReadFile("testdata/canary.yaml")
	require.NoError(t, err)
	var c v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict(raw, &c))
	return &c
}

func appOf(c *v1beta1.Canary) router.App {
	owner := workload.ControlledByCanary(c)
	return router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}
}

func render(t *testing.T, r smi.Router, c *v1beta1.Canary, weight int32) *unstructured.Unstructured {
	t.Helper()
	objects, err := r.Render(appOf(c), rollout.Split{Weight: weight}, nil)
	require.NoError(t, err)
	require.Len(t, objects, 1)
	require.Equal(t, r.Refs(appOf(c)), []router.Ref{objects[0].Ref})
	return objects[0].Intent
}
