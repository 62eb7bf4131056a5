package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"weir.dev/weir/pkg/words"
)

type lintOptions struct {
	files     []string
	recursive bool
	verbose   bool
	provider  string
}

func (c *cli) lint() *cobra.Command {
	o := lintOptions{}
	cmd := &cobra.Command{
		Use:   "lint -f FILE|FOLDER|-",
		Short: "Check manifests of Weir's kinds without a cluster",
		Long: `Check manifests of Weir's kinds without a cluster.

They are held to what the API server would say of them, with its own code: fields, types, bounds, and the rules of the
schema. Then to what the operator would say of them: what the router of the Canary offers, and whether the queries of
the metrics can be filled in. Where the input also has the workload, the Service or the MetricTemplate that a Canary
names, these are looked at together.

Other kinds are skipped. A problem is one line: file, line, object, and what to correct. The exit code is 1 if there is one.`,
		Example: "  kubectl weir lint -f canary.yaml\n  kustomize build . | kubectl weir lint -f -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.files) == 0 {
				return fmt.Errorf("give a file, a folder or - with -f")
			}
			return c.lintAll(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "a file, a folder, or - for standard input; may be repeated")
	f.BoolVarP(&o.recursive, "recursive", "R", false, "look into the folders of a folder, too")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say also what is skipped, and what could not be looked at")
	f.StringVar(&o.provider, "mesh-provider", "gatewayapi", "router of Canaries that name none, as the operator's flag says")
	return cmd
}

func (c *cli) lintAll(cmd *cobra.Command, o lintOptions) error {
	var read []manifest
	l := &linter{provider: o.provider}
	for _, name := range o.files {
		files, err := filesOf(name, o.recursive)
		if err != nil {
			return err
		}
		for _, file := range files {
			content, err := c.content(file)
			if err != nil {
				return err
			}
			found, problems := manifests(shown(file), content)
			read, l.problems = append(read, found...), append(l.problems, problems...)
		}
	}
	if err := l.run(cmd.Context(), read); err != nil {
		return err
	}
	for _, note := range l.notes {
		if o.verbose {
			fmt.Fprintln(c.Err, note)
		}
	}
	slices.SortStableFunc(l.problems, problem.compare)
	for _, p := range l.problems {
		fmt.Fprintln(c.Out, p)
	}
	if n := len(l.problems); n > 0 {
		return end(exitError, "%s", words.Count(int32(min(n, 1<<20)), "problem")) //nolint:gosec // bounded here
	}
	checked := int32(min(l.checked, 1<<20)) //nolint:gosec // bounded here
	fmt.Fprintf(c.Out, "%s of Weir's, no problem\n", words.Count(checked, "object"))
	return nil
}

// filesOf are the files that a name stands for; those of a folder are the ones that look like manifests.
func filesOf(name string, recursive bool) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file or folder %s", name)
	}
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !recursive:
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("folder %s has no manifest: no file that ends in .yaml, .yml or .json", name)
	}
	return files, err
}

func (c *cli) content(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(c.In)
	}
	return os.ReadFile(file)
}

func shown(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}
