// Command grafana writes the dashboard of Weir to standard output. With -check it reads a dashboard from standard input
// instead, and fails where Grafana's own types know a field of it not, or have another type or range for it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	check := flag.Bool("check", false, "check a dashboard instead of writing one")
	flag.Parse()
	do := write
	if *check {
		do = read
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

func write() error {
	all, err := board()
	if err != nil {
		return fmt.Errorf("building the dashboard: %w", err)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(all)
}

func read() error {
	types() // before a dashboard is read
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("reading a dashboard: %w", err)
	}
	var all dashboard.Dashboard
	var wrong cog.BuildErrors
	if err := all.UnmarshalJSONStrict(content); err != nil && (!errors.As(err, &wrong) || len(wrong) > 0) { // it may hold none
		return fmt.Errorf("a dashboard that Grafana does not know: %w", err)
	}
	if err := all.Validate(); err != nil {
		return fmt.Errorf("a dashboard that Grafana refuses: %w", err)
	}
	return nil
}

// types are those of the panels and queries that the dashboard has.
func types() {
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(statetimeline.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
}
