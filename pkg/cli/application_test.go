package cli_test

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

const targetYAML = `
apiVersion: apps/v1
kind: %s
metadata: {name: podinfo}
spec:
  %s
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec: {containers: [{name: podinfo, image: %q}]}
`

const canaryYAML = `
metadata: {name: podinfo}
spec:
  targetRef: {name: podinfo}
  service: {port: 9898, gatewayRefs: [{name: main}]}
  analysis: {interval: 30s, threshold: 2, stepWeights: [10, 50]}
`

const canaryInPlaceYAML = `
metadata: {name: podinfo}
spec:
  provider: kubernetes
  targetRef: {kind: %s, name: podinfo}
  service: {port: 9898}
  analysis: {interval: 30s, threshold: 2, stepWeights: [10, 50]}
`

// held are the fields of a target that Weir holds.
var held = map[string]string{
	"Deployment":  "replicas: 3\n  paused: true",
	"StatefulSet": "replicas: 3\n  updateStrategy: {rollingUpdate: {partition: 2147483647}}",
	"DaemonSet":   "updateStrategy: {type: OnDelete}",
}

// managed makes a target and a Canary that has taken it over.
func (b *bench) managed() {
	b.Helper()
	b.deploys("podinfo:1")
	b.watchesOver()
	serves := b.made(b.names())
	serves.Replicas, serves.Ready = 3, 3
	b.commits(func(st *v1beta1.CanaryStatus) { st.Phase, st.Primary = v1beta1.PhaseInitialized, serves })
}

// canaryText is the Canary for the bench's kind of targets.
func (b *bench) canaryText() string {
	if b.kind == v1beta1.KindDeployment {
		return canaryYAML
	}
	return fmt.Sprintf(canaryInPlaceYAML, b.kind)
}

// watchesOver makes the Canary.
func (b *bench) watchesOver() {
	b.Helper()
	canary := read[v1beta1.Canary](b, b.canaryText())
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).Create(b.Context(), canary, metav1.CreateOptions{})
	require.NoError(b, err)
}

// deploys makes the target.
func (b *bench) deploys(image string) {
	b.Helper()
	object := read[map[string]any](b, fmt.Sprintf(targetYAML, b.kind, held[b.kind], image))
	_, err := b.targets().Create(b.Context(), &unstructured.Unstructured{Object: *object}, metav1.CreateOptions{})
	require.NoError(b, err)
}

// resource is how the API server names the bench's kind of targets.
func (b *bench) resource() string { return strings.ToLower(b.kind) + "s" }

func (b *bench) targets() dynamic.ResourceInterface {
	return b.dynamic.Resource(appsv1.SchemeGroupVersion.WithResource(b.resource())).Namespace(b.namespace)
}

// reads fills in the target as it is now.
func (b *bench) reads(object any) {
	b.Helper()
	u, err := b.targets().Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	require.NoError(b, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object))
}

// template is that of the target.
func (b *bench) template() *corev1.PodTemplateSpec {
	b.Helper()
	var object struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	b.reads(&object)
	return &object.Spec.Template
}

// applies gives the target another image, and says which revision that is.
func (b *bench) applies(image string) string {
	b.Helper()
	return b.patches(ofImage(image))
}

func ofImage(image string) string {
	return fmt.Sprintf(`{"spec":{"containers":[{"name":"podinfo","image":%q}]}}`, image)
}

// patches changes the target's template, and says which revision it is now.
func (b *bench) patches(template string) string {
	b.Helper()
	b.changes(template)
	return b.names().Hash
}

// changes the target's template, of which its controller has not heard yet.
func (b *bench) changes(template string) {
	b.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":%s}}`, template)
	_, err := b.targets().Patch(b.Context(), "podinfo", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(b, err)
}

// names plays the target's own controller, as far as it gives the present template a name.
func (b *bench) names() *v1beta1.RevisionStatus {
	b.Helper()
	if b.kind != v1beta1.KindDeployment {
		return b.namesInPlace()
	}
	hash, err := workload.Digest(b.template())
	require.NoError(b, err)
	return &v1beta1.RevisionStatus{ReplicaSet: "podinfo-" + hash, Hash: hash}
}

// made is a revision that can have pods: of a Deployment, one with a ReplicaSet.
func (b *bench) made(r *v1beta1.RevisionStatus) *v1beta1.RevisionStatus {
	b.Helper()
	if b.kind == v1beta1.KindDeployment {
		d := &appsv1.Deployment{}
		b.reads(d)
		_, err := b.kube.AppsV1().ReplicaSets(b.namespace).Create(b.Context(), replicaSetOf(d, r.Hash), metav1.CreateOptions{})
		require.NoError(b, err)
	}
	return r
}

func replicaSetOf(d *appsv1.Deployment, hash string) *appsv1.ReplicaSet {
	owner := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", UID: "1"}}
	return workload.NewReplicaSet(d, owner, "podinfo-"+hash, hash)
}

func (b *bench) canary() *v1beta1.Canary {
	b.Helper()
	c, err := b.weir.WeirV1beta1().Canaries(b.namespace).Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	return c
}

// commits writes a status, as the operator does when it has looked.
func (b *bench) commits(change func(*v1beta1.CanaryStatus)) {
	b.Helper()
	c := b.canary()
	c.Status.ObservedGeneration = c.Generation
	change(&c.Status)
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).UpdateStatus(b.Context(), c, metav1.UpdateOptions{})
	require.NoError(b, err)
}

// starts begins a run of a revision, which is that of the target's template.
func (b *bench) starts(hash string) {
	b.Helper()
	under := b.made(b.names())
	require.Equal(b, hash, under.Hash)
	under.Replicas = 1
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Phase = v1beta1.PhaseProgressing
		st.Run = &v1beta1.RunStatus{ID: hash + "-1", StartedAt: metav1.NewTime(now())}
		st.Canary = under
		st.Step = &v1beta1.StepStatus{Progress: "1/2", StartedAt: metav1.NewMicroTime(now())}
		st.Conditions = []metav1.Condition{ready("WaitingForPods", "waiting for 1 ready canary pods")}
	})
}

// endsRun ends the run that is on.
func endsRun(st *v1beta1.CanaryStatus, outcome v1beta1.Outcome, reason, message string) {
	st.History = append([]v1beta1.RunRecord{{
		ID: st.Run.ID, Revision: st.Canary.Hash, Outcome: outcome, Reason: reason, Message: message,
		StartedAt: st.Run.StartedAt, EndedAt: metav1.NewTime(now()), MaxWeight: 10,
	}}, st.History...)
	st.Run, st.Step = nil, nil
	switch outcome {
	case v1beta1.OutcomePromoted:
		st.Phase, st.Primary, st.Canary = v1beta1.PhaseSucceeded, st.Canary, nil
	case v1beta1.OutcomeSuperseded:
		st.Phase, st.Canary = v1beta1.PhaseSucceeded, nil
	default:
		st.Phase = v1beta1.PhaseFailed
	}
}

func ready(reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message,
		LastTransitionTime: metav1.NewTime(now()),
	}
}
