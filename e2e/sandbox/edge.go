package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
	args := []string{
		"--global.checknewversion=false", "--global.sendanonymoususage=false",
		fmt.Sprintf("--entrypoints.web.address=%s:%d", e.ground.nodeIP(), edgePort),
		fmt.Sprintf("--entrypoints.traefik.address=%s:%d", e.ground.nodeIP(), edgeAdminPort),
		"--api.insecure=true", "--api.dashboard=false", "--ping=true",
		"--log.level=INFO", "--log.nocolor=true",
		"--metrics.prometheus=true",
		// Finer than Traefik's own, which say nothing between 100 and 300 ms.
		"--metrics.prometheus.buckets=0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10",
		"--metrics.prometheus.addserviceslabels=true",
		"--metrics.prometheus.addrouterslabels=true",
		"--metrics.prometheus.addentrypointslabels=true",
		// A new weight shows in traffic at once, not after Traefik's two seconds.
		"--providers.providersthrottleduration=100ms",
		"--providers.kubernetesgateway.statusaddress.ip=" + e.ground.nodeIP(),
		"--providers.kubernetesingressnginx.publishstatusaddress=" + e.ground.nodeIP(),
		"--providers.kubernetesingressnginx.httpentrypoint=web",
	}
	// One proxy for three kinds of routes: Gateway API, Ingress with the
	// annotations of ingress-nginx, and Traefik's own.
	for _, kind := range []string{"kubernetesgateway", "kubernetesingressnginx", "kubernetescrd"} {
		provider := "--providers." + kind
		args = append(args, provider+"=true", provider+".endpoint="+e.creds.server,
			provider+".certauthfilepath="+e.creds.file("ca.crt"), provider+".token="+e.creds.file("admin.token"))
	}
	return component{
		name: "traefik", program: e.kitchen.path(traefik()), args: args,
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, e.adminURL()+"/ping")
		},
	}
}

// defineRoutes installs the kinds of routes: Gateway API's standard channel with
// the one Gateway, Traefik's own, and the class of ingress-nginx.
func (e *edge) defineRoutes(ctx context.Context) error {
	manifests, err := definitions(ctx)
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
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: nginx
spec:
  controller: k8s.io/ingress-nginx
`, gatewayNamespace, gatewayName, edgePort)...)
	return Apply(ctx, e.creds.admin(), manifests)
}

// definition is where CRDs are: in a module, as the go.mod of a folder pins it.
type definition struct{ from, module, files string }

// gatewayDefinitions leave the admission policies of Gateway API's channel out: what they protect is an
// upgrade.
func gatewayDefinitions(tree string) definition {
	return definition{tree, "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_[^v]*.yaml"}
}

// GatewayDefinitions are the CRDs of Gateway API's standard channel, in the version of Weir's go.mod.
func GatewayDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, gatewayDefinitions(tree))
}

// traefikDefinitions are in the module that Traefik is built from.
func traefikDefinitions(tree string) definition {
	return definition{
		filepath.Join(tree, traefik().module), "github.com/traefik/traefik/v3",
		"docs/content/reference/dynamic-configuration/traefik.io_*.yaml",
	}
}

// TraefikDefinitions are the CRDs of Traefik's own kinds, in the version that the sandbox runs.
func TraefikDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, traefikDefinitions(tree))
}

// definitions are the CRDs that Traefik reads, out of the modules that own them.
func definitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, gatewayDefinitions(tree), traefikDefinitions(tree))
}

func readDefinitions(ctx context.Context, sources ...definition) ([]byte, error) {
	var manifests []byte
	for _, source := range sources {
		module, err := moduleDir(ctx, source.from, source.module)
		if err != nil {
			return nil, err
		}
		files, err := filepath.Glob(filepath.Join(module, source.files))
		if err != nil {
			return nil, fmt.Errorf("finding definitions in %s: %w", source.module, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("finding definitions in %s: there is no %s", source.module, source.files)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("reading definitions of %s: %w", source.module, err)
			}
			manifests = append(append(manifests, "\n---\n"...), content...)
		}
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
