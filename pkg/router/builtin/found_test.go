package builtin_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/builtin"
	"weir.dev/weir/pkg/workload"
)

// world is an application of the examples, with its objects as they stand in the middle of a run.
type world struct {
	router router.Router
	app    router.App
	split  rollout.Split
	found  router.Found
}

// worlds are those of all examples.
func worlds(t require.TestingT) []world {
	files, err := filepath.Glob("../../../artifacts/examples/canary-*.yaml")
	require.NoError(t, err)
	var all []world
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var objects []*unstructured.Unstructured
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal(document, &object.Object))
			object.SetNamespace("shop")
			objects = append(objects, object)
		}
		for _, object := range objects {
			if object.GetKind() == "Canary" {
				all = append(all, worldOf(t, object, objects))
			}
		}
	}
	return all
}

func worldOf(t require.TestingT, object *unstructured.Unstructured, objects []*unstructured.Unstructured) world {
	canary := &v1beta1.Canary{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, canary))
	canary.UID = "1"
	canary.Status.Primary = &v1beta1.RevisionStatus{ReplicaSet: canary.Name + "-00001", Hash: "00001", Replicas: 2}
	canary.Status.Canary = &v1beta1.RevisionStatus{ReplicaSet: canary.Name + "-00002", Hash: "00002", Replicas: 1}
	r, ok := builtin.ByProvider(canary.Spec.Provider)
	require.True(t, ok, canary.Spec.Provider)
	names := workload.ServiceNames(canary)
	w := world{router: r, split: rollout.Split{Weight: 30}, found: router.Found{}, app: router.App{
		Canary: canary, Apex: names.Apex, Primary: names.Primary, CanaryService: names.Canary,
		Labels: map[string]string{workload.CanaryLabel: canary.Name},
		Owner:  map[string]any{"apiVersion": "weir.dev/v1beta1", "kind": "Canary", "name": canary.Name, "uid": "1", "controller": true},
	}}
	if r.Features().Has(router.HeaderMatch) {
		w.split.Match = []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	}
	for _, object := range objects {
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		for _, ref := range r.Refs(w.app) {
			if ref.Resource == resource && ref.Name == object.GetName() {
				w.found[ref] = object
			}
		}
	}
	rendered, err := r.Render(w.app, w.split, w.found)
	require.NoError(t, err, canary.Name)
	for _, o := range rendered {
		w.found[o.Ref] = stored(w.found[o.Ref], o)
	}
	return w
}

// stored is what an API server has of an object after it was written.
func stored(have *unstructured.Unstructured, o router.Object) *unstructured.Unstructured {
	if o.Whole != nil {
		return o.Whole
	}
	if have == nil {
		return o.Intent
	}
	out := have.DeepCopy()
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, o.Intent.GetAnnotations())
	out.SetAnnotations(annotations)
	for key, value := range o.Intent.Object["spec"].(map[string]any) {
		out.Object["spec"].(map[string]any)[key] = value
	}
	return out
}

// leaf is one value within an object.
type leaf struct {
	value any
	set   func(any)
}

// leavesOf are all values within, in the same order each time.
func leavesOf(value any, set func(any)) []leaf {
	var all []leaf
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = append(all, leavesOf(v[key], func(to any) { v[key] = to })...)
		}
	case []any:
		for i := range v {
			all = append(all, leavesOf(v[i], func(to any) { v[i] = to })...)
		}
	default:
		all = append(all, leaf{value, set})
	}
	return all
}

// FuzzFound has a stranger change one value of the objects, of the type that it has, or what Weir has noted in an annotation:
// the split that is read stays one that there can be, and nothing that a router is asked for breaks.
func FuzzFound(f *testing.F) {
	all := worlds(f)
	require.Greater(f, len(all), 10)
	for i := range all {
		for at := range uint16(60) {
			f.Add(uint8(i), at, "NaN", int64(-1))
		}
		for _, text := range []string{
			"", "x", "-1", "1e999", `{"podinfo-canary": 1e308, "podinfo-primary": 1e308}`, "Traffic(NaN) && Weight(1)",
			"[[null, -1]]", "[{}]",
			`[{"backendRefs": [{"name": "podinfo", "port": 9898}]}]`, `[{"matches": null, "backendRefs": 1}]`,
		} {
			f.Add(uint8(i), uint16(everyAnnotation), text, int64(1)<<62)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, at uint16, text string, number int64) {
		w := all[int(i)%len(all)]
		found := w.changed(at, text, number)
		for _, committed := range []rollout.Split{w.split, {}, {Weight: 100}} {
			read := w.router.Read(w.app, committed, found)
			require.True(t, read.Split.Weight >= 0 && read.Split.Weight <= 100, "%s: weight %d", w.router.Name(), read.Split.Weight)
			require.True(t, read.Split.Mirror >= 0 && read.Split.Mirror <= 100, "%s: mirror %d", w.router.Name(), read.Split.Mirror)
			_, _ = w.router.Render(w.app, committed, found) // it may be refused
		}
		released, _ := w.router.Release(w.app, found)
		for _, r := range released {
			require.Contains(t, w.router.Refs(w.app), r.Ref)
		}
	})
}

// everyAnnotation is instead of the place of one value.
const everyAnnotation = 65535

// changed are the objects with one value changed, or with a text in every annotation.
func (w world) changed(at uint16, text string, number int64) router.Found {
	found := router.Found{}
	var leaves []leaf
	for _, ref := range w.router.Refs(w.app) {
		if w.found[ref] == nil {
			continue
		}
		object := w.found[ref].DeepCopy()
		if at == everyAnnotation {
			annotations := map[string]string{"weir.dev/original-rules": text, "weir.dev/original-weights": text}
			for key := range object.GetAnnotations() {
				annotations[key] = text
			}
			object.SetAnnotations(annotations)
		}
		leaves = append(leaves, leavesOf(object.Object["metadata"], nil)...)
		leaves = append(leaves, leavesOf(object.Object["spec"], nil)...)
		found[ref] = object
	}
	if at == everyAnnotation || len(leaves) == 0 {
		return found
	}
	switch l := leaves[int(at)%len(leaves)]; l.value.(type) {
	case string:
		l.set(text)
	case int64:
		l.set(number)
	case bool:
		l.set(number > 0)
	}
	return found
}
