package charts_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/charts"
)

const (
	folder     = "../../charts/"
	weir       = folder + "weir"
	loadtester = folder + "weir-loadtester"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// open finds a Helm without a cluster.
func open(t *testing.T) charts.Helm {
	t.Helper()
	helm, err := charts.Open(t.Context(), t.TempDir(), "", t.Output())
	require.NoError(t, err)
	return helm
}

// everything are the values of a chart that turn everything on.
func everything(t *testing.T, chart string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", filepath.Base(chart)+"-everything.values.yaml"))
	require.NoError(t, err)
	return string(content)
}

// served is what a cluster says of itself that pauses Deployments by a policy.
const served = "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"

// rendered are the objects of a release that has the chart's name.
func rendered(t *testing.T, chart, namespace, values string) []*unstructured.Unstructured {
	t.Helper()
	manifests, err := open(t).Run(t.Context(), values, "template", filepath.Base(chart), chart, "--namespace="+namespace, served)
	require.NoError(t, err)
	objects, err := charts.Objects(manifests)
	require.NoError(t, err)
	return objects
}

func TestLint(t *testing.T) {
	helm := open(t)
	for _, chart := range []string{weir, loadtester} {
		for _, values := range []string{"{}", everything(t, chart)} {
			_, err := helm.Run(t.Context(), values, "lint", "--strict", chart)
			assert.NoError(t, err)
		}
	}
}

// TestGoldens has what people read who want to know what they get. The definitions are left out: they are compared with
// those of kustomize.
func TestGoldens(t *testing.T) {
	helm := open(t)
	for _, chart := range []string{weir, loadtester} {
		for name, values := range map[string]string{"default": "{}", "everything": everything(t, chart)} {
			said, err := helm.Run(t.Context(), values, "template", "blue", chart, "--namespace=delivery", served)
			require.NoError(t, err)
			var kept bytes.Buffer
			for document := range strings.SplitAfterSeq(string(said), "\n---\n") {
				if !strings.Contains(document, "kind: CustomResourceDefinition\n") {
					kept.WriteString(document)
				}
			}
			file := filepath.Join("testdata", filepath.Base(chart)+"-"+name+".golden.yaml")
			if *rewrite {
				require.NoError(t, os.WriteFile(file, kept.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), kept.String(), "run go test ./e2e/charts -rewrite")
		}
	}
}

// TestEveryRoleIsBound: a ClusterRole that is bound to nobody has a value that binds it in namespaces.
func TestEveryRoleIsBound(t *testing.T) {
	bound := map[string]bool{}
	objects := rendered(t, weir, "delivery", everything(t, weir))
	for _, object := range objects {
		name, _, err := unstructured.NestedString(object.Object, "roleRef", "name")
		require.NoError(t, err)
		bound[name] = true
	}
	for _, object := range objects {
		if object.GetKind() == "ClusterRole" {
			assert.True(t, bound[object.GetName()], "%s: give the chart a value such as secretNamespaces", object.GetName())
		}
	}
}
