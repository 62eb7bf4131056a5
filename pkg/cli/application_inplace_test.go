package cli_test

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// namesInPlace plays the controller of a StatefulSet or a DaemonSet: it makes a ControllerRevision of the present
// template, as these do, and says in the status that it has seen it.
func (b *bench) namesInPlace() *v1beta1.RevisionStatus {
	b.Helper()
	digest, err := workload.Digest(b.template())
	require.NoError(b, err)
	revision := b.revises(digest)
	b.observes(revision.ReplicaSet, "")
	return revision
}

// revises makes the ControllerRevision of the present template, if there is none.
func (b *bench) revises(hash string) *v1beta1.RevisionStatus {
	b.Helper()
	u, err := b.targets().Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	template, _, err := unstructured.NestedMap(u.Object, "spec", "template")
	require.NoError(b, err)
	template["$patch"] = "replace"
	raw, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
	require.NoError(b, err)
	_, err = b.kube.AppsV1().ControllerRevisions(b.namespace).Create(b.Context(), &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Name: "podinfo-" + hash, OwnerReferences: []metav1.OwnerReference{b.owner(u)},
			Labels: map[string]string{"app": "podinfo", appsv1.ControllerRevisionHashLabelKey: hash}},
		Data: runtime.RawExtension{Raw: raw}, Revision: u.GetGeneration(),
	}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(b, err)
	}
	return b.revisionOf(hash)
}

// revisionOf is the revision of a hash. Only the pods of a StatefulSet carry its whole name.
func (b *bench) revisionOf(hash string) *v1beta1.RevisionStatus {
	r := &v1beta1.RevisionStatus{ReplicaSet: "podinfo-" + hash, Hash: hash}
	if b.kind == v1beta1.KindStatefulSet {
		r.Hash = r.ReplicaSet
	}
	return r
}

func (b *bench) owner(u *unstructured.Unstructured) metav1.OwnerReference {
	return *metav1.NewControllerRef(u, appsv1.SchemeGroupVersion.WithKind(b.kind))
}

// observes says that the target's controller has seen its present template, and what it calls it. The current revision
// of a StatefulSet stays what it is without another one.
func (b *bench) observes(update, current string) {
	b.Helper()
	u, err := b.targets().Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	status, _, err := unstructured.NestedMap(u.Object, "status")
	require.NoError(b, err)
	if status == nil {
		status = map[string]any{}
	}
	status["observedGeneration"] = u.GetGeneration()
	switch b.kind {
	case v1beta1.KindStatefulSet:
		status["replicas"], status["updateRevision"] = int64(3), update
		was, _ := status["currentRevision"].(string)
		status["currentRevision"] = cmp.Or(current, was, update)
	case v1beta1.KindDaemonSet:
		for _, counted := range []string{"desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady"} {
			status[counted] = int64(3)
		}
	}
	u.Object["status"] = status
	_, err = b.targets().UpdateStatus(b.Context(), u, metav1.UpdateOptions{})
	require.NoError(b, err)
}

// hasPods makes pods of a revision.
func (b *bench) hasPods(r *v1beta1.RevisionStatus, ready, all int32) {
	b.Helper()
	u, err := b.targets().Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	// Nobody else makes the account that a pod cannot be without.
	_, err = b.kube.CoreV1().ServiceAccounts(b.namespace).
		Create(b.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(b, err)
	}
	pods := b.kube.CoreV1().Pods(b.namespace)
	for i := range all {
		pod, err := pods.Create(b.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-pod-%d", r.ReplicaSet, i),
				Labels:          map[string]string{"app": "podinfo", appsv1.ControllerRevisionHashLabelKey: r.Hash},
				OwnerReferences: []metav1.OwnerReference{b.owner(u)}},
			Spec: b.template().Spec,
		}, metav1.CreateOptions{})
		require.NoError(b, err)
		if i >= ready {
			continue
		}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		_, err = pods.UpdateStatus(b.Context(), pod, metav1.UpdateOptions{})
		require.NoError(b, err)
	}
}
