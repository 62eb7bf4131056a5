package kube_test

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
)

// weirs are the fields of an object that the manager weir owns, by operation.
func weirs(obj metav1.Object) map[metav1.ManagedFieldsOperationType]string {
	fields := map[metav1.ManagedFieldsOperationType]string{}
	for _, m := range obj.GetManagedFields() {
		if m.Manager == "weir" {
			fields[m.Operation] = string(m.FieldsV1.GetRawBytes())
		}
	}
	return fields
}

func pauses(b *bench) {
	d := b.deploy()
	before := d.Spec.DeepCopy()
	b.looked(b.writer.Pause)
	d = b.deployment()
	assert.True(b, d.Spec.Paused)
	assert.Equal(b, map[metav1.ManagedFieldsOperationType]string{"Apply": `{"f:spec":{"f:paused":{}}}`}, weirs(d))
	b.silent("pausing again", func() error { return b.writer.Pause(b.Context(), d) })

	b.looked(b.writer.ReleasePause)
	d = b.deployment()
	assert.Equal(b, *before, d.Spec, "the Deployment is as it was")
	assert.Empty(b, weirs(d))
	b.silent("releasing again", func() error { return b.writer.ReleasePause(b.Context(), d) })
}

func keepsThePauseOfAnother(b *bench) {
	b.deploy()
	byUser := b.merge(`{spec: {paused: true}}`)
	b.silent("pausing what is paused", func() error { return b.writer.Pause(b.Context(), byUser) })
	b.silent("releasing what is another's", func() error { return b.writer.ReleasePause(b.Context(), byUser) })

	// Both want it, each for a reason of its own.
	b.merge(`{spec: {paused: null}}`)
	b.looked(b.writer.Pause)
	also := appsv1ac.Deployment("app", b.namespace).WithSpec(appsv1ac.DeploymentSpec().WithPaused(true))
	_, err := b.kube.AppsV1().Deployments(b.namespace).Apply(b.Context(), also, metav1.ApplyOptions{FieldManager: "freeze"})
	require.NoError(b, err)
	b.looked(b.writer.ReleasePause)
	d := b.deployment()
	assert.True(b, d.Spec.Paused)
	assert.Empty(b, weirs(d))
}

func leavesAloneWhatMoved(b *bench) {
	seen := b.deploy()
	b.merge(newVersion)
	b.conflict(b.writer.Pause(b.Context(), seen))
	b.complete()
	b.looked(b.writer.Pause)
	paused := b.deployment()
	b.merge(`{spec: {template: {spec: {containers: [{name: app, image: "app:3"}]}}}}`)
	b.conflict(b.writer.ReleasePause(b.Context(), paused))
	assert.True(b, b.deployment().Spec.Paused, "the new template waits")
}

func leavesAloneWhatWasMadeAnew(b *bench) {
	old := b.deploy()
	b.looked(b.writer.Pause)
	paused := b.deployment()
	background := metav1.DeletePropagationBackground
	deployments := b.kube.AppsV1().Deployments(b.namespace)
	require.NoError(b, deployments.Delete(b.Context(), "app", metav1.DeleteOptions{PropagationPolicy: &background}))
	b.conflict(b.writer.Pause(b.Context(), old))
	b.conflict(b.writer.ReleasePause(b.Context(), paused))
	list, err := deployments.List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	require.Empty(b, list.Items, "a Deployment was made")

	b.deploy()
	b.conflict(b.writer.Pause(b.Context(), old))
	b.conflict(b.writer.ReleasePause(b.Context(), paused))
	assert.Empty(b, weirs(b.deployment()))
	assert.False(b, b.deployment().Spec.Paused)
}

// replicaSets are those of the namespace, by image.
func (b *bench) replicaSets() map[string]*appsv1.ReplicaSet {
	b.Helper()
	list, err := b.kube.AppsV1().ReplicaSets(b.namespace).List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	sets := map[string]*appsv1.ReplicaSet{}
	for i := range list.Items {
		sets[list.Items[i].Spec.Template.Spec.Containers[0].Image] = &list.Items[i]
	}
	return sets
}

func (b *bench) pods(image string) map[types.UID]bool {
	b.Helper()
	list, err := b.kube.CoreV1().Pods(b.namespace).List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	pods := map[types.UID]bool{}
	for i := range list.Items {
		if list.Items[i].Spec.Containers[0].Image == image {
			pods[list.Items[i].UID] = true
		}
	}
	return pods
}
