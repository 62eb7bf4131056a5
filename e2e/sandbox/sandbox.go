package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options of Up, Open and Down.
type Options struct {
	// Dir is the sandbox's folder. Empty: $WEIR_SANDBOX_DIR, else a folder in the
	// user's cache.
	Dir string
	// Progress is told what is being done; nil for silence.
	Progress io.Writer
}

// Sandbox is a cluster that runs, with a proxy and a Prometheus. Its URLs are
// the same from this machine and from the pods.
type Sandbox struct {
	// Kubeconfig is the path of an administrator's kubeconfig.
	Kubeconfig string
	// TraefikURL is where traffic for the Gateway comes in.
	TraefikURL string
	// TraefikAdminURL has Traefik's API, dashboard and metrics.
	TraefikAdminURL string
	// PrometheusURL is the root of Prometheus's API.
	PrometheusURL string
	// Gateway is the one that routes attach to.
	Gateway types.NamespacedName
	// HostIP is where pods reach listeners of this machine.
	HostIP string
	// External: the cluster is the user's own. It is not ours to stop, to import
	// images into, or to take Prometheus from.
	External bool

	config     *rest.Config
	node       *node
	edge       *edge
	monitoring *monitoring
	plane      *controlPlane
	tell       *progress
}

// Images that every sandbox has. They are one image under two names, enough to
// have two versions of a Deployment; imagePullPolicy must be Never.
const (
	PodinfoImage     = "podinfo:" + podinfoVersion
	PodinfoNextImage = "podinfo:next"
)

// RESTConfig is an administrator's, without limit of rate.
func (s *Sandbox) RESTConfig() *rest.Config { return rest.CopyConfig(s.config) }

// Up leaves a sandbox running: it keeps what runs and answers, replaces what
// does not, and makes the rest. If KUBECONFIG names a cluster of the user's,
// that one is used as it is.
func Up(ctx context.Context, options Options) (*Sandbox, error) {
	tell := newProgress(options.Progress)
	dir, err := sandboxDir(options.Dir)
	if err != nil {
		return nil, err
	}
	if external := externalKubeconfig(dir); external != "" {
		return useExternal(external, tell)
	}
	if err := installPackages(ctx, tell); err != nil {
		return nil, err
	}
	kitchen, err := openKitchen(tell)
	if err != nil {
		return nil, err
	}
	if err := kitchen.ready(ctx, fullForm()...); err != nil {
		return nil, err
	}
	unlock, err := lockSandbox(ctx, dir, tell)
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := groundwork(ctx, dir, kitchen, tell)
	if err != nil {
		return nil, err
	}
	if err := s.raise(ctx); err != nil {
		return nil, fmt.Errorf("bringing the sandbox up: %w", err)
	}
	tell.say("sandbox is up: KUBECONFIG=%s, gateway %s, prometheus %s", s.Kubeconfig, s.TraefikURL, s.PrometheusURL)
	return s, nil
}

// fullForm lists the programs of a whole cluster.
func fullForm() []recipe {
	recipes := []recipe{pauseProgram(), namesProgram(), targetsProgram(), etcd()}
	for _, program := range []string{
		"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
	} {
		recipes = append(recipes, kubernetes(program))
	}
	return append(recipes, podinfo(), traefik())
}

func pauseProgram() recipe { return own("pause", "weir.dev/weir/e2e/sandbox/cmd/pause") }

// stateDir holds all that a sandbox writes. It is its own folder within the one
// that the user names, so that removing it removes nothing else.
func stateDir(dir string) string { return filepath.Join(dir, "state") }

// lockSandbox keeps two processes from raising or razing one sandbox at once.
func lockSandbox(ctx context.Context, dir string, tell *progress) (unlock func(), err error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return lockFile(ctx, filepath.Join(cache, "locks", cgroupName(stateDir(dir))), func() {
		tell.say("waiting for another process that works on %s", dir)
	})
}

