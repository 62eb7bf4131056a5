package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/controller"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/router/builtin"
)

// cluster is what the tests of this package share: an API server, its controllers, and a player.
type cluster struct {
	config *rest.Config
	// kubeconfig is the path of one for kubectl.
	kubeconfig string
	kube       kubernetes.Interface
	weir       versioned.Interface
	dynamic    dynamic.Interface
	player     *player.Player
	metrics    *httptest.Server
	program    string // the operator's, where a test runs it in a process of its own
	serial     atomic.Int32
	// pausePolicy is that of the operators; empty for none.
	pausePolicy string
}

// start brings a cluster up for one test and all that it starts in parallel.
func start(t *testing.T) *cluster {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{ControllerManager: true, Progress: os.Stderr})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	c := &cluster{config: server.RESTConfig(), kubeconfig: server.Kubeconfig, metrics: httptest.NewServer(http.HandlerFunc(answer))}
	c.kube, err = kubernetes.NewForConfig(c.config)
	require.NoError(t, err)
	c.weir, err = versioned.NewForConfig(c.config)
	require.NoError(t, err)
	c.dynamic, err = dynamic.NewForConfig(c.config)
	require.NoError(t, err)
	definitions, err := filepath.Glob("../../artifacts/crds/weir.dev_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, definitions)
	for _, file := range definitions {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, sandbox.Apply(ctx, c.config, content))
	}
	gateway, err := sandbox.GatewayDefinitions(ctx)
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(ctx, c.config, gateway))
	c.player, err = player.Start(ctx, c.kube, c.dynamic)
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		c.player.Wait()
		c.metrics.Close()
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// answer is a Prometheus that says of every revision under /good that it is well, of every one under
// /bad that it is not, and under /many answers with two series.
func answer(w http.ResponseWriter, r *http.Request) {
	value := map[bool]string{true: "100", false: "50"}[!strings.HasPrefix(r.URL.Path, "/bad")]
	one := func(name string) string {
		return fmt.Sprintf(`{"metric":{"name":%q},"value":[%d,%q]}`, name, time.Now().Unix(), value)
	}
	series := one("a")
	if strings.HasPrefix(r.URL.Path, "/many") {
		series += "," + one("b")
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, series)
}

// operator is one process of Weir's, as far as one can be had within a test.
type operator struct {
	stop context.CancelFunc
	done chan struct{}
}

// operate starts an operator that watches one namespace. The tap may be nil.
func (c *cluster) operate(t *testing.T, namespace string, tap kube.Tap) *operator {
	t.Helper()
	return c.operateBy(t, controller.Clients{Kube: c.kube, Weir: c.weir, Dynamic: c.dynamic}, namespace, tap)
}

// operateBy is operate with connections of the operator's own.
func (c *cluster) operateBy(t *testing.T, clients controller.Clients, namespace string, tap kube.Tap) *operator {
	t.Helper()
	options := c.options(t, namespace)
	options.Tap = tap
	return operateWith(t, clients, options)
}

// options are those of an operator of one namespace.
func (c *cluster) options(t *testing.T, namespace string) controller.Options {
	t.Helper()
	return controller.Options{
		Namespace: namespace, MeshProvider: "gatewayapi", MetricsServer: c.metrics.URL + "/good",
		PausePolicy: c.pausePolicy, Workers: 2, MetricWorkers: 4, Routers: builtin.Routers(builtin.Options{}), Now: time.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// operateWith starts an operator with options.
func operateWith(t *testing.T, clients controller.Clients, options controller.Options) *operator {
	t.Helper()
	ctrl, err := controller.New(clients, options, controller.NewMetrics(prometheus.NewRegistry()))
	require.NoError(t, err)
	return run(t, ctrl)
}

func run(t *testing.T, ctrl *controller.Controller) *operator {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := &operator{stop: cancel, done: make(chan struct{})}
	ctrl.Lead(0)
	go func() {
		defer close(o.done)
		if err := ctrl.Run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}()
	return o
}

// end stops the operator and waits until it is gone.
func (o *operator) end() {
	o.stop()
	<-o.done
}
