package router_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// What Weir wrote and does not say any more is in the way; what others wrote is not.
func TestIsLike(t *testing.T) {
	object := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	}
	want := object(map[string]any{"kube": map[string]any{"port": int64(80)}, "hosts": []any{"a"}})
	have := func() *unstructured.Unstructured {
		return object(map[string]any{
			"kube": map[string]any{"port": int64(80), "functions": true}, "hosts": []any{"a"}, "bound": int64(3),
		})
	}
	wrote := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) *unstructured.Unstructured {
		o := have()
		o.SetManagedFields([]metav1.ManagedFieldsEntry{
			{Manager: manager, Operation: operation, FieldsV1: metav1.NewFieldsV1(fields)},
		})
		return o
	}
	const apply = metav1.ManagedFieldsOperationApply
	require.True(t, router.IsLike(have(), want))
	require.True(t, router.IsLike(wrote("other", apply, `{"f:spec":{"f:bound":{}}}`), want))
	require.True(t, router.IsLike(wrote(v1beta1.FieldManager, "Update", `{"f:spec":{"f:bound":{}}}`), want))
	require.True(t, router.IsLike(wrote(v1beta1.FieldManager, apply, `{"f:spec":{"f:kube":{"f:port":{}}}}`), want))
	require.False(t, router.IsLike(wrote(v1beta1.FieldManager, apply, `{"f:spec":{"f:bound":{}}}`), want))
	require.False(t, router.IsLike(wrote(v1beta1.FieldManager, apply, `{"f:spec":{"f:kube":{"f:functions":{}}}}`), want))
	for _, damage := range []map[string]any{
		{"kube": map[string]any{"port": int64(81)}, "hosts": []any{"a"}},
		{"kube": map[string]any{}, "hosts": []any{"a"}},
		{"kube": "b", "hosts": []any{"a"}},
		{"kube": map[string]any{"port": int64(80)}, "hosts": []any{"a", "b"}},
		{},
		nil,
	} {
		require.False(t, router.IsLike(object(damage), want), "%v", damage)
	}
}

func TestPersonal(t *testing.T) {
	for annotation, personal := range map[string]bool{
		"kubectl.kubernetes.io/last-applied-configuration": true, "weir.dev/applied": true,
		"argocd.argoproj.io/tracking-id": true, "example.com/contact": false, "contact": false,
	} {
		require.Equal(t, personal, router.Personal(annotation), annotation)
	}
}
