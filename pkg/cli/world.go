package cli

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
	"weir.dev/weir/pkg/workload"
)

// world is a Canary, and what its target is and runs.
type world struct {
	canary *v1beta1.Canary
	// target is nil where there is no such workload, or it may not be read.
	target *target
	// running is what the target runs, nil without a target.
	running running
	// apex is the Service that clients use, nil where it is not known. It is read for a target that is released in
	// place, of which it says whether a refused pod gets traffic.
	apex *corev1.Service
	// unread is why the target, or what it runs, could not be read.
	unread error
}

// world reads what there is now.
func (k *cluster) world(ctx context.Context, arg string) (*world, error) {
	canary, err := k.canary(ctx, arg)
	if err != nil {
		return nil, err
	}
	w := &world{canary: canary}
	w.target, err = k.workloads(canary).get(ctx, canary.Spec.TargetRef.Name)
	if err == nil {
		w.running, err = w.target.running(ctx, true)
	}
	if !apierrors.IsNotFound(err) {
		w.unread = err
	}
	if inPlace(canary) {
		apex, err := k.kube.CoreV1().Services(k.namespace).Get(ctx, workload.ServiceNames(canary).Apex, metav1.GetOptions{})
		if err == nil {
			w.apex = apex
		}
	}
	return w, nil
}

// inPlace says that the pods of a Canary's target are replaced in place.
func inPlace(canary *v1beta1.Canary) bool {
	kind := rollout.KindOf(canary)
	return kind == v1beta1.KindStatefulSet || kind == v1beta1.KindDaemonSet
}

// revision is the target's template, seen as the operator sees it; false where that is not known.
func (w *world) revision() (rollout.Revision, bool) {
	if w.running == nil {
		return rollout.Revision{}, false
	}
	rev, err := w.running.present(&w.canary.Status)
	return rev, err == nil
}

// unnamed says that the target's own controller has not named the revision of its template yet.
func (w *world) unnamed() bool {
	if w.running == nil {
		return false
	}
	_, err := w.running.present(&w.canary.Status)
	return workload.Unknown(err)
}

// ready is how many pods of a revision are ready, and of how many: as they are now, or, where they cannot be seen, as
// they were last told.
func (w *world) ready(r *v1beta1.RevisionStatus) (ready, all int32) {
	if w.running != nil {
		if ready, all, known := w.running.pods(&w.canary.Status, r); known {
			return ready, all
		}
	}
	return r.Ready, r.Replicas
}

// pods are those of a revision, in words.
func (w *world) pods(r *v1beta1.RevisionStatus) string {
	ready, all := w.ready(r)
	if all == 0 {
		return "no pods"
	}
	return fmt.Sprintf("%d of %s ready", ready, words.Count(all, "pod"))
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
