package integration

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/workload"
)

// pausesByPolicy has the API server pause Deployments whose template changes.
func (c *cluster) pausesByPolicy(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile("../../kustomize/admission/pause.yaml")
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), c.config, content))
	c.pausePolicy = "weir-pause"
}

// pausesNot takes the policy's binding away, so that it is bound to nothing.
func (c *cluster) pausesNot(t *testing.T) {
	t.Helper()
	require.NoError(t, c.kube.AdmissionregistrationV1().MutatingAdmissionPolicyBindings().
		Delete(t.Context(), "weir-pause", metav1.DeleteOptions{}))
}

func (a *application) awaitRest() {
	a.t.Helper()
	a.await("the Deployment to rest", func() bool { return workload.AtRest(a.deployment()) })
}

// kubectl is the real one.
func (a *application) kubectl(args ...string) {
	a.t.Helper()
	kubectl, err := sandbox.Kubectl(a.t.Context(), a.t.Output())
	require.NoError(a.t, err)
	args = append([]string{"--kubeconfig", a.kubeconfig, "-n", a.namespace}, args...)
	said, err := exec.CommandContext(a.t.Context(), kubectl, args...).CombinedOutput() //nolint:gosec // what was built here
	require.NoError(a.t, err, "%s", said)
}

// runs waits until so many runs have ended, with the last one promoted.
func (a *application) runs(n int) {
	a.t.Helper()
	a.await(fmt.Sprintf("the end of run %d", n), func() bool {
		return len(a.last().History) == n && a.last().Phase == v1beta1.PhaseSucceeded
	})
	a.ended(v1beta1.OutcomePromoted)
	a.awaitRest()
}

// TestPauseByPolicy: where the API server pauses a Deployment in the request that changes its template, one at rest is not
// paused, and every change is released all the same; where the policy goes, Weir pauses it again.
func TestPauseByPolicy(t *testing.T) {
	c := start(t)
	a := c.application(t)
	a.rests = true
	c.pausesByPolicy(t)
	o := c.operate(t, a.namespace, nil)
	defer func() { o.end() }()
	a.manage("/good")
	adopt(a)
	a.awaitRest()

	a.kubectl("rollout", "restart", "deployment/app")
	assert.True(t, a.deployment().Spec.Paused, "in the very request")
	a.runs(1)
	a.release("2")
	assert.True(t, a.deployment().Spec.Paused)
	a.runs(2)
	a.kubectl("rollout", "undo", "deployment/app")
	assert.True(t, a.deployment().Spec.Paused)
	a.runs(3)
	a.kubectl("rollout", "status", "deployment/app", "--timeout=1s")

	t.Run("is scaled", func(t *testing.T) {
		writes := a.deployment().Generation
		a.kubectl("scale", "deployment/app", "--replicas=5")
		a.await("five pods", func() bool { return a.deployment().Status.AvailableReplicas == 5 })
		a.kubectl("scale", "deployment/app", fmt.Sprintf("--replicas=%d", replicas))
		a.await("as many as before", func() bool { return a.deployment().Status.Replicas == replicas })
		assert.Equal(t, writes+2, a.deployment().Generation, "Weir has nothing to do with it")
	})
	t.Run("a person's pause stays", func(t *testing.T) {
		a.kubectl("rollout", "pause", "deployment/app")
		a.release("3")
		a.await("the run's end", func() bool { return len(a.last().History) == 4 && a.last().Phase == v1beta1.PhaseSucceeded })
		assert.True(t, a.deployment().Spec.Paused)
		a.kubectl("rollout", "resume", "deployment/app")
		a.awaitRest()
	})
	t.Run("a bad version stays paused", func(t *testing.T) {
		a.manage("/bad")
		a.release("4")
		a.awaitPhase(v1beta1.PhaseFailed)
		assert.True(t, a.deployment().Spec.Paused)
		a.release("3")
		a.awaitPhase(v1beta1.PhaseSucceeded)
		a.awaitRest()
		a.manage("/good")
	})
	t.Run("the policy goes and comes", func(t *testing.T) {
		c.pausesNot(t)
		a.await("the Deployment to be paused", func() bool { return workload.PauseHeld(a.deployment()) })
		c.pausesByPolicy(t)
		a.awaitRest()
	})
	t.Run("the policy is narrowed", func(t *testing.T) {
		bindings := c.kube.AdmissionregistrationV1().MutatingAdmissionPolicyBindings()
		_, err := bindings.Patch(t.Context(), "weir-pause", types.MergePatchType,
			[]byte(`{"spec": {"matchResources": {"namespaceSelector": {"matchLabels": {"tier": "one"}}}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		a.await("the Deployment to be paused", func() bool { return workload.PauseHeld(a.deployment()) })
		require.NoError(t, bindings.Delete(t.Context(), "weir-pause", metav1.DeleteOptions{}))
		c.pausesByPolicy(t)
		a.awaitRest()
	})
	t.Run("the policy does nothing", func(t *testing.T) {
		policies := c.kube.AdmissionregistrationV1().MutatingAdmissionPolicies()
		_, err := policies.Patch(t.Context(), "weir-pause", types.JSONPatchType,
			[]byte(`[{"op": "replace", "path": "/spec/matchConditions/1/expression", "value": "false"}]`), metav1.PatchOptions{})
		require.NoError(t, err)
		a.await("the Deployment to be paused", func() bool { return workload.PauseHeld(a.deployment()) })
		c.pausesByPolicy(t)
		a.awaitRest()
	})
	t.Run("another operator takes over", func(*testing.T) {
		o.end()
		a.release("5")
		assert.True(t, a.deployment().Spec.Paused, "with no operator at all")
		o = c.operate(t, a.namespace, nil)
		a.runs(6)
	})
	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
	assert.False(t, a.deployment().Spec.Paused)
	assert.False(t, workload.AtRest(a.deployment()), "nothing of Weir's is left")
}

// TestKilledWithPolicy kills the operator after every write of a release that begins and ends at rest.
func TestKilledWithPolicy(t *testing.T) {
	c := start(t)
	c.pausesByPolicy(t)
	resting := func(a *application) {
		adopt(a)
		a.rests = true
		a.awaitRest()
	}
	for _, s := range []story{
		{"promotion", "", "/good", resting, func(a *application) {
			a.release("2")
			a.awaitPhase(v1beta1.PhaseSucceeded)
			a.awaitRest()
		}, checkPromoted},
		{"rollback", "", "/bad", resting, rollBack, checkRolledBack},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			writes := c.live(t, s, newKiller(0, kube.Before))
			require.Greater(t, len(writes), 3)
			for at := 1; at <= len(writes); at++ {
				t.Run(fmt.Sprintf("write %d", at), func(t *testing.T) {
					t.Parallel()
					c.live(t, s, newKiller(at, kube.After))
				})
			}
		})
	}
}
