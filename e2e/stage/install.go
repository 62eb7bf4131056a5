package stage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
)

// overlay is what a user writes to install Weir: an overlay of Weir's own, an image, and settings.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../kustomize/gatewayapi
  - nginx.yaml
  - skipper.yaml
images:
  - name: weir
    newTag: %s
configMapGenerator:
  - name: weir-settings
    namespace: weir-system
    literals:
      - WEIR_METRICS_SERVER=%s
      - WEIR_LOG_LEVEL=debug
`

// Install builds Weir's image, gives it to the cluster and applies the overlay of the Gateway API, with the rights of
// further routers. It returns when the operator is ready.
func (s *Stage) Install(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "weir-install-")
	if err != nil {
		return fmt.Errorf("making room to install from: %w", err)
	}
	defer os.RemoveAll(scratch)
	tag, err := s.importWeir(ctx, scratch)
	if err != nil {
		return err
	}
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{"kustomize", "artifacts/crds"} {
		if err := os.CopyFS(filepath.Join(scratch, dir), os.DirFS(filepath.Join(tree, dir))); err != nil {
			return fmt.Errorf("copying %s: %w", dir, err)
		}
	}
	mine := filepath.Join(scratch, "mine")
	if err := os.Mkdir(mine, 0o755); err != nil {
		return fmt.Errorf("making the overlay: %w", err)
	}
	for _, router := range []string{"nginx", "skipper"} {
		rights, err := os.ReadFile(filepath.Join(tree, "kustomize", router, "rights.yaml"))
		if err != nil {
			return fmt.Errorf("reading the rights of router %s: %w", router, err)
		}
		if err := os.WriteFile(filepath.Join(mine, router+".yaml"), rights, 0o600); err != nil {
			return fmt.Errorf("making the overlay: %w", err)
		}
	}
	content := fmt.Sprintf(overlay, tag, s.Sandbox.PrometheusURL)
	if err := os.WriteFile(filepath.Join(mine, "kustomization.yaml"), []byte(content), 0o600); err != nil {
		return fmt.Errorf("making the overlay: %w", err)
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "--force-conflicts", "-k", mine},
		{"-n", "weir-system", "rollout", "status", "deployment/weir", "--timeout=90s"},
	} {
		if _, err := s.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// importWeir gives the image a tag by its content, so that another operator is another pod.
func (s *Stage) importWeir(ctx context.Context, scratch string) (tag string, err error) {
	if s.Sandbox.External {
		tag = os.Getenv("WEIR_IMAGE_TAG")
		if tag == "" {
			return "", errors.New("the cluster is the user's own: push the image of `make image` to where it pulls from, " +
				"as weir, and set WEIR_IMAGE_TAG")
		}
		return tag, nil
	}
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(scratch, "weir")
	if err := image.Compile(ctx, tree, "./cmd/weir", binary); err != nil {
		return "", err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("reading the operator: %w", err)
	}
	tag = fmt.Sprintf("dev-%x", sha256.Sum256(content))[:16]
	file := filepath.Join(scratch, "weir.tar")
	if err := (image.Image{Tags: []string{"weir:" + tag}, Binary: binary}).Write(file); err != nil {
		return "", err
	}
	return tag, s.Sandbox.Import(ctx, file)
}

// uninstall removes what Install made. Canaries go first, while there is somebody to give back what
// they have taken.
func (s *Stage) uninstall(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "canaries.weir.dev", "--all", "--all-namespaces", "--timeout=60s", "--ignore-not-found"},
		{"delete", "namespace", "weir-system", "--timeout=60s", "--ignore-not-found"},
		{"delete", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/part-of=weir"},
		{"delete", "crds", "canaries.weir.dev", "metrictemplates.weir.dev", "--ignore-not-found"},
	} {
		if _, err := s.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
