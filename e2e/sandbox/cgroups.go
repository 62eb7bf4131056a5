package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// makeCgroups makes the cgroup that kubelet puts its pods in, wherever there is a
// hierarchy: it expects to find it.
func makeCgroups(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return fmt.Errorf("making cgroup %s: %w", name, err)
		}
	}
	return nil
}

// hierarchies lists the roots of cgroups: one of version 2, else all those of
// version 1 and, where it is mounted beside them, the one of version 2.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	roots, err := filepath.Glob(filepath.Join(cgroupMount, "*"))
	if err != nil {
		return nil, fmt.Errorf("finding cgroups: %w", err)
	}
	return roots, nil
}

// removeCgroups removes the cgroups below one name in every hierarchy. Their
// processes are dead or dying.
func removeCgroups(ctx context.Context, name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := removeTree(ctx, filepath.Join(root, name)); err != nil {
			return fmt.Errorf("removing cgroup %s: %w", name, err)
		}
	}
	return nil
}

// removeTree removes a cgroup and those within it, the innermost first. Their
// files cannot be removed and need not be.
func removeTree(ctx context.Context, root string) error {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(ctx, filepath.Join(root, entry.Name())); err != nil {
				return err
			}
		}
	}
	for {
		err := syscall.Rmdir(root)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			return err
		}
		// Busy until the last process in it is reaped.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
