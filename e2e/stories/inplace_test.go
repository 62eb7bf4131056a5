package stories

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Targets whose pods are replaced in place: the share of a version is that of its pods.

// shareOf is how many of the requests of the last while a version answered, in percent.
func (s *story) shareOf(version string, while time.Duration) int {
	s.t.Helper()
	from := time.Now()
	time.Sleep(while)
	sum := load.Summarise(s.requests.Answers(), from)
	require.NotZero(s.t, sum.Total)
	return 100 * sum.ByVersion[version] / sum.Total
}

// statefulSet: the highest ordinals come first, what was analysed stays, and a bad version goes back by itself.
func statefulSet(s *story) {
	before, _ := s.pods()
	s.adoptWith(`    interval: 15s
    stepWeights: [25, 60]
` + successRate + "  provider: kubernetes\n")
	after, _ := s.pods()
	assert.Equal(s.t, before, after, "adoption touches no pod")

	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(25))
	settled()
	assert.InDelta(s.t, 33, s.shareOf("two", 4*time.Second), 9, "one pod of three")
	assert.Equal(s.t, []string{"podinfo-2"}, s.named("two"), "the highest ordinal")
	c := s.await(stage.AtWeight(60))
	settled()
	assert.InDelta(s.t, 67, s.shareOf("two", 4*time.Second), 9, "two pods of three")
	pods, _ := s.pods()
	judged := pods[c.Status.Canary.Hash]
	c = s.ended(1, v1beta1.OutcomePromoted)
	serving, restarts := s.pods()
	assert.Len(s.t, serving, 1)
	assert.Subset(s.t, serving[c.Status.Primary.Hash], judged, "the pods that were judged are among those that serve")
	assert.Zero(s.t, restarts)
	assert.Contains(s.t, s.kubectl("rollout", "status", "statefulset/podinfo", "--timeout=60s"), "complete")
	assert.Contains(s.t, s.told("Promoted"), "the pods that were analysed are the StatefulSet's")

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "CheckFailed", c.Status.History[0].Reason)
	s.backAt("two", 3)
	settled()
	assert.Zero(s.t, s.shareOf("bad", 2*time.Second))

	// The command of a person, too, is obeyed without a lost request.
	s.release(stage.Version{Label: "three"})
	s.await(stage.AtWeight(60))
	s.command(v1beta1.Command{Verb: v1beta1.VerbAbort, Reason: "no"})
	s.ended(3, v1beta1.OutcomeAborted)
	s.backAt("two", 3)
	s.release(stage.Version{Label: "two"})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.remove()
	s.vanillaInPlace()
}

// named are the pods of a version that are ready.
func (s *story) named(version string) []string {
	s.t.Helper()
	ready := func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }
	list, err := s.Stage.Kube.CoreV1().Pods(s.Namespace).List(s.t.Context(), metav1.ListOptions{LabelSelector: "app=" + s.Name})
	require.NoError(s.t, err)
	var names []string
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp == nil && pod.Spec.Containers[0].Env[0].Value == version &&
			slices.ContainsFunc(pod.Status.Conditions, ready) {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

// backAt waits until all pods are of a version again, and ready.
func (s *story) backAt(version string, pods int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.named(version)) == pods }, patience, 200*time.Millisecond)
}

// vanillaInPlace checks that nothing of Weir's is left on the target and its Services.
func (s *story) vanillaInPlace() {
	s.t.Helper()
	managers := s.kubectl("get", s.Kind, s.Name, "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}")
	assert.NotContains(s.t, " "+managers+" ", " "+v1beta1.FieldManager+" ")
	assert.Equal(s.t, map[string]string{"app": s.Name}, s.apex().Spec.Selector)
	assert.NotContains(s.t, s.kubectl("get", "services", "-o", "name"), "podinfo-")
}

// daemonSet: node by node; what is refused is stopped, and goes when the old template is put back.
func daemonSet(s *story) {
	ctx, nodes := s.t.Context(), s.Stage.Sandbox
	require.NoError(s.t, nodes.AddNodes(ctx, 2))
	s.t.Cleanup(func() { assert.NoError(s.t, nodes.RemoveNodes(context.WithoutCancel(ctx))) })
	defer s.nothingLost() // before the nodes are gone
	s.backAt("one", 3)
	before, _ := s.pods()
	s.adoptWith(`    interval: 15s
    stepWeights: [25, 60]
` + successRate + "  provider: kubernetes\n")
	after, _ := s.pods()
	assert.Equal(s.t, before, after, "adoption touches no pod")

	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(25))
	settled()
	assert.InDelta(s.t, 33, s.shareOf("two", 4*time.Second), 9, "one node of three")
	c := s.await(stage.AtWeight(60))
	settled()
	assert.InDelta(s.t, 67, s.shareOf("two", 4*time.Second), 9, "two nodes of three")
	pods, _ := s.pods()
	judged := pods[c.Status.Canary.Hash]
	c = s.ended(1, v1beta1.OutcomePromoted)
	serving, restarts := s.pods()
	assert.Len(s.t, serving, 1)
	assert.Subset(s.t, serving[c.Status.Primary.Hash], judged, "the pods that were judged are among those that serve")
	assert.Zero(s.t, restarts)

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Contains(s.t, s.told("RolledBack"), "its pods stay on 1 of 3 nodes until the old template is put back")
	settled()
	assert.Zero(s.t, s.shareOf("bad", 3*time.Second), "they get nothing")
	assert.Len(s.t, s.named("bad"), 1)
	s.release(stage.Version{Label: "two"})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.backAt("two", 3)
	s.remove()
	s.vanillaInPlace()
}
