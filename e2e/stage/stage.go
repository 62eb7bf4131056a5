// Package stage sets the scene for the demo and for the stories: a cluster with Weir on it, installed the
// way a user installs it, and an application that a user deploys and changes there.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// Stage is a cluster with clients of an administrator.
type Stage struct {
	Sandbox *sandbox.Sandbox
	Kube    kubernetes.Interface
	Weir    versioned.Interface
	Dynamic dynamic.Interface

	found bool
	end   func()
}

// Raise finds the sandbox, or brings it up, when nobody else plays on it. Progress is told what is being done.
func Raise(ctx context.Context, progress io.Writer) (*Stage, error) {
	end, err := sandbox.Turn(ctx, progress)
	if err != nil {
		return nil, err
	}
	s := &Stage{end: end}
	if err := s.raise(ctx, progress); err != nil {
		end()
		return nil, err
	}
	return s, nil
}

func (s *Stage) raise(ctx context.Context, progress io.Writer) error {
	_, err := sandbox.Open(sandbox.Options{})
	s.found = err == nil
	if s.Sandbox, err = sandbox.Up(ctx, sandbox.Options{Progress: progress}); err != nil {
		return err
	}
	config := s.Sandbox.RESTConfig()
	if s.Kube, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	if s.Weir, err = versioned.NewForConfig(config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	if s.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	return nil
}

// Strike takes Weir off the cluster, and the cluster down unless it was there before.
func (s *Stage) Strike(ctx context.Context) error {
	defer s.end()
	if !s.found && !s.Sandbox.External {
		return s.Sandbox.Down(ctx)
	}
	return s.Uninstall(ctx)
}

// Kubectl runs kubectl as a user would, and gives what it said.
func (s *Stage) Kubectl(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, s.Sandbox.Kubectl(), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.Sandbox.Kubeconfig)
	said, err := command.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
		return string(said), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return string(said), nil
}