// groundwork finds the ground of a folder, or sweeps what an earlier life left
// and breaks new ground; and finds or issues the credentials.
func groundwork(ctx context.Context, dir string, kitchen *kitchen, tell *progress) (*Sandbox, error) {
	state := stateDir(dir)
	g, err := standing(state)
	if err != nil {
		return nil, err
	}
	if g == nil {
		if err := raze(ctx, state); err != nil {
			return nil, fmt.Errorf("sweeping what an earlier sandbox left: %w", err)
		}
		if g, err = breakGround(ctx, state, kitchen.path(pauseProgram())); err != nil {
			return nil, fmt.Errorf("breaking ground: %w", err)
		}
		tell.say("made namespaces and network (%s, pods %s, Services %s)", g.link(), g.podCIDR(), g.serviceCIDR())
	} else {
		tell.say("found a sandbox (%s); checking it", g.link())
	}
	pki, server := filepath.Join(state, "pki"), url("https", g.nodeIP(), usualPorts().apiserver)
	creds, err := openCredentials(pki, server)
	if errors.Is(err, os.ErrNotExist) {
		creds, err = issueCredentials(pki, server, g.nodeIP(), g.serviceIP(), "127.0.0.1")
	}
	if err != nil {
		return nil, err
	}
	// A sandbox that runs may have been made before the API server proved itself so.
	if err := creds.ensureFrontProxy(); err != nil {
		return nil, err
	}
	return assemble(g, kitchen, creds, tell), nil
}

// assemble makes the parts of a sandbox from its ground and credentials, which
// determine all the rest.
func assemble(g *ground, kitchen *kitchen, creds *credentials, tell *progress) *Sandbox {
	s := &Sandbox{
		Kubeconfig: creds.kubeconfig("admin"),
		TraefikURL: "http://" + g.nodeIP(),
		Gateway:    types.NamespacedName{Namespace: gatewayNamespace, Name: gatewayName},
		HostIP:     g.hostIP(),
		config:     creds.admin(),
		node:       &node{ground: g, kitchen: kitchen, creds: creds},
		edge:       &edge{ground: g, kitchen: kitchen, creds: creds},
		monitoring: &monitoring{ground: g, kitchen: kitchen, creds: creds},
		plane: &controlPlane{
			kitchen: kitchen, creds: creds, dir: g.dir,
			address: g.nodeIP(), serviceCIDR: g.serviceCIDR(), ports: usualPorts(),
		},
		tell: tell,
	}
	s.TraefikAdminURL, s.PrometheusURL = s.edge.adminURL(), s.monitoring.url()
	return s
}

// raise starts everything, in an order in which each finds what it needs.
func (s *Sandbox) raise(ctx context.Context) error {
	if err := errors.Join(s.node.configure(), s.monitoring.configure()); err != nil {
		return err
	}
	err := together(
		func() error { return s.ensure(ctx, s.plane.etcd(), s.plane.apiserver()) },
		func() error {
			if err := s.ensure(ctx, s.node.containerd()); err != nil {
				return err
			}
			return s.importOwn(ctx)
		},
	)
	if err != nil {
		return err
	}
	return together(
		func() error { return s.ensure(ctx, s.plane.controllers(), s.plane.scheduler()) },
		func() error { return s.ensure(ctx, s.node.names(), s.node.kubelet(), s.node.kubeProxy()) },
		func() error {
			if err := s.edge.defineRoutes(ctx); err != nil {
				return err
			}
			if err := s.ensure(ctx, s.edge.traefik()); err != nil {
				return err
			}
			return s.edge.awaitGateway(ctx)
		},
		func() error { return s.ensure(ctx, s.monitoring.discovery(), s.monitoring.prometheus()) },
	)
}

func (s *Sandbox) ensure(ctx context.Context, components ...component) error {
	return s.ensureOn(ctx, s.node, components...)
}

func (s *Sandbox) ensureOn(ctx context.Context, n *node, components ...component) error {
	for _, c := range components {
		begun := time.Now()
		if err := n.ground.ensure(ctx, c); err != nil {
			return err
		}
		s.tell.say("%s is ready (%s)", c.name, time.Since(begun).Round(100*time.Millisecond))
	}
	return nil
}

