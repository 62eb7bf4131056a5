package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

func (c *cli) get() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:               "get NAME...",
		Short:             "Show Canaries in a table",
		Example:           "  kubectl weir get podinfo\n  kubectl weir get podinfo -o yaml",
		ValidArgsFunction: c.completeCanaries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("give the name of a Canary; `kubectl weir list` shows all")
			}
			k, err := c.connect()
			if err != nil {
				return err
			}
			found := &v1beta1.CanaryList{}
			for _, arg := range args {
				canary, err := k.canary(cmd.Context(), arg)
				if err != nil {
					return err
				}
				found.Items = append(found.Items, *canary)
			}
			return c.print(found, table{output: output, single: len(args) == 1})
		},
	}
	addOutput(cmd, &output, "json, yaml, wide, name")
	return cmd
}

func (c *cli) list() *cobra.Command {
	output, selector, everywhere := "", "", false
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "Show all Canaries in a table",
		Example: "  kubectl weir list\n  kubectl weir list -A -o wide",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			namespace := k.namespace
			if everywhere {
				namespace = metav1.NamespaceAll
			}
			found, err := k.weir.WeirV1beta1().Canaries(namespace).List(cmd.Context(), metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return err
			}
			if len(found.Items) == 0 && (output == "" || output == "wide") {
				where := "namespace " + namespace
				if everywhere {
					where = "any namespace"
				}
				fmt.Fprintf(c.Err, "There is no Canary in %s.\n", where)
				return nil
			}
			return c.print(found, table{output: output, everywhere: everywhere})
		},
	}
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "those with these labels, as in team=shop")
	addOutput(cmd, &output, "json, yaml, wide, name")
	return cmd
}

func addOutput(cmd *cobra.Command, output *string, forms string) {
	cmd.Flags().StringVarP(output, "output", "o", "", "how to print it: "+forms)
	// The error would be that there is no such flag.
	known := cobra.FixedCompletions(strings.Split(forms, ", "), cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("output", known)
}

// table is how Canaries are shown.
type table struct {
	output     string
	everywhere bool
	// single prints one object as itself and not as a list.
	single bool
}

func (c *cli) print(found *v1beta1.CanaryList, t table) error {
	if t.output == "" || t.output == "wide" {
		return c.rows(found.Items, t)
	}
	var object runtime.Object = found
	if t.single {
		object = &found.Items[0]
	}
	return c.object(object, t.output)
}

// object prints an object in one of kubectl's forms.
func (c *cli) object(object runtime.Object, output string) error {
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		return err
	}
	flags := genericclioptions.NewPrintFlags("").WithTypeSetter(scheme)
	flags.OutputFormat = &output
	printer, err := flags.ToPrinter()
	if genericclioptions.IsNoCompatiblePrinterError(err) {
		return fmt.Errorf("-o %s is not known; it is one of json, yaml, wide, name and kubectl's templates", output)
	}
	if err != nil {
		return err
	}
	return printer.PrintObj(object, c.Out)
}

func (c *cli) rows(canaries []v1beta1.Canary, t table) error {
	w := columns(c.Out)
	header := []string{"NAME", "TARGET", "PHASE", "WEIGHT", "STEP", "REVISION", "FAILED"}
	if t.everywhere {
		header = append([]string{"NAMESPACE"}, header...)
	}
	if t.output == "wide" {
		header = append(header, "IMAGES", "SERVES", "AGE")
	}
	row(w, append(header, "MESSAGE")...)
	for i := range canaries {
		row(w, cells(&canaries[i], t, c.Now())...)
	}
	return w.Flush()
}

func cells(canary *v1beta1.Canary, t table, now time.Time) []string {
	st := &canary.Status
	step, tested, serves := "", st.Canary, ""
	if st.Step != nil {
		step = st.Step.Progress
	}
	if tested == nil {
		tested = st.Primary
	}
	if tested == nil {
		tested = &v1beta1.RevisionStatus{}
	}
	if st.Primary != nil {
		serves = st.Primary.Hash
	}
	all := []string{
		canary.Name, targetCell(canary), string(st.Phase), fmt.Sprintf("%d%%", st.Weight), step, tested.Hash,
		fmt.Sprintf("%d/%d", st.FailedChecks, words.Threshold(canary)),
	}
	if t.everywhere {
		all = append([]string{canary.Namespace}, all...)
	}
	if t.output == "wide" {
		all = append(all, strings.Join(tested.Images, ","), serves, words.Span(now.Sub(canary.CreationTimestamp.Time)))
	}
	_, text := words.Message(canary)
	return append(all, text)
}

// targetCell is the target, with its kind where that is not the usual one.
func targetCell(canary *v1beta1.Canary) string {
	if rollout.KindOf(canary) != v1beta1.KindDeployment {
		return strings.ToLower(rollout.KindOf(canary)) + "/" + canary.Spec.TargetRef.Name
	}
	return canary.Spec.TargetRef.Name
}

// columns aligns what is written to it by tabs.
func columns(to io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(to, 0, 0, 3, ' ', 0) }

// row writes one line of a table; an empty cell is a hyphen.
func row(w io.Writer, cells ...string) {
	for i, cell := range cells {
		if cell == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}
