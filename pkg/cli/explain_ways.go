package cli

import (
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
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
	if words.Behind(e.canary) != "" {
		ways = append(ways, way{"kubectl -n weir-system get deployment weir",
			"see whether the operator runs, where it is usually installed"})
	}
	if words.Refused(e.canary) != "" {
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
	}
	if words.Steers(st.Phase) {
		ways = append(append(ways, e.inRun()...), way{e.say("abort", name), e.abortMeans()})
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
	var ways []way
	for _, o := range words.InRun(e.canary) {
		verb, more := o.Command.Verb, []string{}
		if o.Command.Gate != "" {
			more = append(more, o.Command.Gate)
		}
		if o.Command.Full {
			more = append(more, "--full")
		}
		ways = append(ways, way{e.say(verb, e.canary.Name, more...), o.Meaning})
	}
	return ways
}
