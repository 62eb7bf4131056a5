package words

import "weir.dev/weir/pkg/apis/weir/v1beta1"

// Order is a command that makes sense where a Canary stands, and what it does in a few words. ID, reason and actor
// are still to be filled in.
type Order struct {
	Command v1beta1.Command
	Meaning string
}

// InRun are the commands for the run that is on, but for abort: what that means depends on the target.
func InRun(c *v1beta1.Canary) []Order {
	st := &c.Status
	if st.Run == nil || c.Spec.Suspend {
		return nil
	}
	var orders []Order
	add := func(meaning string, command v1beta1.Command) { orders = append(orders, Order{command, meaning}) }
	for _, g := range ClosedGates(c) {
		if g.Name == v1beta1.ManualGate {
			add("agree to the promotion", v1beta1.Command{Verb: v1beta1.VerbPromote})
			continue
		}
		add("agree in the name of gate "+g.Name, v1beta1.Command{Verb: v1beta1.VerbApprove, Gate: g.Name})
	}
	if st.Run.Queue != nil {
		add("let it begin before its turn", v1beta1.Command{Verb: v1beta1.VerbPromote})
	}
	step, atStep := StepOf(c)
	switch stepHolds := atStep && step.Manual && !st.Step.Resumed; {
	case st.Run.Paused != nil || stepHolds:
		add("end the pause", v1beta1.Command{Verb: v1beta1.VerbResume})
	default:
		add("hold the run where it is", v1beta1.Command{Verb: v1beta1.VerbPause})
	}
	if st.Phase == v1beta1.PhaseProgressing {
		add("go on without the checks of this step", v1beta1.Command{Verb: v1beta1.VerbSkipStep})
	}
	if st.Phase != v1beta1.PhasePromoting && !st.Run.Full {
		add("leave out all steps and checks that are left", v1beta1.Command{Verb: v1beta1.VerbPromote, Full: true})
	}
	return orders
}

// Steers says that a run is at a place where commands can steer it.
func Steers(phase v1beta1.Phase) bool {
	switch phase {
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		return true
	}
	return false
}

// Orders are all commands that make sense where a Canary stands. Whether a refused revision can be tried again is for
// the operator to say: the target may have been given another template meanwhile.
func Orders(c *v1beta1.Canary) []Order {
	switch {
	case c.DeletionTimestamp != nil:
		return nil
	case Steers(c.Status.Phase):
		return append(InRun(c), Order{v1beta1.Command{Verb: v1beta1.VerbAbort}, "end the run; all traffic goes to the primary"})
	case c.Status.Phase == v1beta1.PhaseFailed && !c.Spec.Suspend:
		return []Order{{v1beta1.Command{Verb: v1beta1.VerbRetry}, "try the refused revision again, from the first step"}}
	}
	return nil
}
