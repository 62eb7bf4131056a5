package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/controller"
	"weir.dev/weir/pkg/outbound"
	"weir.dev/weir/pkg/router/builtin"
	"weir.dev/weir/pkg/settings"
)

// options are the flags.
type options struct {
	kubeconfig, namespace       string
	meshProvider, metricsServer string
	ingressAnnotationsPrefix    string
	refused, allowed            []string
	noCrossNamespaceRefs        bool
	pausePolicy                 string
	port                        int
	pprofAddress                string
	workers, metricWorkers      int
	leaderElection              bool
	leaderElectionNamespace     string
	shards                      int
	log                         settings.Log
	telling                     telling
	dashboard                   dashboardOptions
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:           "weir",
		Short:         "Releases new revisions of Deployments step by step, judged on real metrics",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PreRunE:       func(cmd *cobra.Command, _ []string) error { return settings.FromEnvironment(cmd.Flags()) },
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig; without it, the pod's own service account is used")
	f.StringVar(&o.namespace, "namespace", "", "watch this namespace only")
	f.StringVar(&o.meshProvider, "mesh-provider", "gatewayapi", "router of Canaries that name none")
	f.StringVar(&o.metricsServer, "metrics-server", "", "URL of the Prometheus that answers metrics which name none")
	f.StringVar(&o.ingressAnnotationsPrefix, "ingress-annotations-prefix", "nginx.ingress.kubernetes.io",
		"prefix of the annotations of canary Ingresses")
	f.StringSliceVar(&o.refused, "refused-addresses", outbound.Private(),
		"networks that the webhooks, metrics and alerts of Canaries and templates may not be in")
	f.StringSliceVar(&o.allowed, "allowed-addresses", nil,
		"the only networks that they may be in; without any, all that are not refused")
	f.BoolVar(&o.noCrossNamespaceRefs, "no-cross-namespace-refs", false,
		"refuse Canaries that name a template or an alert provider of another namespace")
	f.StringVar(&o.pausePolicy, "pause-policy", "",
		"MutatingAdmissionPolicy that pauses a Deployment when its template changes; without it, they are paused at all times")
	f.IntVar(&o.port, "port", 8080, "port of /healthz, /readyz and /metrics")
	f.StringVar(&o.pprofAddress, "pprof-address", "",
		"address of profiles for go tool pprof, as in 127.0.0.1:6060; without it there are none")
	f.IntVar(&o.workers, "workers", 16, "Canaries that are looked at at the same time")
	f.IntVar(&o.metricWorkers, "metric-workers", 16, "metric queries that one server is asked at the same time")
	f.BoolVar(&o.leaderElection, "enable-leader-election", false, "let only one of several replicas work, or one for each shard")
	f.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "", "namespace of the Lease; defaults to the pod's own")
	f.IntVar(&o.shards, "shards", 1,
		"parts that Canaries are divided into by their namespaces, each with one replica that works; with leader election only")
	o.dashboard.bind(f)
	o.log.AddFlags(f)
	o.telling.addFlags(f)
	return cmd
}

// mostShards is far beyond what an API server serves well.
const mostShards = 32

// check refuses flags that do not go together.
func (o *options) check() error {
	if o.shards < 1 || o.shards > mostShards {
		return fmt.Errorf("--shards is %d; want 1 to %d", o.shards, mostShards)
	}
	if o.shards > 1 && !o.leaderElection {
		return errors.New("--shards goes with --enable-leader-election, by which each shard has its replica")
	}
	return nil
}

func run(ctx context.Context, o *options) error {
	if err := o.check(); err != nil {
		return err
	}
	log, err := o.log.Logger(slog.LevelDebug)
	if err != nil {
		return err
	}
	libraries, err := o.log.Logger(slog.LevelInfo) // what client-go debugs is not what Weir's users debug
	if err != nil {
		return err
	}
	klog.SetSlogLogger(libraries)
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	// The API server's own priority and fairness limit this client; a limit of ours would only add to it.
	config.QPS, config.UserAgent = -1, "weir"
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	config.Wrap(controller.CountRequests(registry))
	clients, err := connect(config)
	if err != nil {
		return err
	}
	numbers := controller.NewMetrics(registry)
	stopServing := serve(log, o.port, registry)
	defer stopServing()
	own := controller.Informers(clients.Weir, o.namespace)
	if err := errors.Join(serveProfiles(ctx, o.pprofAddress, log), o.dashboard.serve(ctx, clients, own, log)); err != nil {
		return err
	}
	how, err := o.how(log)
	if err != nil {
		return err
	}
	how.Informers = own
	if !o.leaderElection {
		return alone(ctx, clients, how, numbers)
	}
	r, err := newReplica(o, clients.Kube, log)
	if err != nil {
		return err
	}
	how.Tap = r.permit
	ctrl, err := controller.New(clients, how, numbers)
	if err != nil {
		return err
	}
	return r.work(ctx, ctrl)
}

// how is what the flags say of the controller.
func (o *options) how(log *slog.Logger) (controller.Options, error) {
	receivers, err := o.telling.receivers()
	if err != nil {
		return controller.Options{}, err
	}
	events, err := o.telling.events()
	if err != nil {
		return controller.Options{}, err
	}
	reach, err := outbound.ParseReach(o.refused, o.allowed)
	if err != nil {
		return controller.Options{}, fmt.Errorf("--refused-addresses or --allowed-addresses: %w", err)
	}
	return controller.Options{
		Namespace: o.namespace, MeshProvider: o.meshProvider, PausePolicy: o.pausePolicy, MetricsServer: o.metricsServer,
		Workers: o.workers, MetricWorkers: o.metricWorkers, Shards: o.shards, Log: log, Now: time.Now,
		ClusterName: o.telling.clusterName, Receivers: receivers, EventWebhook: events,
		Reach: reach, NoCrossNamespaceRefs: o.noCrossNamespaceRefs,
		Routers: builtin.Routers(builtin.Options{IngressAnnotationsPrefix: o.ingressAnnotationsPrefix}),
	}, nil
}

// alone works on all Canaries.
func alone(ctx context.Context, clients controller.Clients, how controller.Options, numbers *controller.Metrics) error {
	ctrl, err := controller.New(clients, how, numbers)
	if err != nil {
		return err
	}
	ctrl.Lead(0)
	return ctrl.Run(ctx)
}

func connect(config *rest.Config) (controller.Clients, error) {
	// Protobuf for Kubernetes' own kinds: a fraction of the bytes and of the time.
	builtin := rest.CopyConfig(config)
	builtin.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	builtin.ContentType = "application/vnd.kubernetes.protobuf"
	kube, err := kubernetes.NewForConfig(builtin)
	if err != nil {
		return controller.Clients{}, fmt.Errorf("connecting to the cluster: %w", err)
	}
	weir, err := versioned.NewForConfig(config)
	if err != nil {
		return controller.Clients{}, fmt.Errorf("connecting to the cluster: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return controller.Clients{}, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return controller.Clients{Kube: kube, Weir: weir, Dynamic: dyn}, nil
}

// serve answers health checks and metrics. A replica that waits for its turn to lead is ready: it can
// take over.
func serve(log *slog.Logger, port int, registry *prometheus.Registry) (stop func()) {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	mux.HandleFunc("/healthz", ok)
	mux.HandleFunc("/readyz", ok)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Addr: fmt.Sprintf(":%d", port), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health checks and metrics cannot be served", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}
}
