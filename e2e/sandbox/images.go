package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir.dev/weir/e2e/sandbox/image"
)

// BuildImage compiles a main package of Weir's tree, such as
// weir.dev/weir/cmd/weir, and writes it as an image file, with its bill of materials beside it.
func BuildImage(ctx context.Context, pkg, file string, tags ...string) error {
	tree, err := Tree(ctx)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "weir-image-")
	if err != nil {
		return fmt.Errorf("making room to build: %w", err)
	}
	defer os.RemoveAll(scratch)
	binary := filepath.Join(scratch, filepath.Base(pkg))
	if err := image.Compile(ctx, tree, pkg, binary); err != nil {
		return err
	}
	if err := (image.Image{Tags: tags, Binary: binary}).Write(file); err != nil {
		return err
	}
	bill, err := image.Bill(binary)
	if err != nil {
		return err
	}
	beside := strings.TrimSuffix(file, filepath.Ext(file)) + ".cdx.json"
	if err := os.WriteFile(beside, bill, 0o644); err != nil { //nolint:gosec // it is there to be read
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return nil
}

// Import gives an image file to the cluster, to each of its nodes. Pods use its images by their tags,
// with imagePullPolicy Never.
func (s *Sandbox) Import(ctx context.Context, file string) error {
	if s.External {
		return errNotOurs("import images into; push them where it pulls from")
	}
	nodes, err := s.nodes()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.importImage(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// BuildAndImport compiles a main package of Weir's tree into an image and gives
// it to the cluster.
func (s *Sandbox) BuildAndImport(ctx context.Context, pkg string, tags ...string) error {
	if s.External {
		return errNotOurs("import images into; push them where it pulls from")
	}
	scratch, err := os.MkdirTemp("", "weir-image-")
	if err != nil {
		return fmt.Errorf("making room for the image: %w", err)
	}
	defer os.RemoveAll(scratch)
	file := filepath.Join(scratch, "image.tar")
	if err := BuildImage(ctx, pkg, file, tags...); err != nil {
		return err
	}
	return s.Import(ctx, file)
}

// importOwn gives the cluster the images that every sandbox has.
func (s *Sandbox) importOwn(ctx context.Context) error {
	scratch := filepath.Join(s.node.ground.dir, "images")
	for _, own := range []struct {
		program recipe
		tags    []string
	}{
		{pauseProgram(), []string{pauseImage}},
		{podinfo(), []string{PodinfoImage, PodinfoNextImage}},
	} {
		present, err := s.node.hasImages(ctx, own.tags...)
		if err != nil {
			return err
		}
		if present {
			continue
		}
		file := filepath.Join(scratch, own.program.program+".tar")
		if err := (image.Image{Tags: own.tags, Binary: s.node.kitchen.path(own.program)}).Write(file); err != nil {
			return err
		}
		if err := s.node.importImage(ctx, file); err != nil {
			return err
		}
		s.tell.say("imported image %v", own.tags)
	}
	return os.RemoveAll(scratch)
}
