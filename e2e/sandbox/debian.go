package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debian lists what the full form takes from Debian, each by a file that is
// there when the package is.
func debian() []struct{ name, file string } {
	return []struct{ name, file string }{
		{"containerd", "containerd"},
		{"runc", "runc"},
		{"containernetworking-plugins", cniPlugins + "/bridge"},
		{"nftables", "nft"},
		{"iproute2", "ip"},
		{"conntrack", "conntrack"},
		{"prometheus", "prometheus"},
		{"util-linux", "nsenter"},
	}
}

const cniPlugins = "/usr/lib/cni"

// installPackages installs the Debian packages that are missing.
func installPackages(ctx context.Context, tell *progress) error {
	if os.Geteuid() != 0 {
		return errors.New("a sandbox with nodes needs root, for namespaces, cgroups and mounts; " +
			"or set KUBECONFIG to use a cluster of your own")
	}
	var missing []string
	for _, p := range debian() {
		if !found(p.file) {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	wanted := strings.Join(missing, " ")
	if !found("apt-get") {
		return fmt.Errorf("the sandbox needs these Debian packages, and there is no apt-get to install them with: %s", wanted)
	}
	return tell.during("installing Debian packages: "+wanted, func() error { return InstallDebian(ctx, missing...) })
}

// InstallDebian installs packages of Debian's. It needs root, and apt-get.
func InstallDebian(ctx context.Context, packages ...string) error {
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-y", "--no-install-recommends"}, packages...)} {
		apt := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if said, err := apt.CombinedOutput(); err != nil {
			return fmt.Errorf("installing Debian packages %s: %w\n%s", strings.Join(packages, " "), err, said)
		}
	}
	return nil
}

func found(file string) bool {
	if filepath.IsAbs(file) {
		_, err := os.Stat(file)
		return err == nil
	}
	_, err := exec.LookPath(file)
	return err == nil
}
