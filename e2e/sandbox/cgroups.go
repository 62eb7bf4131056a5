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

// removeCgroups removes the cgroups below one name, in the one hierarchy of
// version 2 or in every one of version 1. Their processes are dead or dying.
func removeCgroups(ctx context.Context, name string) error {
	roots, err := filepath.Glob(filepath.Join(cgroupMount, "*", name))
	if err != nil {
		return fmt.Errorf("finding cgroups: %w", err)
	}
	for _, root := range append(roots, filepath.Join(cgroupMount, name)) {
		if err := removeTree(ctx, root); err != nil {
			return fmt.Errorf("removing cgroup %s: %w", root, err)
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
