package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

const (
	// system is where the operator would be installed.
	system = "weir-system"
	// account is who the operator is to the API server.
	account = "system:serviceaccount:" + system + ":weir"
)

// auditPolicy keeps what the operator asks for, and every write to the one application that is released alone whole:
// whoever wrote before tells whether a write of the operator's changed anything. Of the soak nothing is kept: there are
// millions.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  namespaces: [` + soakNamespace + `]
- level: RequestResponse
  namespaces: [` + releasedNamespace + `]
  verbs: [create, update, patch, delete]
- level: Metadata
  users: ["` + account + `"]
- level: None
`

// arguments make tens of thousands of objects possible within minutes and 24 GiB: of the real controllers those that
// Deployments need, more of each at a time, and events for as long as somebody may look at them here.
func arguments() map[string][]string {
	return map[string][]string{
		"kube-controller-manager": {
			"--controllers=deployment-controller,replicaset-controller,serviceaccount-controller",
			"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20",
			"--kube-api-qps=2000", "--kube-api-burst=4000",
		},
		"kube-apiserver": {"--event-ttl=15m", "--profiling=true"},
		"etcd":           {"--quota-backend-bytes=8589934592"},
	}
}

// stand is all that the operator runs against.
type stand struct {
	server  *sandbox.APIServer
	config  *rest.Config
	kube    kubernetes.Interface
	weir    versioned.Interface
	dynamic dynamic.Interface
	audit   *auditLog
	// tree is the top of the source tree, scratch a folder of this run.
	tree, scratch string

	// prometheus are the servers of metrics, prometheusURL is the real one where there is one.
	prometheus    [servers]*played
	prometheusURL string
	player        *player.Player
	stopPlaying   context.CancelFunc
}

func raise(ctx context.Context, latency time.Duration, progress io.Writer) (s *stand, err error) {
	s = &stand{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.tree, err = sandbox.Tree(ctx); err != nil {
		return s, err
	}
	if s.scratch, err = os.MkdirTemp("", "weir-scale-"); err != nil {
		return s, fmt.Errorf("making a folder to work in: %w", err)
	}
	s.server, err = sandbox.StartAPIServer(ctx, sandbox.APIServerOptions{
		ControllerManager: true, AuditPolicy: auditPolicy, Arguments: arguments(), Progress: progress,
	})
	if err != nil {
		return s, err
	}
	s.config, s.audit = s.server.RESTConfig(), openAuditLog(s.server.AuditLog)
	if err := s.connect(); err != nil {
		return s, err
	}
	if err := s.install(ctx); err != nil {
		return s, err
	}
	for i := range s.prometheus {
		if s.prometheus[i], err = playPrometheus(ctx, latency); err != nil {
			return s, err
		}
	}
	playing, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopPlaying = stop
	s.player, err = player.Start(playing, s.kube, s.dynamic)
	return s, err
}

func (s *stand) connect() (err error) {
	// Protobuf, as the operator has it: what the harness takes of the machine, the operator lacks.
	builtin := rest.CopyConfig(s.config)
	builtin.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	builtin.ContentType = "application/vnd.kubernetes.protobuf"
	if s.kube, err = kubernetes.NewForConfig(builtin); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	if s.weir, err = versioned.NewForConfig(s.config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	if s.dynamic, err = dynamic.NewForConfig(s.config); err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	return nil
}

// install applies the definitions, and the manifests that say who the operator is and what it may.
func (s *stand) install(ctx context.Context) error {
	gateway, err := sandbox.GatewayDefinitions(ctx)
	if err != nil {
		return err
	}
	if err := sandbox.Apply(ctx, s.config, gateway); err != nil {
		return err
	}
	definitions, err := filepath.Glob(filepath.Join(s.tree, "artifacts/crds/weir.dev_*.yaml"))
	if err != nil {
		return fmt.Errorf("finding Weir's definitions: %w", err)
	}
	manifests := definitions
	for _, name := range []string{
		"base/namespace.yaml", "base/account.yaml", "base/rights.yaml", "gatewayapi/rights.yaml", "shards/rights.yaml",
	} {
		manifests = append(manifests, filepath.Join(s.tree, "kustomize", name))
	}
	for _, file := range manifests {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading a manifest: %w", err)
		}
		if content, err = intoSystem(content); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := sandbox.Apply(ctx, s.config, content); err != nil {
			return err
		}
	}
	return nil
}

// intoSystem puts objects into the operator's namespace, as its kustomization does.
func intoSystem(manifests []byte) ([]byte, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	var placed bytes.Buffer
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return placed.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		switch object.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding":
			object.SetNamespace(system)
		}
		raw, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&placed, "---\n%s\n", raw)
	}
}

// close ends all of it and removes what was written.
func (s *stand) close() error {
	var err error
	if s.stopPlaying != nil {
		s.stopPlaying()
		if s.player != nil {
			s.player.Wait()
		}
	}
	for _, p := range s.prometheus {
		if p != nil {
			err = errors.Join(err, p.server.Close())
		}
	}
	if s.server != nil {
		err = errors.Join(err, s.server.Stop())
	}
	if s.scratch != "" {
		err = errors.Join(err, os.RemoveAll(s.scratch))
	}
	return err
}
