package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

type analyzeOptions struct {
	file, csv, output string
	address           string
	run               string
	from, to          string
	canary, primary   string
	weight            int32
}

func (c *cli) analyze() *cobra.Command {
	o := analyzeOptions{}
	cmd := &cobra.Command{
		Use:   "analyze NAME [--run ID | --from TIME --to TIME] [--address URL] | NAME|-f FILE --csv FILE",
		Short: "Say what Weir would have decided of a canary in the past, and when",
		Long: `Say what Weir would have decided of a canary in the past, and when.

The guard and the checks of a Canary, as they are written now, judge what was counted then: by a Prometheus that still
knows it, of a run of the Canary's history or between two times; or by a file of windows. So a threshold or a
comparison can be tried on releases that were good or bad before a new one depends on it. Nothing of the release changes.

Of a run, canary and primary are the revisions of then. Between two times they are those of now, unless --canary-revision
and --primary-revision say which. Rounds come every interval, looks of the guard as often as it looks; steps, gates and
people are not played.

The file has one line for each window, below a line with the names of its columns: end, canary_requests, canary_bad,
primary_requests and primary_bad, and if you like start and weight (in percent). Times are as in 2026-11-27T20:15:00Z, or
seconds. Each window is a round, and a look of the guard's; only request-success-rate and request-share can be judged so.`,
		Example: "  kubectl weir analyze podinfo --address http://localhost:9090\n" +
			"  kubectl weir analyze podinfo --from 2026-11-27T20:15:00Z --to 2026-11-27T20:45:00Z\n" +
			"  kubectl weir analyze -f canary.yaml --csv windows.csv",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeOne,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.analyzeOf(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "filename", "f", "", "a file with the Canary, or - for standard input; with --csv")
	f.StringVar(&o.csv, "csv", "", "a file of windows, or - for standard input")
	f.StringVar(&o.address, "address", "", "URL of the Prometheus, instead of the one that the Canary or its templates have")
	f.StringVar(&o.run, "run", "", "a run of the history; the last one if nothing is said")
	f.StringVar(&o.from, "from", "", "when the canary got its first traffic, as in 2026-11-27T20:15:00Z")
	f.StringVar(&o.to, "to", "", "until when")
	f.StringVar(&o.canary, "canary-revision", "", "hash of the canary's pods")
	f.StringVar(&o.primary, "primary-revision", "", "hash of the primary's pods")
	f.Int32Var(&o.weight, "weight", 0, "the canary's share in percent, for what depends on it")
	f.StringVarP(&o.output, "output", "o", "", "how to print it: json; else a table")
	return cmd
}

func (c *cli) analyzeOf(cmd *cobra.Command, args []string, o analyzeOptions) error {
	if o.output != "" && o.output != "json" {
		return fmt.Errorf("-o %s is not known; it is json, or left out", o.output)
	}
	if o.csv == "" && o.file != "" {
		return fmt.Errorf("-f goes with --csv; what a Prometheus counted is asked for a Canary of the cluster")
	}
	canary, err := c.planned(cmd, args, o.file)
	if err != nil {
		return err
	}
	if problems := append(rollout.PlanProblems(&canary.Spec), analysis.Problems(&canary.Spec)...); len(problems) > 0 {
		return fmt.Errorf("%s", problems[0].Message)
	}
	var story *replayed
	if o.csv != "" {
		story, err = c.analyzeFile(canary, o.csv)
	} else {
		story, err = c.analyzePast(cmd.Context(), canary, o)
	}
	if err != nil {
		return err
	}
	if o.output == "json" {
		encoder := json.NewEncoder(c.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(story)
	}
	c.printAnalysis(story)
	return nil
}

// replayed is what is printed; its names are for programs.
type replayed struct {
	Canary   string          `json:"canary"`
	Revision string          `json:"revision,omitempty"`
	Primary  string          `json:"primaryRevision,omitempty"`
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Rounds   int             `json:"rounds"`
	Looks    []analysis.Look `json:"looks"`
	// RolledBack is why, and After how long after the first traffic; empty if nothing would have been.
	RolledBack string `json:"rolledBack,omitempty"`
	After      string `json:"after,omitempty"`
}

// add puts down a look, and says that it is the last.
func (r *replayed) add(look analysis.Look) (over bool) {
	r.Looks = append(r.Looks, look)
	if look.RolledBack == "" {
		return false
	}
	r.RolledBack, r.After = look.RolledBack, words.Span(look.At.Sub(r.From))
	return true
}

func (c *cli) printAnalysis(r *replayed) {
	about := ""
	if r.Revision != "" {
		about = fmt.Sprintf(", revision %s beside %s", r.Revision, r.Primary)
	}
	fmt.Fprintf(c.Out, "Canary %s%s, from %s for %s\n\n", r.Canary, about, r.From.UTC().Format(time.RFC3339),
		words.Span(r.To.Sub(r.From)))
	t := columns(c.Out)
	fmt.Fprintln(t, "AFTER\tCHECK\tVERDICT\tCANARY\tPRIMARY\tEVIDENCE\tFAILED ROUNDS")
	for _, look := range r.Looks {
		for _, check := range look.Checks {
			evidence := "-"
			if e := check.Evidence; e != nil {
				evidence = e.Value + " of " + e.Needed
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", words.Span(look.At.Sub(r.From)), check.Name, check.Verdict,
				cmp.Or(check.Value, "-"), cmp.Or(check.Baseline, "-"), evidence, look.FailedRounds)
		}
	}
	_ = t.Flush()
	fmt.Fprintln(c.Out)
	if r.RolledBack != "" {
		fmt.Fprintf(c.Out, "It would have been rolled back after %s: %s\n", r.After, r.RolledBack)
		return
	}
	fmt.Fprintf(c.Out, "Nothing would have rolled it back in %d rounds.\n", r.Rounds)
	for _, line := range unanswered(r.Looks) {
		fmt.Fprintln(c.Out, line)
	}
}

// unanswered says which checks never had an answer, and why.
func unanswered(looks []analysis.Look) []string {
	var names []string
	last, answered := map[string]string{}, map[string]bool{}
	for _, look := range looks {
		for _, check := range look.Checks {
			if _, known := last[check.Name]; !known {
				names = append(names, check.Name)
			}
			last[check.Name] = check.Message
			none := check.Verdict == v1beta1.VerdictNoData || check.Verdict == v1beta1.VerdictErrored
			answered[check.Name] = answered[check.Name] || !none
		}
	}
	var lines []string
	for _, name := range names {
		if !answered[name] {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s never had an answer: %s", name, last[name])))
		}
	}
	return lines
}
