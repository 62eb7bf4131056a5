package cli

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// target is the workload that a Canary names, whatever its kind.
type target struct {
	*workload.Target
	// version is another one whenever other revisions may matter: the target has changed, or its own controller has
	// seen that.
	version string
	// running reads what it runs, with the pods where they are asked for. What could be read is there with an error, too.
	running func(ctx context.Context, pods bool) (running, error)
}

// running is what a target runs.
type running interface {
	// present is the target's template, seen as the operator sees it.
	present(st *v1beta1.CanaryStatus) (rollout.Revision, error)
	// pods of a revision, how many are ready and of how many; false where that is not known.
	pods(st *v1beta1.CanaryStatus, r *v1beta1.RevisionStatus) (ready, all int32, known bool)
}

// workloads are those of one kind.
type workloads struct {
	get   func(ctx context.Context, name string) (*target, error)
	tell  func(ctx context.Context, name string, pass func(*target)) error
	patch func(ctx context.Context, name string, patch []byte) error
}

// workloads are those of the kind that a Canary names.
func (k *cluster) workloads(canary *v1beta1.Canary) workloads {
	apps := k.kube.AppsV1()
	switch rollout.KindOf(canary) {
	case v1beta1.KindStatefulSet:
		return workloadsOf(apps.StatefulSets(k.namespace),
			func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items }, k.statefulSet)
	case v1beta1.KindKnativeService:
		return k.knative()
	case v1beta1.KindDaemonSet:
		return workloadsOf(apps.DaemonSets(k.namespace),
			func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }, k.daemonSet)
	}
	return workloadsOf(apps.Deployments(k.namespace),
		func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items }, k.deployment)
}

// api is a client for one kind of objects.
type api[T any, L metav1.ListInterface] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (*T, error)
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error)
	Patch(ctx context.Context, name string, t types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*T, error)
}

func workloadsOf[T any, L metav1.ListInterface](of api[T, L], items func(L) []T, as func(*T) *target) workloads {
	return workloads{
		get: func(ctx context.Context, name string) (*target, error) {
			object, err := of.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return as(object), nil
		},
		tell: func(ctx context.Context, name string, pass func(*target)) error {
			return sourceOf(of, items).tell(ctx, name, func(object *T) {
				if object == nil {
					pass(nil)
					return
				}
				pass(as(object))
			})
		},
		patch: func(ctx context.Context, name string, patch []byte) error {
			_, err := of.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		},
	}
}

func versionOf(object metav1.Object, seen int64) string {
	return fmt.Sprint(object.GetUID(), " ", object.GetGeneration(), " ", seen)
}

// selected are the objects that carry the labels of a target's pods.
func selected(t *workload.Target) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(t.Selector)}
}

// controls says that an object is the target's own.
func controls(t *workload.Target, object metav1.Object) bool {
	owner := metav1.GetControllerOf(object)
	return owner != nil && owner.UID == t.UID
}

func (k *cluster) deployment(d *appsv1.Deployment) *target {
	t := workload.OfDeployment(d)
	return &target{Target: t, version: versionOf(d, d.Status.ObservedGeneration),
		running: func(ctx context.Context, _ bool) (running, error) {
			list, err := k.kube.AppsV1().ReplicaSets(k.namespace).List(ctx, selected(t))
			if err != nil {
				return replicaSets{deploy: d}, err
			}
			return replicaSets{d, pointers(list.Items)}, nil
		}}
}

func (k *cluster) statefulSet(s *appsv1.StatefulSet) *target {
	return k.inPlace(workload.OfStatefulSet(s), versionOf(s, s.Status.ObservedGeneration),
		func(r replaced, st *v1beta1.CanaryStatus) (workload.InPlace, error) {
			return workload.ObserveStatefulSet(s, r.revisions, r.own, st, r.now)
		})
}

func (k *cluster) daemonSet(d *appsv1.DaemonSet) *target {
	return k.inPlace(workload.OfDaemonSet(d), versionOf(d, d.Status.ObservedGeneration),
		func(r replaced, st *v1beta1.CanaryStatus) (workload.InPlace, error) {
			return workload.ObserveDaemonSet(d, r.revisions, r.own, st, r.now)
		})
}

