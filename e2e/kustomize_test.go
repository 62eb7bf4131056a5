package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
)

// TestOverlays: every overlay, with the components that need nothing else, is taken by an API server as it is.
func TestOverlays(t *testing.T) {
	s := newReader(t)
	kubectl, err := sandbox.Kubectl(t.Context(), t.Output())
	require.NoError(t, err)
	tree, err := filepath.Abs("..")
	require.NoError(t, err)
	folders, err := filepath.Glob(filepath.Join(tree, "kustomize", "*", "kustomization.yaml"))
	require.NoError(t, err)
	overlays := 0
	for _, folder := range folders {
		content, err := os.ReadFile(folder)
		require.NoError(t, err)
		name := filepath.Base(filepath.Dir(folder))
		if name == "base" || !bytes.Contains(content, []byte("../base")) {
			continue
		}
		overlays++
		t.Run(name, func(t *testing.T) {
			mine := t.TempDir()
			up, err := filepath.Rel(mine, filepath.Join(tree, "kustomize"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(mine, "kustomization.yaml"), fmt.Appendf(nil, `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%[1]s/%[2]s]
components: [%[1]s/ha, %[1]s/admission, %[1]s/dashboard]
`, up, name), 0o600))
			rendered, err := exec.CommandContext(t.Context(), kubectl, "kustomize", mine).Output()
			require.NoError(t, err)
			kinds := map[string]int{}
			for document := range bytes.SplitSeq(rendered, []byte("\n---\n")) {
				object := &unstructured.Unstructured{}
				require.NoError(t, yaml.UnmarshalStrict(document, &object.Object))
				kinds[object.GetKind()]++
				if kind := object.GetKind(); kind != "CustomResourceDefinition" && kind != "Namespace" { // they are there
					s.takes(t, name, object)
				}
				if object.GetKind() == "Deployment" {
					replicas, _, err := unstructured.NestedFieldNoCopy(object.Object, "spec", "replicas")
					require.NoError(t, err)
					assert.EqualValues(t, 2, replicas)
				}
			}
			assert.Equal(t, 1, kinds["PodDisruptionBudget"])
			assert.Equal(t, 2, kinds["ValidatingAdmissionPolicy"])
			assert.Equal(t, 1, kinds["MutatingAdmissionPolicy"])
			assert.Equal(t, 1, kinds["Deployment"])
		})
	}
	assert.Greater(t, overlays, 10)
}
