package kube_test

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/workload"
)

const newVersion = `{spec: {template: {spec: {containers: [{name: app, image: "app:2"}]}}}}`

// release pauses the Deployment, gives it a new template, and makes the canary of it.
func (b *bench) release() (*appsv1.Deployment, *v1beta1.Canary, *appsv1.ReplicaSet) {
	b.Helper()
	b.deploy()
	b.looked(b.writer.Pause)
	d, c := b.merge(newVersion), b.canary()
	rs, err := b.writer.CreateReplicaSet(b.Context(), workload.NewReplicaSet(d, c, "app-canary", "canary"))
	require.NoError(b, err)
	return d, c, b.settled(rs, 0)
}

// other adds an owner that controls nothing.
func (b *bench) other(rs *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	b.Helper()
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	owner, err := b.kube.CoreV1().ConfigMaps(b.namespace).Create(b.Context(), owner, metav1.CreateOptions{})
	require.NoError(b, err)
	rs.OwnerReferences = append(rs.OwnerReferences, metav1.OwnerReference{
		APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
	})
	return b.store(rs)
}

func (b *bench) store(rs *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	b.Helper()
	stored, err := b.kube.AppsV1().ReplicaSets(b.namespace).Update(b.Context(), rs, metav1.UpdateOptions{FieldManager: "user"})
	require.NoError(b, err)
	return b.settled(stored, *stored.Spec.Replicas)
}

func (b *bench) scaled(rs *appsv1.ReplicaSet, replicas int32) *appsv1.ReplicaSet {
	b.Helper()
	_, err := b.writer.Scale(b.Context(), rs, replicas)
	require.NoError(b, err)
	return b.settled(rs, replicas)
}

// settled is a ReplicaSet whose controller has nothing to write any more.
func (b *bench) settled(rs *appsv1.ReplicaSet, replicas int32) *appsv1.ReplicaSet {
	b.Helper()
	b.eventually("the ReplicaSet to be scaled", func() bool {
		var err error
		rs, err = b.kube.AppsV1().ReplicaSets(b.namespace).Get(b.Context(), rs.Name, metav1.GetOptions{})
		return err == nil && rs.Status.ObservedGeneration >= rs.Generation && rs.Status.AvailableReplicas == replicas &&
			rs.Status.Replicas == replicas
	})
	return rs
}

func ownsTheCanary(b *bench) {
	d, c, rs := b.release()
	assert.True(b, metav1.IsControlledBy(rs, c))
	assert.Zero(b, *rs.Spec.Replicas)
	_, err := b.writer.CreateReplicaSet(b.Context(), workload.NewReplicaSet(d, c, rs.Name, "canary"))
	require.True(b, apierrors.IsAlreadyExists(err), "%v", err)

	rs = b.scaled(rs, 1)
	b.silent("scaling to the same", func() error { _, err := b.writer.Scale(b.Context(), rs, 1); return err })
	assert.True(b, metav1.IsControlledBy(rs, c), "the Deployment's controller leaves it alone")
	assert.Equal(b, int32(2), *b.replicaSets()["app:1"].Spec.Replicas)

	require.NoError(b, b.writer.Remove(b.Context(), rs, d))
	rs, err = b.kube.AppsV1().ReplicaSets(b.namespace).Get(b.Context(), rs.Name, metav1.GetOptions{})
	require.NoError(b, err, "its pods go first")
	assert.Zero(b, *rs.Spec.Replicas)
	rs = b.scaled(rs, 0)
	require.NoError(b, b.writer.Remove(b.Context(), rs, d))
	assert.NotContains(b, b.replicaSets(), "app:2")
}

// borrows takes an old ReplicaSet of the Deployment's for the canary, and gives it back.
func borrows(b *bench) {
	b.deploy()
	b.merge(newVersion)
	b.complete()
	b.looked(b.writer.Pause)
	d, c := b.deployment(), b.canary()
	old := b.other(b.replicaSets()["app:1"])
	annotations := old.Annotations
	require.NotEmpty(b, annotations)

	borrowed, err := b.writer.Borrow(b.Context(), old, c)
	require.NoError(b, err)
	assert.True(b, metav1.IsControlledBy(borrowed, c))
	assert.Len(b, borrowed.OwnerReferences, 2, "the other owner stays")
	assert.Equal(b, string(d.UID), borrowed.Annotations[workload.BorrowedAnnotation])
	borrowed = b.scaled(borrowed, 1)
	assert.True(b, metav1.IsControlledBy(borrowed, c), "the Deployment's controller leaves it alone")

	borrowed = b.scaled(borrowed, 0)
	require.NoError(b, b.writer.Remove(b.Context(), borrowed, d))
	back := b.replicaSets()["app:1"]
	require.NotNil(b, back, "what was borrowed is not deleted")
	assert.True(b, metav1.IsControlledBy(back, d))
	assert.Len(b, back.OwnerReferences, 2, "the other owner stays")
	assert.Equal(b, annotations, back.Annotations)
}

