package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// APIServerOptions of StartAPIServer.
type APIServerOptions struct {
	// ControllerManager adds the real controllers: Deployments make ReplicaSets
	// and ReplicaSets make Pods, which nobody runs.
	ControllerManager bool
	// AuditPolicy is the content of a policy file, and says which requests are written to the AuditLog; empty
	// for none.
	AuditPolicy string
	// AdmissionPlugins are turned on beside those that are on anyway.
	AdmissionPlugins []string
	// AuthorizationWebhook is the path of a kubeconfig that leads to a server which is asked, each time anew, before
	// RBAC is, whose word counts where the server has no opinion; empty for none.
	AuthorizationWebhook string
	// Arguments are further ones of a component, by its name, as in kube-controller-manager. They go before those that it
	// has anyway.
	Arguments map[string][]string
	// Progress is told what is built; nil for silence.
	Progress io.Writer
}

// APIServer is an API server and its etcd on loopback, for one test binary. It
// ends with Stop, and by the kernel's hand when the process that started it
// dies in whatever way.
type APIServer struct {
	// Kubeconfig is the path of an administrator's.
	Kubeconfig string
	// AuditLog is the path of the log that an AuditPolicy asks for: one event a line, each written before the
	// request is answered.
	AuditLog string

	dir    string
	creds  *credentials
	nursed *nursery

	stopping sync.Once
}

// errDied is when a component ended by itself before it was ready; mostly
// because somebody took its port between choosing and listening.
var errDied = errors.New("died")

// Kubectl is the path of a kubectl of the API server's version, which is built where it is missing; progress is told so,
// unless it is nil.
func Kubectl(ctx context.Context, progress io.Writer) (string, error) {
	return program(ctx, kubernetes("kubectl"), progress)
}

// Helm is the path of a Helm, as Kubectl is that of a kubectl.
func Helm(ctx context.Context, progress io.Writer) (string, error) {
	return program(ctx, helm(), progress)
}

func program(ctx context.Context, r recipe, progress io.Writer) (string, error) {
	kitchen, err := openKitchen(newProgress(progress))
	if err != nil {
		return "", err
	}
	return kitchen.path(r), kitchen.ready(ctx, r)
}

// InfluxDB is the path of an influxd, which is no part of a sandbox and is built where it is missing; progress is told so.
func InfluxDB(ctx context.Context, progress io.Writer) (string, error) {
	return program(ctx, influxdb(), progress)
}

// StartAPIServer starts an empty API server that is ready to serve.
func StartAPIServer(ctx context.Context, options APIServerOptions) (*APIServer, error) {
	kitchen, err := openKitchen(newProgress(options.Progress))
	if err != nil {
		return nil, err
	}
	recipes := []recipe{etcd(), kubernetes("kube-apiserver")}
	if options.ControllerManager {
		recipes = append(recipes, kubernetes("kube-controller-manager"))
	}
	if err := kitchen.ready(ctx, recipes...); err != nil {
		return nil, err
	}
	for range 3 {
		var server *APIServer
		server, err = startAPIServer(ctx, kitchen, options)
		if err == nil {
			return server, nil
		}
		if !errors.Is(err, errDied) {
			break
		}
	}
	return nil, fmt.Errorf("starting an API server: %w", err)
}

