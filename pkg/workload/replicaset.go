package workload

import (
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// BorrowedAnnotation marks a ReplicaSet that belongs to the Deployment and is Weir's for one run. Its
// value is the UID of the Deployment.
const BorrowedAnnotation = "weir.dev/borrowed-from"

// deploymentAnnotations are those by which the Deployment controller keeps its books.
const deploymentAnnotations = "deployment.kubernetes.io/"

// NewReplicaSet is the canary: the Deployment's template under a hash of its own, controlled by the
// Canary, so that the Deployment's controller leaves it alone. It starts without pods.
func NewReplicaSet(deploy *appsv1.Deployment, canary *v1beta1.Canary, name, hash string) *appsv1.ReplicaSet {
	template := *deploy.Spec.Template.DeepCopy()
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[HashLabel] = hash
	selector := deploy.Spec.Selector.DeepCopy()
	if selector.MatchLabels == nil {
		selector.MatchLabels = map[string]string{}
	}
	selector.MatchLabels[HashLabel] = hash
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: deploy.Namespace,
			Labels:          maps.Clone(template.Labels),
			Annotations:     inherited(deploy.Annotations),
			OwnerReferences: []metav1.OwnerReference{ControlledByCanary(canary)},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas:        new(int32),
			MinReadySeconds: deploy.Spec.MinReadySeconds,
			Selector:        selector,
			Template:        template,
		},
	}
}

// inherited are the annotations of a Deployment that its ReplicaSets carry, too.
func inherited(of map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range of {
		if k != corev1.LastAppliedConfigAnnotation && !strings.HasPrefix(k, deploymentAnnotations) {
			out[k] = v
		}
	}
	return out
}

// ControlledByCanary is the controller reference of a ReplicaSet that is Weir's.
func ControlledByCanary(c *v1beta1.Canary) metav1.OwnerReference {
	return *metav1.NewControllerRef(c, v1beta1.SchemeGroupVersion.WithKind("Canary"))
}

// ControlledByDeployment is the controller reference of a ReplicaSet that is the Deployment's.
func ControlledByDeployment(d *appsv1.Deployment) metav1.OwnerReference {
	return *metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))
}

// Replicas that a Deployment ought to have.
func Replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// MaxReplicas is the most pods that the Deployment may have during a rollout: its replicas and its
// surge. The Deployment's controller writes it on its ReplicaSets.
func MaxReplicas(d *appsv1.Deployment) int32 {
	replicas := Replicas(d)
	rolling := d.Spec.Strategy.RollingUpdate
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType || rolling == nil || rolling.MaxSurge == nil {
		return replicas
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, int(replicas), true)
	if err != nil {
		return replicas
	}
	return replicas + int32(surge) //nolint:gosec // a share of replicas, or what the API server has checked
}

// EqualOf is the Deployment's own ReplicaSet of its present template; the oldest where there are
// several, as the Deployment's controller chooses.
func EqualOf(deploy *appsv1.Deployment, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for _, rs := range sets {
		if !metav1.IsControlledBy(rs, deploy) || !Equal(&rs.Spec.Template, &deploy.Spec.Template) {
			continue
		}
		if found == nil || older(rs, found) {
			found = rs
		}
	}
	return found
}

func older(a, b *appsv1.ReplicaSet) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// Sole is the Deployment's only ReplicaSet with pods: what serves, whatever its template says. Where
// none has pods it is the one of the present template; where several have, there is none.
func Sole(deploy *appsv1.Deployment, sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for _, rs := range sets {
		if !metav1.IsControlledBy(rs, deploy) || !hasPods(rs) {
			continue
		}
		if found != nil {
			return nil
		}
		found = rs
	}
	if found == nil {
		return EqualOf(deploy, sets)
	}
	return found
}

func hasPods(rs *appsv1.ReplicaSet) bool {
	return rs.Spec.Replicas != nil && *rs.Spec.Replicas > 0 || rs.Status.Replicas > 0
}

// Complete says that the Deployment is rolled out: its controller has seen its spec, every replica is
// of the present template and available, and no other ReplicaSet of its has pods.
func Complete(deploy *appsv1.Deployment, sets []*appsv1.ReplicaSet) bool {
	own := EqualOf(deploy, sets)
	if own == nil || deploy.Status.ObservedGeneration < deploy.Generation {
		return false
	}
	for _, rs := range sets {
		if rs != own && metav1.IsControlledBy(rs, deploy) && hasPods(rs) {
			return false
		}
	}
	replicas := Replicas(deploy)
	return own.Status.ObservedGeneration >= own.Generation && own.Status.Replicas == replicas &&
		own.Status.AvailableReplicas == replicas
}

// Facts is a ReplicaSet in the words of the rollout. A nil ReplicaSet is one that is not there.
func Facts(
	rs *appsv1.ReplicaSet, deploy *appsv1.Deployment, canary *v1beta1.Canary, pods []*corev1.Pod,
) rollout.ReplicaSet {
	if rs == nil {
		return rollout.ReplicaSet{}
	}
	facts := rollout.ReplicaSet{
		Found: true, Name: rs.Name, Hash: hashOf(rs), Images: Images(&rs.Spec.Template),
		Owner: rollout.OwnerOther, Exists: rs.Status.Replicas,
		Broken: Broken(controlled(pods, rs)),
	}
	if rs.Spec.Replicas != nil {
		facts.Desired = *rs.Spec.Replicas
	}
	facts.ReadySince = readySince(controlled(pods, rs))
	// Counts of an older spec would speak of pods that are on their way out.
	if rs.Status.ObservedGeneration >= rs.Generation {
		facts.Ready, facts.Available = rs.Status.ReadyReplicas, rs.Status.AvailableReplicas
	} else {
		facts.Stale = true
		facts.Ready = min(rs.Status.ReadyReplicas, facts.Desired)
		facts.Available = min(rs.Status.AvailableReplicas, facts.Desired)
	}
	switch {
	case metav1.IsControlledBy(rs, canary):
		facts.Owner = rollout.OwnerCanary
	case deploy != nil && metav1.IsControlledBy(rs, deploy):
		facts.Owner = rollout.OwnerTarget
	}
	return facts
}

// readySince is when the last of the ready pods became so.
func readySince(pods []*corev1.Pod) time.Time {
	var last time.Time
	for _, p := range pods {
		for i := range p.Status.Conditions {
			c := &p.Status.Conditions[i]
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && c.LastTransitionTime.After(last) {
				last = c.LastTransitionTime.Time
			}
		}
	}
	return last
}

func controlled(pods []*corev1.Pod, rs *appsv1.ReplicaSet) []*corev1.Pod {
	var own []*corev1.Pod
	for _, p := range pods {
		if metav1.IsControlledBy(p, rs) {
			own = append(own, p)
		}
	}
	return own
}
