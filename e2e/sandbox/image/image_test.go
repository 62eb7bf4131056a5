package image_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"weir.dev/weir/e2e/sandbox/image"
)

func TestWriteIsReproducible(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "some")
	if err := os.WriteFile(binary, []byte("not really a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	var digests []string
	for range 2 {
		file := filepath.Join(dir, "image.tar")
		if err := (image.Image{Tags: []string{"some:1", "some:2"}, Binary: binary}).Write(file); err != nil {
			t.Fatal(err)
		}
		digest, err := read(t, file, "some:2").Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("the same inputs made two different images: %v", digests)
	}
}

func TestWriteNamesEntrypointAndUser(t *testing.T) {
	dir := t.TempDir()
	binary, file := filepath.Join(dir, "some"), filepath.Join(dir, "image.tar")
	if err := os.WriteFile(binary, []byte("not really a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (image.Image{Tags: []string{"some:1"}, Binary: binary}).Write(file); err != nil {
		t.Fatal(err)
	}
	config, err := read(t, file, "some:1").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config.Entrypoint; len(got) != 1 || got[0] != "/some" {
		t.Errorf("entry point %q, want /some", got)
	}
	if config.Config.User != image.NonRoot {
		t.Errorf("user %q, want %q", config.Config.User, image.NonRoot)
	}
}

func read(t *testing.T, file, tagged string) v1.Image {
	t.Helper()
	tag, err := name.NewTag(tagged)
	if err != nil {
		t.Fatal(err)
	}
	found, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
