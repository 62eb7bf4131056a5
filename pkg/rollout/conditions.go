package rollout

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// conditions writes the conditions from the status and what the phase waits for.
func (l *look) conditions() {
	w := l.waiting
	if w.reason == "" {
		w.reason, w.message = l.standing()
	}
	accepted, why, sentence := metav1.ConditionTrue, ReasonAccepted, "the spec can be carried out"
	if len(l.Problems) > 0 {
		accepted, why, sentence = metav1.ConditionFalse, l.Problems[0].Reason, l.Problems[0].Message
	}
	l.set(v1beta1.ConditionAccepted, accepted, why, sentence)

	ready, progressing := metav1.ConditionFalse, metav1.ConditionTrue
	stalled := w.stalled || l.st.Phase == v1beta1.PhaseFailed
	switch l.st.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		progressing = metav1.ConditionFalse
		if !w.stalled {
			ready = metav1.ConditionTrue
		}
	case v1beta1.PhaseFailed:
		progressing = metav1.ConditionFalse
	}
	l.set(v1beta1.ConditionReady, ready, w.reason, w.message)
	l.set(v1beta1.ConditionProgressing, progressing, w.reason, w.message)
	if stalled {
		l.set(v1beta1.ConditionStalled, metav1.ConditionTrue, w.reason, w.message)
	} else {
		l.set(v1beta1.ConditionStalled, metav1.ConditionFalse, w.reason, "")
	}
	if l.Canary.Spec.Suspend {
		l.set(v1beta1.ConditionSuspended, metav1.ConditionTrue, ReasonSuspended, "spec.suspend keeps everything as it is")
	} else {
		meta.RemoveStatusCondition(&l.st.Conditions, v1beta1.ConditionSuspended)
	}
	l.promoted()
	l.primaryReady()
}

// primaryReady says during a run how those pods are that serve. They do not hold the run up: it may bring
// what mends them.
func (l *look) primaryReady() {
	switch {
	case !l.underTest() || !l.Primary.Found:
		meta.RemoveStatusCondition(&l.st.Conditions, v1beta1.ConditionPrimaryReady)
	case l.Primary.Ready < least(l.primaryShare(), l.Canary.Spec.Analysis.PrimaryReadyThreshold):
		l.set(v1beta1.ConditionPrimaryReady, metav1.ConditionFalse, ReasonWaitingForPods,
			fmt.Sprintf("revision %s, which serves, has fewer ready pods than %s asks for", l.Primary.Hash, l.workload()))
	default:
		l.set(v1beta1.ConditionPrimaryReady, metav1.ConditionTrue, ReasonPodsReady,
			fmt.Sprintf("revision %s, which serves, has all of its pods", l.Primary.Hash))
	}
}

// standing describes a phase that waits for nothing.
func (l *look) standing() (reason, message string) {
	switch l.st.Phase {
	case v1beta1.PhaseInitialized:
		return ReasonInitialized, "waiting for a new revision"
	case v1beta1.PhaseSucceeded:
		if len(l.st.History) > 0 {
			h := l.st.History[0]
			return string(h.Outcome), fmt.Sprintf("the last run, of revision %s, ended %s: %s", h.Revision, h.Outcome, h.Message)
		}
		return ReasonInitialized, "waiting for a new revision"
	case v1beta1.PhaseFailed:
		if len(l.st.History) > 0 {
			h := l.st.History[0]
			how := "rolled back"
			if h.Outcome == v1beta1.OutcomeAborted {
				how = "aborted"
			}
			return string(h.Outcome), fmt.Sprintf("revision %s was %s: %s: %s", h.Revision, how, h.Reason, h.Message)
		}
	}
	return string(l.st.Phase), "at work"
}

func (l *look) promoted() {
	switch {
	case l.st.Run != nil:
		l.set(v1beta1.ConditionPromoted, metav1.ConditionUnknown, ReasonNewRevision,
			fmt.Sprintf("run %s is on", l.st.Run.ID))
	case len(l.st.History) > 0:
		h := l.st.History[0]
		status := metav1.ConditionFalse
		if h.Outcome == v1beta1.OutcomePromoted {
			status = metav1.ConditionTrue
		}
		l.set(v1beta1.ConditionPromoted, status, h.Reason, h.Message)
	}
}

func (l *look) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&l.st.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: l.Canary.Generation, LastTransitionTime: metav1.NewTime(l.Now),
	})
}
