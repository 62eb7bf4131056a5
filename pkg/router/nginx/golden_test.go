package nginx_test

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
	"weir.dev/weir/pkg/router/nginx"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the canary's Ingress. Rewrite them with `go test ./pkg/router/nginx -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	for name, split := range map[string]rollout.Split{
		"nothing.yaml": {},
		"weight.yaml":  {Weight: 10},
		"match.yaml":   {Weight: 10, Match: header("x-insider", v1beta1.StringMatch{Exact: "yes"})},
		"cookie.yaml": {Match: header("cookie", v1beta1.StringMatch{
			Regex: "(.*; )?tester=(yes|always)(;.*)?",
		})},
	} {
		s := newScene(t)
		intent := s.render(t, split)
		got, err := yaml.Marshal(intent.Object)
		require.NoError(t, err)
		path := filepath.Join("testdata", name)
		if *rewrite {
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		s.have(intent)
		require.Equal(t, rollout.Route{Found: true, Accepted: true, Split: split}, nginx.Router{}.Read(s.app, split, s.found))
		require.Equal(t, intent, s.render(t, split))
	}
}

func header(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

// scene is an application and what is found of its routes: at first the user's Ingress alone.
type scene struct {
	app   router.App
	users *unstructured.Unstructured
	found router.Found
}

func newScene(t *testing.T) *scene {
	t.Helper()
	var c v1beta1.Canary
	raw, err := os.ReadFile("testdata/canary.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(raw, &c))
	owner := workload.ControlledByCanary(&c)
	s := &scene{app: router.App{
		Canary: &c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}}
	raw, err = os.ReadFile("testdata/user.yaml")
	require.NoError(t, err)
	raw, err = yaml.YAMLToJSON(raw)
	require.NoError(t, err)
	s.users = &unstructured.Unstructured{}
	require.NoError(t, s.users.UnmarshalJSON(raw)) // as an API server would give it
	s.found = router.Found{nginx.Router{}.Refs(s.app)[0]: s.users}
	return s
}

// have makes an Ingress the canary's that is found.
func (s *scene) have(ingress *unstructured.Unstructured) {
	s.found[nginx.Router{}.Refs(s.app)[1]] = ingress
}

// lose takes the user's Ingress away.
func (s *scene) lose() { delete(s.found, nginx.Router{}.Refs(s.app)[0]) }

func (s *scene) render(t *testing.T, split rollout.Split) *unstructured.Unstructured {
	t.Helper()
	objects, err := nginx.Router{}.Render(s.app, split, s.found)
	require.NoError(t, err)
	require.Len(t, objects, 1)
	return objects[0].Intent
}
