// Package builtin is the list of routers that Weir brings along.
package builtin

import (
	"strings"

	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/apisix"
	"weir.dev/weir/pkg/router/contour"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/gloo"
	"weir.dev/weir/pkg/router/istio"
	"weir.dev/weir/pkg/router/knative"
	"weir.dev/weir/pkg/router/kubernetes"
	"weir.dev/weir/pkg/router/kuma"
	"weir.dev/weir/pkg/router/named"
	"weir.dev/weir/pkg/router/nginx"
	"weir.dev/weir/pkg/router/skipper"
	"weir.dev/weir/pkg/router/smi"
	"weir.dev/weir/pkg/router/traefik"
)

// Options are what an operator's flags say to routers.
type Options struct {
	// IngressAnnotationsPrefix is that of the annotations of canary Ingresses; empty means ingress-nginx's own.
	IngressAnnotationsPrefix string
}

// Routers are all of them, one a line.
func Routers(o Options) []router.Router {
	return []router.Router{
		apisix.Router{},
		named.Over(contour.Router{}),
		named.Over(gatewayapi.Router{}),
		gloo.Router{},
		named.Over(istio.Router{}),
		knative.Router{},
		kubernetes.Router{},
		kuma.Router{},
		named.Over(gatewayapi.Linkerd()),
		nginx.Router{Prefix: o.IngressAnnotationsPrefix},
		skipper.Router{},
		named.Over(smi.Router{}),
		named.Over(traefik.Router{}),
	}
}

// ByProvider finds the router of a provider's name, which may carry a version, as in gatewayapi:v1. It
// has no options: it is for looking at a Canary, not for writing routes.
func ByProvider(provider string) (router.Router, bool) {
	name, _, _ := strings.Cut(provider, ":")
	for _, r := range Routers(Options{}) {
		if r.Name() == name {
			return r, true
		}
	}
	return nil, false
}
