package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
)

// What a user says about a cluster of their own, beside KUBECONFIG.
const (
	gatewayURLVariable    = "WEIR_GATEWAY_URL"
	prometheusURLVariable = "WEIR_PROMETHEUS_URL"
	gatewayVariable       = "WEIR_GATEWAY"
)

// externalKubeconfig is the user's, unless it is the one this sandbox wrote.
func externalKubeconfig(dir string) string {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" || strings.HasPrefix(kubeconfig, stateDir(dir)+string(filepath.Separator)) {
		return ""
	}
	return kubeconfig
}

// useExternal takes the user's cluster as it is.
func useExternal(kubeconfig string, tell *progress) (*Sandbox, error) {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	version, err := client.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster of KUBECONFIG=%s: %w", kubeconfig, err)
	}
	s := &Sandbox{
		Kubeconfig:    kubeconfig,
		TraefikURL:    os.Getenv(gatewayURLVariable),
		PrometheusURL: os.Getenv(prometheusURLVariable),
		External:      true,
		config:        config,
		tell:          tell,
	}
	if named := os.Getenv(gatewayVariable); named != "" {
		namespace, name, ok := strings.Cut(named, "/")
		if !ok {
			return nil, fmt.Errorf("%s=%s: want namespace/name", gatewayVariable, named)
		}
		s.Gateway = types.NamespacedName{Namespace: namespace, Name: name}
	}
	tell.say("using the cluster of KUBECONFIG=%s (%s) as it is; nothing is started", kubeconfig, version.GitVersion)
	for _, variable := range []string{gatewayURLVariable, prometheusURLVariable, gatewayVariable} {
		if os.Getenv(variable) == "" {
			tell.say("%s is not set; what needs it cannot be tested", variable)
		}
	}
	return s, nil
}

func errNotOurs(doing string) error {
	return fmt.Errorf("the cluster is the user's own (KUBECONFIG): not ours to %s", doing)
}
