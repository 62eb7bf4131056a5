package stories

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// superseded: a third version comes while the second is under test.
func superseded(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(50))
	s.release(stage.Version{Label: "three"})
	c := s.ended(2, v1beta1.OutcomePromoted)
	assert.Equal(s.t, v1beta1.OutcomeSuperseded, c.Status.History[1].Outcome)
	pods, _ := s.pods()
	assert.Len(s.t, pods, 1, "nothing of the second version is left")
	s.remove()
	s.vanilla()
}

// deletion: the Canary is deleted while a version is under test. That version was never proven, so the
// Deployment stays paused.
func deletion(s *story) {
	s.adopt()
	before, _ := s.pods()
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(50))
	s.remove()
	after, _ := s.pods()
	assert.Equal(s.t, before[c.Status.Primary.Hash], after[c.Status.Primary.Hash], "the primary's pods are the same")
	d, err := s.Stage.Kube.AppsV1().Deployments(s.Namespace).Get(s.t.Context(), s.Name, metav1.GetOptions{})
	require.NoError(s.t, err)
	assert.True(s.t, d.Spec.Paused)
	assert.Contains(s.t, s.told("LeftPaused"), "kubectl rollout resume")
	time.Sleep(5 * time.Second) // the route and the Services are the user's again
	s.kubectl("rollout", "resume", "deployment/podinfo")
	s.kubectl("rollout", "status", "deployment/podinfo", "--timeout=60s")
}

// scaling: what an autoscaler does in mid-run is followed, and the autoscaler itself is left alone.
func scaling(s *story) {
	s.kubectl("autoscale", "deployment/podinfo", "--min=2", "--max=9", "--cpu=80%")
	read := func() string {
		return s.kubectl("get", "hpa", "podinfo", "-o", "jsonpath={.spec}{.metadata.ownerReferences}{.metadata.generation}")
	}
	autoscaler := read()
	s.adopt()
	s.kubectl("scale", "deployment/podinfo", "--replicas=4") // what nobody owns, an apply without it would set to 1
	s.Replicas = 0                                           // with an autoscaler, manifests name no number
	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(10))
	s.kubectl("scale", "deployment/podinfo", "--replicas=5")
	s.await(func(c *v1beta1.Canary) bool {
		return stage.AtWeight(50)(c) && c.Status.Canary.Replicas == 3 && c.Status.Canary.Ready == 3
	})
	c := s.ended(1, v1beta1.OutcomePromoted)
	pods, _ := s.pods()
	assert.Len(s.t, pods[c.Status.Primary.Hash], 5)
	assert.Equal(s.t, autoscaler, read())
	s.remove()
	s.vanilla()
}

// noPrometheus: monitoring is not the release.
func noPrometheus(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(stage.AtWeight(10))
	require.NoError(s.t, s.Stage.Sandbox.StopPrometheus(s.t.Context()))
	time.Sleep(2 * time.Minute)
	c := s.await(func(*v1beta1.Canary) bool { return true })
	require.NoError(s.t, s.Stage.Sandbox.StartPrometheus(s.t.Context()))
	assert.Equal(s.t, v1beta1.PhaseProgressing, c.Status.Phase)
	assert.Equal(s.t, int32(10), c.Status.Weight)
	assert.Zero(s.t, c.Status.FailedChecks)
	require.NotEmpty(s.t, c.Status.Checks)
	assert.Equal(s.t, v1beta1.VerdictErrored, c.Status.Checks[0].Verdict)
	s.ended(1, v1beta1.OutcomePromoted)
}

// resumedByHand: somebody wants the version out, analysis or not.
func resumedByHand(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(10))
	s.kubectl("rollout", "resume", "deployment/podinfo")
	c := s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, "OutOfBand", c.Status.History[0].Reason)
	s.ownsOneField()
	s.remove()
	s.vanilla()
}

// operatorKilled: the operator's pod is killed at every step.
func operatorKilled(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "two"})
	for _, weight := range []int32{10, 50} {
		s.await(stage.AtWeight(weight))
		_, err := s.Stage.Kubectl(s.t.Context(), "-n", "weir-system", "delete", "pods", "--all", "--force", "--grace-period=0")
		require.NoError(s.t, err)
	}
	c := s.ended(1, v1beta1.OutcomePromoted)
	assert.Len(s.t, c.Status.History, 1)
	s.remove()
	s.vanilla()
}
