package charts_test

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/charts"
	"weir.dev/weir/pkg/router/builtin"
)

// TestSameAsKustomize: who installs by a chart gets what the overlay of the same name makes: rights, arguments, settings of
// security, ports, definitions, and no object more or less.
func TestSameAsKustomize(t *testing.T) {
	type pair struct{ chart, namespace, overlay, values string }
	pairs := map[string]pair{
		"dashboard": {weir, "weir-system", "resources: [TREE/kubernetes]\ncomponents: [TREE/dashboard]",
			"{meshProvider: kubernetes, dashboard: true}"},
		"prometheus": {weir, "weir-system", "resources: [TREE/kubernetes]\ncomponents: [TREE/prometheus]",
			"{meshProvider: kubernetes, podMonitor: {enabled: true}, prometheusRule: {enabled: true}}"},
		"admission": {weir, "weir-system", "resources: [TREE/kubernetes]\ncomponents: [TREE/admission]",
			"{meshProvider: kubernetes, admission: {enabled: true}}"},
		"ha": {weir, "weir-system", "resources: [TREE/kubernetes]\ncomponents: [TREE/ha]", `{
			meshProvider: kubernetes,
			replicas: 2,
			podDisruptionBudget: {minAvailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow},
			topologySpreadConstraints: [{
				topologyKey: kubernetes.io/hostname, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway,
				labelSelector: {matchLabels: {app.kubernetes.io/name: weir}},
			}],
		}`},
		"load tester": {loadtester, "test", "namespace: test\nresources: [TREE/loadtester]", "{}"},
		"trusted network": {loadtester, "test",
			"namespace: test\nresources: [TREE/loadtester]\ncomponents: [TREE/loadtester/trusted-network]", "trustNetwork: true"},
	}
	for _, router := range builtin.Routers(builtin.Options{}) {
		name := router.Name()
		pairs[name] = pair{weir, "weir-system", "resources: [TREE/" + name + "]", "meshProvider: " + name}
	}
	for name, p := range pairs {
		t.Run(name, func(t *testing.T) {
			want := plain(t, built(t, p.overlay), p.namespace)
			got := plain(t, rendered(t, p.chart, p.namespace, p.values), p.namespace)
			delete(want, "Namespace - weir-system") // which Helm makes, if it is told to
			require.Greater(t, len(want), 4)
			assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
			for name := range want {
				assert.Equal(t, want[name], got[name], name)
			}
		})
	}
}

// written is the folder of an overlay, in whose text TREE stands for the folder kustomize.
func written(t *testing.T, overlay string) (folder string) {
	t.Helper()
	scratch := t.TempDir()
	top, err := filepath.Abs("../../kustomize")
	require.NoError(t, err)
	tree, err := filepath.Rel(scratch, top)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(scratch, "kustomization.yaml"),
		[]byte(strings.ReplaceAll(overlay, "TREE", tree)), 0o600))
	return scratch
}

// built are the objects of an overlay.
func built(t *testing.T, overlay string) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), written(t, overlay))
	require.NoError(t, err)
	manifests, err := resources.AsYaml()
	require.NoError(t, err)
	objects, err := charts.Objects(manifests)
	require.NoError(t, err)
	return objects
}

// plain are objects by kind, namespace and name, as YAML without what is different by nature: their own labels and
// annotations, the label of the release, the namespace in the names of rights, the image, the order of ports, white space in
// expressions of CEL, and whether a flag comes as an argument or as a variable.
func plain(t *testing.T, objects []*unstructured.Unstructured, namespace string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, object := range objects {
		object.SetLabels(nil)
		object.SetAnnotations(nil)
		strip(object.Object, namespace+".")
		text, err := yaml.Marshal(object)
		require.NoError(t, err)
		texts[object.GetKind()+" "+cmp.Or(object.GetNamespace(), "-")+" "+object.GetName()] = string(text)
	}
	return texts
}

// strip does that to everything within a value.
func strip(value any, prefix string) {
	switch v := value.(type) {
	case map[string]any:
		delete(v, "app.kubernetes.io/instance")
		delete(v, "app.kubernetes.io/part-of")
		if v["imagePullPolicy"] != nil {
			stripContainer(v, prefix)
		}
		for key, inner := range v {
			if text, ok := inner.(string); ok {
				v[key] = strings.TrimPrefix(text, prefix)
			}
			if text, ok := inner.(string); ok && key == "expression" {
				v[key] = strings.Join(strings.Fields(text), " ")
			}
			strip(inner, prefix)
		}
	case []any:
		for i, inner := range v {
			if text, ok := inner.(string); ok {
				v[i] = strings.TrimPrefix(text, prefix)
			}
			strip(inner, prefix)
		}
	}
}

func stripContainer(container map[string]any, prefix string) {
	var args []string
	for _, arg := range list(container["args"]) {
		text := strings.TrimSuffix(arg.(string), "=true")
		args = append(args, strings.Replace(text, "="+prefix, "=", 1))
	}
	for _, env := range list(container["env"]) {
		variable := env.(map[string]any)
		name := strings.ToLower(strings.TrimPrefix(variable["name"].(string), "WEIR_"))
		arg := "--" + strings.ReplaceAll(name, "_", "-") + "=" + variable["value"].(string)
		args = append(args, strings.TrimSuffix(arg, "=true"))
	}
	slices.Sort(args)
	container["args"] = args
	slices.SortFunc(list(container["ports"]), func(a, b any) int {
		return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
	})
	for _, field := range []string{"image", "env", "envFrom"} {
		delete(container, field)
	}
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}
