package monitoring_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/e2e/sandbox"
)

// install applies what a user's overlay with the component makes of the manifests to a real API server, which knows the
// kinds of the Prometheus operator and refuses fields that they do not have.
func install(t *testing.T) *sandbox.APIServer {
	t.Helper()
	kubectl, err := sandbox.Kubectl(t.Context(), t.Output())
	require.NoError(t, err)
	overlay := t.TempDir()
	top, err := filepath.Abs(tree)
	require.NoError(t, err)
	weir, err := filepath.Rel(overlay, top)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - `+weir+`/kustomize/kubernetes
components:
  - `+weir+`/kustomize/prometheus
`), 0o600))
	manifests, err := exec.CommandContext(t.Context(), kubectl, "kustomize", overlay).Output()
	require.NoError(t, err)

	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	definitions, err := sandbox.PrometheusOperatorDefinitions(t.Context())
	require.NoError(t, err)
	shop := []byte("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
	for _, objects := range [][]byte{definitions, manifests, shop} {
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), objects))
	}
	testScraped(t, server)
	return server
}

// testScraped: the PodMonitor and the annotations of the operator's pods lead to its port.
func testScraped(t *testing.T, server *sandbox.APIServer) {
	t.Helper()
	client, err := dynamic.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	in := func(resource schema.GroupVersionResource) *unstructured.Unstructured {
		object, err := client.Resource(resource).Namespace("weir-system").Get(t.Context(), "weir", metav1.GetOptions{})
		require.NoError(t, err)
		return object
	}
	var deployment appsv1.Deployment
	found := in(appsv1.SchemeGroupVersion.WithResource("deployments"))
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, &deployment))
	pods := deployment.Spec.Template
	port := pods.Spec.Containers[0].Ports[0]
	assert.Equal(t, "true", pods.Annotations["prometheus.io/scrape"])
	assert.Equal(t, strconv.Itoa(int(port.ContainerPort)), pods.Annotations["prometheus.io/port"])

	group := schema.GroupVersion{Group: "monitoring.coreos.com", Version: "v1"}
	monitor := in(group.WithResource("podmonitors"))
	selector, _, err := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
	require.NoError(t, err)
	require.NotEmpty(t, selector)
	assert.True(t, labels.SelectorFromSet(selector).Matches(labels.Set(pods.Labels)))
	endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "podMetricsEndpoints")
	require.NoError(t, err)
	assert.Equal(t, []any{map[string]any{"port": port.Name, "honorLabels": true}}, endpoints)
	in(group.WithResource("prometheusrules"))
}
