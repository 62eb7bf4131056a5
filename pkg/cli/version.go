package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version, with := "(unknown)", ""
			if build, ok := debug.ReadBuildInfo(); ok {
				version, with = build.Main.Version, build.GoVersion
				for _, s := range build.Settings {
					if s.Key == "vcs.revision" {
						version += " " + s.Value
					}
				}
			}
			fmt.Fprintf(c.Out, "kubectl-weir %s, for %s, built with %s\n", version, v1beta1.SchemeGroupVersion, with)
			return nil
		},
	}
}
