package rollout

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestEffect says what each verdict does to a round under each setting of the metric.
func TestEffect(t *testing.T) {
	const hold, fail, pass = v1beta1.Hold, v1beta1.Fail, v1beta1.Pass
	for _, c := range []struct {
		onNoData, onError               string
		passed, failed, noData, errored string
	}{
		{"", "", pass, fail, hold, hold},
		{hold, hold, pass, fail, hold, hold},
		{fail, hold, pass, fail, fail, hold},
		{pass, hold, pass, fail, pass, hold},
		{hold, fail, pass, fail, hold, fail},
		{pass, fail, pass, fail, pass, fail},
	} {
		m := v1beta1.CanaryMetric{OnNoData: c.onNoData, OnError: c.onError}
		assert.Equal(t, c.passed, effect(m, v1beta1.VerdictPassed), c)
		assert.Equal(t, c.failed, effect(m, v1beta1.VerdictFailed), c)
		assert.Equal(t, c.noData, effect(m, v1beta1.VerdictNoData), c)
		assert.Equal(t, c.errored, effect(m, v1beta1.VerdictErrored), c)
		m.DryRun = true
		for _, v := range []v1beta1.Verdict{
			v1beta1.VerdictPassed, v1beta1.VerdictFailed, v1beta1.VerdictNoData, v1beta1.VerdictErrored,
		} {
			assert.Equal(t, pass, effect(m, v), "a dry run decides nothing")
		}
	}
}
