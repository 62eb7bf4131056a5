package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

const prometheusPort = 9090

// monitoring is Prometheus and what tells it which pods to scrape. Debian builds
// Prometheus without Kubernetes discovery, so a program of ours lists the pods
// into a file.
type monitoring struct {
	ground  *ground
	kitchen *kitchen
	creds   *credentials
}

func (m *monitoring) dir() string     { return filepath.Join(m.ground.dir, "prometheus") }
func (m *monitoring) targets() string { return filepath.Join(m.dir(), "pods.json") }
func (m *monitoring) url() string     { return url("http", m.ground.nodeIP(), prometheusPort) }

func targetsProgram() recipe { return own("targets", "weir.dev/weir/e2e/sandbox/cmd/targets") }

func (m *monitoring) configure() error {
	if err := os.MkdirAll(m.dir(), 0o755); err != nil {
		return fmt.Errorf("configuring Prometheus: %w", err)
	}
	config := fmt.Sprintf(`global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
scrape_configs:
- job_name: pods
  file_sd_configs:
  - files: [%q]
    refresh_interval: 5s
- job_name: traefik
  static_configs:
  - targets: [%q]
`, m.targets(), fmt.Sprintf("%s:%d", m.ground.nodeIP(), edgeAdminPort))
	if err := os.WriteFile(filepath.Join(m.dir(), "prometheus.yml"), []byte(config), 0o644); err != nil {
		return fmt.Errorf("configuring Prometheus: %w", err)
	}
	return nil
}

func (m *monitoring) discovery() component {
	return component{
		name: "targets", program: m.kitchen.path(targetsProgram()),
		args: []string{"-kubeconfig", m.creds.kubeconfig("admin"), "-file", m.targets()},
		ready: func(context.Context) error {
			if _, err := os.Stat(m.targets()); err != nil {
				return fmt.Errorf("looking for the list of pods: %w", err)
			}
			return nil
		},
	}
}

func (m *monitoring) prometheus() component {
	return component{
		name: "prometheus", program: "prometheus",
		args: []string{
			"--config.file=" + filepath.Join(m.dir(), "prometheus.yml"),
			"--storage.tsdb.path=" + filepath.Join(m.dir(), "data"),
			"--storage.tsdb.retention.time=2h",
			fmt.Sprintf("--web.listen-address=%s:%d", m.ground.nodeIP(), prometheusPort),
			"--log.level=warn",
		},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, m.url()+"/-/ready")
		},
	}
}

// PrometheusOperatorDefinitions are the CRDs of what tells a Prometheus what to scrape and when to alert. The Prometheus
// operator itself is no part of a sandbox.
func PrometheusOperatorDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	const module = "github.com/prometheus-operator/prometheus-operator"
	from := filepath.Join(tree, "e2e/tools/prometheus-operator")
	return readDefinitions(ctx,
		definition{from, module, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"},
		definition{from, module, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"})
}
