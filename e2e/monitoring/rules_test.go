package monitoring_test

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/metrics/metricstest"
)

const rules = tree + "artifacts/prometheus/rules.yaml"

// ruleFile is what a file of rules holds.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

// TestRules runs the unit tests of the alerts.
func TestRules(t *testing.T) {
	metricstest.InstallPrometheus(t)
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", "testdata/rules_test.yaml"}} {
		said, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
		assert.NoError(t, err, "%s", said)
	}
}

// TestAlerts: each is about what the operator registers, says how grave it is, what it means and where to read on, and is
// seen firing and not firing.
func TestAlerts(t *testing.T) {
	var file ruleFile
	read(t, rules, &file)
	headings := headingsOf(t, tree+"docs/observability.md")
	seen := seenAlerts(t)
	var expressions []string
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			expressions = append(expressions, r.Expr)
			assert.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], r.Alert)
			assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
			assert.NotEmpty(t, r.Annotations["description"], r.Alert)
			assert.Equal(t, "docs/observability.md#"+strings.ToLower(r.Alert), r.Annotations["runbook_url"], r.Alert)
			severity, ok := headings[r.Alert]
			assert.True(t, ok, "%s has no section in the docs", r.Alert)
			assert.Equal(t, strings.ToLower(severity), r.Labels["severity"], "%s in the docs", r.Alert)
			delete(headings, r.Alert)
			assert.Equal(t, map[bool]bool{true: true, false: true}, seen[r.Alert], "%s firing, and not", r.Alert)
		}
	}
	for name := range headings {
		assert.NotRegexp(t, "^Weir[A-Z]", name, "a section about no alert")
	}
	testExpressions(t, expressions)
}

// headingsOf has the headings of a page, each with the first word below it.
func headingsOf(t *testing.T, page string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(page)
	require.NoError(t, err)
	all := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^#+ (.*)\n\n(\w*)`).FindAllStringSubmatch(string(content), -1) {
		all[found[1]] = found[2]
	}
	return all
}

// seenAlerts says of each alert whether a unit test has it fire, and whether one has it not.
func seenAlerts(t *testing.T) map[string]map[bool]bool {
	t.Helper()
	var file struct {
		Tests []struct {
			AlertRuleTest []struct {
				Alertname string
				ExpAlerts []any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	read(t, "testdata/rules_test.yaml", &file)
	seen := map[string]map[bool]bool{}
	for _, test := range file.Tests {
		for _, one := range test.AlertRuleTest {
			if seen[one.Alertname] == nil {
				seen[one.Alertname] = map[bool]bool{}
			}
			seen[one.Alertname][len(one.ExpAlerts) > 0] = true
		}
	}
	return seen
}

var rewrite = flag.Bool("rewrite", false, "write anew what comes of other files")

// TestPrometheusRule: the Prometheus operator is told the same alerts. Rewrite its file with
// `go test ./e2e/monitoring -rewrite`.
func TestPrometheusRule(t *testing.T) {
	content, err := os.ReadFile(rules)
	require.NoError(t, err)
	_, groups, ok := strings.Cut(string(content), "\ngroups:\n")
	require.True(t, ok)
	object := `# The alerts of artifacts/prometheus/rules.yaml, written by go test ./e2e/monitoring -rewrite.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: weir
  namespace: weir-system
  labels:
    app.kubernetes.io/name: weir
    app.kubernetes.io/part-of: weir
spec:
  groups:
`
	for line := range strings.Lines(groups) {
		object += "  " + line
	}
	same(t, tree+"kustomize/prometheus/rules.yaml", object)
}

// same: a file has that content, or is given it.
func same(t *testing.T, file, content string) {
	t.Helper()
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
		return
	}
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, content, string(now), "%s is out of date; run go test ./e2e/monitoring -rewrite", file)
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, into))
}
