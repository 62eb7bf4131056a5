// Package cli is `kubectl weir`. It shows what Weir does with a Canary and why, and passes on what a person wants
// done. It speaks to the API server alone, with the rights of whoever runs it: what the operator is to do goes into
// the annotation v1beta1.CommandAnnotation, and what came of it is read from the status. docs/cli.md has every
// command with an example.
package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"weir.dev/weir/pkg/words"
)

// Terminal is where a command is typed, and where its answers go.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Interactive says that In is somebody's keyboard and Out is their screen.
	Interactive bool
	// Now is the clock; times are told in its zone.
	Now func() time.Time
}

// Command is all commands, with their flags. They work as far as the terminal has what they ask for.
func Command(terminal Terminal) *cobra.Command {
	return (&cli{Terminal: terminal, flags: genericclioptions.NewConfigFlags(true)}).root()
}

// Run carries out one command line and gives its exit code.
func Run(ctx context.Context, args []string, terminal Terminal) int {
	cmd := Command(terminal)
	cmd.SetArgs(args)
	cmd.SetIn(terminal.In)
	cmd.SetOut(terminal.Out)
	cmd.SetErr(terminal.Err)
	err := cmd.ExecuteContext(ctx)
	code, sentence := exit(err)
	switch {
	case sentence == "":
	case code == 0:
		fmt.Fprintln(terminal.Out, sentence)
	default:
		fmt.Fprintln(terminal.Err, "kubectl weir:", sentence)
	}
	return code
}

// cli is what every command knows.
type cli struct {
	Terminal
	flags *genericclioptions.ConfigFlags
}

func (c *cli) clock() words.Clock { return words.Clock(c.Now()) }

func (c *cli) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:         "kubectl-weir",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl weir"},
		Short:       "Watch and steer the releases that Weir carries out",
		Long: `Watch and steer the releases that Weir carries out.

A NAME is that of a Canary, as in podinfo or canary/podinfo. kubectl's own flags for reaching a cluster work here, too.

` + exitCodes,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddGroup(&cobra.Group{ID: look, Title: "See what goes on:"}, &cobra.Group{ID: steer, Title: "Steer a run:"},
		&cobra.Group{ID: write, Title: "Write and remove manifests:"})
	c.global(cmd.PersistentFlags())
	for group, commands := range map[string][]*cobra.Command{
		look: {
			c.list(), c.get(), c.watch(), c.status(), c.explain(), c.history(), c.plan(), c.query(), c.analyze(),
			c.alert(),
		},
		steer: append(c.verbs(), c.restart()),
		write: {c.lint(), c.uninstall()},
	} {
		for _, sub := range commands {
			sub.GroupID = group
			cmd.AddCommand(sub)
		}
	}
	cmd.AddCommand(c.version())
	c.completeFlags(cmd)
	return cmd
}

// The groups of commands in the help.
const (
	look  = "look"
	steer = "steer"
	write = "write"
)

// global binds kubectl's flags. Those that hardly anybody types work without being told in every help.
func (c *cli) global(flags *pflag.FlagSet) {
	c.flags.AddFlags(flags)
	told := []string{"kubeconfig", "context", "namespace"}
	flags.VisitAll(func(f *pflag.Flag) { f.Hidden = !slices.Contains(told, f.Name) })
	flags.Lookup("kubeconfig").Usage = "path of a kubeconfig"
	flags.Lookup("context").Usage = "context of the kubeconfig"
	flags.Lookup("namespace").Usage = "namespace; defaults to that of the context"
}
