package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"weir.dev/weir/pkg/loadtest"
	"weir.dev/weir/pkg/settings"
)

// farewell is how long answers may take when all tasks were stopped.
const farewell = 2 * time.Second

// options are the flags.
type options struct {
	kubeconfig string
	port       int
	grace      time.Duration
	server     loadtest.Options
	log        settings.Log
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:           "weir-loadtester",
		Short:         "Sends load, runs acceptance tests and holds gates, for the webhooks of Canaries",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PreRunE:       func(cmd *cobra.Command, _ []string) error { return settings.FromEnvironment(cmd.Flags()) },
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f, s := cmd.Flags(), &o.server
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "path of a kubeconfig; without it, the pod's own service account is used")
	f.IntVar(&o.port, "port", 8080, "port of the webhooks, /healthz, /readyz and /metrics")
	f.StringSliceVar(&s.Namespaces, "namespaces", nil, "namespaces whose Canaries are served, * for all; defaults to the pod's own")
	f.StringVar(&s.Keys, "hmac-keys", "", "folder with a file for each namespace: the key that its calls have to be signed with")
	f.StringSliceVar(&s.Commands, "allow-command", nil, "command that may be run: a program, or a program and its first words")
	f.BoolVar(&s.Shell, "allow-shell", false, "run any command by a shell, too")
	f.IntVar(&s.MaxTasks, "max-tasks", 16, "tasks that may be under way at the same time")
	f.DurationVar(&s.Limits.Duration, "task-timeout", time.Hour, "time after which a task is stopped")
	f.Float64Var(&s.Limits.Rate, "max-rate", 1000, "requests a second that one load may send")
	f.IntVar(&s.Limits.Concurrency, "max-concurrency", 100, "requests of one load that may be under way at the same time")
	f.BoolVar(&s.TrustNetwork, "trust-network", false, "let everybody who gets here open and close gates: only with a NetworkPolicy")
	f.StringVar(&s.Audience, "token-audience", "weir-loadtester", "audience of tokens that open gates; empty for the API server's")
	f.StringVar(&s.Namespace, "gates-namespace", "", "namespace of the ConfigMap of gates; defaults to the pod's own")
	f.StringVar(&s.ConfigMap, "gates-configmap", "weir-gates", "name of the ConfigMap of gates")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "time that tests under way get to end when this program has to")
	o.log.AddFlags(f)
	return cmd
}

func run(ctx context.Context, o *options) error {
	log, err := o.log.Logger(slog.LevelDebug)
	if err != nil {
		return err
	}
	libraries, err := o.log.Logger(slog.LevelInfo)
	if err != nil {
		return err
	}
	klog.SetSlogLogger(libraries)
	if err := o.complete(log); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	server, err := loadtest.New(o.server, registry)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	mux.HandleFunc("/healthz", ok)
	mux.HandleFunc("/readyz", ok)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/", server.Handler())
	return serve(ctx, o, mux, server.Stop)
}

// complete finds the cluster, and the namespace that it is meant for where nothing else is said.
func (o *options) complete(log *slog.Logger) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	cluster := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
	config, err := cluster.ClientConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	own, _, err := cluster.Namespace()
	if err != nil {
		return fmt.Errorf("finding the own namespace: %w", err)
	}
	// The API server's own priority and fairness limit this client; a limit of ours would make gates wait for each other.
	config.QPS, config.UserAgent = -1, "weir-loadtester"
	s := &o.server
	if s.Client, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	if s.Namespace == "" {
		s.Namespace = own
	}
	if len(s.Namespaces) == 0 {
		s.Namespaces = []string{own}
	}
	s.Log = log
	log.Info("serving", "namespaces", s.Namespaces, "gates", s.Namespace+"/"+s.ConfigMap, "signed", s.Keys != "",
		"commands", s.Commands, "shell", s.Shell, "trustNetwork", s.TrustNetwork)
	return nil
}

// serve answers until the context ends. Then it takes no more calls, lets those under way end, and ends all tasks.
func serve(ctx context.Context, o *options, handler http.Handler, stop func()) error {
	server := &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(o.port)), Handler: handler,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		stop()
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	if err := shutdown(ctx, server, o.grace); err == nil {
		stop()
		return nil
	}
	stop()
	// Who waited for a test is told that it was stopped.
	return shutdown(ctx, server, farewell)
}

func shutdown(ctx context.Context, server *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	return server.Shutdown(ctx)
}
