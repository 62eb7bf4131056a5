package graphite_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/graphite"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// python is Debian's, for which its packages are.
const python = "/usr/bin/python3"

// settings of a Graphite in a folder.
const settings = `
SECRET_KEY = 'none'
STORAGE_DIR = LOG_DIR = %[1]q
WHISPER_DIR = %[1]q + '/whisper'
STANDARD_DIRS = [WHISPER_DIR]
INDEX_FILE = %[1]q + '/index'
ALLOWED_HOSTS = ['*']
TIME_ZONE = 'UTC'
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': %[1]q + '/db'}}
`

// points are what a Carbon would have written: ten minutes of them, to which the last half minute has not come yet.
const points = `
import os, sys, time, whisper
os.makedirs(sys.argv[1] + '/whisper')
for name, value in (('value', 42), ('one', 1), ('two', 2)):
    file = sys.argv[1] + '/whisper/' + name + '.wsp'
    whisper.create(file, [(5, 720)])
    now = int(time.time())
    for at in range(now - 600, now - 30, 5):
        whisper.update(file, value, at)
`

// TestRealConformance plays the suite with a real Graphite behind it, where Debian's packages graphite-web and
// python3-whisper are installed.
func TestRealConformance(t *testing.T) {
	address := startGraphite(t)
	ask := func(expr string) metricstest.Exchange {
		return metricstest.Exchange{Expr: expr, Server: httputil.NewSingleHostReverseProxy(address)}
	}
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return graphite.New(graphite.Config{Site: metrics.Site{Address: address}, Username: "reader", Password: "secret-password"})
		},
		Secrets: []string{"secret-password"},
		Value:   ask("value"),
		Several: ask("group(one, two)"),
		NoData: map[string]metricstest.Exchange{
			"no such series":   ask("no.such.series"),
			"filtered":         ask("removeAboveValue(value, 1)"),
			"divided by zero":  ask("divideSeries(one, constantLine(0))"),
			"a target cut off": ask("sumSeries(value"), // Graphite looks for a series of that name
		},
		Rejected: map[string]metricstest.Exchange{
			"no function":     ask("rate(value)"),
			"no such setting": ask("target=value&width=7"),
		},
	})
}

func startGraphite(t *testing.T) *url.URL {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import graphite, whisper").Run(); err != nil {
		t.Skip("there is no Graphite here; install Debian's packages graphite-web and python3-whisper")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "weirsettings.py"), fmt.Appendf(nil, settings, dir), 0o600))
	said, err := exec.CommandContext(t.Context(), python, "-c", points, dir).CombinedOutput()
	require.NoError(t, err, string(said))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	ctx, cancel := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, python, "-m", "django", "runserver", listener.Addr().String(), "--noreload", "--insecure")
	server.Env = append(os.Environ(), "PYTHONPATH="+dir, "GRAPHITE_SETTINGS_MODULE=weirsettings",
		"DJANGO_SETTINGS_MODULE=graphite.settings")
	server.Stdout, server.Stderr = t.Output(), t.Output()
	require.NoError(t, server.Start())
	t.Cleanup(func() { cancel(); _ = server.Wait() }) // it is killed
	address := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	metricstest.Await(t, "Graphite to answer", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address.String()+"/render?target=value&format=json", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return address
}
