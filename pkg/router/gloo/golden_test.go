package gloo_test

import (
	"bytes"
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
	"weir.dev/weir/pkg/router/gloo"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/gloo -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	full, least := canary(t), bare(t)
	split := rollout.Split{Weight: 10, Mirror: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"X-Insider": {Exact: "yes"}, "user-agent": {Prefix: "curl/8."}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "1|true"}}},
	}}
	golden(t, "least.yaml", render(t, least, rollout.Split{}))
	objects := render(t, full, split)
	golden(t, "full.yaml", objects)

	released, err := gloo.Router{}.Release(appOf(full), foundOf(t, full, objects))
	require.NoError(t, err)
	require.Len(t, released, 3)
	require.Nil(t, released[1].Object)
	require.Nil(t, released[2].Object)
	golden(t, "full-released.yaml", []router.Object{{Ref: released[0].Ref, Intent: released[0].Object}})

	objects = render(t, least, rollout.Split{Weight: 10})
	released, err = gloo.Router{}.Release(appOf(least), foundOf(t, least, objects))
	require.NoError(t, err)
	require.Len(t, released, 4)
	golden(t, "least-released.yaml", []router.Object{
		{Ref: released[0].Ref, Intent: released[0].Object}, {Ref: released[1].Ref, Intent: released[1].Object},
	})
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
	var c v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict([]byte(file(t, "canary.yaml")), &c))
	return &c
}

// bare asks for nothing but shares.
func bare(t *testing.T) *v1beta1.Canary {
	t.Helper()
	c := canary(t)
	c.Spec.UpstreamRef = nil
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	c.Spec.Analysis.SessionAffinity = nil
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

// users is what is found at first: the user's Upstream, if the spec names it.
func users(t *testing.T, c *v1beta1.Canary) router.Found {
	t.Helper()
	found := router.Found{}
	if c.Spec.UpstreamRef == nil {
		return found
	}
	raw, err := yaml.YAMLToJSON([]byte(file(t, "upstream.yaml")))
	require.NoError(t, err)
	u := &unstructured.Unstructured{}
	require.NoError(t, u.UnmarshalJSON(raw)) // as an API server would give it
	found[refs(c)[0]] = u
	return found
}

// refs are the Upstreams of apex, primary and canary, and the RouteTable.
func refs(c *v1beta1.Canary) []router.Ref { return gloo.Router{}.Refs(appOf(c)) }

func render(t *testing.T, c *v1beta1.Canary, split rollout.Split) []router.Object {
	t.Helper()
	objects, err := gloo.Router{}.Render(appOf(c), split, users(t, c))
	require.NoError(t, err)
	return objects
}

// foundOf are objects as an API server would give them, beside the user's.
func foundOf(t *testing.T, c *v1beta1.Canary, objects []router.Object) router.Found {
	t.Helper()
	found := users(t, c)
	for _, o := range objects {
		found[o.Ref] = o.Intent.DeepCopy()
	}
	return found
}

func table(objects []router.Object) *unstructured.Unstructured { return objects[len(objects)-1].Intent }
