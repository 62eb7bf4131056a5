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

// What people tell of other tools, told here with another end.

// readiness lets the pods of a revision say of themselves that they are ready, or not: the first n of them.
func (s *story) readiness(revision string, n int, ready bool) {
	s.t.Helper()
	pods := s.Stage.Kube.CoreV1().Pods(s.Namespace)
	list, err := pods.List(s.t.Context(), metav1.ListOptions{LabelSelector: "pod-template-hash=" + revision})
	require.NoError(s.t, err)
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	path := map[bool]string{true: "readyz/enable", false: "readyz/disable"}[ready]
	for i := range list.Items[:n] {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		err := s.Stage.Kube.CoreV1().RESTClient().Post().Namespace(s.Namespace).Resource("pods").
			Name(list.Items[i].Name + ":9898").SubResource("proxy").Suffix(path).Do(ctx).Error()
		cancel()
		require.NoError(s.t, err)
	}
}

// flapping: a canary whose pods come and go is judged while it has them, and does not keep its traffic.
func flapping(s *story) {
	s.adoptWith(`    interval: 4s
    stepWeights: [20]
    canaryReplicas: 2
    manual: true
` + successRate + "  progressDeadlineSeconds: 12\n")
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(20))
	waits := func(c *v1beta1.Canary) bool { return c.Status.Step != nil && c.Status.Step.WaitingSince != nil }
	for range 2 {
		s.readiness(c.Status.Canary.Hash, 1, false)
		s.await(waits)
		s.readiness(c.Status.Canary.Hash, 1, true)
		round := s.await(func(c *v1beta1.Canary) bool { return !waits(c) }).Status.Step.Round
		s.await(func(c *v1beta1.Canary) bool { return c.Status.Step != nil && c.Status.Step.Round > round })
	}
	s.readiness(c.Status.Canary.Hash, 1, false)
	c = s.ended(1, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "ProgressDeadlineExceeded", c.Status.History[0].Reason)
	assert.Contains(s.t, c.Status.History[0].Message, "1 of 2 pods ready")
	settled()
	assert.Zero(s.t, s.share(s.requests, c.Status.History[0].Revision, 2*time.Second))
}

// neverReady: a version whose pods run and never say that they are ready is told with that reason.
func neverReady(s *story) {
	s.adoptWith("    interval: 3s\n    stepWeights: [20]\n  progressDeadlineSeconds: 10\n")
	s.release(stage.Version{Label: "two", Args: []string{"--unready"}})
	c := s.ended(1, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "ProgressDeadlineExceeded", c.Status.History[0].Reason)
	assert.Contains(s.t, s.told("RolledBack"), "0 of 1 pods ready after 10s")
	assert.Zero(s.t, load.Summarise(s.requests.Answers(), time.Time{}).ByRevision[c.Status.History[0].Revision])
}

// deadPrimary: a primary that has lost most of its pods does not hold up the version that mends it.
func deadPrimary(s *story) {
	s.adopt()
	c := s.await(stage.InPhase(v1beta1.PhaseInitialized))
	s.readiness(c.Status.Primary.Hash, 2, false)
	s.release(stage.Version{Label: "two"})
	c = s.await(stage.AtWeight(50))
	ready := slices.IndexFunc(c.Status.Conditions, func(c metav1.Condition) bool { return c.Type == v1beta1.ConditionPrimaryReady })
	require.GreaterOrEqual(s.t, ready, 0)
	assert.Equal(s.t, metav1.ConditionFalse, c.Status.Conditions[ready].Status)
	s.ended(1, v1beta1.OutcomePromoted)
}

// fixed: after a version that failed, its fix is picked up at once, and the failed one is never tried again by itself.
func fixed(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.ended(1, v1beta1.OutcomeRolledBack)
	time.Sleep(5 * time.Second)
	c := s.await(func(*v1beta1.Canary) bool { return true })
	require.Equal(s.t, v1beta1.PhaseFailed, c.Status.Phase, "it is not tried again")
	s.release(stage.Version{Label: "good"})
	c = s.ended(2, v1beta1.OutcomePromoted)
	assert.Less(s.t, c.Status.History[0].StartedAt.Sub(c.Status.History[1].EndedAt.Time), time.Minute)
	// Back to the version that is promoted already: the run that would be is over before it begins.
	s.release(stage.Version{Label: "three"})
	s.await(stage.AtWeight(10))
	s.release(stage.Version{Label: "good"})
	s.ended(3, v1beta1.OutcomeSuperseded)
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.remove()
	s.vanilla()
}

