// Package monitoring_test holds what people watch Weir by to what the operator tells: the table of metrics in
// docs/observability.md, the dashboard, the alerts, and the manifests by which a Prometheus finds it.
package monitoring_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/controller"
)

// tree is the top of the tree, from the folder that go test runs in.
const tree = "../../"

// metric is one that the operator registers.
type metric struct {
	kind   string
	labels []string
}

// recorder keeps what is registered.
type recorder struct{ all []prometheus.Collector }

func (r *recorder) Register(c prometheus.Collector) error {
	r.all = append(r.all, c)
	return nil
}

func (r *recorder) MustRegister(all ...prometheus.Collector) { r.all = append(r.all, all...) }

func (r *recorder) Unregister(prometheus.Collector) bool { return false }

// registered are Weir's own metrics, by their names.
func registered(t *testing.T) map[string]metric {
	t.Helper()
	r := &recorder{}
	controller.NewMetrics(r)
	controller.CountRequests(r)
	described := regexp.MustCompile(`fqName: "(\w+)".* variableLabels: \{([^}]*)\}`)
	all := map[string]metric{}
	for _, c := range r.all {
		descriptions := make(chan *prometheus.Desc, 32)
		c.Describe(descriptions)
		close(descriptions)
		for d := range descriptions {
			found := described.FindStringSubmatch(d.String())
			require.NotNil(t, found, d)
			m := metric{kind: kindOf(c)}
			if found[2] != "" {
				m.labels = strings.Split(found[2], ",")
			}
			all[found[1]] = m
		}
	}
	require.Greater(t, len(all), 20)
	return all
}

func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.HistogramVec:
		return "histogram"
	}
	return "gauge"
}

// series are the names that a Prometheus has of what the operator registers, with the labels that they may have. Every
// one has those of the place that it was scraped at.
func series(t *testing.T) map[string][]string {
	t.Helper()
	place := []string{"job", "instance", "namespace", "pod"}
	all := map[string][]string{}
	for name, m := range registered(t) {
		labels := slices.Concat(m.labels, place)
		if m.kind != "histogram" {
			all[name] = labels
			continue
		}
		all[name+"_bucket"] = append(slices.Clone(labels), "le")
		all[name+"_count"], all[name+"_sum"] = labels, labels
	}
	runtime := prometheus.NewRegistry() // as cmd/weir has it
	runtime.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := runtime.Gather()
	require.NoError(t, err)
	for _, f := range families {
		all[f.GetName()] = place
	}
	return all
}

// TestTable: the docs have every metric that the operator registers, and no other.
func TestTable(t *testing.T) {
	content, err := os.ReadFile(tree + "docs/observability.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `(weir_\\w+)` \\| (\\w+) \\| ([^|]*) \\| ")
	label := regexp.MustCompile("`(\\w+)`")
	told := map[string]metric{}
	for _, found := range row.FindAllStringSubmatch(string(content), -1) {
		m := metric{kind: found[2]}
		for _, l := range label.FindAllStringSubmatch(found[3], -1) {
			m.labels = append(m.labels, l[1])
		}
		assert.NotContains(t, told, found[1], "two rows")
		told[found[1]] = m
	}
	assert.Equal(t, registered(t), told)
}
