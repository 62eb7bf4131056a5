package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	clientset "k8s.io/client-go/kubernetes"
)

const (
	metricsServerPort = 4443
	// usagePath lists what pods use of the machine.
	usagePath = "/apis/metrics.k8s.io/v1beta1/pods"
)

func metricsServer() recipe {
	return recipe{
		program: "metrics-server", edition: "metrics-server-" + metricsServerVersion, module: "e2e/tools/metrics-server",
		pkg: "sigs.k8s.io/metrics-server/cmd/metrics-server",
	}
}

func (n *node) metricsServer() component {
	return component{
		name: "metrics-server", program: n.kitchen.path(metricsServer()),
		args: []string{
			"--kubeconfig=" + n.creds.kubeconfig("admin"),
			"--authentication-kubeconfig=" + n.creds.kubeconfig("admin"),
			"--authorization-kubeconfig=" + n.creds.kubeconfig("admin"),
			"--bind-address=" + n.ground.nodeIP(), "--secure-port=" + strconv.Itoa(metricsServerPort),
			"--cert-dir=" + filepath.Join(n.ground.dir, "metrics-server"),
			// The node's name is in no DNS, and the kubelet signs for itself.
			"--kubelet-preferred-address-types=InternalIP", "--kubelet-insecure-tls",
			// It takes no less; and a kubelet has to answer within it.
			"--metric-resolution=10s", "--kubelet-request-timeout=5s",
		},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, unverified(), url("https", n.ground.nodeIP(), metricsServerPort)+"/livez")
		},
	}
}

// usageYAML makes the API server ask metrics-server for its part of the API. The Service has no selector: what is
// behind it is no pod.
const usageYAML = `apiVersion: v1
kind: Service
metadata:
  name: metrics-server
  namespace: kube-system
spec:
  ports:
  - {name: https, port: 443, targetPort: %[2]d}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: metrics-server
  namespace: kube-system
  labels:
    kubernetes.io/service-name: metrics-server
addressType: IPv4
ports:
- {name: https, port: %[2]d}
endpoints:
- addresses: [%[1]s]
  conditions: {ready: true}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.metrics.k8s.io
spec:
  group: metrics.k8s.io
  version: v1beta1
  service: {name: metrics-server, namespace: kube-system}
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 100
  versionPriority: 100
`

// StartMetricsServer lets the cluster say what its pods use of the machine, by which an autoscaler decides. It is no
// part of a sandbox: metrics-server is built when it is first asked for. It returns when the first pod was measured.
func (s *Sandbox) StartMetricsServer(ctx context.Context) error {
	if !s.External {
		n := s.node
		if err := n.kitchen.ready(ctx, metricsServer()); err != nil {
			return err
		}
		if err := n.ground.ensure(ctx, n.metricsServer()); err != nil {
			return err
		}
		manifests := fmt.Appendf(nil, usageYAML, n.ground.nodeIP(), metricsServerPort)
		if err := Apply(ctx, s.RESTConfig(), manifests); err != nil {
			return err
		}
	}
	return s.awaitUsage(ctx)
}

// awaitUsage takes two measurements, ten seconds apart.
func (s *Sandbox) awaitUsage(ctx context.Context) error {
	client, err := clientset.NewForConfig(s.RESTConfig())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		said, err := client.Discovery().RESTClient().Get().AbsPath(usagePath).DoRaw(ctx)
		if err == nil && strings.Contains(string(said), `"cpu"`) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for what pods use: %w", errors.Join(err, ctx.Err()))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// StopMetricsServer takes that away again. The part of the API goes first: as long as the API server has one that
// nobody serves, no namespace can be deleted.
func (s *Sandbox) StopMetricsServer(ctx context.Context) error {
	if s.External {
		return nil
	}
	client, err := dynamic.NewForConfig(s.RESTConfig())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	kind := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	err = client.Resource(kind).Delete(ctx, "v1beta1.metrics.k8s.io", metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("taking back what pods use: %w", err)
	}
	pid, err := running(s.node.ground.dir, s.node.metricsServer().name)
	if err != nil || pid == 0 {
		return err
	}
	return stop(ctx, pid, 10*time.Second)
}

// KEDADefinitions are the CRDs of what KEDA scales by. KEDA itself is no part of a sandbox.
func KEDADefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, definition{
		filepath.Join(tree, "e2e/tools/keda"), "github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml",
	})
}