func startAPIServer(ctx context.Context, kitchen *kitchen, options APIServerOptions) (*APIServer, error) {
	dir, err := os.MkdirTemp("", "weir-apiserver-")
	if err != nil {
		return nil, fmt.Errorf("making its folder: %w", err)
	}
	s := &APIServer{dir: dir, nursed: openNursery()}
	if err := s.start(ctx, kitchen, options); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *APIServer) start(ctx context.Context, kitchen *kitchen, options APIServerOptions) error {
	const address = "127.0.0.1"
	free, err := freePorts(address, 6)
	if err != nil {
		return err
	}
	chosen := ports{
		etcd: free[0], etcdPeer: free[1], etcdHealth: free[2],
		apiserver: free[3], controllers: free[4], scheduler: free[5],
	}
	s.creds, err = issueCredentials(filepath.Join(s.dir, "pki"), url("https", address, chosen.apiserver), address)
	if err != nil {
		return err
	}
	s.Kubeconfig = s.creds.kubeconfig("admin")
	plane := &controlPlane{
		kitchen: kitchen, creds: s.creds, dir: s.dir, address: address, serviceCIDR: "10.96.0.0/16", ports: chosen,
		authorizers: options.authorizers(),
	}
	served := plane.apiserver()
	served.args = append(served.args, options.admission()...)
	if options.AuditPolicy != "" {
		policy := filepath.Join(s.dir, "audit-policy.yaml")
		if err := os.WriteFile(policy, []byte(options.AuditPolicy), 0o600); err != nil {
			return fmt.Errorf("writing the audit policy: %w", err)
		}
		s.AuditLog = filepath.Join(s.dir, "audit.log")
		// One file, however long: whoever reads it remembers places in it.
		served.args = append(served.args, "--audit-policy-file="+policy, "--audit-log-path="+s.AuditLog,
			"--audit-log-maxsize=100000")
	}
	components := []component{plane.etcd(), served}
	if options.ControllerManager {
		components = append(components, plane.controllers())
	}
	for _, c := range components {
		c.args = append(c.args, options.Arguments[c.name]...) // of two that are alike the last one counts
		if err := s.nursed.raise(ctx, c, filepath.Join(s.dir, c.name+".log")); err != nil {
			return err
		}
	}
	return nil
}

func (o APIServerOptions) authorizers() string {
	if o.AuthorizationWebhook == "" {
		return ""
	}
	return "Node,Webhook,RBAC"
}

// admission is what the options say of who may do what.
func (o APIServerOptions) admission() []string {
	var args []string
	if o.AuthorizationWebhook != "" {
		args = append(args, "--authorization-webhook-config-file="+o.AuthorizationWebhook,
			"--authorization-webhook-version=v1",
			"--authorization-webhook-cache-authorized-ttl=0s", "--authorization-webhook-cache-unauthorized-ttl=0s")
	}
	if len(o.AdmissionPlugins) > 0 {
		args = append(args, "--enable-admission-plugins="+strings.Join(o.AdmissionPlugins, ","))
	}
	return args
}

// RESTConfig is an administrator's, without limit of rate.
func (s *APIServer) RESTConfig() *rest.Config { return s.creds.admin() }

// Stop ends the API server and removes what it wrote.
func (s *APIServer) Stop() error {
	s.stopping.Do(s.nursed.close)
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing what the API server wrote: %w", err)
	}
	return nil
}

// freePorts finds ports that nobody listens on, all of them different.
func freePorts(address string, count int) ([]int, error) {
	var found []int
	for range count {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer listener.Close()
		found = append(found, listener.Addr().(*net.TCPAddr).Port)
	}
	return found, nil
}

// nursery keeps children that must not survive this process. The kernel ties a
// child's death signal to the thread that started it, not to the process: so one
// thread starts them all, and is held until the nursery closes.
type nursery struct {
	births chan func()
	gone   []<-chan struct{}
	pids   []int
}

func openNursery() *nursery {
	n := &nursery{births: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for give := range n.births {
			give()
		}
	}()
	return n
}

// raise starts a component as a child and waits until it is ready.
func (n *nursery) raise(ctx context.Context, c component, logFile string) error {
	log, err := os.Create(logFile)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", c.name, err)
	}
	defer log.Close()
	command := exec.Command(c.program, c.args...)
	command.Stdout, command.Stderr = log, log
	// A group of its own, so that ^C in a terminal reaches the test first.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	n.births <- func() { started <- command.Start() }
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = command.Wait() // that it ended is what matters, not how
	}()
	n.gone, n.pids = append(n.gone, gone), append(n.pids, command.Process.Pid)
	return n.await(ctx, c, gone, logFile)
}

func (n *nursery) await(ctx context.Context, c component, gone <-chan struct{}, logFile string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("%s %w, saying:\n%s", c.name, errDied, tail(logFile, 15))
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w\n%s", c.name, err, tail(logFile, 15))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// close ends the children, the last first, and waits until they are gone.
func (n *nursery) close() {
	for i := len(n.pids) - 1; i >= 0; i-- {
		select {
		case <-n.gone[i]: // its id may be another's by now
		default:
			_ = syscall.Kill(n.pids[i], syscall.SIGKILL)
		}
		<-n.gone[i]
	}
	close(n.births)
}
