package prometheus_test

import (
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/prometheus"
)

// TestRealConformance plays the suite with a real Prometheus behind it.
func TestRealConformance(t *testing.T) {
	address, err := url.Parse(metricstest.StartPrometheus(t, ""))
	require.NoError(t, err)
	ask := func(expr string) metricstest.Exchange {
		return metricstest.Exchange{Expr: expr, Server: httputil.NewSingleHostReverseProxy(address)}
	}
	series := func(n string) string { return fmt.Sprintf(`label_replace(vector(%[1]s), "n", "%[1]s", "", "")`, n) }
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return prometheus.New(prometheus.Config{Site: metrics.Site{Address: address}, Token: "secret-token"})
		},
		Secrets: []string{"secret-token"},
		Value:   ask("vector(42)"),
		Several: ask(series("1") + " or " + series("2")),
		NoData: map[string]metricstest.Exchange{
			"no such metric": ask("no_such_metric"),
			"filtered":       ask("vector(1) > 2"),
			"NaN":            ask("vector(0) / 0"),
			"infinity":       ask("vector(1) / 0"),
			"a NaN scalar":   ask("0 / 0"),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad query":    ask("sum("),
			"no function":  ask("rade(up[1m])"),
			"cannot match": ask(fmt.Sprintf("vector(1) + on() (%s or %s)", series("1"), series("2"))),
			"a range":      ask("no_such_metric[1m]"),
		},
	})
}

func TestRealCredentials(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret-password"), bcrypt.MinCost)
	require.NoError(t, err)
	web := filepath.Join(t.TempDir(), "web.yml")
	require.NoError(t, os.WriteFile(web, fmt.Appendf(nil, "basic_auth_users: {reader: %q}\n", hash), 0o600))
	address := metricstest.StartPrometheus(t, "", "--web.config.file="+web)
	query := func(password string) ([]metrics.Sample, error) {
		p, err := prometheus.New(prometheus.Config{Site: metrics.Site{Address: address}, Username: "reader", Password: password})
		require.NoError(t, err)
		return p.Query(t.Context(), metrics.Query{Expr: "42"})
	}
	// Until it is ready it fails, but it knows its readers from the start.
	metricstest.Await(t, "an answer", func() bool {
		_, err := query("secret-password")
		require.NotErrorIs(t, err, metrics.Rejected)
		return err == nil
	})
	_, err = query("wrong-password")
	require.ErrorIs(t, err, metrics.Rejected)
	require.ErrorContains(t, err, "refuses the credentials")
	require.NotContains(t, err.Error(), "wrong-password")
}
