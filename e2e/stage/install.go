package stage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
)

// Overlay is what a user asks for when Weir is installed, beside its metrics. The zero value asks for Weir alone.
type Overlay struct {
	// Mesh is the one overlay whose rights Weir gets. Without it, that is the Gateway API's, with the rights of the
	// providers beside it.
	Mesh string
	// Components are folders of kustomize, as in dashboard.
	Components []string
	// Secrets are settings that nobody may read, as in WEIR_SLACK_URL=https://….
	Secrets []string
	// LoadTester is the namespace of a load tester, for the Canaries there; none where it is empty. It has to exist.
	LoadTester string
}

// mine is what a user writes to install Weir: an overlay of Weir's own, with what goes beside it, images and settings.
const mine = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../kustomize/{{.Mesh}}
{{- range .Beside}}
  - {{.}}.yaml
{{- end}}
{{- if .LoadTester}}
  - ../tester
{{- end}}
{{- if .Components}}
components:
{{- range .Components}}
  - ../kustomize/{{.}}
{{- end}}
{{- end}}
images:
{{- range $name, $tag := .Tags}}
  - name: {{$name}}
    newTag: {{$tag}}
{{- end}}
configMapGenerator:
  - name: weir-settings
    namespace: weir-system
    literals:
      - WEIR_METRICS_SERVER={{.MetricsServer}}
      - WEIR_LOG_LEVEL=debug
{{- if .Secrets}}
secretGenerator:
  - name: weir-settings
    namespace: weir-system
    literals:
{{- range .Secrets}}
      - {{.}}
{{- end}}
{{- end}}
`

// tester is the overlay of the load tester.
const tester = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {{.LoadTester}}
resources:
  - ../kustomize/loadtester
`

// beside are the providers that are used beside the Gateway API: their overlays' rights are given to the operator, too.
func beside() []string { return []string{"istio", "nginx", "skipper", "traefik"} }

// Install builds Weir's images, gives them to the cluster and applies the overlay of the Gateway API, with the rights of
// the providers beside it and what else is asked for. It returns when all is ready. What was installed before is changed
// to what is asked for now, but nothing is taken away that is named no more.
func (s *Stage) Install(ctx context.Context, o Overlay) error {
	scratch, err := os.MkdirTemp("", "weir-install-")
	if err != nil {
		return fmt.Errorf("making room to install from: %w", err)
	}
	defer os.RemoveAll(scratch)
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{"kustomize", "artifacts/crds"} {
		if err := os.CopyFS(filepath.Join(scratch, dir), os.DirFS(filepath.Join(tree, dir))); err != nil {
			return fmt.Errorf("copying %s: %w", dir, err)
		}
	}
	programs := []string{"weir"}
	if o.LoadTester != "" {
		programs = append(programs, "weir-loadtester")
	}
	tags := map[string]string{}
	for _, program := range programs {
		if tags[program], err = s.Image(ctx, program); err != nil {
			return err
		}
	}
	folder, err := s.write(tree, scratch, o, tags)
	if err != nil {
		return err
	}
	if o.Mesh != "" { // what was installed before may have had more rights
		_, err := s.Kubectl(ctx, "delete", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/part-of=weir")
		if err != nil {
			return err
		}
	}
	if _, err := s.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", folder); err != nil {
		return err
	}
	for program, namespace := range map[string]string{"weir": "weir-system", "weir-loadtester": o.LoadTester} {
		if namespace == "" {
			continue
		}
		_, err := s.Kubectl(ctx, "-n", namespace, "rollout", "status", "deployment/"+program, "--timeout=90s")
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes the user's folders, and gives the one to apply.
func (s *Stage) write(tree, scratch string, o Overlay, tags map[string]string) (folder string, err error) {
	mesh, others := "gatewayapi", beside()
	if o.Mesh != "" {
		mesh, others = o.Mesh, nil
	}
	values := map[string]any{
		"Mesh": mesh, "Beside": others, "LoadTester": o.LoadTester, "Components": o.Components, "Secrets": o.Secrets,
		"Tags": tags, "MetricsServer": s.Sandbox.PrometheusURL,
	}
	for name, text := range map[string]string{"mine": mine, "tester": tester} {
		t, err := template.New(name).Parse(text)
		if err != nil {
			return "", fmt.Errorf("reading the overlay: %w", err)
		}
		var content bytes.Buffer
		if err := t.Execute(&content, values); err != nil {
			return "", fmt.Errorf("writing the overlay: %w", err)
		}
		folder := filepath.Join(scratch, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return "", fmt.Errorf("making the overlay: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), content.Bytes(), 0o600); err != nil {
			return "", fmt.Errorf("making the overlay: %w", err)
		}
	}
	folder = filepath.Join(scratch, "mine")
	return folder, copyRights(tree, folder, others)
}

// copyRights copies the rights of the providers beside into an overlay, which may name no file above itself.
func copyRights(tree, overlay string, providers []string) error {
	for _, provider := range providers {
		rights, err := os.ReadFile(filepath.Join(tree, "kustomize", provider, "rights.yaml"))
		if err != nil {
			return fmt.Errorf("reading the rights of provider %s: %w", provider, err)
		}
		if err := os.WriteFile(filepath.Join(overlay, provider+".yaml"), rights, 0o600); err != nil {
			return fmt.Errorf("making the overlay: %w", err)
		}
	}
	return nil
}

// Image builds one of Weir's programs, as in weir-loadtester, and gives it to the cluster as an image of its name. The tag
// is by its content, so that another program is another pod.
func (s *Stage) Image(ctx context.Context, program string) (tag string, err error) {
	if s.Sandbox.External {
		tag = os.Getenv("WEIR_IMAGE_TAG")
		if tag == "" {
			return "", fmt.Errorf("the cluster is the user's own: push the image of %[1]s to where it pulls from, as %[1]s, "+
				"and set WEIR_IMAGE_TAG", program)
		}
		return tag, nil
	}
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp("", "weir-image-")
	if err != nil {
		return "", fmt.Errorf("making room for the image: %w", err)
	}
	defer os.RemoveAll(scratch)
	binary := filepath.Join(scratch, program)
	if err := image.Compile(ctx, tree, "./cmd/"+program, binary); err != nil {
		return "", err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", program, err)
	}
	tag = fmt.Sprintf("dev-%x", sha256.Sum256(content))[:16]
	file := filepath.Join(scratch, program+".tar")
	if err := (image.Image{Tags: []string{program + ":" + tag}, Binary: binary}).Write(file); err != nil {
		return "", err
	}
	return tag, s.Sandbox.Import(ctx, file)
}

// Uninstall removes what Install made. Canaries go first, while there is somebody to give back what
// they have taken.
func (s *Stage) Uninstall(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "canaries.weir.dev", "--all", "--all-namespaces", "--timeout=60s", "--ignore-not-found"},
		{"delete", "namespace", "weir-system", "--timeout=60s", "--ignore-not-found"},
		{"delete", "clusterroles,clusterrolebindings,crds", "-l", "app.kubernetes.io/part-of=weir"},
	} {
		if _, err := s.Kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
