package cli

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
	"weir.dev/weir/pkg/workload"
)

// Where pods are replaced in place, traffic is shared out as they are, and the way back is another one for each kind.

// gets is what gets to the canary: in percent, and in words.
func (w *world) gets() (percent int32, said string) {
	st := &w.canary.Status
	if !inPlace(w.canary) || st.Canary == nil || st.Primary == nil {
		return st.Weight, words.Traffic(st)
	}
	const all = 100
	canary, _ := w.ready(st.Canary)
	primary, _ := w.ready(st.Primary)
	if canary == 0 || w.held() {
		return 0, "no traffic"
	}
	if primary == 0 {
		return all, "all of the traffic, by " + words.Count(canary, "pod")
	}
	percent = all * canary / (canary + primary)
	return percent, fmt.Sprintf("about %d %% of the traffic, by %d of %s", percent, canary, words.Count(canary+primary, "pod"))
}

// held says that the Service that clients use is seen to have the primary's pods alone behind it.
func (w *world) held() bool {
	primary := w.canary.Status.Primary
	return w.apex != nil && primary != nil &&
		w.apex.Spec.Selector[workload.PinLabel(rollout.KindOf(w.canary))] == primary.Hash
}

// replacedPlace is what the phases mean where pods are replaced; nothing where they mean the same as elsewhere.
func (e explanation) replacedPlace(gets string) []string {
	switch e.canary.Status.Phase {
	case v1beta1.PhaseWaiting:
		return []string{"It has not begun with its first step, and no pod is replaced."}
	case v1beta1.PhasePromoting:
		return []string{"Every step passed, or was left out. The canary's pods take the place of all that are left.", gets}
	case v1beta1.PhaseFinalising:
		return []string{fmt.Sprintf("The canary's pods are the %s's, and the Services come to select all of its pods again.",
			rollout.KindOf(e.canary))}
	case v1beta1.PhaseFailed:
		return e.replacedBack()
	}
	return nil
}

// replacedBack says what becomes of the pods of a refused revision, and of the traffic.
func (e explanation) replacedBack() []string {
	const once = "The refused one is not tried again by itself."
	left, known := e.refusedPods()
	line := once
	switch {
	case known && left == 0 || e.held():
		line = "All traffic goes to the revision that serves. " + once
	case known && e.apex != nil:
		line = "The pods of the revision that serves cannot take all of the traffic, so the pods that are left of the refused " +
			"one still have their share of it. " + once
	}
	lines := []string{line}
	switch daemons := rollout.KindOf(e.canary) == v1beta1.KindDaemonSet; {
	case !daemons && left > 0:
		lines = append(lines, fmt.Sprintf("It has %s left, to be made anew of the revision that serves: the partition sees to that.",
			words.Count(left, "pod")))
	case daemons && left > 0:
		lines = append(lines, fmt.Sprintf("Its pods stay on %s until the old template is put back.", words.Count(left, "node")))
	case daemons && !known:
		lines = append(lines, "If there are pods of it, they stay until the old template is put back.")
	}
	if rollout.KindOf(e.canary) == v1beta1.KindDaemonSet {
		lines = append(lines, "A pod that is lost meanwhile is made of the present template, which is the refused one.")
	}
	return lines
}

// refusedPods is how many pods of the refused revision there are.
func (w *world) refusedPods() (n int32, known bool) {
	st := &w.canary.Status
	if st.Canary == nil || w.running == nil {
		return 0, false
	}
	_, n, known = w.running.pods(st, st.Canary)
	return n, known
}

// abortMeans is what `abort` does.
func (e explanation) abortMeans() string {
	switch rollout.KindOf(e.canary) {
	case v1beta1.KindStatefulSet:
		return "end the run; its pods go back to the revision that serves"
	case v1beta1.KindDaemonSet:
		return "end the run; its pods stay where they are until the old template is put back"
	}
	return "end the run; all traffic goes to the primary"
}

// betterTemplate is what another template means after a failure.
func (e explanation) betterTemplate() string {
	if rollout.KindOf(e.canary) == v1beta1.KindDaemonSet {
		return "Apply a better template, and a run of it begins; apply the old one, and the refused pods are replaced."
	}
	return "Apply a better template, and a run of it begins; apply the old one, and the refused one is left."
}
