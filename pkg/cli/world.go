package cli

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// world is a Canary, and what its target is and runs.
type world struct {
	canary *v1beta1.Canary
	// deploy is nil where there is no such Deployment, or it may not be read.
	deploy *appsv1.Deployment
	// sets are the ReplicaSets of the target's pods, the canary's own among them.
	sets []*appsv1.ReplicaSet
	// unread is why the Deployment or its ReplicaSets could not be read.
	unread error
}

// world reads what there is now.
func (k *cluster) world(ctx context.Context, arg string) (*world, error) {
	canary, err := k.canary(ctx, arg)
	if err != nil {
		return nil, err
	}
	w := &world{canary: canary}
	deploy, err := k.kube.AppsV1().Deployments(k.namespace).Get(ctx, canary.Spec.TargetRef.Name, metav1.GetOptions{})
	if err == nil {
		w.deploy = deploy
		w.sets, err = k.replicaSets(ctx, deploy)
	}
	if !apierrors.IsNotFound(err) {
		w.unread = err
	}
	return w, nil
}

func (k *cluster) replicaSets(ctx context.Context, deploy *appsv1.Deployment) ([]*appsv1.ReplicaSet, error) {
	list, err := k.kube.AppsV1().ReplicaSets(k.namespace).
		List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(deploy.Spec.Selector)})
	if err != nil {
		return nil, err
	}
	sets := make([]*appsv1.ReplicaSet, 0, len(list.Items))
	for i := range list.Items {
		sets = append(sets, &list.Items[i])
	}
	return sets, nil
}

// set is the ReplicaSet that a status names, or nil.
func (w *world) set(r *v1beta1.RevisionStatus) *appsv1.ReplicaSet {
	if r == nil {
		return nil
	}
	for _, rs := range w.sets {
		if rs.Name == r.ReplicaSet {
			return rs
		}
	}
	return nil
}

// revision is the target's template, seen as the operator sees it.
func (w *world) revision() (rollout.Revision, bool) {
	if w.deploy == nil {
		return rollout.Revision{}, false
	}
	st := &w.canary.Status
	rev, err := workload.Revision(w.deploy, w.sets, w.set(st.Primary), w.set(st.Canary))
	if err != nil {
		return rollout.Revision{}, false
	}
	// Where the ReplicaSet is not there to compare with, its name has to do.
	if st.Canary != nil && w.set(st.Canary) == nil {
		rev.IsCandidate = rev.Hash == st.Canary.Hash
	}
	return rev, true
}

// pods are those of a revision, in words: as they are now, or, where they cannot be seen, as they were last told.
func (w *world) pods(r *v1beta1.RevisionStatus) string {
	ready, all := r.Ready, r.Replicas
	if rs := w.set(r); rs != nil {
		ready, all = rs.Status.ReadyReplicas, workloadReplicas(rs)
	}
	if all == 0 {
		return "no pods"
	}
	return fmt.Sprintf("%d of %s ready", ready, count(all, "pod"))
}

func workloadReplicas(rs *appsv1.ReplicaSet) int32 {
	if rs.Spec.Replicas == nil {
		return 1
	}
	return *rs.Spec.Replicas
}

// sameRelease says that a template is the other with no more than a new digest of the configuration that it
// mentions, which Weir itself may add in mid-run.
func sameRelease(a, b *corev1.PodTemplateSpec) bool {
	plain := func(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
		c := t.DeepCopy()
		delete(c.Annotations, v1beta1.ConfigDigestAnnotation)
		if len(c.Annotations) == 0 {
			c.Annotations = nil
		}
		return c
	}
	return workload.Equal(plain(a), plain(b))
}
