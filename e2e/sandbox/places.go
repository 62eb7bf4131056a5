package sandbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cacheDir is where everything of Weir that can be made again is kept.
func cacheDir() (string, error) {
	root := os.Getenv("XDG_CACHE_HOME")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the cache folder: %w", err)
		}
		root = filepath.Join(home, ".cache")
	}
	return filepath.Join(root, "weir"), nil
}

// sandboxDir is the folder of the sandbox that is meant: the one asked for, the
// one the environment names, or the default.
func sandboxDir(asked string) (string, error) {
	dir := asked
	if dir == "" {
		dir = os.Getenv("WEIR_SANDBOX_DIR")
	}
	if dir == "" {
		cache, err := cacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "sandbox")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolving the sandbox folder: %w", err)
	}
	// The ground has a /run and a /var of its own and would not see it.
	for _, masked := range []string{"/run/", "/var/"} {
		if strings.HasPrefix(dir+"/", masked) {
			return "", fmt.Errorf("the sandbox folder %s may not be under %s: choose another with WEIR_SANDBOX_DIR", dir, masked)
		}
	}
	return dir, nil
}

// Turn waits until nobody else plays on the sandbox that the environment means, and gives it to the caller until end
// is called, or the process ends. A cluster of the user's own is not asked for: whose turn it is there, the user knows.
func Turn(ctx context.Context, out io.Writer) (end func(), err error) {
	if os.Getenv("KUBECONFIG") != "" {
		return func() {}, nil
	}
	dir, err := sandboxDir("")
	if err != nil {
		return nil, err
	}
	tell := newProgress(out)
	return lockFile(ctx, dir+".turn", func() { tell.say("somebody else plays on the sandbox; waiting for the end of it") })
}

// moduleDir is the folder that a module's files are in, in the version that the
// go.mod of the folder from asks for.
func moduleDir(ctx context.Context, from, module string) (string, error) {
	dir, err := goSays(ctx, from, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil || dir != "" {
		return dir, err
	}
	if _, err := goSays(ctx, from, "mod", "download", module); err != nil {
		return "", err
	}
	return goSays(ctx, from, "list", "-m", "-f", "{{.Dir}}", module)
}

// Tree is the root of Weir's source tree. The recipes of the tools are
// there, so Weir's tests have to run from within it.
func Tree(ctx context.Context) (string, error) {
	dir, err := goSays(ctx, ".", "list", "-m", "-f", "{{.Dir}}", "weir.dev/weir")
	if err != nil {
		return "", fmt.Errorf("finding Weir's source tree (run this from within it): %w", err)
	}
	return dir, nil
}

func goSays(ctx context.Context, from string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = from
	command.Env = append(os.Environ(), "GOWORK=off")
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("asking go %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}
