package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// operator is the real one, in a process of its own.
type operator struct {
	process *exec.Cmd
	log     string
	metrics string
	gone    chan struct{}
}

// operate builds the operator and starts it as it is started in a cluster: with its own account, and one of
// several that could lead. It must be called on a thread that lasts.
func (s *stand) operate(ctx context.Context) (*operator, error) {
	binary := filepath.Join(s.scratch, "weir")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/weir")
	build.Dir, build.Env = s.tree, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the operator: %w\n%s", err, said)
	}
	kubeconfig, err := s.kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	op := &operator{
		log: filepath.Join(s.scratch, "weir.log"), gone: make(chan struct{}),
		metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port),
	}
	log, err := os.Create(op.log)
	if err != nil {
		return nil, fmt.Errorf("opening the operator's log: %w", err)
	}
	defer log.Close()
	op.process = exec.CommandContext(ctx, binary, "--kubeconfig="+kubeconfig, "--port="+strconv.Itoa(port),
		"--enable-leader-election", "--leader-election-namespace="+system,
		"--refused-addresses=", // Prometheus is on loopback
	)
	op.process.Stdout, op.process.Stderr = log, log
	op.process.Cancel = func() error { return op.process.Process.Signal(syscall.SIGTERM) }
	op.process.WaitDelay = 15 * time.Second
	// A group of its own, so that ^C reaches this process first.
	op.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := op.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	go func() {
		defer close(op.gone)
		_ = op.process.Wait() // that it ended is what matters, not how
	}()
	return op, nil
}

// kubeconfig is the operator's, with a token of its account.
func (s *stand) kubeconfig(ctx context.Context) (string, error) {
	const day = int64(24 * 60 * 60)
	wanted := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(day)}}
	token, err := s.kube.CoreV1().ServiceAccounts(system).CreateToken(ctx, "weir", wanted, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for the operator's token: %w", err)
	}
	config := clientapi.NewConfig()
	config.Clusters["bench"] = &clientapi.Cluster{Server: s.config.Host, CertificateAuthority: s.config.CAFile}
	config.AuthInfos["weir"] = &clientapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["bench"] = &clientapi.Context{Cluster: "bench", AuthInfo: "weir"}
	config.CurrentContext = "bench"
	path := filepath.Join(s.scratch, "weir.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the operator's kubeconfig: %w", err)
	}
	return path, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: %s has none", listener.Addr())
	}
	return address.Port, nil
}

// end stops the operator, and returns when it is gone.
func (op *operator) end() {
	_ = op.process.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-op.gone:
	case <-time.After(15 * time.Second):
		_ = op.process.Process.Kill()
		<-op.gone
	}
}

// death is an error if the operator has ended by itself.
func (op *operator) death() error {
	select {
	case <-op.gone:
		content, _ := os.ReadFile(op.log)
		return fmt.Errorf("the operator ended, saying at last:\n%s", content[max(0, len(content)-2000):])
	default:
		return nil
	}
}

// complaints are what the operator logged as a warning or an error, with how often.
func (op *operator) complaints() (map[string]int, error) {
	content, err := os.ReadFile(op.log)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's log: %w", err)
	}
	said := map[string]int{}
	for line := range bytes.Lines(content) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) != nil {
			said[string(bytes.TrimSpace(line))]++ // a panic is not JSON
		} else if entry.Level == "WARN" || entry.Level == "ERROR" {
			said[entry.Level+" "+entry.Msg]++
		}
	}
	return said, nil
}

// usage is what the process has used so far, by /proc and by its own account.
type usage struct {
	at            time.Time
	resident      int
	peak          uint64
	cpu           float64
	wakeUps       uint64
	looks, checks uint64
	// queries are those that were sent for checks, and shared those that others had sent.
	queries, shared uint64
	heap            float64
}

func (op *operator) usage(ctx context.Context) (usage, error) {
	u := usage{at: time.Now()}
	pid := op.process.Process.Pid
	p, err := procfs.NewProc(pid)
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	stat, err := p.Stat()
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	status, err := p.NewStatus()
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	u.resident, u.peak, u.cpu = stat.ResidentMemory(), status.VmHWM, stat.CPUTime()
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	for _, thread := range threads {
		if status, err := thread.NewStatus(); err == nil { // else it has ended since
			u.wakeUps += status.VoluntaryCtxtSwitches
		}
	}
	err = op.own(ctx, &u)
	return u, err
}

// resident is the memory that the process has now.
func (op *operator) resident() (int, error) {
	p, err := procfs.NewProc(op.process.Process.Pid)
	if err != nil {
		return 0, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	stat, err := p.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	return stat.ResidentMemory(), nil
}

// own are the operator's own numbers.
func (op *operator) own(ctx context.Context, u *usage) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, op.metrics, nil)
	if err != nil {
		return fmt.Errorf("asking the operator for its metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the operator for its metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return fmt.Errorf("reading the operator's metrics: %w", err)
	}
	if families["weir_sync_duration_seconds"] == nil || families["go_memstats_heap_alloc_bytes"] == nil {
		return errors.New("the operator does not count its looks any more")
	}
	for _, m := range families["weir_sync_duration_seconds"].GetMetric() {
		u.looks += m.GetHistogram().GetSampleCount()
	}
	for _, m := range families["weir_check_duration_seconds"].GetMetric() {
		u.checks += m.GetHistogram().GetSampleCount()
	}
	for _, m := range families["weir_check_cache_total"].GetMetric() {
		n := uint64(m.GetCounter().GetValue())
		if m.GetLabel()[0].GetValue() == "miss" {
			u.queries += n
		} else {
			u.shared += n
		}
	}
	for _, m := range families["go_memstats_heap_alloc_bytes"].GetMetric() {
		u.heap = m.GetGauge().GetValue()
	}
	return nil
}
