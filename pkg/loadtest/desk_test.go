package loadtest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes/fake"

	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/loadtest"
	"weir.dev/weir/pkg/loadtest/traffic"
)

// patience is for machines that do other things as well.
const patience = 30 * time.Second

// desk is a load tester, and what it was heard to say.
type desk struct {
	*testing.T
	url     string
	server  *loadtest.Server
	metrics http.Handler
	log     *heard
}

// heard is a log that may be read while it is written.
type heard struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.String()
}

func options() loadtest.Options {
	return loadtest.Options{
		Namespaces: []string{"test"}, MaxTasks: 4, Audience: "weir-loadtester", Namespace: "test", ConfigMap: "weir-gates",
		Limits: traffic.Limits{Rate: 500, Concurrency: 50, Duration: patience}, Client: fake.NewClientset(),
	}
}

func open(t *testing.T, o loadtest.Options) *desk {
	t.Helper()
	d := &desk{T: t, log: &heard{}}
	registry := prometheus.NewRegistry()
	o.Log = slog.New(slog.NewTextHandler(d.log, nil))
	var err error
	d.server, err = loadtest.New(o, registry)
	require.NoError(t, err)
	server := httptest.NewServer(d.server.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(d.server.Stop)
	d.url, d.metrics = server.URL, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return d
}

// said is an answer.
type said struct {
	code    int
	header  http.Header
	Message string
	Report  *traffic.Report
	Output  string
}

// post sends a body, or a task of podinfo in namespace test if it is metadata.
func (d *desk) post(path string, body any, header ...string) said {
	d.Helper()
	if metadata, ok := body.(map[string]string); ok {
		body = gate.Payload{Name: "podinfo", Namespace: "test", Metadata: metadata}
	}
	sent, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		require.NoError(d, err)
		sent = string(encoded)
	}
	req, err := http.NewRequestWithContext(d.Context(), http.MethodPost, d.url+path, strings.NewReader(sent))
	require.NoError(d, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(d, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(d, err)
	got := said{code: res.StatusCode, header: res.Header}
	require.NoError(d, json.Unmarshal(answer, &got), string(answer))
	require.NotEmpty(d, got.Message)
	assert.True(d, strings.HasPrefix(string(answer), `{"message":`), "Weir shows the beginning")
	return got
}

func (d *desk) shows(metric string) bool {
	w := httptest.NewRecorder()
	d.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return strings.Contains(w.Body.String(), metric)
}

// script puts a program on the PATH.
func script(t *testing.T, name, text string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}