func staysOffAReplicaSetThatMoved(b *bench) {
	d, c, seen := b.release()
	moved := seen.DeepCopy()
	moved.Annotations = map[string]string{"somebody": "was here"}
	b.store(moved)
	_, err := b.writer.Scale(b.Context(), seen, 2)
	b.conflict(err)
	_, err = b.writer.Borrow(b.Context(), seen, c)
	b.conflict(err)
	empty := seen.DeepCopy()
	empty.Status.ObservedGeneration = empty.Generation
	b.conflict(b.writer.Remove(b.Context(), empty, d))
	same := b.merge(`{spec: {replicas: 0}}`)
	b.conflict(b.writer.HandOver(b.Context(), seen, same))
	assert.True(b, metav1.IsControlledBy(b.replicaSets()["app:2"], c))
}

func handsOver(b *bench) {
	d, c, rs := b.release()
	rs = b.scaled(b.other(rs), 2)
	template, judged := rs.Spec.Template.DeepCopy(), b.pods("app:2")
	require.Len(b, judged, 2)
	require.NoError(b, b.writer.HandOver(b.Context(), rs, d))
	d = b.complete()
	b.eventually("the old pods to go", func() bool { return len(b.pods("app:1")) == 0 })
	assert.Equal(b, judged, b.pods("app:2"), "the pods that were judged are the pods that serve")

	sets := b.replicaSets()
	require.Len(b, sets, 2)
	rs = sets["app:2"]
	assert.True(b, metav1.IsControlledBy(rs, d))
	assert.False(b, metav1.IsControlledBy(rs, c))
	assert.Len(b, rs.OwnerReferences, 2, "the other owner stays")
	assert.Equal(b, *template, rs.Spec.Template)
	assert.Zero(b, *sets["app:1"].Spec.Replicas)
	assert.True(b, d.Spec.Paused)
	assert.Equal(b, "2", d.Annotations["deployment.kubernetes.io/revision"])
	assert.Equal(b, "2", rs.Annotations["deployment.kubernetes.io/revision"], "rollout history has one more")
	assert.Equal(b, "2", rs.Annotations["deployment.kubernetes.io/desired-replicas"])
	assert.Equal(b, "3", rs.Annotations["deployment.kubernetes.io/max-replicas"])
	b.silent("handing over again", func() error { return b.writer.HandOver(b.Context(), rs, d) })

	// The template moved on in that very moment: it is taken back with its pods.
	back, err := b.writer.Borrow(b.Context(), rs, c)
	require.NoError(b, err)
	assert.True(b, metav1.IsControlledBy(back, c))
	assert.Equal(b, int32(2), *back.Spec.Replicas)
}

func handsNothingOverToWhatMoved(b *bench) {
	seen, c, rs := b.release()
	rs = b.scaled(rs, 2)
	moved := func(what, there, back string) {
		b.merge(there)
		b.silentlyMoved(what, b.writer.HandOver(b.Context(), rs, seen))
		b.merge(back)
	}
	moved("the template", `{spec: {template: {spec: {containers: [{name: app, image: "app:3"}]}}}}`, newVersion)
	moved("the scale", `{spec: {replicas: 3}}`, `{spec: {replicas: 2}}`)
	b.silentlyMoved("the identity", b.writer.HandOver(b.Context(), rs, madeAnew(seen)))
	moved("the pause", `{spec: {paused: false}}`, `{spec: {paused: true}}`)
	rs, err := b.kube.AppsV1().ReplicaSets(b.namespace).Get(b.Context(), rs.Name, metav1.GetOptions{})
	require.NoError(b, err)
	assert.True(b, metav1.IsControlledBy(rs, c))
}

func madeAnew(d *appsv1.Deployment) *appsv1.Deployment {
	other := d.DeepCopy()
	other.UID = "another"
	return other
}

func (b *bench) silentlyMoved(what string, err error) {
	b.Helper()
	require.ErrorIs(b, err, kube.ErrMoved, what)
	for _, w := range b.writes {
		require.NotContains(b, w, "handing over", what)
	}
}
