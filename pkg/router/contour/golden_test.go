package contour_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/contour"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/contour -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	match := []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"X-Insider": {Exact: "yes"}, "user-agent": {Prefix: "curl/8."}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "1|true"}}},
	}
	full, least := canary(t), bare(t)
	split := rollout.Split{Weight: 10, Mirror: 50, Match: match}
	golden(t, "least.yaml", render(t, least, rollout.Split{}))
	golden(t, "full.yaml", render(t, full, split))
	released, err := contour.Router{}.Release(appOf(full), foundOf(full, render(t, full, split)))
	require.NoError(t, err)
	require.Len(t, released, 1)
	golden(t, "full-released.yaml", released[0].Object)
}

func golden(t *testing.T, name string, object *unstructured.Unstructured) {
	t.Helper()
	got, err := yaml.Marshal(object.Object)
	require.NoError(t, err)
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func canary(t *testing.T) *v1beta1.Canary {
	t.Helper()
	raw, err := os.ReadFile("testdata/canary.yaml")
	require.NoError(t, err)
	var c v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict(raw, &c))
	return &c
}

func bare(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := canary(t)
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	return c
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

func render(t *testing.T, c *v1beta1.Canary, split rollout.Split) *unstructured.Unstructured {
	t.Helper()
	objects, err := contour.Router{}.Render(appOf(c), split, nil)
	require.NoError(t, err)
	require.Len(t, objects, 1)
	return objects[0].Intent
}

// foundOf is an object as an API server would give it.
func foundOf(c *v1beta1.Canary, object *unstructured.Unstructured) router.Found {
	return router.Found{contour.Router{}.Refs(appOf(c))[0]: object.DeepCopy()}
}
