package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// read makes an object of YAML, and refuses what is not a field of it.
func read[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), text)
	return object
}

// deployment is one of podinfo with two replicas, an image, and what else is said of it.
func deployment(image string, also ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop", UID: "deployment", Generation: 1},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo"}},
			Template: template(image),
		},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1},
	}
	for _, f := range also {
		f(d)
	}
	return d
}

func template(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "podinfo"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "podinfo", Image: image}}},
	}
}

// replicaSet is one of the Deployment's, so many seconds old, with as many pods as it ought to have.
func replicaSet(
	hash, image string, replicas int32, age int, also ...func(*appsv1.ReplicaSet),
) *appsv1.ReplicaSet {
	labels := map[string]string{"app": "podinfo", workload.HashLabel: hash}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "podinfo-" + hash, Namespace: "shop", UID: types.UID("rs-" + hash), Labels: labels, Generation: 1,
			CreationTimestamp: metav1.Unix(1e9-int64(age), 0),
			OwnerReferences:   []metav1.OwnerReference{workload.ControlledByDeployment(deployment(image))},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template(image),
		},
		Status: appsv1.ReplicaSetStatus{
			ObservedGeneration: 1, Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		},
	}
	rs.Spec.Template.Labels = labels
	for _, f := range also {
		f(rs)
	}
	return rs
}

// anothers makes a ReplicaSet somebody else's.
func anothers(rs *appsv1.ReplicaSet) {
	other := deployment("x", func(d *appsv1.Deployment) { d.UID = "another" })
	rs.OwnerReferences = []metav1.OwnerReference{workload.ControlledByDeployment(other)}
}

func canary(also ...func(*v1beta1.Canary)) *v1beta1.Canary {
	c := &v1beta1.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "shop", UID: "canary"},
		Spec: v1beta1.CanarySpec{
			TargetRef: v1beta1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"},
			Service:   v1beta1.CanaryService{Port: 9898, PortName: "http"},
		},
	}
	for _, f := range also {
		f(c)
	}
	return c
}

// nameOf keeps a failure readable.
func nameOf(rs *appsv1.ReplicaSet) string {
	if rs == nil {
		return "none"
	}
	return rs.Name
}
