package cli_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

const deploymentYAML = `
metadata: {name: podinfo}
spec:
  replicas: 3
  paused: true
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

// managed makes a Deployment and a Canary that has taken it over.
func (b *bench) managed() {
	b.Helper()
	b.deploys("podinfo:1")
	b.watchesOver()
	set := b.replicaSet()
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Phase = v1beta1.PhaseInitialized
		st.Primary = &v1beta1.RevisionStatus{ReplicaSet: set.Name, Hash: set.Labels[workload.HashLabel], Replicas: 3, Ready: 3}
	})
}

// watchesOver makes the Canary.
func (b *bench) watchesOver() {
	b.Helper()
	canary := read[v1beta1.Canary](b, canaryYAML)
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).Create(b.Context(), canary, metav1.CreateOptions{})
	require.NoError(b, err)
}

// deploys makes the Deployment.
func (b *bench) deploys(image string) {
	b.Helper()
	d := read[appsv1.Deployment](b, fmt.Sprintf(deploymentYAML, image))
	_, err := b.kube.AppsV1().Deployments(b.namespace).Create(b.Context(), d, metav1.CreateOptions{})
	require.NoError(b, err)
}

// applies gives the Deployment another image, and says which revision that is.
func (b *bench) applies(image string) string {
	b.Helper()
	return b.patches(fmt.Sprintf(`{"spec":{"containers":[{"name":"podinfo","image":%q}]}}`, image))
}

// patches changes the Deployment's template, and says which revision it is now.
func (b *bench) patches(template string) string {
	b.Helper()
	patch := fmt.Sprintf(`{"spec":{"template":%s}}`, template)
	d, err := b.kube.AppsV1().Deployments(b.namespace).
		Patch(b.Context(), "podinfo", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(b, err)
	hash, err := workload.Digest(&d.Spec.Template)
	require.NoError(b, err)
	return hash
}

// replicaSet is that of the Deployment's template, which is made if there is none.
func (b *bench) replicaSet() *appsv1.ReplicaSet {
	b.Helper()
	d, err := b.kube.AppsV1().Deployments(b.namespace).Get(b.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(b, err)
	hash, err := workload.Digest(&d.Spec.Template)
	require.NoError(b, err)
	set := replicaSetOf(d, hash)
	_, err = b.kube.AppsV1().ReplicaSets(b.namespace).Create(b.Context(), set, metav1.CreateOptions{})
	require.NoError(b, err)
	return set
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

// starts begins a run of a revision, whose ReplicaSet is made from the Deployment's template.
func (b *bench) starts(hash string) {
	b.Helper()
	set := b.replicaSet()
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Phase = v1beta1.PhaseProgressing
		st.Run = &v1beta1.RunStatus{ID: hash + "-1", StartedAt: metav1.NewTime(now())}
		st.Canary = &v1beta1.RevisionStatus{ReplicaSet: set.Name, Hash: hash, Replicas: 1}
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
