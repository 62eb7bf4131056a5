package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// recipe says how a binary comes out of a Go module.
type recipe struct {
	// program is the file name of the binary.
	program string
	// edition names the folder it is cached in; a binary found there is taken as
	// it is. Empty for programs of Weir's own tree, which change: they are built
	// each time, which costs nothing when nothing changed.
	edition string
	// module is the folder under the source tree whose go.mod pins the versions.
	module string
	// pkg is the main package.
	pkg string
	// stamps are -X assignments.
	stamps []string
}

const (
	kubernetesVersion    = "v1.37.2"
	etcdVersion          = "v3.6.7"
	traefikVersion       = "v3.7.9"
	podinfoVersion       = "6.9.2"
	helmVersion          = "v4.3.1"
	metricsServerVersion = "v0.9.0"
	contourVersion       = "v1.33.8"
	skipperVersion       = "v0.22.0"
	influxdbVersion      = "v1.8.10"
)

func kubernetes(program string) recipe {
	const version = "k8s.io/component-base/version."
	return recipe{
		program: program,
		edition: "kubernetes-" + kubernetesVersion,
		module:  "e2e/tools/kubernetes",
		pkg:     "k8s.io/kubernetes/cmd/" + program,
		// Clients parse the version and refuse a cluster that has none.
		stamps: []string{version + "gitVersion=" + kubernetesVersion, version + "gitMajor=1", version + "gitMinor=37"},
	}
}

func etcd() recipe {
	return recipe{
		program: "etcd", edition: "etcd-" + etcdVersion, module: "e2e/tools/etcd",
		pkg: "go.etcd.io/etcd/server/v3",
	}
}

func traefik() recipe {
	return recipe{
		program: "traefik", edition: "traefik-" + traefikVersion, module: "e2e/tools/traefik",
		pkg:    "github.com/traefik/traefik/v3/cmd/traefik",
		stamps: []string{"github.com/traefik/traefik/v3/pkg/version.Version=" + strings.TrimPrefix(traefikVersion, "v")},
	}
}

func podinfo() recipe {
	return recipe{
		program: "podinfo", edition: "podinfo-v" + podinfoVersion, module: "e2e/tools/podinfo",
		pkg: "github.com/stefanprodan/podinfo/cmd/podinfo",
	}
}

func helm() recipe {
	return recipe{program: "helm", edition: "helm-" + helmVersion, module: "e2e/tools/helm", pkg: "helm.sh/helm/v4/cmd/helm"}
}

func influxdb() recipe {
	return recipe{
		program: "influxd", edition: "influxdb-" + influxdbVersion, module: "e2e/tools/influxdb",
		pkg: "github.com/influxdata/influxdb/cmd/influxd",
	}
}

// own is a program of Weir's own tree.
func own(program, pkg string) recipe {
	return recipe{program: program, module: ".", pkg: pkg}
}

// kitchen builds what recipes ask for and keeps it for the next time.
type kitchen struct {
	binDir string
	tell   *progress
}

func openKitchen(tell *progress) (*kitchen, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return &kitchen{binDir: filepath.Join(cache, "bin"), tell: tell}, nil
}

func (k *kitchen) path(r recipe) string {
	edition := r.edition
	if edition == "" {
		edition = "weir"
	}
	return filepath.Join(k.binDir, edition, r.program)
}

// ready makes sure that all the binaries exist, and builds those that do not,
// one after the other and never beside another process that builds: a build
// takes all the cores there are.
func (k *kitchen) ready(ctx context.Context, recipes ...recipe) error {
	var missing []recipe
	for _, r := range recipes {
		if _, err := os.Stat(k.path(r)); r.edition == "" || errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	unlock, err := lockFile(ctx, filepath.Join(k.binDir, "lock"), func() {
		k.tell.say("waiting for another process that is building")
	})
	if err != nil {
		return fmt.Errorf("waiting to build: %w", err)
	}
	defer unlock()
	for _, r := range missing {
		if err := k.build(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (k *kitchen) build(ctx context.Context, r recipe) error {
	binary := k.path(r)
	if r.edition == "" {
		return k.tell.lengthy("building "+r.program, func() error { return k.compile(ctx, r, binary) })
	}
	if _, err := os.Stat(binary); err == nil {
		return nil // built by the one we waited for
	}
	what := fmt.Sprintf("building %s (%s)", r.program, r.edition)
	if took, err := os.ReadFile(binary + ".took"); err == nil {
		what = fmt.Sprintf("%s, last time %s", what, strings.TrimSpace(string(took)))
	}
	begun := time.Now()
	if err := k.tell.during(what, func() error { return k.compile(ctx, r, binary) }); err != nil {
		return err
	}
	took := time.Since(begun).Round(time.Second).String()
	if err := os.WriteFile(binary+".took", []byte(took+"\n"), 0o644); err != nil {
		return fmt.Errorf("noting how long %s took: %w", r.program, err)
	}
	return nil
}

func (k *kitchen) compile(ctx context.Context, r recipe, binary string) error {
	tree, err := Tree(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		return fmt.Errorf("making room for %s: %w", r.program, err)
	}
	flags := "-s -w"
	for _, stamp := range r.stamps {
		flags += " -X " + stamp
	}
	// Built aside and renamed: a build that is cut short leaves no half binary,
	// and one that is running can be replaced.
	aside := binary + ".part"
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", aside, r.pkg)
	build.Dir = filepath.Join(tree, r.module)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", r.program, err, said)
	}
	if err := os.Rename(aside, binary); err != nil {
		return fmt.Errorf("keeping %s: %w", r.program, err)
	}
	return nil
}

// lockFile takes the lock that a file stands for, and calls waiting once if it
// has to wait. The lock ends with unlock, or with the process.
func lockFile(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making room for the lock: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for told := false; ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			waiting()
			told = true
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
