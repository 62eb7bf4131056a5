package rollout

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestHears: whoever was told of something hears of its end, and whoever has muted it hears neither.
func TestHears(t *testing.T) {
	pager := Receiver{To: "pager", Severity: v1beta1.SeverityError}
	over := Notice{Reason: ReasonStallEnded, Severity: v1beta1.SeverityInfo, Mends: v1beta1.SeverityError}
	assert.True(t, pager.hears(over))
	over.Mends = v1beta1.SeverityWarn
	assert.False(t, pager.hears(over))
	over.Mends = v1beta1.SeverityError
	pager.Mute = []string{ReasonStalled}
	assert.False(t, pager.hears(over))
}

// TestMended: a promotion ends all that went wrong since the last one.
func TestMended(t *testing.T) {
	runs := func(outcomes ...v1beta1.Outcome) (history []v1beta1.RunRecord) {
		for _, o := range outcomes {
			history = append(history, v1beta1.RunRecord{Outcome: o})
		}
		return history
	}
	for _, c := range []struct {
		since []v1beta1.RunRecord
		want  v1beta1.AlertSeverity
	}{
		{nil, ""},
		{runs(v1beta1.OutcomePromoted, v1beta1.OutcomeRolledBack), ""},
		{runs(v1beta1.OutcomeRolledBack), v1beta1.SeverityError},
		{runs(v1beta1.OutcomeSuperseded, v1beta1.OutcomeAborted, v1beta1.OutcomePromoted), v1beta1.SeverityWarn},
		{runs(v1beta1.OutcomeSuperseded, v1beta1.OutcomeRolledBack, v1beta1.OutcomePromoted), v1beta1.SeverityError},
	} {
		assert.Equal(t, c.want, mended(c.since), "%v", c.since)
	}
}