// inPlace is a target whose pods are replaced in place.
func (k *cluster) inPlace(
	t *workload.Target, version string, observe func(replaced, *v1beta1.CanaryStatus) (workload.InPlace, error),
) *target {
	return &target{Target: t, version: version, running: func(ctx context.Context, pods bool) (running, error) {
		r := replaced{observe: observe, now: k.now()}
		revisions, err := k.kube.AppsV1().ControllerRevisions(k.namespace).List(ctx, selected(t))
		if err != nil {
			return r, err
		}
		for _, rev := range pointers(revisions.Items) {
			if controls(t, rev) {
				workload.SlimRevision(rev)
				r.revisions = append(r.revisions, rev)
			}
		}
		if !pods {
			return r, nil
		}
		all, err := k.kube.CoreV1().Pods(k.namespace).List(ctx, selected(t))
		if err != nil {
			return r, err
		}
		for _, pod := range pointers(all.Items) {
			if controls(t, pod) {
				r.own = append(r.own, pod)
			}
		}
		r.counted = true
		return r, nil
	}}
}

// replicaSets are what a Deployment runs, the canary's own among them.
type replicaSets struct {
	deploy *appsv1.Deployment
	sets   []*appsv1.ReplicaSet
}

// of is the ReplicaSet that a status names, or nil.
func (r replicaSets) of(rev *v1beta1.RevisionStatus) *appsv1.ReplicaSet {
	for _, rs := range r.sets {
		if rev != nil && rs.Name == rev.ReplicaSet {
			return rs
		}
	}
	return nil
}

func (r replicaSets) present(st *v1beta1.CanaryStatus) (rollout.Revision, error) {
	rev, err := workload.Revision(r.deploy, r.sets, r.of(st.Primary), r.of(st.Canary))
	// Where the ReplicaSet is not there to compare with, its name has to do.
	if err == nil && st.Canary != nil && r.of(st.Canary) == nil {
		rev.IsCandidate = rev.Hash == st.Canary.Hash
	}
	return rev, err
}

func (r replicaSets) pods(_ *v1beta1.CanaryStatus, rev *v1beta1.RevisionStatus) (ready, all int32, known bool) {
	rs := r.of(rev)
	switch {
	case rs == nil:
		return 0, 0, false
	case rs.Spec.Replicas == nil:
		return rs.Status.ReadyReplicas, 1, true
	}
	return rs.Status.ReadyReplicas, *rs.Spec.Replicas, true
}

// replaced is what a target runs whose pods are replaced in place.
type replaced struct {
	observe   func(replaced, *v1beta1.CanaryStatus) (workload.InPlace, error)
	revisions []*appsv1.ControllerRevision
	own       []*corev1.Pod
	// counted says that own are all of its pods.
	counted bool
	now     time.Time
}

func (r replaced) present(st *v1beta1.CanaryStatus) (rollout.Revision, error) {
	in, err := r.observe(r, st)
	rev := in.Target.Revision
	rev.IsPrimary = rev.IsPrimary && st.Primary != nil // what would be taken for it is not the primary yet
	return rev, err
}

func (r replaced) pods(st *v1beta1.CanaryStatus, rev *v1beta1.RevisionStatus) (ready, all int32, known bool) {
	in, ok := r.seen(st)
	if !ok || rev == nil {
		return 0, 0, false
	}
	for _, of := range []rollout.ReplicaSet{in.Primary, in.Candidate} {
		if !of.Found || of.Name != rev.ReplicaSet {
			continue
		}
		all = max(of.Desired, of.Exists)
		if st.Run != nil && rev == st.Canary {
			all = max(all, rev.Replicas) // asked for, and not there yet
		}
		return of.Ready, all, true
	}
	return 0, 0, false
}

// seen is what the operator would see of it now; false where the pods are not known.
func (r replaced) seen(st *v1beta1.CanaryStatus) (workload.InPlace, bool) {
	in, err := r.observe(r, st)
	return in, err == nil && r.counted
}

func pointers[T any](all []T) []*T {
	out := make([]*T, 0, len(all))
	for i := range all {
		out = append(out, &all[i])
	}
	return out
}
