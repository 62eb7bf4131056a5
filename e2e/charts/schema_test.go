package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/charts"
)

// TestValues has values that are taken and values that are refused, with the words of the refusal.
func TestValues(t *testing.T) {
	helm := open(t)
	for _, c := range []struct{ chart, values, refused string }{
		{weir, "{enabled: true, global: {team: delivery}}", ""}, // as a chart that has this one in it gives them
		{weir, "{meshProvider: 'smi:v1alpha4', workers: null, refusedAddresses: [], port: 8443}", ""},
		{weir, "{eventWebhook: 'http://events/', slackUrl: {secretKeyRef: {name: alerts, key: url}}}", ""},
		{weir, "podSecurityContext: {runAsUser: null}", ""},
		{weir, "metricServer: http://prometheus", "additional properties 'metricServer' not allowed"},
		{weir, "image: {name: weir}", "at '/image': additional properties 'name' not allowed"},
		{weir, "crds: {keep: false}", "at '/crds': additional properties 'keep' not allowed"},
		{weir, "podDisruptionBudget: {enabled: true}", "at '/podDisruptionBudget': additional properties 'enabled' not allowed"},
		{weir, "replicas: two", "at '/replicas': got string, want integer"},
		{weir, "noCrossNamespaceRefs: 'yes'", "at '/noCrossNamespaceRefs': got string, want null or boolean"},
		{weir, "refusedAddresses: 10.0.0.0/8", "at '/refusedAddresses': got string, want null or array"},
		{weir, "refusedAddresses: ['10.0.0.0/8,fd00::/8']", "at '/refusedAddresses/0': "},
		{weir, "workers: 0", "at '/workers': minimum: got 0, want 1"},
		{weir, "meshProvider: envoy", "at '/meshProvider': 'envoy' does not match"},
		{weir, "additionalMeshProviders: [dashboard]", "at '/additionalMeshProviders/0': 'dashboard' does not match"},
		{weir, "logLevel: loud", "at '/logLevel': value must be one of 'debug', 'info'"},
		{weir, "slackUrl: https://hooks.example/very-secret", "at '/slackUrl': got string, want null or object"},
		{weir, "slackToken: {secretKeyRef: {name: alerts}}", "at '/slackToken/secretKeyRef': missing property 'key'"},
		{weir, "podAnnotations: {prometheus.io/scrape: false}", "got boolean, want string"},
		{weir, "dashboardAddress: localhost", "at '/dashboardAddress': 'localhost' does not match"},
		{weir, "dashboardCommands: true", "dashboardCommands and dashboardAnonymousRead go with dashboard: set dashboard to true"},
		{loadtester, "{namespaces: [shop, test], maxRate: 0.5, taskTimeout: 1h30m}", ""},
		{loadtester, "namespaces: shop", "at '/namespaces': got string, want null or array"},
		{loadtester, "taskTimeout: an hour", "at '/taskTimeout': 'an hour' does not match"},
		{loadtester, "maxRate: 0", "at '/maxRate': exclusiveMinimum: got 0, want 0"},
		{loadtester, "meshProvider: istio", "additional properties 'meshProvider' not allowed"},
		{loadtester, "operator: {podLabels: {}}", ""}, // those of the chart are still there
		{loadtester, "operator: {podLabels: {app.kubernetes.io/name: null}}", "at '/operator/podLabels': minProperties"},
	} {
		_, err := helm.Run(t.Context(), c.values, "template", filepath.Base(c.chart), c.chart)
		if c.refused == "" {
			assert.NoError(t, err, c.values)
			continue
		}
		require.ErrorContains(t, err, c.refused, c.values)
		assert.NotContains(t, err.Error(), "very-secret")
	}
}

// TestGuide: the values that the guide has people write are taken.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(guide), "```yaml\n# mine.yaml\n")
	require.True(t, found)
	values, _, _ := strings.Cut(after, "```")
	objects := rendered(t, weir, "weir-system", values)
	pod, err := charts.Pod(objects)
	require.NoError(t, err)
	container := pod.Spec.Containers[0]
	assert.Equal(t, "registry.example/team/weir:dev", container.Image)
	assert.Contains(t, container.Args, "--metrics-server=http://prometheus.monitoring:9090")
	assert.Equal(t, "WEIR_SLACK_URL", container.Env[0].Name)
}
