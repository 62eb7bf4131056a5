package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

func (c *cli) history() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:               "history NAME",
		Short:             "Show the runs that are over, the last one first",
		Args:              one,
		ValidArgsFunction: c.completeOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			canary, err := k.canary(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.printHistory(canary, output)
		},
	}
	addOutput(cmd, &output, "json, yaml")
	return cmd
}

func (c *cli) printHistory(canary *v1beta1.Canary, output string) error {
	runs := canary.Status.History
	if runs == nil {
		runs = []v1beta1.RunRecord{} // an empty list, not null
	}
	switch output {
	case "json":
		raw, err := json.MarshalIndent(runs, "", "    ")
		if err != nil {
			return fmt.Errorf("writing the history as JSON: %w", err)
		}
		fmt.Fprintln(c.Out, string(raw))
		return nil
	case "yaml":
		raw, err := yaml.Marshal(runs)
		if err != nil {
			return fmt.Errorf("writing the history as YAML: %w", err)
		}
		fmt.Fprint(c.Out, string(raw))
		return nil
	case "":
	default:
		return fmt.Errorf("-o %s is not known; it is json or yaml", output)
	}
	if len(runs) == 0 {
		fmt.Fprintf(c.Err, "No run of Canary %s is over yet.\n", canary.Name)
		return nil
	}
	w, k := columns(c.Out), c.clock()
	row(w, "RUN", "REVISION", "IMAGES", "OUTCOME", "REASON", "STARTED", "DURATION", "MAX WEIGHT", "COMMANDS")
	for i := range runs {
		r := &runs[i]
		row(w, r.ID, r.Revision, strings.Join(r.Images, ","), string(r.Outcome), r.Reason, k.At(r.StartedAt.Time),
			words.Span(r.EndedAt.Sub(r.StartedAt.Time)), fmt.Sprintf("%d%%", r.MaxWeight), words.Commands(r.Commands))
	}
	return w.Flush()
}
