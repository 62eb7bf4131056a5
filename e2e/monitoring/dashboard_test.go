package monitoring_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

const dashboardFile = tree + "artifacts/grafana/weir.json"

// dashboard is what a test reads of one.
type dashboard struct {
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
}

// queries of the panels as Grafana asks them, with its variables filled in.
func (d *dashboard) queries() []string {
	fill := strings.NewReplacer("$__rate_interval", "1m", "$namespace", "shop", "$name", "app")
	var all []string
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, fill.Replace(target.Expr))
		}
	}
	return all
}

// TestDashboard: Grafana's types know every field of it, and it asks for what the operator registers. Rewrite it with
// `go test ./e2e/monitoring -rewrite`.
func TestDashboard(t *testing.T) {
	same(t, dashboardFile, string(tool(t, "grafana", nil)))
	content, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	tool(t, "grafana", content, "-check")

	d := readDashboard(t)
	ids, rows := map[int]bool{}, 0
	for _, p := range d.Panels {
		assert.False(t, ids[p.ID], "two panels with ID %d", p.ID)
		ids[p.ID] = true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s is beside the screen", p.Title)
		if p.Type == "row" {
			rows++
			continue
		}
		assert.NotEmpty(t, p.Targets, p.Title)
	}
	assert.Equal(t, 3, rows)
	expressions := d.queries()
	for _, e := range expressions {
		assert.NotContains(t, e, "$", "a variable that nobody fills in")
	}
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			found := values.FindStringSubmatch(v.Query)
			require.NotNil(t, found, v.Query)
			expressions = append(expressions, "group by ("+found[2]+") ("+strings.ReplaceAll(found[1], "$namespace", "shop")+")")
		}
	}
	testExpressions(t, expressions)
}

// TestDashboardsAreRefused: the check of the dashboard bites.
func TestDashboardsAreRefused(t *testing.T) {
	content, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	for from, to := range map[string]string{
		`"type": "stat"`: `"type": "stat", "colour": "red"`, `"refresh": "30s"`: `"refresh": 30`,
	} {
		require.Contains(t, string(content), from)
		said, err := command(t, "grafana", []byte(strings.Replace(string(content), from, to, 1)), "-check").CombinedOutput()
		assert.Error(t, err, "%s: %s", to, said)
	}
}

func readDashboard(t *testing.T) *dashboard {
	t.Helper()
	content, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	d := &dashboard{}
	require.NoError(t, yaml.Unmarshal(content, d))
	return d
}
