package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

func (c *cli) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain NAME",
		Short: "Say why a release stands where it stands, what it waits for, and what you can do",
		Args:  one, ValidArgsFunction: c.completeOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			w, err := k.world(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			explanation{world: w, Clock: c.clock(), scope: k.scope}.print(c.Out)
			return nil
		},
	}
}

// explanation tells how a Canary stands in plain sentences.
type explanation struct {
	*world
	words.Clock
	scope
}

func (e explanation) print(out io.Writer) {
	for _, paragraph := range []struct {
		title string
		lines []string
	}{
		{"", e.standing()},
		{"It waits for:", bullets(e.waits())},
		{"Its last round of checks:", bullets(e.checks())},
		{"", e.serves()},
		{"", e.lastRun()},
	} {
		if len(paragraph.lines) == 0 {
			continue
		}
		if paragraph.title != "" {
			fmt.Fprintln(out, paragraph.title)
		}
		fmt.Fprintln(out, strings.Join(paragraph.lines, "\n"))
		fmt.Fprintln(out)
	}
	ways := e.ways()
	if len(ways) == 0 {
		fmt.Fprintln(out, "There is nothing that you need to do.")
		return
	}
	fmt.Fprintln(out, "What you can do now:")
	t := columns(out)
	for _, w := range ways {
		if w.command != "" {
			fmt.Fprintf(t, "  %s\t%s\n", w.command, w.meaning)
		}
	}
	_ = t.Flush() // to a terminal, or to nobody
	for _, w := range ways {
		if w.command == "" {
			fmt.Fprintln(out, " ", w.meaning)
		}
	}
}

func bullets(lines []string) []string {
	for i, line := range lines {
		lines[i] = "  - " + line
	}
	return lines
}

// standing is where the Canary stands.
func (e explanation) standing() []string {
	st := &e.canary.Status
	lines := []string{fmt.Sprintf("Canary %s in namespace %s releases %s.", e.canary.Name,
		e.canary.Namespace, words.TargetOf(e.canary))}
	if st.Phase == "" {
		return append(lines, "Weir has not looked at it yet. If it stays so, the operator does not run.")
	}
	lines[0] += fmt.Sprintf(" It is %s.", st.Phase)
	if st.Run != nil && st.Canary != nil {
		lines = append(lines, fmt.Sprintf("A run of revision %s is on since %s.",
			words.Revision(st.Canary.Hash, st.Canary.Images), e.Near(st.Run.StartedAt.Time)))
	}
	lines = append(lines, e.place()...)
	if st.Run != nil && st.FailedChecks > 0 {
		lines = append(lines, fmt.Sprintf("%s of checks failed; at %d the run is rolled back.",
			words.Count(st.FailedChecks, "round"), words.Threshold(e.canary)))
	}
	_, text := words.Message(e.canary)
	lines = append(lines, words.Sentence("Weir says: "+text))
	if news := words.Behind(e.canary); news != "" {
		lines = append(lines, fmt.Sprintf("This is of a time before: Weir has not looked at %s yet. If it stays so, "+
			"the operator does not run.", news))
	}
	return lines
}

