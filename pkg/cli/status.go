package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/words"
)

func (c *cli) status() *cobra.Command {
	o := waitOptions{}
	wait := false
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Say how a release stands, or wait for its end",
		Long: `Say how a release stands.

With --wait, follow it until its end, a line for each change, and exit with what came of it. What is waited for is the
template that the target has when the command starts. So this may come right after kubectl apply: a template that
does not serve, and that Weir has not tried and refused, is one whose run is still to begin. If that template serves
already and no run is on, there is nothing to wait for, and the exit code is 0; if it is the one that was refused last,
the exit code is that run's.

With --revision, it is the run of that revision that is waited for, or that was. It goes by the label of its pods:
pod-template-hash, or controller-revision-hash for a StatefulSet and a DaemonSet.

` + exitCodes,
		Example:           "  kubectl apply -f deployment.yaml && kubectl weir status podinfo --wait --timeout 30m",
		Args:              one,
		ValidArgsFunction: c.completeOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !wait && (cmd.Flags().Changed("timeout") || o.revision != "") {
				return fmt.Errorf("--timeout and --revision go with --wait")
			}
			k, err := c.connect()
			if err != nil {
				return err
			}
			if wait {
				return c.wait(cmd.Context(), k, args[0], o)
			}
			w, err := k.world(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			summary(c.Out, w, c.clock())
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&wait, "wait", "w", false, "follow the run until its end")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "how long to wait")
	f.StringVar(&o.revision, "revision", "", "wait for this revision (by the label of its pods) and no other")
	return cmd
}

// summary tells all that matters of a Canary, line by line.
func summary(out io.Writer, w *world, k words.Clock) {
	canary, st := w.canary, &w.canary.Status
	t := columns(out)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("Canary", "%s in namespace %s", canary.Name, canary.Namespace)
	line("Target", "%s", words.TargetOf(canary))
	reason, text := words.Message(canary)
	line("Phase", "%s", st.Phase)
	line("Message", "%s", text+inBrackets(reason))
	if st.Primary != nil {
		line("Serves", "%s, %s", words.Revision(st.Primary.Hash, st.Primary.Images), w.pods(st.Primary))
	}
	if st.Run != nil {
		runLines(line, w, k)
	}
	if last := st.LastCommand; last != nil {
		line("Last command", "%s", words.CommandDone(last, k))
	}
	if len(st.History) > 0 {
		r := &st.History[0]
		line("Last run", "revision %s %s; ended %s", r.Revision, words.RunEnded(r), k.Near(r.EndedAt.Time))
	}
	_ = t.Flush() // to a terminal, or to nobody
	tables(out, w, k)
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func runLines(line func(name, format string, args ...any), w *world, k words.Clock) {
	st := &w.canary.Status
	line("Run", "%s, since %s", st.Run.ID, k.Near(st.Run.StartedAt.Time))
	if st.Canary != nil {
		line("Under test", "%s, %s", words.Revision(st.Canary.Hash, st.Canary.Images), w.pods(st.Canary))
	}
	percent, said := w.gets()
	line("Traffic", "%s %s", bar(percent), said)
	if st.Step != nil {
		line("Step", "%s, since %s", st.Step.Progress, k.Near(st.Step.StartedAt.Time))
	}
	line("Failed rounds", "%d of %d", st.FailedChecks, words.Threshold(w.canary))
	if p := st.Run.Paused; p != nil {
		line("Paused", "%s", words.PausedBy(p, k))
	}
}

// bar is a weight for the eye.
func bar(weight int32) string {
	const width, full = 20, 100
	n := int(min(max(weight, 0), full)) * width / full
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}

// tables are the checks and gates of the run.
func tables(out io.Writer, w *world, k words.Clock) {
	st := &w.canary.Status
	if st.Run != nil && len(st.Checks) > 0 {
		t := columns(out)
		fmt.Fprintln(out)
		row(t, "CHECK", "VERDICT", "VALUE", "AT", "MESSAGE")
		for _, c := range st.Checks {
			row(t, c.Name, string(c.Verdict), c.Value, k.At(c.At.Time), c.Message)
		}
		_ = t.Flush()
	}
	if gates := words.GatesOfRun(w.canary); len(gates) > 0 {
		t := columns(out)
		fmt.Fprintln(out)
		row(t, "GATE", "TYPE", "STATE", "SINCE", "MESSAGE")
		for _, g := range gates {
			row(t, g.Name, g.Type, string(g.State), k.At(g.Since.Time), g.Message)
		}
		_ = t.Flush()
	}
}
