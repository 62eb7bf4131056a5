package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

type waitOptions struct {
	timeout  time.Duration
	revision string
}

// wait follows the release of a revision, and tells each change.
func (c *cli) wait(ctx context.Context, k *cluster, arg string, o waitOptions) error {
	canary, err := k.canary(ctx, arg)
	if err != nil {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, o.timeout)
	defer stop()
	f, told := &follower{asked: o.revision}, ""
	err = k.follow(waiting, canary, true, func(w *world) *ending {
		ended := f.look(w)
		if line := f.line(w); ended == nil && line != told {
			fmt.Fprintf(c.Out, "%s  %s\n", c.Now().Format(time.TimeOnly), line)
			told = line
		}
		return ended
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		if told == "" {
			told = "nothing"
		}
		return end(exitTimeout, "it has not ended within %s; the last that was seen: %s", o.timeout,
			strings.Join(strings.Fields(told), " "))
	}
	return err
}

// follower follows one revision of the target until it is known what became of it.
type follower struct {
	// asked is the revision that a person has named, if any; without one it is the target's at the first look.
	asked string
	// template of the followed revision, once seen.
	template *corev1.PodTemplateSpec
	// names of the revision. It has several where the target's own controller has named it, too, or where Weir has
	// added the digest of its configuration.
	names map[string]bool
	// before are the runs that were over at the first look. They tell nothing of a template that is released again.
	before map[string]bool
	// revision is the target's, at the last look.
	revision rollout.Revision
	readable bool
}

// look says how the wait ends, or nothing while it goes on.
func (f *follower) look(w *world) *ending {
	st, target := &w.canary.Status, w.canary.Spec.TargetRef.Name
	f.meet(w)
	if w.unnamed() {
		return nil // a moment later it is known whether it is the followed one
	}
	if words.Behind(w.canary) != "" || f.isOn(st) {
		return nil // what the status says is of a time before, or of a run that goes on
	}
	has := f.has(w)
	// A release that was superseded and is the target's all the same is tried again.
	if r := f.record(st); r != nil && (r.Outcome != v1beta1.OutcomeSuperseded || !has) {
		return outcome(target, r)
	}
	switch {
	case f.template != nil && f.readable && !has && (st.Run == nil || st.Canary != nil && st.Canary.Hash == f.revision.Hash):
		return end(exitSuperseded, "revision %s took the place of %s in %s before a run of it began",
			f.revision.Hash, f.name(), words.TargetOf(w.canary))
	case st.Run != nil: // one that the followed revision is about to take the place of
		return nil
	case f.asked != "" && st.Primary != nil && st.Primary.Hash == f.asked, has && f.revision.IsPrimary && atRest(st.Phase):
		return end(0, "revision %s of %s serves, and no run of it is on", st.Primary.Hash, target)
	case has && f.revision.IsCandidate && st.Phase == v1beta1.PhaseFailed && len(st.History) > 0:
		return outcome(target, &st.History[0])
	}
	return nil
}

// has says that the target has the followed revision's template.
func (f *follower) has(w *world) bool {
	return f.readable && f.template != nil && sameRelease(w.target.Template, f.template)
}

// isOn says that a run of the followed revision is on, be it one by the target's own controller, which Weir only
// looks at.
func (f *follower) isOn(st *v1beta1.CanaryStatus) bool {
	if st.Run == nil {
		return false
	}
	byHand := st.Phase == v1beta1.PhaseInitializing && f.readable && f.names[f.revision.Hash]
	return byHand || st.Canary != nil && f.names[st.Canary.Hash]
}

// meet gets to know the revision that is followed.
func (f *follower) meet(w *world) {
	if f.template == nil && f.asked == "" && w.target != nil {
		f.template = w.target.Template.DeepCopy()
	}
	f.revision, f.readable = w.revision()
	if w.unnamed() {
		return
	}
	if f.before == nil {
		f.names, f.before = map[string]bool{}, map[string]bool{}
		if f.asked != "" {
			f.names[f.asked] = true
		}
		for _, r := range w.canary.Status.History {
			// Who names a revision that the target has left again wants the outcome that it had.
			f.before[r.ID] = f.asked == "" || f.asked == f.revision.Hash
		}
	}
	if !f.readable {
		return
	}
	if f.template == nil && f.asked == f.revision.Hash {
		f.template = w.target.Template.DeepCopy()
	}
	if f.has(w) {
		f.names[f.revision.Hash] = true
	}
}

// name of the revision in a sentence.
func (f *follower) name() string {
	if len(f.names) == 0 { // it was gone before its controller had named it
		return "the template before"
	}
	return sorted(f.names)[0]
}

// record is how the followed revision's run ended, the last one.
func (f *follower) record(st *v1beta1.CanaryStatus) *v1beta1.RunRecord {
	for i := range st.History {
		if r := &st.History[i]; f.names[r.Revision] && !f.before[r.ID] {
			return r
		}
	}
	return nil
}

// atRest says that what serves is decided, and that nothing is tried.
func atRest(p v1beta1.Phase) bool {
	return p == v1beta1.PhaseInitialized || p == v1beta1.PhaseSucceeded || p == v1beta1.PhaseFinalising
}

// line tells in one line how it stands.
func (f *follower) line(w *world) string {
	canary, st := w.canary, &w.canary.Status
	_, text := words.Message(canary)
	switch news := words.Behind(canary); {
	case news != "" && st.Run == nil: // in mid-run, that is over before it is read
		text = "waiting for Weir to look at " + news
	case w.target == nil:
		text = "there is no " + words.TargetOf(canary)
	case st.Run == nil && f.before == nil:
		text = "waiting until its controller names the revision of " + words.TargetOf(canary)
	case st.Run == nil && f.readable && f.pending(st) && words.Refused(canary) == "":
		text = "waiting for Weir to begin a run of revision " + f.revision.Hash
	}
	return lineOf(canary, text)
}

// lineOf is how a Canary stands, with a text, in one line.
func lineOf(canary *v1beta1.Canary, text string) string {
	st := &canary.Status
	step, failed := "", ""
	if st.Step != nil {
		step = "step " + st.Step.Progress
	}
	if st.FailedChecks > 0 && st.Run != nil {
		failed = fmt.Sprintf("%d/%d failed  ", st.FailedChecks, words.Threshold(canary))
	}
	return fmt.Sprintf("%-16s  %3d%%  %-9s  %s%s", st.Phase, st.Weight, step, failed, text)
}

// pending says that the target's template is one that Weir is to release and has not begun to.
func (f *follower) pending(st *v1beta1.CanaryStatus) bool {
	if f.revision.IsPrimary || st.Phase == v1beta1.PhaseFailed && f.revision.IsCandidate {
		return false
	}
	return atRest(st.Phase) || st.Phase == v1beta1.PhaseFailed
}
