package rollout

import (
	"fmt"
	"strings"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// memorable is how long ago a run may have begun or ended to be told again by an operator that has just
// started. Events live longer, so what was told already is not told twice.
const memorable = 15 * time.Minute

// Recall gives the notices of a committed status that an operator may have died before telling: that the
// run which is on began, and how the last one ended, which may have been one commit. What is told comes before the next
// one, so once the run has gone on nothing is recalled, unless something was missed.
func Recall(canary *v1beta1.Canary, now time.Time, missed bool) []Notice {
	var notices []Notice
	st := &canary.Status
	if st.Run != nil && st.Step != nil && (st.Step.Index > 0 || st.Step.TrafficSince != nil) && !missed {
		return nil
	}
	if len(st.History) > 0 && now.Sub(st.History[0].EndedAt.Time) < memorable {
		notices = append(notices, ended(canary.Spec.TargetRef.Name, st.History))
	}
	if st.Run != nil && st.Canary != nil && now.Sub(st.Run.StartedAt.Time) < memorable {
		notices = append(notices, started(canary, st))
	}
	return notices
}

// started is the notice of a new run.
func started(canary *v1beta1.Canary, st *v1beta1.CanaryStatus) Notice {
	return Notice{
		ID: st.Run.ID + "/started", Reason: ReasonNewRevision, OnTarget: true, Severity: v1beta1.SeverityInfo,
		Message: fmt.Sprintf("new revision %s of %s detected; %s",
			st.Canary.Hash, canary.Spec.TargetRef.Name, planInWords(&canary.Spec)),
	}
}

// endedID ends the ID of the notice that a run is over.
const endedID = "/ended"

// ended is the notice of the run that is over, the first of a history.
func ended(target string, history []v1beta1.RunRecord) Notice {
	rec := &history[0]
	n := Notice{ID: rec.ID + endedID, Reason: string(rec.Outcome), OnTarget: true, Severity: v1beta1.SeverityInfo}
	how := ""
	switch rec.Outcome {
	case v1beta1.OutcomePromoted:
		how = "promoted"
		n.Mends = mended(history[1:])
	case v1beta1.OutcomeRolledBack:
		n.Warning, n.Severity = true, v1beta1.SeverityError
		how = fmt.Sprintf("rolled back at weight %d: %s", rec.MaxWeight, rec.Reason)
	case v1beta1.OutcomeSuperseded:
		how = fmt.Sprintf("superseded at weight %d", rec.MaxWeight)
	case v1beta1.OutcomeAborted:
		n.Severity = v1beta1.SeverityWarn
		how = fmt.Sprintf("aborted at weight %d", rec.MaxWeight)
	}
	n.Message = fmt.Sprintf("revision %s of %s %s: %s", rec.Revision, target, how, rec.Message)
	return n
}

// mended is the severity of what a promotion ends: all that went wrong since the last one, the newest first.
func mended(since []v1beta1.RunRecord) v1beta1.AlertSeverity {
	var worst v1beta1.AlertSeverity
	for _, rec := range since {
		switch rec.Outcome {
		case v1beta1.OutcomePromoted:
			return worst
		case v1beta1.OutcomeRolledBack:
			return v1beta1.SeverityError
		case v1beta1.OutcomeAborted, v1beta1.OutcomeSuperseded: // warned of in its run, or by its end
			worst = v1beta1.SeverityWarn
		}
	}
	return worst
}

// planInWords is what a run is going to do, as in "its steps are 10 %, 50 %".
func planInWords(spec *v1beta1.CanarySpec) string {
	steps := Steps(spec)
	if len(steps) == 1 && steps[0].Rounds == 0 {
		return "it is released as soon as its pods are ready"
	}
	const most = 12
	parts := make([]string, 0, len(steps))
	for i, s := range steps {
		if i == most-1 && len(steps) > most {
			parts = append(parts, fmt.Sprintf("and %d more", len(steps)-i))
			break
		}
		parts = append(parts, s.String())
	}
	return "its steps are " + strings.Join(parts, ", ")
}