// pushedInPromotion: a version that is pushed while another is being promoted is not served before it was judged.
func pushedInPromotion(s *story) {
	s.adoptWith("    interval: 15s\n    stepWeights: [10]\n" + successRate + "  promotionDelay: 30s\n")
	s.release(stage.Version{Label: "two"})
	s.await(func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhasePromoting && c.Status.Weight == 100
	})
	s.release(stage.Version{Label: "three"})
	c := s.await(func(c *v1beta1.Canary) bool { return len(c.Status.History) == 1 && c.Status.Weight == 10 })
	assert.Equal(s.t, v1beta1.OutcomeSuperseded, c.Status.History[0].Outcome)
	settled()
	near(s, 10, s.share(s.requests, c.Status.Canary.Hash, 4*time.Second))
	s.ended(2, v1beta1.OutcomePromoted)
	s.remove()
	s.vanilla()
}

// queueOfOne: a version that is pushed in mid-run waits until the one before it is released.
func queueOfOne(s *story) {
	s.adoptWith("    interval: 3s\n    stepWeights: [10, 50]\n" + successRate + "  onNewRevision: Queue\n")
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(10))
	second := c.Status.Canary.Hash
	s.release(stage.Version{Label: "three"})
	c = s.await(func(c *v1beta1.Canary) bool { return len(c.Status.History) == 1 && c.Status.Run != nil })
	assert.Equal(s.t, v1beta1.OutcomePromoted, c.Status.History[0].Outcome)
	assert.Equal(s.t, second, c.Status.History[0].Revision)
	assert.Equal(s.t, second, c.Status.Primary.Hash)
	pods, _ := s.pods()
	assert.Len(s.t, pods[second], 3, "it serves with all of its pods")
	s.ended(2, v1beta1.OutcomePromoted)
	pods, _ = s.pods()
	assert.Len(s.t, pods, 1)
	s.remove()
	s.vanilla()
}

// trackedConfig: a change of a ConfigMap is a release like any other.
func trackedConfig(s *story) {
	s.kubectl("create", "configmap", "settings", "--from-literal=COLOUR=blue")
	s.kubectl("create", "rolebinding", "weir-config", "--clusterrole=weir-config", "--serviceaccount=weir-system:weir")
	s.release(stage.Version{Label: "one", ConfigMap: "settings"})
	s.kubectl("rollout", "status", "deployment/"+s.Name, "--timeout=90s")
	s.adoptWith("    interval: 3s\n    stepWeights: [20]\n" + successRate + "  configTracking: Restart\n")
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Config != nil })
	time.Sleep(3 * time.Second)
	c := s.await(func(*v1beta1.Canary) bool { return true })
	require.Equal(s.t, v1beta1.PhaseInitialized, c.Status.Phase, "nothing has changed")
	s.kubectl("patch", "configmap", "settings", "-p", `{"data":{"COLOUR":"green"}}`)
	s.ended(1, v1beta1.OutcomePromoted)
	s.remove()
}

// toZeroAndBack: an autoscaler takes the application to zero in mid-run, and back.
func toZeroAndBack(s *story) {
	s.adoptWith("    interval: 3s\n    stepWeights: [20]\n    manual: true\n")
	s.release(stage.Version{Label: "two"})
	s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	s.nothingLost() // what has no pods cannot answer
	s.kubectl("scale", "deployment/"+s.Name, "--replicas=0")
	s.await(func(c *v1beta1.Canary) bool {
		return stage.Standing(c) == "Deployment podinfo has no replicas; the run goes on when it has"
	})
	s.kubectl("scale", "deployment/"+s.Name, "--replicas=2")
	s.await(func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhaseWaitingPromotion && c.Status.Weight == 20
	})
	s.command(v1beta1.Command{Verb: v1beta1.VerbPromote})
	c := s.ended(1, v1beta1.OutcomePromoted)
	pods, _ := s.pods()
	assert.Len(s.t, pods[c.Status.Primary.Hash], 2)
}

// operatorUpgrade: another version of the operator takes over, at rest and in mid-run, and releases nothing by itself.
func operatorUpgrade(s *story) {
	upgrade := func(note string) {
		_, err := s.Stage.Kubectl(s.t.Context(), "-n", "weir-system", "patch", "deployment/weir", "-p",
			`{"spec":{"template":{"metadata":{"annotations":{"upgrade":"`+note+`"}}}}}`)
		require.NoError(s.t, err)
		_, err = s.Stage.Kubectl(s.t.Context(), "-n", "weir-system", "rollout", "status", "deployment/weir", "--timeout=90s")
		require.NoError(s.t, err)
	}
	s.adopt()
	upgrade("at rest " + s.Namespace)
	time.Sleep(5 * time.Second)
	c := s.await(func(*v1beta1.Canary) bool { return true })
	assert.Nil(s.t, c.Status.Run)
	assert.Empty(s.t, c.Status.History)
	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(10))
	upgrade("in mid-run " + s.Namespace)
	c = s.ended(1, v1beta1.OutcomePromoted)
	assert.Len(s.t, c.Status.History, 1)
	s.remove()
	s.vanilla()
}
