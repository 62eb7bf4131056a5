package loadtest_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// blocks are those of YAML in the documentation.
func blocks(t *testing.T) (all []string) {
	t.Helper()
	documented, err := os.ReadFile("../../docs/loadtester.md")
	require.NoError(t, err)
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(documented), -1) {
		all = append(all, found[1])
	}
	return all
}

// overlays of the documentation.
func overlays(t *testing.T) (all []string) {
	t.Helper()
	for _, block := range blocks(t) {
		if strings.Contains(block, "kind: Kustomization") {
			all = append(all, block)
		}
	}
	require.Len(t, all, 2)
	return all
}

// webhooks are those of the documentation and of the example.
func webhooks(t *testing.T) (all []v1beta1.CanaryWebhook) {
	t.Helper()
	for _, block := range blocks(t) {
		if strings.Contains(block, "kind: Kustomization") {
			continue
		}
		var spec struct {
			Analysis v1beta1.CanaryAnalysis `json:"analysis"`
		}
		require.NoError(t, yaml.UnmarshalStrict([]byte(block), &spec), block)
		all = append(all, spec.Analysis.Webhooks...)
	}
	example, err := os.ReadFile("../../artifacts/examples/canary-loadtest.yaml")
	require.NoError(t, err)
	_, last, _ := strings.Cut(string(example), "---\napiVersion: weir.dev")
	var canary v1beta1.Canary
	require.NoError(t, yaml.UnmarshalStrict([]byte("apiVersion: weir.dev"+last), &canary))
	return append(all, canary.Spec.Analysis.Webhooks...)
}

// TestDocumentedWebhooks: each is one that Canaries can have, and that the load tester does not refuse.
func TestDocumentedWebhooks(t *testing.T) {
	o := options()
	o.Commands, o.Limits.Duration = []string{"helm test", "k6 run"}, time.Hour
	d := open(t, o)
	d.server.Stop() // so that what is not refused is not begun either
	all := webhooks(t)
	assert.Len(t, all, 15)
	for _, hook := range all {
		path, ok := strings.CutPrefix(hook.URL, "http://weir-loadtester.test")
		require.True(t, ok, hook.URL)
		if path != "/" {
			assert.Regexp(t, "^/(gate|rollback)/check$", path)
			continue
		}
		assert.Equal(t, "the load tester is stopping", d.post("/", hook.Metadata).Message, hook.Name)
	}
}

// TestOverlays: what they make has the image and the flags that they name.
func TestOverlays(t *testing.T) {
	for i, overlay := range overlays(t) {
		manifests := string(built(t, overlay))
		assert.Contains(t, manifests, "image: registry.example/team/weir-loadtester:dev")
		assert.NotContains(t, manifests, "namespace: default")
		trusting := i == 1
		assert.Equal(t, trusting, strings.Contains(manifests, "--trust-network"))
		assert.Equal(t, trusting, strings.Contains(manifests, "kind: NetworkPolicy"), "the flag never comes without the policy")
	}
}
