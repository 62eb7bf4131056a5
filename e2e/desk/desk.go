// Package desk is where a user sits: a folder with a checkout of Weir and files of his own beside it, the programs that he
// has, and a shell in which he types what the documentation says.
package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
)

// copied are the folders of the checkout that are read by what is typed, and may be changed on a desk. All others are
// links to those of the tree.
func copied() []string { return []string{"artifacts", "charts", "kustomize"} }

// Checkout makes the folder `weir` in another, as a clone of the tree. What change says, old and new by turns, is put
// in place of what files of artifacts/examples say there.
func Checkout(tree, folder string, change ...string) error {
	weir := filepath.Join(folder, "weir")
	if err := os.MkdirAll(weir, 0o755); err != nil {
		return fmt.Errorf("making a checkout: %w", err)
	}
	tree, err := filepath.Abs(tree)
	if err != nil {
		return fmt.Errorf("making a checkout: %w", err)
	}
	entries, err := os.ReadDir(tree)
	if err != nil {
		return fmt.Errorf("making a checkout: %w", err)
	}
	for _, e := range entries {
		if e.Name() != ".git" && e.Name() != "bin" {
			err = errors.Join(err, os.Symlink(filepath.Join(tree, e.Name()), filepath.Join(weir, e.Name())))
		}
	}
	for _, name := range copied() {
		err = errors.Join(err, os.Remove(filepath.Join(weir, name)),
			os.CopyFS(filepath.Join(weir, name), os.DirFS(filepath.Join(tree, name))))
	}
	if err != nil {
		return fmt.Errorf("making a checkout: %w", err)
	}
	replacer := strings.NewReplacer(change...)
	return filepath.WalkDir(filepath.Join(weir, "artifacts", "examples"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(replacer.Replace(string(content))), 0o600)
	})
}

// common are programs that pages presume, by Debian's packages of their names.
func common() []string { return []string{"curl", "make", "openssl"} }

// Programs puts kubectl, Helm and the plugin `kubectl weir` into a folder that is to be first on the PATH. What is missing
// is built, and progress is told so; of what everybody has, what is missing is installed, which takes root.
func Programs(ctx context.Context, tree, folder string, progress io.Writer) error {
	for _, name := range common() {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if err := sandbox.InstallDebian(ctx, name); err != nil {
			return err
		}
	}
	for name, find := range map[string]func(context.Context, io.Writer) (string, error){
		"kubectl": sandbox.Kubectl, "helm": sandbox.Helm,
	} {
		path, err := find(ctx, progress)
		if err == nil {
			err = os.Symlink(path, filepath.Join(folder, name))
		}
		if err != nil {
			return fmt.Errorf("getting %s: %w", name, err)
		}
	}
	return image.Compile(ctx, tree, "./cmd/kubectl-weir", filepath.Join(folder, "kubectl-weir"))
}

// Write writes the file of a step on the desk, with what stands for the addresses outside.
func (s *Shell) Write(step pages.Step) error {
	path := filepath.Join(s.Folder, step.File)
	content := strings.NewReplacer(s.Outside...).Replace(step.Content)
	fmt.Fprintf(s.Log, "--- %s\n%s", step.File, content)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", step.File, err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", step.File, err)
	}
	return nil
}
