package words

import (
	"slices"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// IsGate says that a run waits for webhooks of a type.
func IsGate(kind string) bool {
	return slices.Contains([]string{v1beta1.WebhookConfirmRollout, v1beta1.WebhookPreRollout,
		v1beta1.WebhookConfirmTrafficIncrease, v1beta1.WebhookConfirmPromotion}, kind)
}

// GatesOfRun are the gates that the run which is on has come to.
func GatesOfRun(canary *v1beta1.Canary) []v1beta1.GateStatus {
	var gates []v1beta1.GateStatus
	st := &canary.Status
	for _, g := range st.Gates {
		if st.Run != nil && g.Run == st.Run.ID && IsGate(g.Type) {
			gates = append(gates, g)
		}
	}
	return gates
}

// ClosedGates are those that the run waits for.
func ClosedGates(canary *v1beta1.Canary) []v1beta1.GateStatus {
	open := func(g v1beta1.GateStatus) bool {
		return g.State == v1beta1.GateOpen || g.State == v1beta1.GateApproved || g.State == v1beta1.GateTimedOut
	}
	return slices.DeleteFunc(GatesOfRun(canary), open)
}

// TimeoutOf is when a gate's time is over, and what happens then; false where it may stay closed for ever.
func TimeoutOf(canary *v1beta1.Canary, g v1beta1.GateStatus) (at time.Time, what string, ok bool) {
	for _, w := range canary.Spec.Analysis.Webhooks {
		limit := rollout.Duration(w.GateTimeout, 0)
		if w.Name != g.Name || limit <= 0 {
			continue
		}
		if w.OnTimeout == v1beta1.OnTimeoutContinue {
			return g.Since.Add(limit), "the run goes on without it", true
		}
		return g.Since.Add(limit), "the run is aborted", true
	}
	return time.Time{}, "", false
}
