package builtin_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/prometheus"
)

// TestQueries has a real Prometheus scrape what Gateways and applications export, in their spelling, and
// asks it for the built-in metrics. The worlds share that Prometheus, each in a namespace of its own.
func TestQueries(t *testing.T) {
	all := worlds()
	address, targets := scrape(t, all)
	p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: address}})
	require.NoError(t, err)
	metricstest.Await(t, "three scrapes of every target", func() bool {
		samples, err := p.Query(t.Context(), metrics.Query{Expr: "count(count_over_time(up[1m]) >= 3 and up == 1)"})
		return err == nil && samples[0].Value == float64(targets)
	})
	for name, w := range all {
		t.Run(name, func(t *testing.T) {
			for metric, want := range map[string]float64{
				v1beta1.RequestSuccessRate: w.success, v1beta1.RequestDuration: w.millis,
			} {
				expr, err := builtin.Query(metric, canary(namespaceOf(name)))
				require.NoError(t, err)
				samples, err := p.Query(t.Context(), metrics.Query{Expr: expr})
				if want == nothing {
					require.ErrorIs(t, err, metrics.NoData, "%s %v", metric, samples)
					continue
				}
				require.NoError(t, err, metric)
				require.Len(t, samples, 1, metric)
				assert.Equal(t, "{}", samples[0].Series, metric)
				assert.InDelta(t, want, samples[0].Value, 1e-6, metric)
			}
		})
	}
}

// TestNamesTooLongToTellPodsApart: the Gateway can still be asked.
func TestNamesTooLongToTellPodsApart(t *testing.T) {
	v := canary("team")
	v.ReplicaSet = strings.Repeat("a", 60) + "-" + v.Hash
	expr, err := builtin.Query(v1beta1.RequestSuccessRate, v)
	require.NoError(t, err)
	require.Contains(t, expr, "istio_requests_total")
	require.NotContains(t, expr, "pod=~")
}

func TestUnknownMetric(t *testing.T) {
	_, err := builtin.Query("error-rate", canary("team"))
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "error-rate is not built in")
}

func canary(namespace string) metrics.Vars {
	return metrics.Vars{
		Namespace: namespace, Service: "shop", Revision: "canary",
		Hash: "5d89c7b6f4", ReplicaSet: "shop-5d89c7b6f4", Interval: time.Minute,
	}
}

func namespaceOf(world string) string { return strings.ReplaceAll(world, " ", "-") }

// scrape starts a Prometheus on the targets of all worlds, and says how many they are.
func scrape(t *testing.T, all map[string]world) (address string, targets int) {
	exporters := http.NewServeMux()
	server := httptest.NewServer(exporters)
	t.Cleanup(server.Close)
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, target := range all[name].targets {
			targets++
			path := fmt.Sprintf("/%d", targets)
			exporters.Handle(path, target.exporter(namespaceOf(name)))
			fmt.Fprintf(&config, "- job_name: t%d\n  metrics_path: %s\n", targets, path)
			fmt.Fprintf(&config, "  static_configs:\n  - targets: [%q]\n", server.Listener.Addr())
			fmt.Fprintf(&config, "    labels: {namespace: %q", namespaceOf(name))
			for k, v := range target.labels {
				fmt.Fprintf(&config, ", %s: %q", k, v)
			}
			config.WriteString("}\n")
		}
	}
	return metricstest.StartPrometheus(t, config.String()), targets
}

// exporter serves the series of a target. At each scrape they have grown by what is written, so that all
// rates have the ratios of the numbers that are written.
func (g target) exporter(namespace string) http.Handler {
	var scrapes atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		if g.still {
			n = 1
		}
		for line := range strings.Lines(strings.ReplaceAll(g.series, "NS", namespace)) {
			line = strings.TrimSpace(line)
			space := strings.LastIndex(line, " ")
			if space < 0 {
				continue
			}
			step, err := strconv.ParseInt(line[space+1:], 10, 64)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "%s %d\n", line[:space], step*n)
		}
	})
}
