package traefik_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/traefik"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/traefik -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	app := appOf(canary(t))
	golden(t, "nothing.yaml", render(t, app, rollout.Split{}, nil))
	golden(t, "weight.yaml", render(t, app, rollout.Split{Weight: 10}, nil))
	mirrored := render(t, app, rollout.Split{Weight: 10, Mirror: 30}, nil)
	golden(t, "mirror.yaml", mirrored)
	golden(t, "mirror-over.yaml", render(t, app, rollout.Split{Weight: 10}, foundOf(mirrored)))

	released, err := traefik.Router{}.Release(app, foundOf(mirrored))
	require.NoError(t, err)
	require.Len(t, released, 2)
	golden(t, "released.yaml", []router.Object{{Ref: released[0].Ref, Intent: released[0].Object}})
	require.Equal(t, router.Released{Ref: mirrored[0].Ref}, released[1])
}

func golden(t *testing.T, name string, objects []router.Object) {
	t.Helper()
	var all [][]byte
	for _, o := range objects {
		got, err := yaml.Marshal(o.Intent.Object)
		require.NoError(t, err)
		all = append(all, got)
	}
	got := bytes.Join(all, []byte("---\n"))
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

func render(t *testing.T, app router.App, split rollout.Split, found router.Found) []router.Object {
	t.Helper()
	objects, err := traefik.Router{}.Render(app, split, found)
	require.NoError(t, err)
	return objects
}

// foundOf are objects as an API server would give them.
func foundOf(objects []router.Object) router.Found {
	found := router.Found{}
	for _, o := range objects {
		found[o.Ref] = o.Intent.DeepCopy()
	}
	return found
}
