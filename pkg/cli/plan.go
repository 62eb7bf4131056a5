package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

type planOptions struct {
	file, output string
	perMinute    float64
	errorRate    string
	times        []float64
	runs         int
}

func (c *cli) plan() *cobra.Command {
	o := planOptions{}
	cmd := &cobra.Command{
		Use:   "plan NAME|-f FILE --requests-per-minute N --error-rate PERCENT",
		Short: "Say how soon a bad release would be found, and how many users it would hurt",
		Long: `Say how soon a bad release would be found, and how many users it would hurt.

The releases of a Canary, from the cluster or from a file, are played many times in memory, with the steps, the checks
of request-success-rate and the guard as they are written, at the traffic and the share of failing requests that you
say. Each line is a release that fails so many times as often as what serves: how many of them are rolled back, after
what time, and how many of their requests have failed by then. The first line is a release that is as good: what is
rolled back of these is a false alarm.

Requests fail independently of each other here. Yours do not quite; docs/analysis.md says what that does. Pods are ready
at once, gates agree, people resume at once, and the checks of other metrics pass.`,
		Example: "  kubectl weir plan podinfo --requests-per-minute 2000 --error-rate 0.1\n" +
			"  kubectl weir plan -f canary.yaml --requests-per-minute 100 --error-rate 1 -o json",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeOne,
		RunE:              func(cmd *cobra.Command, args []string) error { return c.planOf(cmd, args, o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "filename", "f", "", "a file with the Canary, or - for standard input")
	f.Float64Var(&o.perMinute, "requests-per-minute", 0, "requests that the application gets in a minute")
	f.StringVar(&o.errorRate, "error-rate", "", "percentage of the requests that fails today")
	f.Float64SliceVar(&o.times, "times", []float64{1.5, 2, 5, 20}, "how many times as often the releases fail")
	f.IntVar(&o.runs, "runs", 400, "how often each is played") //nolint:mnd // enough for two digits
	f.StringVarP(&o.output, "output", "o", "", "how to print it: json; else a table")
	return cmd
}

func (c *cli) planOf(cmd *cobra.Command, args []string, o planOptions) error {
	const all, mostRuns = 100, 100000
	share, err := strconv.ParseFloat(strings.TrimSuffix(o.errorRate, "%"), 64)
	switch {
	case err != nil || share <= 0 || share >= all:
		return fmt.Errorf("--error-rate %q must be a percentage above 0 and below 100, for example 0.1", o.errorRate)
	case !(o.perMinute >= 1 && o.perMinute <= 1e9):
		return fmt.Errorf("--requests-per-minute must be from 1 to 1000000000")
	case o.runs < 1 || o.runs > mostRuns:
		return fmt.Errorf("--runs must be from 1 to %d", mostRuns)
	case o.output != "" && o.output != "json":
		return fmt.Errorf("-o %s is not known; it is json, or left out", o.output)
	}
	for _, times := range o.times {
		if !(times >= 1) || times*share > all {
			return fmt.Errorf("--times %v must be 1 or more, and cannot make more than all requests fail", times)
		}
	}
	canary, err := c.planned(cmd, args, o.file)
	if err != nil {
		return err
	}
	if problems := append(rollout.PlanProblems(&canary.Spec), analysis.Problems(&canary.Spec)...); len(problems) > 0 {
		return fmt.Errorf("%s", problems[0].Message)
	}
	s := scenario{spec: &canary.Spec, perMinute: o.perMinute, share: share / all, runs: o.runs}
	report := planReport{Canary: canary.Name, RequestsPerMinute: o.perMinute, ErrorRate: share, Runs: o.runs}
	for _, times := range append([]float64{1}, o.times...) {
		report.Releases = append(report.Releases, s.play(times))
	}
	if o.output == "json" {
		encoder := json.NewEncoder(c.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	c.printPlan(report)
	return nil
}

// planned is the Canary of the cluster, or the first one in a file.
func (c *cli) planned(cmd *cobra.Command, args []string, file string) (*v1beta1.Canary, error) {
	switch {
	case file != "" && len(args) > 0, file == "" && len(args) == 0:
		return nil, fmt.Errorf("give the name of a Canary, or a file with -f")
	case file == "":
		k, err := c.connect()
		if err != nil {
			return nil, err
		}
		return k.canary(cmd.Context(), args[0])
	}
	content, err := c.content(file)
	if err != nil {
		return nil, err
	}
	found, problems := manifests(shown(file), content)
	l := &linter{provider: "gatewayapi", problems: problems}
	if err := l.run(cmd.Context(), found); err != nil {
		return nil, err
	}
	switch {
	case len(l.canaries) > 0:
		return l.canaries[0].object, nil
	case len(l.problems) > 0:
		return nil, fmt.Errorf("%s", l.problems[0])
	}
	return nil, fmt.Errorf("%s has no Canary", shown(file))
}

// planReport is what is printed; its names are for programs.
type planReport struct {
	Canary            string           `json:"canary"`
	RequestsPerMinute float64          `json:"requestsPerMinute"`
	ErrorRate         float64          `json:"errorRatePercent"`
	Runs              int              `json:"runs"`
	Releases          []plannedRelease `json:"releases"`
}

// plannedRelease is what became of the releases that fail so many times as often as the primary.
type plannedRelease struct {
	Times      float64 `json:"times"`
	RolledBack float64 `json:"rolledBackPercent"`
	Promoted   float64 `json:"promotedPercent"`
	// After and Hurt are medians of those that were rolled back, AfterMost and HurtMost their 90th percentiles.
	After     *metav1.Duration `json:"after,omitempty"`
	AfterMost *metav1.Duration `json:"after90,omitempty"`
	Hurt      float64          `json:"usersHurt"`
	HurtMost  float64          `json:"usersHurt90"`
	// Takes is the median time of those that were promoted.
	Takes *metav1.Duration `json:"takes,omitempty"`
}

func (c *cli) printPlan(r planReport) {
	fmt.Fprintf(c.Out, "Canary %s, %s requests a minute, of which %s %% fail; each release is played %d times\n\n",
		r.Canary, shortNumber(r.RequestsPerMinute), shortNumber(r.ErrorRate), r.Runs)
	t := columns(c.Out)
	row(t, "A RELEASE THAT FAILS", "ROLLED BACK", "AFTER (90 %)", "USERS HURT (90 %)", "PROMOTED", "AFTER")
	length := func(d *metav1.Duration) string {
		if d == nil {
			return "-"
		}
		return words.Span(d.Duration)
	}
	for _, release := range r.Releases {
		what := shortNumber(release.Times) + " times as often"
		if release.Times == 1 {
			what = "as often"
		}
		after, hurt := "-", "-"
		if release.After != nil {
			after = fmt.Sprintf("%s (%s)", length(release.After), length(release.AfterMost))
			hurt = fmt.Sprintf("%.0f (%.0f)", release.Hurt, release.HurtMost)
		}
		row(t, what, shortNumber(release.RolledBack)+" %", after, hurt, shortNumber(release.Promoted)+" %", length(release.Takes))
	}
	_ = t.Flush()
}

// shortNumber writes a number without digits that mean nothing.
func shortNumber(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
