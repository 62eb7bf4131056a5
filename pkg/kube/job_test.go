package kube_test

import (
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func makesAJobOnce(b *bench) {
	job := read[batchv1.Job](b, `
metadata: {name: smoke}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: smoke}]}}}`)
	job.Namespace = b.namespace
	made, err := b.writer.CreateJob(b.Context(), job)
	require.NoError(b, err)
	require.Equal(b, v1beta1.FieldManager, made.ManagedFields[0].Manager)
	_, err = b.writer.CreateJob(b.Context(), job)
	require.True(b, apierrors.IsAlreadyExists(err), "%v", err)
	pods := func() int {
		list, err := b.kube.CoreV1().Pods(b.namespace).List(b.Context(), metav1.ListOptions{})
		require.NoError(b, err)
		return len(list.Items)
	}
	b.eventually("its pod", func() bool { return pods() == 1 })

	other := made.DeepCopy()
	other.UID = types.UID("another")
	b.conflict(b.writer.DeleteJob(b.Context(), other))
	require.NoError(b, b.writer.DeleteJob(b.Context(), made), "however often its status was written since")
	b.eventually("no pod", func() bool { return pods() == 0 })
	require.True(b, apierrors.IsNotFound(b.writer.DeleteJob(b.Context(), made)))
	require.Equal(b, []string{
		"creating Job " + b.namespace + "/smoke", "creating Job " + b.namespace + "/smoke", "deleting Job " + b.namespace + "/smoke",
		"deleting Job " + b.namespace + "/smoke", "deleting Job " + b.namespace + "/smoke",
	}, b.writes)
}
