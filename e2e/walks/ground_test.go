package walks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/desk"
	"weir.dev/weir/e2e/rehearsal"
	"weir.dev/weir/e2e/sandbox"
)

// ground is what all pages are walked on, one after the other.
type ground struct {
	*rehearsal.Stage
	tree     string // the top of the source tree
	programs string // a folder for the PATH
	outside  *outside
	log      io.Writer

	operator *rehearsal.Operator
	runs     string // of which Deployment it is
}

func raise(t *testing.T) *ground {
	t.Helper()
	tree, err := sandbox.Tree(t.Context())
	require.NoError(t, err)
	g := &ground{tree: tree, programs: t.TempDir(), outside: listen(t), log: t.Output()}
	require.NoError(t, desk.Programs(t.Context(), tree, g.programs, os.Stderr))
	g.Stage, err = rehearsal.Raise(t.Context(), sandbox.APIServerOptions{Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() {
		g.dismiss()
		assert.NoError(t, g.Strike())
	})
	return g
}

// outside is what is outside of the cluster: a Prometheus, a chat, and a gate that is closed.
type outside struct {
	*httptest.Server
	failing atomic.Bool // what the Prometheus says of the canary
	told    atomic.Int32
}

func listen(t *testing.T) *outside {
	t.Helper()
	o := &outside{}
	o.Server = httptest.NewServer(http.HandlerFunc(o.answer))
	t.Cleanup(o.Close)
	return o
}

// addresses are those of the pages, and what stands for them here.
func (o *outside) addresses() []string {
	return []string{
		"http://prometheus.monitoring:9090", o.URL,
		"http://prometheus.istio-system:9090", o.URL,
		"http://localhost:9090", o.URL,
		"https://hooks.slack.com/services/…", o.URL + "/chat",
	}
}

// hurry is what is said otherwise in the examples so that nobody waits for minutes: the steps, and the time in which a
// controller is presumed to have followed.
func hurry() []string {
	return []string{
		" interval: 30s", " interval: 1s", " interval: 1m", " interval: 1s", " duration: 1m", " duration: 1s",
		"\n  service:\n", "\n  service:\n    settle: 1s\n",
	}
}

// answer plays them. The Prometheus knows the queries of the pages by what they count; it knows no counters.
func (o *outside) answer(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/chat") {
		o.told.Add(1)
		fmt.Fprint(w, "ok")
		return
	}
	if strings.HasPrefix(r.URL.Path, "/closed") {
		http.Error(w, "not now", http.StatusForbidden)
		return
	}
	query, failing := r.FormValue("query"), o.failing.Load()
	result := ""
	switch {
	case strings.Contains(query, "histogram_quantile"): // milliseconds
		result = "20"
	case strings.HasPrefix(query, "100 * (1 -"): // of requests that succeed
		result = map[bool]string{false: "100", true: "66.7"}[failing]
	case strings.HasPrefix(query, "100 * sum("): // of requests that fail
		result = map[bool]string{false: "0", true: "33.3"}[failing]
	}
	if result != "" {
		result = fmt.Sprintf(`{"metric":{},"value":[%d,%q]}`, time.Now().Unix(), result)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
}

// caches are where Go keeps what it has built and fetched: another home would have it do all of that anew.
func caches(t *testing.T) []string {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE"}
	said, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	require.NoError(t, err)
	values := strings.Fields(string(said))
	require.Len(t, values, len(names))
	return []string{names[0] + "=" + values[0], names[1] + "=" + values[1]}
}

// sit gives a shell at a desk of its own, whose kubectl is in a namespace of its own.
func (g *ground) sit(t *testing.T, namespace string) *desk.Shell {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, desk.Checkout(g.tree, folder, append(g.outside.addresses(), hurry()...)...))
	s := &desk.Shell{Folder: folder, Outside: g.outside.addresses(), Words: map[string]string{}, Log: t.Output()}
	t.Cleanup(s.Close)
	config, err := os.ReadFile(g.Server.Kubeconfig)
	require.NoError(t, err)
	kubeconfig := filepath.Join(folder, ".kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, config, 0o600))
	s.Env = append(caches(t), "PATH="+g.programs+":"+os.Getenv("PATH"), "HOME="+folder, "KUBECONFIG="+kubeconfig)
	for _, command := range []string{
		"kubectl create namespace " + namespace, "kubectl config set-context --current --namespace " + namespace,
	} {
		_, err := s.Type(t.Context(), command)
		require.NoError(t, err)
	}
	t.Cleanup(func() { _, _ = s.Type(t.Context(), "kubectl delete namespace "+namespace+" --wait=false") })
	return s
}
