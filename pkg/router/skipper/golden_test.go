package skipper_test

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
	"weir.dev/weir/pkg/router/skipper"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows Weir's Ingresses. Rewrite them with `go test ./pkg/router/skipper -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	testers := []v1beta1.RequestMatch{
		{
			Headers: map[string]v1beta1.StringMatch{
				"X-Insider": {Exact: "yes"}, "cookie": {Regex: `(.*; )?tester=("a"|\w+)(;.*)?`},
			},
			QueryParams: map[string]v1beta1.StringMatch{"beta": {Prefix: "v1."}},
		},
		{Headers: map[string]v1beta1.StringMatch{"x-zone": {Prefix: "eu"}}},
	}
	for name, c := range map[string]struct {
		split  rollout.Split
		affine bool
	}{
		"nothing.yaml":  {},
		"weight.yaml":   {split: rollout.Split{Weight: 10}},
		"match.yaml":    {split: rollout.Split{Weight: 10, Match: testers}},
		"affinity.yaml": {split: rollout.Split{Weight: 10}, affine: true},
	} {
		s := newScene(t)
		if c.affine {
			s.app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "weir.canary", MaxAge: 3600}
		}
		objects := s.render(t, c.split)
		var documents [][]byte
		for _, o := range objects {
			document, err := yaml.Marshal(o.Intent.Object)
			require.NoError(t, err)
			documents = append(documents, document)
		}
		got := bytes.Join(documents, []byte("---\n"))
		path := filepath.Join("testdata", name)
		if *rewrite {
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		s.have(objects)
		require.Equal(t, rollout.Route{Found: true, Accepted: true, Split: c.split}, skipper.Router{}.Read(s.app, c.split, s.found))
		require.Equal(t, objects, s.render(t, c.split))
	}
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
	c.Status.Canary = &v1beta1.RevisionStatus{Hash: "5f64"}
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
	s.found = router.Found{skipper.Router{}.Refs(s.app)[0]: s.users}
	return s
}

// have makes Weir's Ingresses those that are found.
func (s *scene) have(objects []router.Object) {
	for _, o := range objects {
		s.found[o.Ref] = o.Intent
	}
}

// lose takes the user's Ingress away.
func (s *scene) lose() { delete(s.found, skipper.Router{}.Refs(s.app)[0]) }

func (s *scene) render(t *testing.T, split rollout.Split) []router.Object {
	t.Helper()
	objects, err := skipper.Router{}.Render(s.app, split, s.found)
	require.NoError(t, err)
	return objects
}

// pair is the Ingress with the weights.
func (s *scene) pair() *unstructured.Unstructured { return s.found[skipper.Router{}.Refs(s.app)[1]] }
