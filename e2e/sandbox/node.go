package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
)

const (
	pauseImage       = "weir/pause:sandbox"
	containerdSocket = "/run/containerd/containerd.sock"
)

// node is one machine of the cluster: containerd and kubelet on a ground of their
// own. The first has kube-proxy and the cluster's DNS besides: there is one network,
// so one of each serves all nodes.
type node struct {
	ground  *ground
	kitchen *kitchen
	creds   *credentials
}

func nodeName(index int) string {
	if index == 0 {
		return "weir"
	}
	return fmt.Sprintf("weir-%d", index)
}

func (n *node) name() string { return nodeName(n.ground.Node) }

// called is the name of one of the node's components.
func (n *node) called(component string) string {
	if n.ground.Node == 0 {
		return component
	}
	return n.name() + "-" + component
}

func (n *node) conf(name string) string { return filepath.Join(n.ground.dir, "conf", name) }

// configure writes what they are told.
func (n *node) configure() error {
	files := map[string]string{
		"containerd.toml":         n.containerdConfig(),
		"cni/10-sandbox.conflist": n.networkConfig(),
		"kubelet.yaml":            n.kubeletConfig(),
		// Pods must not inherit the resolver of a machine they cannot ask.
		"resolv.conf": "",
	}
	if n.ground.Node == 0 {
		files["kube-proxy.yaml"] = n.kubeProxyConfig()
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(n.conf(name)), 0o755); err != nil {
			return fmt.Errorf("configuring the node: %w", err)
		}
		if err := os.WriteFile(n.conf(name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("configuring the node: %w", err)
		}
	}
	return nil
}

func (n *node) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = %q

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without CAP_SYS_RESOURCE runc may not lower a score, and dies trying.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
`, containerdSocket, pauseImage, cniPlugins, n.conf("cni"))
}

// networkConfig does not masquerade: what pods reach is on the ground itself, or
// on the host, which has a route back.
func (n *node) networkConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "sandbox",
  "plugins": [
    {
      "type": "bridge",
      "bridge": %q,
      "isGateway": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": %q}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    }
  ]
}
`, n.ground.bridge(), n.ground.podCIDR())
}

func (n *node) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
healthzBindAddress: %[1]s
healthzPort: 10248
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[2]q}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://%[3]s
resolvConf: %[4]q
clusterDNS: [%[6]s]
clusterDomain: cluster.local
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /%[5]s
cgroupsPerQOS: true
enforceNodeAllocatable: []
failSwapOn: false
syncFrequency: 1s
nodeStatusUpdateFrequency: 2s
# Images come from no registry and could not be had again.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 50Mi, nodefs.available: 1%%, imagefs.available: 1%%}
# On a small machine a rollout starts many pods at once.
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 100
kubeAPIBurst: 200
registerWithTaints: %[7]s
`, n.ground.nodeIP(), n.creds.file("ca.crt"), containerdSocket, n.conf("resolv.conf"), cgroupName(n.ground.dir),
		n.ground.firstIP(), n.taints())
}

// taints keep the pods off a further node that did not ask to come there.
func (n *node) taints() string {
	if n.ground.Node == 0 {
		return "[]"
	}
	return fmt.Sprintf("[{key: %s, value: %q, effect: NoSchedule}]", FurtherTaint, "true")
}

func (n *node) kubeProxyConfig() string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
bindAddress: %[1]s
healthzBindAddress: %[1]s:10256
metricsBindAddress: %[1]s:10249
# Whatever comes from a node's bridge is a pod's.
detectLocalMode: InterfaceNamePrefix
detectLocal: {interfaceNamePrefix: weir}
hostnameOverride: %[2]s
clientConnection: {kubeconfig: %[3]q}
# The table's size belongs to the host.
conntrack: {maxPerCore: 0, min: 0}
nftables: {minSyncPeriod: 100ms, syncPeriod: 30s}
`, n.ground.nodeIP(), n.name(), n.creds.kubeconfig("system:kube-proxy"))
}

