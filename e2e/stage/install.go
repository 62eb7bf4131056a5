package stage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
)

// overlay is what a user writes to install Weir: an overlay of Weir's own, an image, and settings.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../kustomize/gatewayapi
%s
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

// beside are the providers that are used beside the Gateway API: their overlays' rights are given to the operator, too.
func beside() []string { return []string{"istio", "nginx", "skipper", "traefik"} }

// Install builds Weir's image, gives it to the cluster and applies the overlay of the Gateway API, with the rights of
// the providers beside it. It returns when the operator is ready.
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
	rights, err := copyRights(tree, mine)
	if err != nil {
		return err
	}
	content := fmt.Sprintf(overlay, strings.Join(rights, "\n"), tag, s.Sandbox.PrometheusURL)
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

// copyRights copies the rights of the providers beside into an overlay, which may name no file above itself, and gives
// the lines that name them there.
func copyRights(tree, overlay string) (lines []string, err error) {
	for _, provider := range beside() {
		rights, err := os.ReadFile(filepath.Join(tree, "kustomize", provider, "rights.yaml"))
		if err != nil {
			return nil, fmt.Errorf("reading the rights of provider %s: %w", provider, err)
		}
		if err := os.WriteFile(filepath.Join(overlay, provider+".yaml"), rights, 0o600); err != nil {
			return nil, fmt.Errorf("making the overlay: %w", err)
		}
		lines = append(lines, "  - "+provider+".yaml")
	}
	return lines, nil
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
		{"delete", "crds", "canaries.weir.dev", "metrictemplates.weir.dev", "clustermetrictemplates.weir.dev",
			"--ignore-not-found"},
	} {
		if _, err := s.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
