package stories

import (
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// promotion: a good release, and then the way back to the version before it.
func promotion(s *story) {
	apex := s.apex()
	s.adopt()
	history := s.revisions()
	s.release(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(stage.AtWeight(10))
	pinned := s.apex()
	assert.Contains(s.t, pinned.Spec.Selector, "pod-template-hash", "during a run the apex is held to the primary")
	delete(pinned.Spec.Selector, "pod-template-hash")
	assert.Equal(s.t, apex.Spec, pinned.Spec, "all else of the apex is as the user applied it")
	s.ownsOneField()

	var judged []string
	s.await(func(c *v1beta1.Canary) bool {
		if c.Status.Phase == v1beta1.PhasePromoting && judged == nil {
			pods, _ := s.pods()
			judged = pods[c.Status.Canary.Hash]
		}
		return stage.RunsEnded(1)(c)
	})
	c := s.ended(1, v1beta1.OutcomePromoted)
	serving, _ := s.pods()
	require.NotEmpty(s.t, judged)
	assert.Subset(s.t, serving[c.Status.Primary.Hash], judged, "the pods that were judged are those that serve")
	assert.Len(s.t, serving, 1)
	assert.Contains(s.t, s.kubectl("rollout", "status", "deployment/podinfo", "--timeout=10s"), "successfully rolled out")
	assert.Equal(s.t, history+1, s.revisions(), "the history has one revision more")
	assert.Equal(s.t, apex.Spec, s.apex().Spec)
	assert.Contains(s.t, s.told("Promoted"), "the pods that were analysed are the Deployment's")

	s.release(stage.Version{Label: "one"})
	s.ended(2, v1beta1.OutcomePromoted)
	sets, err := s.Stage.Kube.AppsV1().ReplicaSets(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	assert.Len(s.t, sets.Items, 2, "the old version's ReplicaSet was borrowed")
	s.ownsOneField()

	s.remove()
	s.vanilla()
}

// revisions is how many lines `kubectl rollout history` has.
func (s *story) revisions() int {
	s.t.Helper()
	said := strings.Split(strings.TrimSpace(s.kubectl("rollout", "history", "deployment/podinfo")), "\n")
	return len(said) - 2
}

// ownsOneField checks what the API server holds Weir to be the manager of.
func (s *story) ownsOneField() {
	s.t.Helper()
	d, err := s.Stage.Kube.AppsV1().Deployments(s.Namespace).Get(s.t.Context(), s.Name, metav1.GetOptions{})
	require.NoError(s.t, err)
	found := false
	for _, m := range d.ManagedFields {
		if m.Manager != v1beta1.FieldManager {
			continue
		}
		found = true
		var fields map[string]any
		require.NoError(s.t, json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields))
		assert.Equal(s.t, map[string]any{"f:spec": map[string]any{"f:paused": map[string]any{}}}, fields)
	}
	assert.True(s.t, found, "Weir owns spec.paused")
}

// vanilla checks that nothing of Weir's is left on what the user has, where the template is what serves.
func (s *story) vanilla() {
	s.t.Helper()
	d, err := s.Stage.Kube.AppsV1().Deployments(s.Namespace).Get(s.t.Context(), s.Name, metav1.GetOptions{})
	require.NoError(s.t, err)
	assert.False(s.t, d.Spec.Paused)
	for _, m := range d.ManagedFields {
		assert.NotEqual(s.t, v1beta1.FieldManager, m.Manager)
	}
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
	assert.NotContains(s.t, s.kubectl("get", "services", "-o", "name"), "podinfo-")
	var route struct {
		Spec struct {
			Rules []struct {
				BackendRefs []struct{ Name string }
			}
		}
	}
	require.NoError(s.t, json.Unmarshal([]byte(s.kubectl("get", "httproute", "podinfo", "-o", "json")), &route))
	require.Len(s.t, route.Spec.Rules, 1)
	require.Len(s.t, route.Spec.Rules[0].BackendRefs, 1)
	assert.Equal(s.t, "podinfo", route.Spec.Rules[0].BackendRefs[0].Name, "the route is as it was found")
}
