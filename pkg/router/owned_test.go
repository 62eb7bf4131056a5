package router_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

func whole(t *testing.T) (router.App, *unstructured.Unstructured) {
	t.Helper()
	c := &v1beta1.Canary{}
	c.Name, c.Namespace, c.UID = "podinfo", "shop", "1"
	app := router.App{
		Canary: c, Labels: map[string]string{"weir.dev/canary": "podinfo"},
		Owner: map[string]any{"kind": "Canary", "name": "podinfo", "uid": "1", "controller": true},
	}
	kind := schema.GroupVersionKind{Group: "toys.example", Version: "v1", Kind: "Toy"}
	object, err := router.Whole(app, kind, "apex", map[string]any{"weight": int64(0), "rules": []any{"a"}})
	require.NoError(t, err)
	return app, object
}

// What Weir makes is known again, and so is what it left.
func TestOwnership(t *testing.T) {
	app, object := whole(t)
	require.Equal(t, "toys.example/v1 Toy shop/apex",
		object.GetAPIVersion()+" "+object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName())
	require.True(t, router.IsMade(app, object))
	require.NoError(t, router.NotMade(app, "toy", object))
	require.NoError(t, router.NotMade(app, "toy", nil))

	object.SetAnnotations(map[string]string{router.AppliedAnnotation: "x"})
	left := router.Disowned(app, object)
	require.Empty(t, left.GetOwnerReferences())
	require.Nil(t, left.GetAnnotations())
	require.Equal(t, object.Object["spec"], left.Object["spec"])
	require.True(t, router.IsMade(app, left), "by its label")

	left.SetLabels(map[string]string{"weir.dev/canary": "another"})
	require.EqualError(t, router.NotMade(app, "toy", left), "Toy shop/apex is not Weir's, and provider toy makes its own; say in "+
		"spec.service what its routes say and then give it the label weir.dev/canary=podinfo for Weir to take them over, or make "+
		"this Canary anew with another spec.service.name")
	left.SetLabels(app.Labels)
	theirs := metav1.OwnerReference{Kind: "Gateway", Name: "edge", UID: "2"}
	left.SetOwnerReferences([]metav1.OwnerReference{theirs})
	require.True(t, router.IsMade(app, left), "it is not its controller")
	require.Len(t, router.Disowned(app, left).GetOwnerReferences(), 1)
	theirs.Controller = new(true)
	left.SetOwnerReferences([]metav1.OwnerReference{theirs})
	require.ErrorContains(t, router.NotMade(app, "toy", left), "Toy shop/apex belongs to Gateway edge; delete it there")
	app.Labels = nil
	left.SetOwnerReferences(nil)
	require.EqualError(t, router.NotMade(app, "toy", left), "Toy shop/apex is not Weir's, and provider toy makes its own; delete it")
}

func TestHolds(t *testing.T) {
	_, want := whole(t)
	have := want.DeepCopy()
	spec := have.Object["spec"].(map[string]any)
	spec["theirs"] = "yes"
	require.True(t, router.Holds(have, want))
	spec["rules"] = []any{"a", "b"}
	require.False(t, router.Holds(have, want))
	delete(have.Object, "spec")
	require.False(t, router.Holds(have, want))
}

func TestObjects(t *testing.T) {
	require.Empty(t, router.Objects(nil))
	require.Empty(t, router.Objects("no list"))
	require.Equal(t, []map[string]any{{"a": 1}}, router.Objects([]any{"no object", map[string]any{"a": 1}}))
	require.Equal(t, []any{"a", "b"}, router.List([]string{"a", "b"}))
	require.NotNil(t, router.List[string](nil), "JSON knows null and the empty list")
}

func TestPlannedMatches(t *testing.T) {
	var fields []string
	for _, p := range router.PlannedMatches(everything()) {
		fields = append(fields, p.Field)
	}
	require.Equal(t, []string{"spec.analysis.match[0]", "spec.analysis.match[1]", "spec.analysis.steps[2].match[0]"}, fields)
}
