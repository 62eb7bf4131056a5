package cli

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// way is a command that a person can type, and what it does; without a command it is said in words.
type way struct{ command, meaning string }

// ways are the commands that make sense where the Canary stands.
func (e explanation) ways() []way {
	st, name := &e.canary.Status, e.canary.Name
	if e.canary.DeletionTimestamp != nil {
		return nil
	}
	var ways []way
	if behind(e.canary) != "" {
		ways = append(ways, way{"kubectl -n weir-system get deployment weir",
			"see whether the operator runs, where it is usually installed"})
	}
	if refused(e.canary) != "" {
		ways = append(ways, way{"", "Correct the spec of the Canary, as the sentence above says."})
	}
	if e.canary.Spec.Suspend {
		ways = append(ways, way{"kubectl" + string(e.scope) + " patch canary " + name +
			` --type=merge -p '{"spec":{"suspend":false}}'`, "go on"})
	}
	switch st.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		if _, isNew := e.newRevision(); isNew {
			break
		}
		ways = append(ways, way{e.say("restart", name), "release the same template again, with new pods"})
	case v1beta1.PhaseFailed:
		ways = append(ways, e.afterFailure()...)
	case v1beta1.PhaseWaiting, v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		if !e.canary.Spec.Suspend {
			ways = append(ways, e.inRun()...)
		}
		ways = append(ways, way{e.say("abort", name), e.abortMeans()})
	}
	return ways
}

func (e explanation) afterFailure() []way {
	rev, ok := e.revision()
	var ways []way
	if ok && rev.IsCandidate && !e.canary.Spec.Suspend {
		ways = append(ways, way{e.say("retry", e.canary.Name), "try the refused revision again, from the first step"})
	}
	return append(ways, way{"", e.betterTemplate()})
}

func (e explanation) inRun() []way {
	st, name := &e.canary.Status, e.canary.Name
	var ways []way
	for _, g := range closedGates(e.canary) {
		if g.Name == v1beta1.ManualGate {
			ways = append(ways, way{e.say("promote", name), "agree to the promotion"})
			continue
		}
		ways = append(ways, way{e.say("approve", name, g.Name), fmt.Sprintf("agree in the name of gate %s", g.Name)})
	}
	step, atStep := e.step()
	switch stepHolds := atStep && step.Manual && !st.Step.Resumed; {
	case st.Run.Paused != nil || stepHolds:
		ways = append(ways, way{e.say("resume", name), "end the pause"})
	default:
		ways = append(ways, way{e.say("pause", name), "hold the run where it is"})
	}
	if st.Phase == v1beta1.PhaseProgressing {
		ways = append(ways, way{e.say("skip-step", name), "go on without the checks of this step"})
	}
	if st.Phase != v1beta1.PhasePromoting && !st.Run.Full {
		ways = append(ways, way{e.say("promote", name, "--full"), "leave out all steps and checks that are left"})
	}
	return ways
}
