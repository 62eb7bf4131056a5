package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

func TestRoundsThatAreOver(t *testing.T) {
	c := &v1beta1.Canary{}
	id := rollout.RoundID{Run: "r", Step: 1, Round: 2}
	assert.True(t, id.Over(c), "the run has ended")
	c.Status.Run = &v1beta1.RunStatus{ID: "r"}
	assert.True(t, id.Over(c), "there is no step")
	c.Status.Step = &v1beta1.StepStatus{Index: 1, Round: 2}
	assert.False(t, id.Over(c))
	for _, other := range []rollout.RoundID{{Run: "s", Step: 1, Round: 2}, {Run: "r", Round: 2}, {Run: "r", Step: 1, Round: 1}} {
		assert.True(t, other.Over(c), other)
	}
}
