package influxdb_test

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/influxdb"
	"weir.dev/weir/pkg/metrics/metricstest"
)

// settings of an InfluxDB in a folder, with an address for its API and one that nobody asks for.
const settings = `
reporting-disabled = true
bind-address = "%[3]s"
[meta]
dir = "%[1]s/meta"
[data]
dir = "%[1]s/data"
wal-dir = "%[1]s/wal"
[http]
bind-address = "%[2]s"
flux-enabled = true
`

// TestRealConformance plays the suite with a real InfluxDB behind it. Its version 1.8 has the API of version 2 for Flux, and
// is the last that is Go alone. To a query that it cannot read it says 500, where version 2 says 400: of that there are recorded
// answers.
func TestRealConformance(t *testing.T) {
	address := startInfluxDB(t)
	of := func(side, more string) metricstest.Exchange {
		return metricstest.Exchange{
			Expr: `from(bucket: "shop") |> range(start: -10m) |> filter(fn: (r) => r._measurement == "m" and ` +
				side + ")" + more,
			Server: httputil.NewSingleHostReverseProxy(address),
		}
	}
	const one, both = `r.side == "a"`, `(r.side == "b" or r.side == "c")`
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return influxdb.New(influxdb.Config{Site: metrics.Site{Address: address}, Token: "reader:secret-token"})
		},
		Secrets: []string{"secret-token"},
		Value:   of(one, ` |> last()`),
		Several: of(both, ` |> last()`),
		NoData: map[string]metricstest.Exchange{
			"no such series": of(`r.side == "d"`, ""),
			"filtered":       of(one, ` |> filter(fn: (r) => r._value > 50.0)`),
			"NaN":            of(one, ` |> map(fn: (r) => ({r with _value: float(v: "NaN")}))`),
		},
		Rejected: map[string]metricstest.Exchange{
			"no column _value": of(one, ` |> last() |> drop(columns: ["_value"])`),
			"a string":         of(one, ` |> last() |> map(fn: (r) => ({r with _value: "up"}))`),
		},
	})
}

func startInfluxDB(t *testing.T) *url.URL {
	t.Helper()
	program, err := sandbox.InfluxDB(t.Context(), t.Output())
	require.NoError(t, err)
	dir, api := t.TempDir(), metricstest.FreeAddress(t)
	file := filepath.Join(dir, "influxdb.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, settings, dir, api, metricstest.FreeAddress(t)), 0o600))
	command := exec.CommandContext(t.Context(), program, "-config", file)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() }) // it is killed in the end
	post := func(path, body, kind string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+api+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	const lines = "m,side=a value=41 %d\nm,side=a value=42 %[2]d\nm,side=b value=1 %[2]d\nm,side=c value=2 %[2]d\n"
	at := time.Now().Add(-time.Minute).Unix()
	metricstest.Await(t, "InfluxDB to have a database with points", func() bool { // it says 200 to the first before it can
		post("/query", url.Values{"q": {"CREATE DATABASE shop"}}.Encode(), "application/x-www-form-urlencoded")
		return post("/write?db=shop&precision=s", fmt.Sprintf(lines, at-30, at), "text/plain") == http.StatusNoContent
	})
	return &url.URL{Scheme: "http", Host: api}
}
