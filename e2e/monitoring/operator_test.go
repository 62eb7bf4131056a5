package monitoring_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// TestOperator asks the real operator, of which one replica leads and one waits, by a real Prometheus that has the alerts.
func TestOperator(t *testing.T) {
	server := install(t)
	weir, err := versioned.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	canaries := weir.WeirV1beta1().Canaries("shop")
	for _, name := range []string{"app", "two", "three"} {
		canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: name}}
		canary.Spec.TargetRef.Name, canary.Spec.Service.Port = name, 80
		_, err := canaries.Create(t.Context(), canary, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	program := filepath.Join(t.TempDir(), "weir")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, tree+"cmd/weir")
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	leads := operate(t, program, server.Kubeconfig)
	metricstest.Await(t, "the first replica to lead", func() bool { return len(scrape(t, leads)["weir_canary_info"].GetMetric()) == 3 })
	waits := operate(t, program, server.Kubeconfig)
	metricstest.Await(t, "the second replica", func() bool { return len(scrape(t, waits)) > 0 })

	t.Run("series", func(t *testing.T) {
		testSeries(t, scrape(t, leads), "app", "two", "three")
		testSeries(t, scrape(t, waits))
		require.NoError(t, canaries.Delete(t.Context(), "two", metav1.DeleteOptions{}))
		metricstest.Await(t, "the series of a deleted Canary to be gone", func() bool {
			return len(scrape(t, leads)["weir_canary_info"].GetMetric()) == 2
		})
		testSeries(t, scrape(t, leads), "app", "three")
	})
	t.Run("queries", func(t *testing.T) { testQueries(t, leads, waits) })
}

// testSeries: a replica tells nothing that is not registered, and of each Canary as much as the docs say of one at rest.
func testSeries(t *testing.T, families map[string]*dto.MetricFamily, names ...string) {
	t.Helper()
	known := registered(t)
	of := map[string]int{}
	for name, family := range families {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		if !assert.Contains(t, known, name) {
			continue
		}
		assert.Equal(t, known[name].kind, strings.ToLower(family.GetType().String()), name)
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
				if l.GetName() == "name" {
					of[l.GetValue()]++
				}
			}
			assert.ElementsMatch(t, known[name].labels, labels, name)
			if name == "weir_canary_stalled" {
				of["stalled"]++
			}
		}
	}
	all := 0
	for _, name := range names {
		assert.Positive(t, of[name], name)
		all += of[name]
		delete(of, name)
	}
	assert.Equal(t, 3*len(names)+of["stalled"], all)
	delete(of, "stalled")
	assert.Empty(t, of, "series of other Canaries")
	leading := families["weir_leading"].GetMetric()
	require.Len(t, leading, 1)
	assert.Equal(t, len(names) > 0, leading[0].GetGauge().GetValue() == 1)
}

// testQueries: a Prometheus that is set up as the docs say answers what the dashboard asks, and evaluates every alert.
func testQueries(t *testing.T, replicas ...string) {
	file, err := filepath.Abs(rules)
	require.NoError(t, err)
	config := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n", file) +
		"scrape_configs:\n  - job_name: weir\n    honor_labels: true\n    static_configs:\n"
	for i, r := range replicas {
		config += fmt.Sprintf("      - {targets: [%q], labels: {namespace: weir-system, pod: weir-%d}}\n", r, i)
	}
	prometheus := metricstest.StartPrometheus(t, config)
	metricstest.Await(t, "three scrapes of both replicas", func() bool {
		return len(ask(t, prometheus, "count_over_time(up[1m]) >= 3 and up == 1")) == len(replicas)
	})
	for query, want := range map[string]float64{
		`count(weir_canary_info{namespace="shop"})`: 2, `sum(weir_leading{namespace="weir-system"})`: 1,
		`count(process_resident_memory_bytes and on (job, instance) weir_leading)`: 2,
	} {
		got := ask(t, prometheus, query)
		if assert.Len(t, got, 1, query) {
			assert.InDelta(t, want, float64(got[0].Value), 0, query)
		}
	}
	for _, query := range readDashboard(t).queries() {
		ask(t, prometheus, query)
	}
	metricstest.Await(t, "every alert to be evaluated", func() bool { return evaluated(t, prometheus) })
}

// evaluated tells whether every alert was, and without trouble.
func evaluated(t *testing.T, prometheus string) bool {
	t.Helper()
	var all struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	get(t, prometheus+"/api/v1/rules", &all)
	done := 0
	for _, g := range all.Groups {
		for _, r := range g.Rules {
			require.NotEqual(t, "err", r.Health, "%s: %s", r.Name, r.LastError)
			if r.Health == "ok" {
				done++
			}
		}
	}
	var file ruleFile
	read(t, rules, &file)
	return done == len(file.Groups[0].Rules)+len(file.Groups[1].Rules)
}

func ask(t *testing.T, prometheus, query string) model.Vector {
	t.Helper()
	var answer struct{ Result model.Vector }
	get(t, prometheus+"/api/v1/query?query="+url.QueryEscape(query), &answer)
	return answer.Result
}

func get(t *testing.T, address string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	require.Equal(t, "success", answer.Status, "%s: %s", address, answer.Error)
}

// operate starts a replica of the operator, until the test is over, and gives its address. What it logs is JSON.
func operate(t *testing.T, program, kubeconfig string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	process := exec.CommandContext(t.Context(), program, "--kubeconfig="+kubeconfig, "--port="+port, "--mesh-provider=kubernetes",
		"--enable-leader-election", "--leader-election-namespace=weir-system")
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := process.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Level, Msg string }
			if assert.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text()) {
				assert.True(t, slices.Contains([]string{"INFO", "WARN", "ERROR"}, line.Level) && line.Msg != "", lines.Text())
			}
		}
		_ = process.Wait() // it is killed in the end
	}()
	t.Cleanup(func() { <-ended })
	return address
}

// scrape is what a replica tells at the moment; nothing while it does not answer.
func scrape(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	require.NoError(t, err)
	return families
}
