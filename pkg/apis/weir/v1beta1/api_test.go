package v1beta1_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestAPI asks a real API server what it makes of Weir's kinds. One server serves all of it.
func TestAPI(t *testing.T) {
	c := start(t)
	canary, template := c.kind("Canary", canaryBase), c.kind("MetricTemplate", templateBase)
	clusterTemplate := c.kind("ClusterMetricTemplate", clusterTemplateBase)
	t.Run("Canary", func(t *testing.T) { testRules(t, canary, canaryRules()) })
	own, all := c.kind("AlertProvider", alertProviderBase), c.kind("ClusterAlertProvider", clusterAlertProviderBase)
	t.Run("AlertProvider", func(t *testing.T) {
		testRules(t, own, append(alertProviderRules("{name: a}"), secretRules()...))
	})
	t.Run("ClusterAlertProvider", func(t *testing.T) {
		testRules(t, all, append(alertProviderRules("{name: a, namespace: b}"), clusterSecretRules()...))
	})
	t.Run("MetricTemplate", func(t *testing.T) { testRules(t, template, templateRules(v1beta1.KindMetricTemplate)) })
	t.Run("ClusterMetricTemplate", func(t *testing.T) {
		testRules(t, clusterTemplate, templateRules(v1beta1.KindClusterMetricTemplate))
	})
	t.Run("CanaryProfile", func(t *testing.T) { testRules(t, c.kind("CanaryProfile", profileBase), profileRules()) })
	t.Run("Defaults", func(t *testing.T) { testDefaults(t, c) })
	t.Run("Status", func(t *testing.T) { testStatus(t, c) })
	t.Run("Columns", func(t *testing.T) { testColumns(t, c) })
	t.Run("Names", func(t *testing.T) { testNames(t, c) })
	t.Run("Stored", func(t *testing.T) { testStored(t, c) })
}

// cluster is an API server that serves Weir's kinds and nothing else of its own.
type cluster struct {
	config  *rest.Config
	dynamic dynamic.Interface
	crds    map[string]*apiextensionsv1.CustomResourceDefinition
}

func start(t *testing.T) *cluster {
	t.Helper()
	crds := readCRDs(t)
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	c := &cluster{config: server.RESTConfig(), crds: crds}
	require.NoError(t, sandbox.Apply(t.Context(), c.config, bytes.Join(crdFiles(t), []byte("\n---\n"))))
	c.dynamic, err = dynamic.NewForConfig(c.config)
	require.NoError(t, err)
	return c
}

// crdFiles are the generated CRDs, as they are installed.
func crdFiles(t *testing.T) [][]byte {
	t.Helper()
	names, err := filepath.Glob("../../../../artifacts/crds/weir.dev_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	var files [][]byte
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, content)
	}
	return files
}

func readCRDs(t *testing.T) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	crds := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, content := range crdFiles(t) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		require.NoError(t, yaml.UnmarshalStrict(content, crd))
		require.Len(t, crd.Spec.Versions, 1)
		crds[crd.Spec.Names.Kind] = crd
	}
	return crds
}

// kind is one of Weir's kinds, with a valid object of it.
type kind struct {
	client dynamic.ResourceInterface
	schema *apiextensionsv1.JSONSchemaProps
	base   string
}

func (c *cluster) kind(name, base string) kind {
	crd := c.crds[name]
	resource := v1beta1.SchemeGroupVersion.WithResource(crd.Spec.Names.Plural)
	k := kind{client: c.dynamic.Resource(resource), schema: crd.Spec.Versions[0].Schema.OpenAPIV3Schema, base: base}
	if crd.Spec.Scope == apiextensionsv1.NamespaceScoped {
		k.client = c.dynamic.Resource(resource).Namespace(metav1.NamespaceDefault)
	}
	return k
}

// with is the base with patches laid over it, one after the other.
func (k kind) with(t *testing.T, patches ...string) *unstructured.Unstructured {
	t.Helper()
	object := fromYAML(t, k.base)
	for _, patch := range patches {
		lay(object, fromYAML(t, patch))
	}
	return &unstructured.Unstructured{Object: object}
}

func fromYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &object), text)
	return object
}

// lay lays a patch over an object: a map goes into a map, null takes a field away, and everything else
// replaces what is there.
func lay(object, patch map[string]any) {
	for field, value := range patch {
		inner, isMap := value.(map[string]any)
		below, wasMap := object[field].(map[string]any)
		switch {
		case value == nil:
			delete(object, field)
		case isMap && wasMap:
			lay(below, inner)
		default:
			object[field] = value
		}
	}
}