// place says what the phase means for the traffic and for what comes next.
func (e explanation) place() []string {
	_, gets := e.gets()
	gets = "The canary gets " + gets + "."
	if inPlace(e.canary) {
		if lines := e.replacedPlace(gets); lines != nil {
			return lines
		}
	}
	if rollout.KindOf(e.canary) == v1beta1.KindKnativeService {
		if lines := e.sharedPlace(gets); lines != nil {
			return lines
		}
	}
	switch e.canary.Status.Phase {
	case v1beta1.PhaseInitializing:
		return []string{"Services and route are being made, and the target is being taken over."}
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		return e.idle()
	case v1beta1.PhaseWaiting:
		if run := e.canary.Status.Run; run != nil && run.Queue != nil {
			return []string{fmt.Sprintf("It is at place %d of those that wait for their turn, since %s.", run.Queue.Position,
				run.Queue.Since.UTC().Format(time.RFC3339))}
		}
		return []string{"It has not begun with its first step, and the canary has no pods."}
	case v1beta1.PhaseProgressing:
		return append([]string{e.atStep(), gets}, e.nextRound()...)
	case v1beta1.PhaseWaitingPromotion:
		return append([]string{"Every step passed. Whoever must agree to the promotion has not yet, and the analysis goes on.",
			gets}, e.nextRound()...)
	case v1beta1.PhasePromoting:
		return []string{"Every step passed, or was left out. The canary is brought to full size and takes all of the traffic; " +
			"then its pods become the Deployment's.", gets}
	case v1beta1.PhaseFinalising:
		return []string{"The canary's pods are the Deployment's. It lets go of its old ones, and the route goes back to the " +
			"primary Service, which stands for the same pods."}
	case v1beta1.PhaseFailed:
		return []string{"All traffic goes to the revision that serves. The refused one is not tried again by itself."}
	case v1beta1.PhaseTerminating:
		return []string{"It is being deleted, and everything is given back."}
	}
	return nil
}

func (e explanation) idle() []string {
	if rev, isNew := e.newRevision(); isNew {
		when := "Weir is about to begin a run of it"
		if e.canary.Spec.Suspend || words.Refused(e.canary) != "" {
			when = "a run of it begins when nothing is in its way any more"
		}
		return []string{fmt.Sprintf("No run is on. The template of %s is a new revision, %s, and %s.",
			words.TargetOf(e.canary), words.Revision(rev.Hash, rev.Images), when)}
	}
	return []string{fmt.Sprintf("No run is on. One begins when the template of %s changes.", words.TargetOf(e.canary))}
}

// newRevision is the target's template where nobody has tried it yet. Without its revisions there is nothing to
// compare it with.
func (e explanation) newRevision() (rollout.Revision, bool) {
	rev, ok := e.revision()
	return rev, ok && e.unread == nil && !rev.IsPrimary && e.canary.Status.Primary != nil
}

func (e explanation) atStep() string {
	step, ok := words.StepOf(e.canary)
	at := e.canary.Status.Step
	if !ok {
		return "It is at no step yet."
	}
	return fmt.Sprintf("It is at step %s (%s), since %s.", at.Progress, step, e.Near(at.StartedAt.Time))
}

// serves is the revision that users meet.
func (e explanation) serves() []string {
	st := &e.canary.Status
	if st.Primary == nil {
		return nil
	}
	name := words.Revision(st.Primary.Hash, st.Primary.Images)
	lines := []string{fmt.Sprintf("Revision %s serves, with %s.", name, e.pods(st.Primary))}
	if _, all := e.ready(st.Primary); all == 0 && st.Phase == v1beta1.PhasePromoting {
		lines = []string{fmt.Sprintf("Revision %s served until now, and has no pods left.", name)}
	}
	for _, c := range st.Conditions {
		if c.Type == v1beta1.ConditionPrimaryReady && c.Status == "False" {
			lines = append(lines, "Too few of its pods are ready. The run goes on, because it may bring what mends them.")
		}
	}
	if e.unread != nil {
		lines = append(lines, words.Sentence("How many pods there are now cannot be seen: "+plain(e.unread)))
	}
	return lines
}

func (e explanation) lastRun() []string {
	history := e.canary.Status.History
	if len(history) == 0 {
		return nil
	}
	r := &history[0]
	lines := []string{words.Sentence(fmt.Sprintf("The last run that is over was of revision %s. At %s it was %s",
		words.Revision(r.Revision, r.Images), e.Near(r.EndedAt.Time), words.RunEnded(r)))}
	if said := words.Commands(r.Commands); said != "" {
		lines = append(lines, "Commands in it: "+said+".")
	}
	return lines
}
