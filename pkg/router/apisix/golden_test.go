package apisix_test

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
	"weir.dev/weir/pkg/router/apisix"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/apisix -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	for name, split := range map[string]rollout.Split{
		"nothing.yaml": {},
		"match.yaml": {Weight: 10, Match: []v1beta1.RequestMatch{
			{Headers: map[string]v1beta1.StringMatch{"X-Insider": {Exact: "yes"}, "cookie": {Regex: "(.*; )?tester=yes(;.*)?"}}},
			{QueryParams: map[string]v1beta1.StringMatch{"beta": {Prefix: "v2."}}},
		}},
	} {
		s := newScene(t)
		intents := s.render(t, split)
		var all [][]byte
		for _, o := range intents {
			text, err := yaml.Marshal(o.Intent.Object)
			require.NoError(t, err)
			all = append(all, text)
		}
		got := bytes.Join(all, []byte("---\n"))
		path := filepath.Join("testdata", name)
		if *rewrite {
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		s.have(intents)
		require.Equal(t, rollout.Route{Found: true, Accepted: true, Split: split}, apisix.Router{}.Read(s.app, split, s.found))
		require.Equal(t, intents, s.render(t, split))
	}
}

func header(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

// scene is an application and what is found of its routes: at first the user's objects alone.
type scene struct {
	app      router.App
	users    *unstructured.Unstructured
	upstream *unstructured.Unstructured
	found    router.Found
}

func newScene(t *testing.T) *scene {
	t.Helper()
	var c v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict([]byte(file(t, "canary.yaml")), &c))
	owner := workload.ControlledByCanary(&c)
	s := &scene{app: router.App{
		Canary: &c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: c.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}}
	s.users, s.upstream = parse(t, file(t, "user.yaml")), parse(t, file(t, "upstream.yaml"))
	s.found = router.Found{s.ref(0): s.users, s.ref(1): s.upstream}
	return s
}

// parse reads a manifest as an API server would give it.
func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	require.NoError(t, err)
	u := &unstructured.Unstructured{}
	require.NoError(t, u.UnmarshalJSON(raw))
	return u
}

// ref is one of the router's: the user's two, those of primary and canary, and last the second ApisixRoute.
func (s *scene) ref(at int) router.Ref { return apisix.Router{}.Refs(s.app)[at] }

func (s *scene) render(t *testing.T, split rollout.Split) []router.Object {
	t.Helper()
	objects, err := apisix.Router{}.Render(s.app, split, s.found)
	require.NoError(t, err)
	return objects
}

// have makes objects those that are found, and taken over by the controller.
func (s *scene) have(objects []router.Object) {
	for _, o := range objects {
		have := o.Intent.DeepCopy()
		have.SetGeneration(4)
		accept(have)
		s.found[o.Ref] = have
	}
}

// second is the second ApisixRoute that is found.
func (s *scene) second() *unstructured.Unstructured { return s.found[s.ref(4)] }

// lose takes the user's ApisixRoute away.
func (s *scene) lose() { delete(s.found, s.ref(0)) }
