package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	gatewayNamespace = "weir-sandbox"
	gatewayName      = "weir"
	edgePort         = 80
	// edgeAdminPort has Traefik's metrics, dashboard and API.
	edgeAdminPort = 8080
)

// edge is where traffic comes in: Traefik, programmed by Gateway API.
type edge struct {
	ground  *ground
	kitchen *kitchen
	creds   *credentials
}

func (e *edge) adminURL() string { return url("http", e.ground.nodeIP(), edgeAdminPort) }

func (e *edge) traefik() component {
	const provider = "--providers.kubernetesgateway"
	return component{
		name: "traefik", program: e.kitchen.path(traefik()),
		args: []string{
			"--global.checknewversion=false", "--global.sendanonymoususage=false",
			fmt.Sprintf("--entrypoints.web.address=%s:%d", e.ground.nodeIP(), edgePort),
			fmt.Sprintf("--entrypoints.traefik.address=%s:%d", e.ground.nodeIP(), edgeAdminPort),
			"--api.insecure=true", "--ping=true", "--log.level=INFO",
			"--metrics.prometheus=true",
			// Finer than Traefik's own, which say nothing between 100 and 300 ms.
			"--metrics.prometheus.buckets=0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10",
			"--metrics.prometheus.addserviceslabels=true",
			"--metrics.prometheus.addrouterslabels=true",
			"--metrics.prometheus.addentrypointslabels=true",
			provider + "=true",
			provider + ".endpoint=" + e.creds.server,
			provider + ".certauthfilepath=" + e.creds.file("ca.crt"),
			provider + ".token=" + e.creds.tokens["admin"],
			provider + ".statusaddress.ip=" + e.ground.nodeIP(),
			// A new weight shows in traffic at once, not after Traefik's two seconds.
			"--providers.providersthrottleduration=100ms",
		},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, e.adminURL()+"/ping")
		},
	}
}

// defineGateway installs Gateway API's standard channel and the one Gateway.
func (e *edge) defineGateway(ctx context.Context) error {
	manifests, err := gatewayAPI(ctx)
	if err != nil {
		return err
	}
	manifests = append(manifests, fmt.Sprintf(`---
apiVersion: v1
kind: Namespace
metadata:
  name: %[1]s
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: traefik
spec:
  controllerName: traefik.io/gateway-controller
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: %[2]s
  namespace: %[1]s
spec:
  gatewayClassName: traefik
  listeners:
  - name: web
    protocol: HTTP
    port: %[3]d
    allowedRoutes:
      namespaces:
        from: All
`, gatewayNamespace, gatewayName, edgePort)...)
	return Apply(ctx, e.creds.admin(), manifests)
}

// gatewayAPI is the standard channel's definitions, as Weir's go.mod pins them.
func gatewayAPI(ctx context.Context) ([]byte, error) {
	module, err := moduleDir(ctx, "sigs.k8s.io/gateway-api")
	if err != nil {
		return nil, err
	}
	// The channel's admission policies are left out: what they protect is an
	// upgrade, and nothing is upgraded here.
	files, err := filepath.Glob(filepath.Join(module, "config/crd/standard/gateway.networking.k8s.io_*s.yaml"))
	if err != nil {
		return nil, fmt.Errorf("finding Gateway API's definitions: %w", err)
	}
	var manifests []byte
	for _, file := range files {
		if strings.Contains(file, "_vap_") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading Gateway API's definitions: %w", err)
		}
		manifests = append(append(manifests, "\n---\n"...), content...)
	}
	return manifests, nil
}

// awaitGateway waits until Traefik says that it serves the Gateway.
func (e *edge) awaitGateway(ctx context.Context) error {
	client, err := dynamic.NewForConfig(e.creds.admin())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	gateways := client.Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"})
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		current, err := gateways.Namespace(gatewayNamespace).Get(ctx, gatewayName, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading the Gateway: %w", err)
		}
		conditions, _, _ := unstructured.NestedSlice(current.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "Programmed" && condition["status"] == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Traefik to program the Gateway, which has %v: %w", conditions, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
