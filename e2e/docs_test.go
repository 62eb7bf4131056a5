package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/pages"
)

// allPages are those of the docs.
func allPages(t *testing.T) []pages.Page {
	t.Helper()
	all, err := pages.All("..")
	require.NoError(t, err)
	require.Greater(t, len(all), 20)
	return all
}

// TestLinks: a link within the tree leads to a file, and to a heading of it where it names one.
func TestLinks(t *testing.T) {
	headings := map[string]map[string]bool{}
	for _, p := range allPages(t) {
		headings[p.File] = p.Anchors()
	}
	links := 0
	for _, p := range allPages(t) {
		for _, link := range regexp.MustCompile(`(?s)\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`).FindAllStringSubmatch(p.Prose(), -1) {
			to := link[1] + link[2]
			if strings.Contains(to, "://") {
				continue
			}
			links++
			file, anchor, _ := strings.Cut(to, "#")
			target := p.File
			if file != "" {
				target = filepath.Join(filepath.Dir(p.File), file)
			}
			_, err := os.Stat(filepath.Join("..", target))
			assert.NoError(t, err, "%s links to %s", p.File, to)
			if anchor != "" {
				assert.True(t, headings[target][anchor], "%s links to %s, and there is no such heading", p.File, to)
			}
		}
	}
	assert.Greater(t, links, 100)
}

// lacking are groups of kinds whose definitions are somebody else's, and not of this tree.
func lacking() []string {
	return []string{"kustomize.config.k8s.io", "argoproj.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "kuma.io"}
}

// over says how a part of an object is shown in the docs: which object it is laid over, by its first field.
func over(part map[string]any) (base string, within []string) {
	const canary = `{apiVersion: weir.dev/v1beta1, kind: Canary, metadata: {name: shown}, spec: {targetRef: {name: shown},
		service: {port: 80}, analysis: {stepWeights: [10], metrics: [{name: error-rate, templateRef: {name: a}, condition: "true"}]}}}`
	const template = `{apiVersion: weir.dev/v1beta1, kind: MetricTemplate, metadata: {name: shown}}`
	spec, _ := part["spec"].(map[string]any)
	provider, _ := spec["provider"].(map[string]any)
	switch {
	case part["analysis"] != nil:
		return canary, []string{"spec"}
	case part["steps"] != nil:
		return strings.Replace(canary, "stepWeights: [10], ", "", 1), []string{"spec", "analysis"}
	case part["gatewayRefs"] != nil:
		return canary, []string{"spec", "service"}
	case spec["targetRef"] != nil, spec["upstreamRef"] != nil:
		return canary, nil
	case provider["type"] != nil:
		return template, nil
	}
	return "", nil
}

// TestYAML: what people copy from the docs is taken by an API server: objects as they are, and parts of them in their place.
func TestYAML(t *testing.T) {
	s := newReader(t)
	taken := 0
	for _, p := range allPages(t) {
		for _, block := range p.Blocks("yaml") {
			for document := range strings.SplitSeq(block, "\n---\n") {
				if object := s.read(t, p.File, document); object != nil && s.takes(t, p.File, object) {
					taken++
				}
			}
		}
	}
	assert.Greater(t, taken, 20)
}

type reader struct {
	client dynamic.Interface
	mapper meta.RESTMapper
}

// newReader asks an API server that serves Weir's kinds, and those of every router that has any.
func newReader(t *testing.T) reader {
	t.Helper()
	config := apiServer(t)
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	served, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	groups, err := restmapper.GetAPIGroupResources(served)
	require.NoError(t, err)
	return reader{client: client, mapper: restmapper.NewDiscoveryRESTMapper(groups)}
}

// read gives the object that a document is, or is a part of; nil where it is none of Kubernetes'.
func (s reader) read(t *testing.T, file, document string) *unstructured.Unstructured {
	t.Helper()
	if strings.HasPrefix(strings.TrimLeft(document, " \n"), "- name:") { // metrics
		document = "analysis:\n  stepWeights: [10]\n  metrics:\n" + document
	}
	part := map[string]any{}
	if !assert.NoError(t, yaml.UnmarshalStrict([]byte(document), &part), "%s:\n%s", file, document) {
		return nil
	}
	if part["apiVersion"] != nil {
		return &unstructured.Unstructured{Object: part}
	}
	base, within := over(part)
	if base == "" {
		return nil
	}
	object := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(base), &object))
	at := object
	for _, name := range within {
		at = at[name].(map[string]any)
	}
	laid(at, part)
	return &unstructured.Unstructured{Object: object}
}

// laid puts a part over an object. Lists are replaced.
func laid(object, part map[string]any) {
	for name, value := range part {
		inner, isObject := value.(map[string]any)
		have, both := object[name].(map[string]any)
		if isObject && both {
			laid(have, inner)
			continue
		}
		object[name] = value
	}
}

// takes says whether the API server was asked for an object, which it has to take.
func (s reader) takes(t *testing.T, file string, object *unstructured.Unstructured) bool {
	t.Helper()
	kind := object.GroupVersionKind()
	if slices.Contains(lacking(), kind.Group) {
		return false
	}
	mapping, err := s.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if !assert.NoError(t, err, "%s", file) {
		return false
	}
	home := metav1.NamespaceNone
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if home = object.GetNamespace(); home == "" || home == "NAMESPACE" {
			home = metav1.NamespaceDefault
		}
		object.SetNamespace(home)
		s.namespace(t, home)
	}
	_, err = s.client.Resource(mapping.Resource).Namespace(home).Create(t.Context(), object,
		metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll}})
	text, _ := yaml.Marshal(object.Object)
	assert.NoError(t, err, "%s:\n%s", file, text)
	return true
}

func (s reader) namespace(t *testing.T, name string) {
	t.Helper()
	made := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name},
	}}
	mapping, err := s.mapper.RESTMapping(made.GroupVersionKind().GroupKind(), "v1")
	require.NoError(t, err)
	_, err = s.client.Resource(mapping.Resource).Create(t.Context(), made, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
}