func (n *node) containerd() component {
	return component{
		name: n.called("containerd"), program: "containerd",
		args: []string{"--config", n.conf("containerd.toml")},
		ready: func(ctx context.Context) error {
			_, err := n.ctr(ctx, "version")
			return err
		},
	}
}

func (n *node) kubelet() component {
	return component{
		name: n.called("kubelet"), program: n.kitchen.path(kubernetes("kubelet")),
		args: []string{
			"--config=" + n.conf("kubelet.yaml"),
			"--kubeconfig=" + n.creds.kubeconfig("system:node:"+n.name()),
			"--hostname-override=" + n.name(),
			"--node-ip=" + n.ground.nodeIP(),
		},
		ready: n.isReady,
	}
}

func (n *node) kubeProxy() component {
	return component{
		name: "kube-proxy", program: n.kitchen.path(kubernetes("kube-proxy")),
		args: []string{"--config=" + n.conf("kube-proxy.yaml")},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, "http://"+n.ground.nodeIP()+":10256/healthz")
		},
	}
}

func namesProgram() recipe { return own("names", "weir.dev/weir/e2e/sandbox/cmd/names") }

// names is the cluster's DNS.
func (n *node) names() component {
	address := n.ground.nodeIP() + ":53"
	asking := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address)
	}}
	return component{
		name: "names", program: n.kitchen.path(namesProgram()),
		args: []string{"-kubeconfig", n.creds.kubeconfig("admin"), "-address", address},
		ready: func(ctx context.Context) error {
			if _, err := asking.LookupHost(ctx, "kubernetes.default.svc.cluster.local."); err != nil {
				return fmt.Errorf("looking a name up: %w", err)
			}
			return nil
		},
	}
}

// isReady tells whether the kubelet answers and pods may be scheduled here.
func (n *node) isReady(ctx context.Context) error {
	if err := answersOK(ctx, http.DefaultClient, "http://"+n.ground.nodeIP()+":10248/healthz"); err != nil {
		return err
	}
	client, err := clientset.NewForConfig(n.creds.admin())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	found, err := client.CoreV1().Nodes().Get(ctx, n.name(), metav1.GetOptions{})
	if errors.IsNotFound(err) {
		return fmt.Errorf("node %s has not registered", n.name())
	}
	if err != nil {
		return fmt.Errorf("reading node %s: %w", n.name(), err)
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("node %s: %s", n.name(), condition.Message)
		}
	}
	for _, taint := range found.Spec.Taints {
		if taint.Key != FurtherTaint {
			return fmt.Errorf("node %s is tainted: %v", n.name(), found.Spec.Taints)
		}
	}
	return nil
}

// ctr speaks to the node's containerd, in the namespace that kubelet uses.
func (n *node) ctr(ctx context.Context, args ...string) (string, error) {
	line := append([]string{"ctr", "--address", containerdSocket, "--namespace", "k8s.io"}, args...)
	return n.ground.run(ctx, nil, line...)
}

// importImage hands an image file to containerd. It goes in by standard input,
// since the file may be where the ground does not see it.
func (n *node) importImage(ctx context.Context, file string) error {
	content, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("importing image: %w", err)
	}
	defer content.Close()
	_, err = n.ground.run(ctx, content,
		"ctr", "--address", containerdSocket, "--namespace", "k8s.io", "images", "import", "-")
	if err != nil {
		return fmt.Errorf("importing image %s: %w", file, err)
	}
	return nil
}

// images lists the images that are there, by their names.
func (n *node) images(ctx context.Context) ([]string, error) {
	said, err := n.ctr(ctx, "images", "list", "--quiet")
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	// Kubelet's side of containerd lists each once more, by its digest.
	byDigest := func(name string) bool { return strings.HasPrefix(name, "sha256:") }
	return slices.DeleteFunc(strings.Fields(said), byDigest), nil
}

// hasImages tells whether all the images are there already.
func (n *node) hasImages(ctx context.Context, names ...string) (bool, error) {
	present, err := n.images(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(present, func(image string) bool { return strings.HasSuffix(image, "/"+name) }) {
			return false, nil
		}
	}
	return true, nil
}
