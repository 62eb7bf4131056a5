package stories

import (
	"context"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// atRest: with the component admission, by its rights, a Deployment is paused from the request that changes its template
// until that is promoted, and not at rest. So kubectl restarts it and undoes, by a release.
func atRest(s *story) {
	s.equip(stage.Overlay{Mesh: "gatewayapi", Components: []string{"admission"}})
	s.t.Cleanup(func() {
		_, err := s.Stage.Kubectl(context.WithoutCancel(s.t.Context()), "delete", "-l", "app.kubernetes.io/part-of=weir",
			"mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings")
		assert.NoError(s.t, err)
	})
	s.adopt()
	s.awaitDeployment("to rest", workload.AtRest)
	s.ownsOneField()

	s.kubectl("rollout", "restart", "deployment/podinfo")
	assert.True(s.t, s.deployment().Spec.Paused, "in the very request")
	s.ended(1, v1beta1.OutcomePromoted)
	s.awaitDeployment("to rest", workload.AtRest)
	s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.ended(2, v1beta1.OutcomePromoted)
	s.awaitDeployment("to rest", workload.AtRest)
	s.kubectl("rollout", "undo", "deployment/podinfo")
	s.ended(3, v1beta1.OutcomePromoted)
	assert.Contains(s.t, s.kubectl("rollout", "status", "deployment/podinfo", "--timeout=10s"), "successfully rolled out")

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.ended(4, v1beta1.OutcomeRolledBack)
	assert.True(s.t, s.deployment().Spec.Paused, "what was refused rolls nothing out")
	s.release(stage.Version{Label: "three", Image: sandbox.PodinfoNextImage})
	s.ended(5, v1beta1.OutcomePromoted)
	s.awaitDeployment("to rest", workload.AtRest)

	s.kubectl("delete", "mutatingadmissionpolicybinding", "weir-pause")
	s.awaitDeployment("to be paused", workload.PauseHeld)
	s.remove()
	s.vanilla()
}

// awaitDeployment waits for the Deployment to become something.
func (s *story) awaitDeployment(what string, is func(*appsv1.Deployment) bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return is(s.deployment()) }, patience, time.Second, what)
}
