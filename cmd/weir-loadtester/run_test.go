package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patience = 30 * time.Second

// program is the whole of it, under way.
type program struct {
	*testing.T
	url   string
	stop  context.CancelFunc
	ended chan error
}

func begin(t *testing.T, args ...string) *program {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, namespace: test}}]
current-context: none
`), 0o600))
	ctx, stop := context.WithCancel(t.Context())
	p := &program{T: t, url: "http://127.0.0.1:" + port, stop: stop, ended: make(chan error, 1)}
	cmd := command()
	cmd.SetArgs(append(args, "--kubeconfig="+kubeconfig, "--port="+port, "--log-level=error"))
	go func() { p.ended <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(stop)
	require.Eventually(t, func() bool {
		res, err := http.Get(p.url + "/readyz")
		if err == nil {
			res.Body.Close()
		}
		return err == nil
	}, patience, 20*time.Millisecond)
	return p
}

func (p *program) post(path, body string) string {
	res, err := http.Post(p.url+path, "application/json", strings.NewReader(body))
	if !assert.NoError(p, err) {
		return ""
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	assert.NoError(p, err)
	return fmt.Sprintf("%d %s", res.StatusCode, said)
}

func TestServes(t *testing.T) {
	t.Setenv("WEIR_ALLOW_COMMAND", "true,helm test")
	p := begin(t)
	assert.Contains(t, p.post("/", `{"name":"a","namespace":"test","metadata":{"cmd":"true","wait":"true"}}`), "200 ")
	elsewhere := p.post("/", `{"name":"a","namespace":"shop","metadata":{"cmd":"true"}}`)
	assert.Contains(t, elsewhere, "403 ", "the own namespace is the only one")
	assert.Contains(t, p.post("/gate/check", `{"name":"a","namespace":"test"}`), "503 ", "there is no API server")
	assert.Contains(t, p.post("/gate/open", `{"name":"a","namespace":"test"}`), "401 ")
	res, err := http.Get(p.url + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Contains(t, string(said), `weir_loadtester_tasks_total{result="ok",type="cmd"} 1`)
	p.stop()
	require.NoError(t, <-p.ended)
}

// TestEnds: who waits for a test gets its result, if it comes within the grace, and else hears that it was stopped.
func TestEnds(t *testing.T) {
	for grace, want := range map[string]string{
		"25s": `200 {"message":"sleep succeeded"}`, "100ms": `500 {"message":"sleep was stopped: the load tester is stopping"}`,
	} {
		p := begin(t, "--allow-command=sleep", "--grace="+grace)
		answered := make(chan string, 1)
		go func() {
			answered <- p.post("/", `{"name":"a","namespace":"test","metadata":{"cmd":"sleep 2","wait":"true"}}`)
		}()
		time.Sleep(500 * time.Millisecond)
		p.stop()
		assert.Equal(t, want+"\n", <-answered)
		require.NoError(t, <-p.ended)
	}
}
