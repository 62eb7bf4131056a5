package knative_test

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
	"weir.dev/weir/pkg/router/knative"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/knative -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	s := newScene(t)
	golden(t, "nothing.yaml", s.render(t, 0))
	golden(t, "all.yaml", s.render(t, 100))
	golden(t, "weight.yaml", s.render(t, 10))
	s.take(t, 10)
	golden(t, "unproven-released.yaml", s.release(t))
	s.latest("podinfo-00001")
	golden(t, "released.yaml", s.release(t))
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

// scene is a Knative Service and the Canary of it.
type scene struct {
	app  router.App
	have *unstructured.Unstructured
}

func newScene(t *testing.T) *scene {
	t.Helper()
	raw, err := os.ReadFile("testdata/canary.yaml")
	require.NoError(t, err)
	c := &v1beta1.Canary{}
	require.NoError(t, yaml.UnmarshalStrict(raw, c))
	s := &scene{have: &unstructured.Unstructured{}, app: router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
	}}
	raw, err = os.ReadFile("testdata/service.yaml")
	require.NoError(t, err)
	raw, err = yaml.YAMLToJSON(raw)
	require.NoError(t, err)
	require.NoError(t, s.have.UnmarshalJSON(raw))
	return s
}

func (s *scene) found() router.Found {
	return router.Found{knative.Router{}.Refs(s.app)[0]: s.have}
}

func (s *scene) render(t *testing.T, weight int32) *unstructured.Unstructured {
	t.Helper()
	objects, err := knative.Router{}.Render(s.app, rollout.Split{Weight: weight}, s.found())
	require.NoError(t, err)
	require.Len(t, objects, 1)
	return objects[0].Intent
}

// take writes a split as Weir does, and as Knative serves it.
func (s *scene) take(t *testing.T, weight int32) {
	t.Helper()
	s.have.Object["spec"].(map[string]any)["traffic"] = s.render(t, weight).DeepCopy().Object["spec"].(map[string]any)["traffic"]
	s.have.SetAnnotations(map[string]string{router.AppliedAnnotation: "digest"})
	s.status("traffic", s.have.DeepCopy().Object["spec"].(map[string]any)["traffic"])
}

func (s *scene) status(field string, value any) {
	s.have.Object["status"].(map[string]any)[field] = value
}

// latest is the newest revision, and ready.
func (s *scene) latest(name string) {
	s.status("latestCreatedRevisionName", name)
	s.status("latestReadyRevisionName", name)
}

func (s *scene) release(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	released, err := knative.Router{}.Release(s.app, s.found())
	require.NoError(t, err)
	require.Len(t, released, 1)
	return released[0].Object
}

func (s *scene) read(committed int32) rollout.Route {
	return knative.Router{}.Read(s.app, rollout.Split{Weight: committed}, s.found())
}

// traffic is what somebody else has written.
func (s *scene) traffic(entries ...any) {
	s.have.Object["spec"].(map[string]any)["traffic"] = entries
}
