package istio_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "istio.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
	"weir.dev/weir/pkg/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden shows the objects. Rewrite them with `go test ./pkg/router/istio -run Golden -rewrite`.
func TestGolden(t *testing.T) {
	match := []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"X-Insider": {Exact: "yes"}, "user-agent": {Prefix: "curl/8."}}},
		{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "1|true"}}},
		{SourceLabels: map[string]string{"app": "shop"}},
	}
	full, least, delegate, tcp := canary(t), canary(t), canary(t), canary(t)
	least.Spec.Service = v1beta1.CanaryService{Port: 9898}
	least.Spec.Analysis.SessionAffinity = nil
	delegate.Spec.Service = v1beta1.CanaryService{Port: 9898, Delegation: true}
	tcp.Spec.Service = v1beta1.CanaryService{Port: 6379, PortName: "tcp", Gateways: full.Spec.Service.Gateways}

	golden(t, "least.yaml", render(t, least, rollout.Split{}))
	golden(t, "full.yaml", render(t, full, rollout.Split{Weight: 10, Mirror: 50, Match: match}))
	golden(t, "delegate.yaml", render(t, delegate, rollout.Split{Weight: 10}))
	golden(t, "tcp.yaml", render(t, tcp, rollout.Split{Weight: 10}))

	app := appOf(full)
	released, err := istio.Router{}.Release(app, foundOf(render(t, full, rollout.Split{Weight: 10, Match: match})))
	require.NoError(t, err)
	require.Len(t, released, 3)
	require.Nil(t, released[1].Object)
	require.Nil(t, released[2].Object)
	golden(t, "full-released.yaml", []router.Object{{Ref: released[0].Ref, Intent: released[0].Object}})
}

func golden(t *testing.T, name string, objects []router.Object) {
	t.Helper()
	var all [][]byte
	for _, o := range objects {
		understood(t, o.Intent)
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

// understood says that Istio's own types take every value, as its control plane reads them. Whether they know the
// field is for the schema to say, to which TestConformance holds the router.
func understood(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	spec, err := json.Marshal(o.Object["spec"])
	require.NoError(t, err)
	if o.GetKind() == "DestinationRule" {
		require.NoError(t, new(networkingv1.DestinationRule).UnmarshalJSON(spec))
		return
	}
	require.NoError(t, new(networkingv1.VirtualService).UnmarshalJSON(spec))
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

func render(t *testing.T, c *v1beta1.Canary, split rollout.Split) []router.Object {
	t.Helper()
	objects, err := istio.Router{}.Render(appOf(c), split, nil)
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

func virtualService(objects []router.Object) *unstructured.Unstructured {
	return objects[len(objects)-1].Intent
}
