package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// TestRefusals: what is wrong with a spec is remembered until the spec changes, or the Canary is another.
func TestRefusals(t *testing.T) {
	r := newRefusals()
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "1", Generation: 1}}
	canary.Spec.Analysis.StepWeights = []int32{50}
	condition := func(expression string) *v1beta1.Canary {
		canary.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{{Name: "m", Condition: expression}}
		return canary
	}
	reasons := func(c *v1beta1.Canary) (all []string) {
		for _, p := range r.problems(c) {
			all = append(all, p.Reason)
		}
		return all
	}
	assert.Equal(t, []string{rollout.ReasonConditionInvalid}, reasons(condition("value >")))
	assert.Equal(t, []string{rollout.ReasonConditionInvalid}, reasons(condition("value > 1.0")), "of this generation it is known")
	canary.Generation++
	assert.Empty(t, reasons(canary))
	condition("value >")
	canary.UID = "2"
	assert.Equal(t, []string{rollout.ReasonConditionInvalid}, reasons(canary))
	r.forget(keyOf(canary))
	assert.Empty(t, r.of)
}
