package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// replica is one of several operators: the real program in a process of its own, whose way to the API server
// leads by the ledger.
type replica struct {
	process *exec.Cmd
	way     *httptest.Server
	gone    chan struct{}
}

// replicate starts a replica that leads, or waits to.
func (a *application) replicate(name string, l *ledger, flags ...string) *replica {
	a.t.Helper()
	way := httptest.NewServer(l.proxy(a.t, a.config, name))
	config := clientapi.NewConfig()
	config.Clusters["test"] = &clientapi.Cluster{Server: way.URL}
	config.Contexts["test"] = &clientapi.Context{Cluster: "test"}
	config.CurrentContext = "test"
	kubeconfig := filepath.Join(a.t.TempDir(), "kubeconfig")
	require.NoError(a.t, clientcmd.WriteToFile(*config, kubeconfig))
	r := &replica{way: way, gone: make(chan struct{}), process: exec.Command(a.program, append([]string{
		"--kubeconfig=" + kubeconfig, "--namespace=" + a.namespace, "--port=0", "--log-format=text", "--log-level=debug",
		"--enable-leader-election", "--leader-election-namespace=" + a.namespace,
		"--refused-addresses=", // the test's servers are on loopback
	}, flags...)...)}
	r.process.Stdout = a.t.Output()
	r.process.Stderr = r.process.Stdout
	r.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		defer close(r.gone)
		// The kernel ties a child's death signal to the thread that started it.
		runtime.LockOSThread()
		err := r.process.Start()
		started <- err
		if err == nil {
			_ = r.process.Wait() // that it ended is what matters, not how
		}
	}()
	require.NoError(a.t, <-started)
	a.t.Cleanup(func() {
		r.signal(syscall.SIGKILL)
		<-r.gone
		r.cutOff()
	})
	return r
}

// cutOff leaves no way to the API server.
func (r *replica) cutOff() {
	r.way.CloseClientConnections()
	r.way.Close()
}

// signal sends a signal, unless the process has ended.
func (r *replica) signal(s syscall.Signal) { _ = r.process.Process.Signal(s) }

func (r *replica) ended() bool {
	select {
	case <-r.gone:
		return true
	default:
		return false
	}
}

// ledger has every write of several operators, in the order in which they were answered.
type ledger struct {
	mu     sync.Mutex
	writes []entry
}

type entry struct {
	by, what string
	status   int
}

// proxy leads to the API server.
func (l *ledger) proxy(t *testing.T, config *rest.Config, by string) http.Handler {
	t.Helper()
	server, err := url.Parse(config.Host)
	require.NoError(t, err)
	way, err := rest.TransportFor(config)
	require.NoError(t, err)
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport: way, FlushInterval: -1,
		ModifyResponse: func(res *http.Response) error {
			l.enter(by, res)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// enter writes down what changes something. The Lease is how the operators agree on who may, and what one may is a question.
func (l *ledger) enter(by string, res *http.Response) {
	path := res.Request.URL.Path
	if res.Request.Method == http.MethodGet || strings.Contains(path, "/leases") || strings.HasSuffix(path, "accessreviews") {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = append(l.writes, entry{by, res.Request.Method + " " + res.Request.URL.Path, res.StatusCode})
}

// by are the writes of one operator.
func (l *ledger) by(name string) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var its []entry
	for _, w := range l.writes {
		if w.by == name {
			its = append(its, w)
		}
	}
	return its
}

// handedOn checks that the first operator changed nothing any more once the second had begun to write. It may
// still tell of what it did before.
func (l *ledger) handedOn(t *testing.T, first, second string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	began := false
	count := map[string]int{}
	for _, w := range l.writes {
		count[w.by]++
		began = began || w.by == second
		if w.by == first && began && !strings.HasSuffix(w.what, "/events") {
			assert.GreaterOrEqual(t, w.status, 300, fmt.Sprintf("%s wrote after %s: %s", first, second, w.what))
		}
	}
	assert.NotZero(t, count[first])
	assert.NotZero(t, count[second])
}
