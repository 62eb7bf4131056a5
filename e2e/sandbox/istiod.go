package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// IstioVersion is that of VERSION in Istio's tree, and the commit that e2e/tools/istio pins.
const IstioVersion = "1.31-eed52ebb66ad"

const (
	istioNamespace = "istio-system"
	// istiodPort is where proxies ask, without encryption.
	istiodPort        = 15010
	istiodHTTPPort    = 15016
	istiodMetricsPort = 15014
)

func istiod() recipe {
	return recipe{
		program: "pilot-discovery", edition: "istio-" + IstioVersion, module: "e2e/tools/istio",
		pkg:    "istio.io/istio/pilot/cmd/pilot-discovery",
		stamps: []string{"istio.io/istio/pkg/version.buildVersion=" + IstioVersion},
	}
}

func (n *node) istiod() component {
	at := func(port int) string { return n.ground.nodeIP() + ":" + strconv.Itoa(port) }
	return component{
		name: "istiod", program: n.kitchen.path(istiod()),
		args: []string{
			"discovery", "--kubeconfig=" + n.creds.kubeconfig("admin"), "--meshConfig=" + n.conf("mesh.yaml"),
			"--grpcAddr=" + at(istiodPort), "--secureGRPCAddr=", "--httpsAddr=",
			"--httpAddr=" + at(istiodHTTPPort), "--monitoringAddr=" + at(istiodMetricsPort),
		},
		env: []string{
			"POD_NAME=istiod", "POD_NAMESPACE=" + istioNamespace, "CLUSTER_ID=Kubernetes",
			// Nobody proves who he is here, and no pod gets a proxy beside it.
			"ENABLE_CA_SERVER=false", "INJECTION_WEBHOOK_CONFIG_NAME=", "VALIDATION_WEBHOOK_CONFIG_NAME=",
			// Gateways are for Traefik to serve; of Istio's there is none.
			"PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false", "PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER=false",
		},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, url("http", n.ground.nodeIP(), istiodHTTPPort)+"/ready")
		},
	}
}

// meshYAML leaves Ingresses to Traefik.
const meshYAML = `ingressControllerMode: "OFF"
`

// StartIstiod brings Istio's control plane up, with the kinds that it reads, and says where proxies ask it: the same
// from this machine and from the pods. There are no proxies beside the pods. What it says to one can be asked by the
// xDS API, and clients of gRPC follow it by themselves (load.StartCalls).
//
// It is no part of a sandbox: it is built when it is first asked for, and then stays until Down, because several
// tests may ask it at once.
func (s *Sandbox) StartIstiod(ctx context.Context) (address string, err error) {
	if s.External {
		return "", errNotOurs("start Istio in")
	}
	n := s.node
	if err := n.kitchen.ready(ctx, istiod()); err != nil {
		return "", err
	}
	unlock, err := lockSandbox(ctx, s.dir(), s.tell)
	if err != nil {
		return "", err
	}
	defer unlock()
	kinds, err := allOfIstio(ctx)
	if err != nil {
		return "", err
	}
	kinds = fmt.Appendf(kinds, "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", istioNamespace)
	if err := Apply(ctx, s.RESTConfig(), kinds); err != nil {
		return "", err
	}
	if err := os.WriteFile(n.conf("mesh.yaml"), []byte(meshYAML), 0o644); err != nil {
		return "", fmt.Errorf("configuring Istio: %w", err)
	}
	if err := s.ensure(ctx, n.istiod()); err != nil {
		return "", err
	}
	return n.ground.nodeIP() + ":" + strconv.Itoa(istiodPort), nil
}

// allOfIstio are all of Istio's CRDs, in the version of its control plane.
func allOfIstio(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, definition{
		filepath.Join(tree, istiod().module), "istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml",
	})
}
