// Package image turns static Go binaries into container images without a
// container engine: an empty base, one layer per binary, an entry point. The
// same inputs give an image of the same digest.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// NonRoot is the user an image runs as when it names none.
const NonRoot = "65532:65532"

// Image is what goes into an image file.
type Image struct {
	// Tags the image answers to, such as podinfo:6.9.2.
	Tags []string
	// Binary is the path of a static binary; it becomes the entry point.
	Binary string
	// User as in a Dockerfile; NonRoot when empty.
	User string
}

// Write writes the image to a file that `ctr images import` accepts.
func (i Image) Write(file string) error {
	built, err := i.build()
	if err != nil {
		return fmt.Errorf("building image %v: %w", i.Tags, err)
	}
	tagged := map[name.Tag]v1.Image{}
	for _, t := range i.Tags {
		tag, err := name.NewTag(t)
		if err != nil {
			return fmt.Errorf("naming image: %w", err)
		}
		tagged[tag] = built
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("making room for image %v: %w", i.Tags, err)
	}
	// Written aside and renamed, so that whoever reads sees all of it or none.
	aside := file + ".part"
	if err := tarball.MultiWriteToFile(aside, tagged); err != nil {
		return fmt.Errorf("writing image %v: %w", i.Tags, err)
	}
	return os.Rename(aside, file)
}

func (i Image) build() (v1.Image, error) {
	content, err := os.ReadFile(i.Binary)
	if err != nil {
		return nil, fmt.Errorf("reading binary: %w", err)
	}
	command := "/" + path.Base(filepath.ToSlash(i.Binary))
	packed, err := pack(command, content)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("making layer: %w", err)
	}
	grown, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("adding layer: %w", err)
	}
	file, err := grown.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading image config: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Entrypoint = []string{command}
	file.Config.WorkingDir = "/"
	file.Config.Env = []string{"PATH=/"}
	file.Config.User = i.User
	if file.Config.User == "" {
		file.Config.User = NonRoot
	}
	return mutate.ConfigFile(grown, file)
}

// pack makes a layer of one executable and a /tmp that anyone may write to.
func pack(command string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	long := time.Unix(0, 0).UTC() // reproducible: no build carries its hour
	headers := []*tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777, ModTime: long},
		{Name: command[1:], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content)), ModTime: long},
	}
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing %s: %w", h.Name, err)
		}
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("packing %s: %w", command, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing %s: %w", command, err)
	}
	return out.Bytes(), nil
}

// Command is how a main package is built into a static binary: what is set in the environment, and the words.
func Command(pkg, binary string) (environment, words []string) {
	return []string{"CGO_ENABLED=0", "GOWORK=off"},
		[]string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, pkg}
}

// Compile builds the main package pkg, seen from the module folder dir, into a
// static binary.
func Compile(ctx context.Context, dir, pkg, binary string) error {
	environment, words := Command(pkg, binary)
	build := exec.CommandContext(ctx, words[0], words[1:]...)
	build.Dir = dir
	build.Env = append(os.Environ(), environment...)
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling %s: %w\n%s", pkg, err, said)
	}
	return nil
}