// together runs all at once and returns what went wrong.
func together(all ...func() error) error {
	outcomes := make(chan error, len(all))
	for _, do := range all {
		go func() { outcomes <- do() }()
	}
	var wrong error
	for range all {
		wrong = errors.Join(wrong, <-outcomes)
	}
	return wrong
}

// Open finds a sandbox that is up, without checking or changing it.
func Open(options Options) (*Sandbox, error) {
	tell := newProgress(options.Progress)
	dir, err := sandboxDir(options.Dir)
	if err != nil {
		return nil, err
	}
	if external := externalKubeconfig(dir); external != "" {
		return useExternal(external, tell)
	}
	kitchen, err := openKitchen(tell)
	if err != nil {
		return nil, err
	}
	g, err := standing(stateDir(dir))
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, fmt.Errorf("no sandbox is up in %s", dir)
	}
	creds, err := openCredentials(filepath.Join(g.dir, "pki"), url("https", g.nodeIP(), usualPorts().apiserver))
	if err != nil {
		return nil, err
	}
	return assemble(g, kitchen, creds, tell), nil
}

// Down ends the sandbox of a folder, whatever state it is in, and removes all
// it made. What is not there is no error.
func Down(ctx context.Context, options Options) error {
	tell := newProgress(options.Progress)
	dir, err := sandboxDir(options.Dir)
	if err != nil {
		return err
	}
	unlock, err := lockSandbox(ctx, dir, tell)
	if err != nil {
		return err
	}
	defer unlock()
	if err := raze(ctx, stateDir(dir)); err != nil {
		return fmt.Errorf("taking the sandbox down: %w", err)
	}
	// The folder goes too, unless the user keeps something in it.
	_ = os.Remove(dir)
	tell.say("sandbox in %s is down", dir)
	return nil
}

// Down ends this sandbox; a cluster of the user's is left alone.
func (s *Sandbox) Down(ctx context.Context) error {
	if s.External {
		return nil
	}
	return Down(ctx, Options{Dir: s.dir(), Progress: s.tell.out})
}

// dir is the folder that the user knows the sandbox by.
func (s *Sandbox) dir() string { return filepath.Dir(s.node.ground.dir) }

// StopPrometheus takes the metrics away, as an outage would.
func (s *Sandbox) StopPrometheus(ctx context.Context) error {
	if s.External {
		return errNotOurs("stop Prometheus")
	}
	pid, err := running(s.node.ground.dir, s.monitoring.prometheus().name)
	if err != nil || pid == 0 {
		return err
	}
	return stop(ctx, pid, 10*time.Second)
}

// StartPrometheus brings the metrics back, with what was scraped before.
func (s *Sandbox) StartPrometheus(ctx context.Context) error {
	if s.External {
		return errNotOurs("start Prometheus")
	}
	return s.node.ground.ensure(ctx, s.monitoring.prometheus())
}

// Kubectl is the path of a kubectl of the cluster's version.
func (s *Sandbox) Kubectl() string {
	if s.External {
		return "kubectl"
	}
	return s.node.kitchen.path(kubernetes("kubectl"))
}

// Helm is the path of a Helm, which is no part of a sandbox and is built when it is first asked for.
func (s *Sandbox) Helm(ctx context.Context) (string, error) {
	if s.External {
		return "helm", nil
	}
	k := s.node.kitchen
	return k.path(helm()), k.ready(ctx, helm())
}

// Environment is what a shell needs to work with the sandbox.
func (s *Sandbox) Environment() []string {
	return []string{
		"KUBECONFIG=" + s.Kubeconfig,
		gatewayURLVariable + "=" + s.TraefikURL,
		prometheusURLVariable + "=" + s.PrometheusURL,
		gatewayVariable + "=" + s.Gateway.String(),
	}
}

// restConfig reads a kubeconfig without limiting the rate.
func restConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	config.QPS = -1
	return config, nil
}
