// Package rehearsal is a stage without a node: an API server with its own controllers that serves the kinds of all routers,
// players for the kubelet and for the controllers of routes, and the operator's real program, which runs beside it with a
// token of its account and no other rights than those.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// System is the namespace in which the operator is installed. Its account there is named weir.
const System = "weir-system"

// Stage is what all that is rehearsed shares.
type Stage struct {
	Server *sandbox.APIServer
	// Config is an administrator's, as are the clients.
	Config  *rest.Config
	Kube    kubernetes.Interface
	Weir    versioned.Interface
	Dynamic dynamic.Interface

	scratch string // with the operator's program, and kubeconfigs
	stop    func() error
}

// Raise starts all but the operator. The real controllers are there in any case, whatever the options say. Pods run and
// routes are accepted in every namespace, and there are two nodes, for DaemonSets.
func Raise(ctx context.Context, options sandbox.APIServerOptions) (*Stage, error) {
	options.ControllerManager = true
	scratch, err := os.MkdirTemp("", "weir-rehearsal-")
	if err != nil {
		return nil, fmt.Errorf("making room: %w", err)
	}
	s := &Stage{scratch: scratch, stop: func() error { return nil }}
	if err := s.raise(ctx, options); err != nil {
		return nil, errors.Join(err, s.Strike())
	}
	return s, nil
}

func (s *Stage) raise(ctx context.Context, options sandbox.APIServerOptions) error {
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return err
	}
	if err := image.Compile(ctx, tree, "./cmd/weir", s.program()); err != nil {
		return err
	}
	if s.Server, err = sandbox.StartAPIServer(ctx, options); err != nil {
		return err
	}
	s.Config = s.Server.RESTConfig()
	if s.Kube, err = kubernetes.NewForConfig(s.Config); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	if s.Weir, err = versioned.NewForConfig(s.Config); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	if s.Dynamic, err = dynamic.NewForConfig(s.Config); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	if err := s.define(ctx, tree); err != nil {
		return err
	}
	return s.play(ctx)
}

// Strike ends all of it.
func (s *Stage) Strike() error {
	err := s.stop()
	if s.Server != nil {
		err = errors.Join(err, s.Server.Stop())
	}
	return errors.Join(err, os.RemoveAll(s.scratch))
}

func (s *Stage) program() string { return filepath.Join(s.scratch, "weir") }

// define has all kinds of routes served.
func (s *Stage) define(ctx context.Context, tree string) error {
	for _, definitions := range []func(context.Context) ([]byte, error){
		sandbox.GatewayDefinitions, sandbox.IstioDefinitions, sandbox.TraefikDefinitions, sandbox.ContourDefinitions,
		sandbox.KnativeDefinitions,
		func(ctx context.Context) ([]byte, error) { return sandbox.SMIDefinitions(ctx, "v1alpha4") },
	} {
		manifests, err := definitions(ctx)
		if err != nil {
			return err
		}
		if err := sandbox.Apply(ctx, s.Config, manifests); err != nil {
			return err
		}
	}
	for _, r := range []string{"apisix", "gloo", "kuma"} { // of these, the ones of their routers' tests
		manifests, err := os.ReadFile(filepath.Join(tree, "pkg/router", r, "testdata/definitions.yaml"))
		if err != nil {
			return fmt.Errorf("reading the definitions of %s: %w", r, err)
		}
		if err := sandbox.Apply(ctx, s.Config, manifests); err != nil {
			return err
		}
	}
	return nil
}

// play has pods run, nodes for DaemonSets, and routes accepted.
func (s *Stage) play(ctx context.Context) error {
	for i := range 2 {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)}}
		if _, err := s.Kube.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("making a node: %w", err)
		}
	}
	playing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	pods, err := player.Start(playing, s.Kube, s.Dynamic)
	if err != nil {
		cancel()
		return err
	}
	knative := player.StartKnative(playing, s.Dynamic)
	routes := s.accept(playing)
	s.stop = func() error {
		cancel()
		pods.Wait()
		<-routes
		return knative.Wait()
	}
	return nil
}

// Apply applies manifests as an administrator does.
func (s *Stage) Apply(ctx context.Context, manifests string) error {
	return sandbox.Apply(ctx, s.Config, []byte(manifests))
}

// As is the configuration of an account in the operator's namespace, with a token of its own.
func (s *Stage) As(ctx context.Context, account string) (*rest.Config, error) {
	token, err := s.token(ctx, account)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(s.Config)
	config.BearerToken = token
	return config, nil
}

func (s *Stage) token(ctx context.Context, account string) (string, error) {
	wanted := &authenticationv1.TokenRequest{}
	token, err := s.Kube.CoreV1().ServiceAccounts(System).CreateToken(ctx, account, wanted, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("getting a token of account %s: %w", account, err)
	}
	return token.Status.Token, nil
}
