package kuma_test

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
	"weir.dev/weir/pkg/router/kuma"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/kuma -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	match := []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"X-Insider": {Exact: "yes"}, "user-agent": {Prefix: "curl/8."}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "1|true"}}},
	}
	full, least := newScene(t), newScene(t)
	least.app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	least.app.Canary.Labels = nil
	golden(t, "least.yaml", least.render(t, rollout.Split{}))

	split := rollout.Split{Weight: 10, Mirror: 50, Match: match}
	full.have(full.render(t, split), "kuma.io/zone", "east", "kuma.io/policy-role", "consumer")
	intent := full.render(t, split)
	golden(t, "full.yaml", intent)
	full.have(intent, "kuma.io/zone", "east", "kuma.io/policy-role", "producer")
	released, err := kuma.Router{}.Release(full.app, full.found)
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

// scene is an application with what the cluster has of it.
type scene struct {
	app   router.App
	found router.Found
}

func newScene(t *testing.T) *scene {
	t.Helper()
	raw, err := os.ReadFile("testdata/canary.yaml")
	require.NoError(t, err)
	c := &v1beta1.Canary{}
	require.NoError(t, yaml.UnmarshalStrict(raw, c))
	owner := workload.ControlledByCanary(c)
	s := &scene{found: router.Found{}, app: router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}}
	s.serve("web", "http")
	return s
}

// bare asks for nothing of requests.
func bare(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	s.app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	return s
}

// serve has an apex Service whose port has a name and a protocol.
func (s *scene) serve(name, protocol string) {
	port := map[string]any{"port": int64(9898)}
	for field, value := range map[string]string{"name": name, "appProtocol": protocol} {
		if value != "" {
			port[field] = value
		}
	}
	apex := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "podinfo", "namespace": "shop"},
		"spec": map[string]any{"ports": []any{map[string]any{"name": "metrics", "port": int64(9797)}, port}},
	}}
	s.found[kuma.Router{}.Refs(s.app)[0]] = apex
}

// have has a route, with labels that others have added.
func (s *scene) have(route *unstructured.Unstructured, labels ...string) {
	route = route.DeepCopy()
	all := route.GetLabels()
	for i := 0; i < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	route.SetLabels(all)
	s.found[kuma.Router{}.Refs(s.app)[1]] = route
}

func (s *scene) render(t *testing.T, split rollout.Split) *unstructured.Unstructured {
	t.Helper()
	objects, err := kuma.Router{}.Render(s.app, split, s.found)
	require.NoError(t, err)
	require.Len(t, objects, 1)
	return objects[0].Intent
}

func (s *scene) read(committed rollout.Split) rollout.Route {
	return kuma.Router{}.Read(s.app, committed, s.found)
}
