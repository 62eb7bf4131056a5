package kube_test

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/workload"
)

const statefulSet = `
metadata: {name: app}
spec:
  serviceName: app
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "app:1"}]}
`

// holdsAStatefulSet owns the partition and nothing else, and gives it back.
func holdsAStatefulSet(b *bench) {
	sets := b.kube.AppsV1().StatefulSets(b.namespace)
	_, err := sets.Create(b.Context(), read[appsv1.StatefulSet](b, statefulSet), metav1.CreateOptions{FieldManager: "user"})
	require.NoError(b, err)
	get := func() *appsv1.StatefulSet {
		s, err := sets.Get(b.Context(), "app", metav1.GetOptions{})
		require.NoError(b, err)
		return s
	}
	looked := func(write func(*appsv1.StatefulSet) error) { b.again(func() error { return write(get()) }) }
	before := get().Spec.DeepCopy()
	hold := func(to int32) func(*appsv1.StatefulSet) error {
		return func(s *appsv1.StatefulSet) error { return b.writer.HoldStatefulSet(b.Context(), s, to) }
	}

	looked(hold(workload.NoPartition))
	s := get()
	assert.Equal(b, workload.NoPartition, workload.Partition(s))
	assert.True(b, workload.PartitionHeld(s))
	assert.Equal(b, map[metav1.ManagedFieldsOperationType]string{
		"Apply": `{"f:spec":{"f:updateStrategy":{"f:rollingUpdate":{"f:partition":{}}}}}`}, weirs(s))
	b.silent("holding again", func() error { return hold(workload.NoPartition)(s) })
	looked(hold(1))
	assert.Equal(b, int32(1), workload.Partition(get()))

	seen := get()
	_, err = sets.Patch(b.Context(), "app", types.MergePatchType,
		[]byte(`{"spec":{"template":{"metadata":{"annotations":{"new":"yes"}}}}}`), metav1.PatchOptions{FieldManager: "user"})
	require.NoError(b, err)
	b.conflict(hold(0)(seen))
	assert.Equal(b, int32(1), workload.Partition(get()), "a template that nobody has looked at waits")

	looked(func(s *appsv1.StatefulSet) error { return b.writer.ReleaseStatefulSet(b.Context(), s) })
	s = get()
	before.Template.Annotations = map[string]string{"new": "yes"}
	assert.Equal(b, *before, s.Spec, "it is as it was")
	assert.Empty(b, weirs(s))
	b.silent("releasing again", func() error { return b.writer.ReleaseStatefulSet(b.Context(), s) })
}

// holdsADaemonSet owns the type of its strategy, and leaves what the user says of a rolling update.
func holdsADaemonSet(b *bench) {
	sets := b.kube.AppsV1().DaemonSets(b.namespace)
	_, err := sets.Create(b.Context(), read[appsv1.DaemonSet](b, `
metadata: {name: app}
spec:
  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "app:1"}]}
`), metav1.CreateOptions{FieldManager: "user"})
	require.NoError(b, err)
	get := func() *appsv1.DaemonSet {
		d, err := sets.Get(b.Context(), "app", metav1.GetOptions{})
		require.NoError(b, err)
		return d
	}
	before := get().Spec.DeepCopy()
	b.again(func() error { return b.writer.HoldDaemonSet(b.Context(), get()) })
	d := get()
	assert.True(b, workload.DeletionHeld(d))
	assert.Equal(b, before.UpdateStrategy.RollingUpdate, d.Spec.UpdateStrategy.RollingUpdate)
	assert.Equal(b, map[metav1.ManagedFieldsOperationType]string{
		"Apply": `{"f:spec":{"f:updateStrategy":{"f:type":{}}}}`}, weirs(d))
	b.silent("holding again", func() error { return b.writer.HoldDaemonSet(b.Context(), d) })

	b.again(func() error { return b.writer.AnnotateDaemonSet(b.Context(), get(), "weir.dev/config-digest", "abc") })
	assert.Equal(b, "abc", get().Spec.Template.Annotations["weir.dev/config-digest"])
	b.silent("annotating again", func() error {
		return b.writer.AnnotateDaemonSet(b.Context(), get(), "weir.dev/config-digest", "abc")
	})

	b.again(func() error { return b.writer.ReleaseDaemonSet(b.Context(), get()) })
	assert.Equal(b, before.UpdateStrategy, get().Spec.UpdateStrategy, "it is as it was")
	assert.Equal(b, "abc", get().Spec.Template.Annotations["weir.dev/config-digest"], "a template is not changed by letting go")
	b.silent("releasing again", func() error { return b.writer.ReleaseDaemonSet(b.Context(), get()) })
}

// replacesAPod deletes the very pod that was looked at, and not the one of that name that came after it.
func replacesAPod(b *bench) {
	sets := b.kube.AppsV1().StatefulSets(b.namespace)
	_, err := sets.Create(b.Context(), read[appsv1.StatefulSet](b, statefulSet), metav1.CreateOptions{})
	require.NoError(b, err)
	get := func() *corev1.Pod {
		pod, err := b.kube.CoreV1().Pods(b.namespace).Get(b.Context(), "app-0", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		require.NoError(b, err)
		return pod
	}
	ready := func() bool { p := get(); return p != nil && p.Status.Phase == corev1.PodRunning }
	b.eventually("a pod", ready)
	old := get()
	require.NoError(b, b.writer.Replace(b.Context(), old))
	b.eventually("another pod of its name", func() bool { return ready() && get().UID != old.UID })
	next := get()
	b.conflict(b.writer.Replace(b.Context(), old))
	assert.Equal(b, next.UID, get().UID)
}
