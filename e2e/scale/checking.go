package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/informers/externalversions"
)

// checkEvery is the interval of the checks.
const checkEvery = 10 * time.Second

// templates are three metrics: one that each Canary asks for itself, one that is the same for all in a namespace, and one
// that is the same for all.
func templates() map[string]string {
	return map[string]string{
		"own":       `count(up{job="{{ namespace }}/{{ name }}"} or vector(1))`,
		"namespace": `count(up{job="{{ namespace }}"} or vector(1))`,
		"everybody": `count(up)`,
	}
}

// realPrometheus starts one that scrapes itself.
func (s *stand) realPrometheus(ctx context.Context) (end func(), err error) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, fmt.Errorf("this needs a Prometheus; install the package prometheus: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	config := filepath.Join(s.scratch, "prometheus.yml")
	text := fmt.Sprintf("scrape_configs:\n- job_name: self\n  scrape_interval: 5s\n  static_configs: [{targets: [%q]}]\n", address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing Prometheus' configuration: %w", err)
	}
	process := exec.CommandContext(ctx, binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(s.scratch, "tsdb"),
		"--web.listen-address="+address)
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("starting Prometheus: %w", err)
	}
	s.prometheusURL = "http://" + address
	return func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	}, nil
}

// makeTemplates gives each namespace its templates.
func (f *fleet) makeTemplates(ctx context.Context) error {
	var namespaces []string
	for i := range f.size {
		namespaces = append(namespaces, f.app(i).Namespace)
	}
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(namespaces))) {
		for name, query := range templates() {
			t := &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
			t.Spec.Query = query
			t.Spec.Provider = v1beta1.MetricProvider{Type: "prometheus", Address: f.prometheusURL}
			if _, err := f.weir.WeirV1beta1().MetricTemplates(namespace).Create(ctx, t, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("making MetricTemplate %s/%s: %w", namespace, name, err)
			}
		}
	}
	return nil
}

// judged has a Canary judge a release at its only step for as long as it is measured.
func judged(spec *v1beta1.CanarySpec) {
	least := 0.5
	spec.Analysis = v1beta1.CanaryAnalysis{
		Interval: checkEvery.String(), Steps: []v1beta1.CanaryStep{{Weight: new(int32(50)), Pause: &v1beta1.StepPause{}}},
		Guard: &v1beta1.Guard{Disabled: true},
	}
	for name := range templates() {
		spec.Analysis.Metrics = append(spec.Analysis.Metrics, v1beta1.CanaryMetric{
			Name: name, TemplateRef: &v1beta1.TemplateRef{Name: name}, ThresholdRange: &v1beta1.ThresholdRange{Min: &least},
		})
	}
}

// punctuality is how late rounds are judged, by when the one before was.
type punctuality struct {
	mu   sync.Mutex
	last map[string]v1beta1.StepStatus
	late []time.Duration
	on   bool
}

func (p *punctuality) see(c *v1beta1.Canary) {
	step := c.Status.Step
	if step == nil || step.JudgedAt == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.last[string(c.UID)]
	if known && step.Round == before.Round+1 && p.on {
		p.late = append(p.late, step.JudgedAt.Sub(before.JudgedAt.Time)-checkEvery)
	}
	p.last[string(c.UID)] = *step
}

// checkingReport is what checking costs.
type checkingReport struct {
	Seconds float64 `json:"seconds"`
	Rounds  int     `json:"rounds"`
	// Queries that Prometheus was asked, and those that others had asked: before, or at the same time.
	Queries uint64 `json:"queries"`
	Shared  uint64 `json:"shared"`
	// LateMillis of rounds: the median, the 99th percentile and the latest.
	LateMillis [3]float64 `json:"lateMillis"`
	CPUSeconds float64    `json:"cpuSeconds"`
	Resident   float64    `json:"residentMiB"`
}

// checking releases all applications at once, and measures while all of them are judged.
func (m *measurement) checking(ctx context.Context, long time.Duration) error {
	p := &punctuality{last: map[string]v1beta1.StepStatus{}}
	factory := externalversions.NewSharedInformerFactory(m.weir, 0)
	_, err := factory.Weir().V1beta1().Canaries().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(_, now any) {
			if c, ok := now.(*v1beta1.Canary); ok {
				p.see(c)
			}
		},
	})
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	factory.StartWithContext(watching)
	m.say("releasing all of them")
	err = m.fleet.each(ctx, m.fleet.everyone(), func(ctx context.Context, i int) error { return m.fleet.release(ctx, i, "app:2") })
	if err != nil {
		return err
	}
	err = m.fleet.await(ctx, "canaries judged", func() (int, error) {
		list, err := m.weir.WeirV1beta1().Canaries("").List(ctx, m.fleet.mine())
		if err != nil {
			return 0, errors.Join(err, m.crew.tend(ctx))
		}
		return count(list.Items, func(c v1beta1.Canary) bool { return c.Status.Step != nil && c.Status.Step.Round > 0 }), nil
	})
	if err != nil {
		return err
	}
	m.say("measuring for %s", long)
	before, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.on = true
	p.mu.Unlock()
	if err := sleep(ctx, long); err != nil {
		return err
	}
	after, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	m.report.Checking = p.report(before, after)
	return nil
}

func (p *punctuality) report(before, after usage) *checkingReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.late)
	at := func(share float64) float64 {
		if len(p.late) == 0 {
			return 0
		}
		return float64(p.late[min(len(p.late)-1, int(share*float64(len(p.late))))].Microseconds()) / 1000
	}
	return &checkingReport{
		Seconds: after.at.Sub(before.at).Seconds(), Rounds: len(p.late),
		Queries: grown(before.queries, after.queries), Shared: grown(before.shared, after.shared),
		LateMillis: [3]float64{at(0.5), at(0.99), at(1)}, CPUSeconds: grown(before.cpu, after.cpu),
		Resident: mebibytes(uint64(after.resident)), //nolint:gosec // a size
	}
}

func (r *report) printChecking(out io.Writer) error {
	c := r.Checking
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d Canaries in a run, each with three metrics every %s, and one real Prometheus; %d cores, %.0f GiB, %s\n\n",
		r.Canaries, checkEvery, r.Machine.Cores, r.Machine.MemoryGiB, r.Machine.Go)
	all := float64(c.Queries + c.Shared)
	fmt.Fprintf(w, "  measured for\t%.0f s, %d rounds\n", c.Seconds, c.Rounds)
	fmt.Fprintf(w, "  questions\t%.0f a second\n", all/c.Seconds)
	fmt.Fprintf(w, "  queries to Prometheus\t%.0f a second\n", float64(c.Queries)/c.Seconds)
	fmt.Fprintf(w, "  shared with others\t%.0f %%\n", 100*float64(c.Shared)/all)
	fmt.Fprintf(w, "  lateness of a round\tmedian %.0f ms, 99th percentile %.0f ms, at most %.0f ms\n",
		c.LateMillis[0], c.LateMillis[1], c.LateMillis[2])
	fmt.Fprintf(w, "  CPU of the operator\t%.1f %% of one core\n", 100*c.CPUSeconds/c.Seconds)
	fmt.Fprintf(w, "  memory\t%.0f MiB resident\n", c.Resident)
	var logged []string
	for what, n := range r.Complaints {
		logged = append(logged, fmt.Sprintf("%d × %s", n, what))
	}
	slices.Sort(logged)
	if len(logged) == 0 {
		logged = []string{"nothing"}
	}
	fmt.Fprintf(w, "  logged as warnings or errors\t%s\n", strings.Join(logged, "; "))
	return w.Flush()
}
