package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func heading(out io.Writer, title string) { fmt.Fprintf(out, "\n== %s\n", title) }

// watch prints one line for every change of the Canary until it is as wanted.
func watch(
	ctx context.Context, out io.Writer, app *stage.Application, wanted func(*v1beta1.Canary) bool,
) (*v1beta1.Canary, error) {
	start := time.Now()
	last := ""
	return app.Await(ctx, patience, func(c *v1beta1.Canary) bool {
		if said := line(c); said != last {
			last = said
			fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(start).Seconds(), said)
		}
		return wanted(c)
	})
}

// line is the state of a Canary: phase, weight, and the latest verdicts or else what it waits for.
func line(c *v1beta1.Canary) string {
	st := &c.Status
	phase := string(st.Phase)
	if phase == "" {
		phase = "-"
	}
	return fmt.Sprintf("%-12s %s %3d%%  %s", phase, bar(st.Weight), st.Weight, news(c))
}

func news(c *v1beta1.Canary) string {
	st := &c.Status
	if st.Phase != v1beta1.PhaseProgressing {
		return stage.Standing(c)
	}
	if len(st.Checks) == 0 {
		return fmt.Sprintf("step %s: %s", st.Step.Progress, stage.Standing(c))
	}
	parts := make([]string, 0, len(st.Checks))
	for i := range st.Checks {
		check := &st.Checks[i]
		value := check.Value
		if value == "" {
			value = "-"
		}
		parts = append(parts, fmt.Sprintf("%s %s (%s)", check.Name, value, check.Verdict))
	}
	return fmt.Sprintf("step %s: %s", st.Step.Progress, strings.Join(parts, ", "))
}

// bar is a picture of the canary's share.
func bar(weight int32) string {
	const width = 20
	full := int(weight) * width / 100
	if weight > 0 && full == 0 {
		full = 1
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func summarise(out io.Writer, good, bad *told) {
	heading(out, "What came of it")
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(name string, of func(*told) any) { fmt.Fprintf(w, "%s\t%v\t%v\n", name, of(good), of(bad)) }
	fmt.Fprintf(w, "\tgood release\tbad release\n")
	row("outcome", func(t *told) any { return t.outcome })
	row("from detection to outcome", func(t *told) any { return t.took.Round(time.Second) })
	row("requests", func(t *told) any { return t.requests.Total })
	row("  answered by the primary", func(t *told) any { return t.requests.ByRevision[t.primary] })
	row("  answered by the canary", func(t *told) any { return t.requests.ByRevision[t.canary] })
	row("failed by podinfo itself", func(t *told) any { return t.requests.Failed - t.requests.Lost })
	row("lost", func(t *told) any { return t.requests.Lost })
	row("pods re-created", func(t *told) any { return t.recreated })
	_ = w.Flush() // to a terminal
	fmt.Fprintf(out, "\nrolled back because: %s\n", bad.cause)
}
