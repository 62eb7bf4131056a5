package cli

import (
	"slices"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// isGate says that a run waits for webhooks of a type.
func isGate(kind string) bool {
	return slices.Contains([]string{v1beta1.WebhookConfirmRollout, v1beta1.WebhookPreRollout,
		v1beta1.WebhookConfirmTrafficIncrease, v1beta1.WebhookConfirmPromotion}, kind)
}

// gatesOfRun are the gates that the run which is on has come to.
func gatesOfRun(canary *v1beta1.Canary) []v1beta1.GateStatus {
	var gates []v1beta1.GateStatus
	st := &canary.Status
	for _, g := range st.Gates {
		if st.Run != nil && g.Run == st.Run.ID && isGate(g.Type) {
			gates = append(gates, g)
		}
	}
	return gates
}

// closedGates are those that the run waits for.
func closedGates(canary *v1beta1.Canary) []v1beta1.GateStatus {
	open := func(g v1beta1.GateStatus) bool {
		return g.State == v1beta1.GateOpen || g.State == v1beta1.GateApproved || g.State == v1beta1.GateTimedOut
	}
	return slices.DeleteFunc(gatesOfRun(canary), open)
}

// timeoutOf is when a gate's time is over, and what happens then; false where it may stay closed for ever.
func timeoutOf(canary *v1beta1.Canary, g v1beta1.GateStatus) (at time.Time, what string, ok bool) {
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
