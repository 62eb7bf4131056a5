package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// packable is metadata with all that an event is passed on by.
func packable() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "shop", Name: "app", UID: "1", ResourceVersion: "7", Generation: 3,
		CreationTimestamp: metav1.NewTime(time.Unix(1700000000, 0)),
		Labels:            map[string]string{"team": "a", workload.KnativeServiceLabel: "app"},
		Annotations:       map[string]string{v1beta1.AnnotationCanary: "true", "other": "value"},
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Other", Name: "other", UID: "2"},
			{APIVersion: "apps/v1", Kind: "Deployment", Name: "app", UID: "3", Controller: new(true)},
		},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: v1beta1.FieldManager, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1",
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`),
		}},
	}
}

// TestPack: what goes into a cache comes out as it was, is the caller's own, and is known by what an event is passed on by.
func TestPack(t *testing.T) {
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "app:1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("1Gi"),
		}},
	}}}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "app"}}
	replicas := new(int32(2))
	held(t, &appsv1.Deployment{ObjectMeta: packable(), Spec: appsv1.DeploymentSpec{
		Replicas: replicas, Selector: selector, Template: template, Paused: true,
	}})
	held(t, &appsv1.ReplicaSet{ObjectMeta: packable(), Spec: appsv1.ReplicaSetSpec{
		Replicas: replicas, Selector: selector, Template: template,
	}})
	held(t, &appsv1.StatefulSet{ObjectMeta: packable(), Spec: appsv1.StatefulSetSpec{Replicas: replicas, Template: template}})
	held(t, &appsv1.DaemonSet{ObjectMeta: packable(), Spec: appsv1.DaemonSetSpec{Template: template}})
	held(t, &appsv1.ControllerRevision{ObjectMeta: packable(), Revision: 4})
	held(t, &corev1.Service{ObjectMeta: packable(), Spec: corev1.ServiceSpec{
		Selector: selector.MatchLabels, Ports: []corev1.ServicePort{{Port: 80}},
	}})

	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Route",
		"spec": map[string]any{"weight": int64(5), "share": 0.5, "on": true, "none": nil},
	}}
	route.SetNamespace("shop")
	route.SetName("app")
	route.SetLabels(packable().Labels)
	obj, err := pack(route.DeepCopy())
	require.NoError(t, err)
	assert.Equal(t, "app", concerned(t, obj).GetLabels()[workload.KnativeServiceLabel])
	assert.Equal(t, route, unpackRoute(obj))
	assert.Nil(t, unpackRoute(route), "what is not packed is not in a cache")
	assert.Nil(t, unpack[corev1.Service](nil))
}

func held[T any, P message[T]](t *testing.T, o P) {
	t.Helper()
	slimmed, err := slim(o)
	require.NoError(t, err)
	obj, err := pack(o)
	require.NoError(t, err)
	again, err := pack(obj)
	require.NoError(t, err)
	assert.Same(t, obj, again, "a cache packs what it has packed")
	tombstone := cache.DeletedFinalStateUnknown{Key: "shop/app", Obj: obj}
	kept, err := pack(tombstone)
	require.NoError(t, err)
	assert.Equal(t, tombstone, kept)

	m := concerned(t, obj)
	assert.Equal(t, map[string]string{v1beta1.AnnotationCanary: o.GetAnnotations()[v1beta1.AnnotationCanary]}, m.GetAnnotations())
	owner := metav1.GetControllerOf(m)
	switch any(o).(type) {
	case *appsv1.ReplicaSet, *appsv1.ControllerRevision:
		assert.Equal(t, "3", string(owner.UID))
	default:
		assert.Nil(t, owner, "it concerns by its name")
	}
	assert.Equal(t, "7", m.GetResourceVersion())
	first, second := unpack[T, P](obj), unpack[T, P](obj)
	require.NotNil(t, first)
	assert.True(t, equality.Semantic.DeepEqual(slimmed, first), "%T", o)
	first.SetName("other")
	assert.Equal(t, "app", second.GetName())
}

// concerned is what an event handler sees of it.
func concerned(t *testing.T, obj any) metav1.Object {
	t.Helper()
	key, err := cache.MetaNamespaceKeyFunc(obj)
	require.NoError(t, err)
	assert.Equal(t, "shop/app", key)
	m, err := meta.Accessor(obj)
	require.NoError(t, err)
	return m
}
