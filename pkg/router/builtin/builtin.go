// Package builtin is the list of routers that Weir brings along.
package builtin

import (
	"strings"

	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/kubernetes"
)

// Routers are all of them, one a line.
func Routers() []router.Router {
	return []router.Router{
		gatewayapi.Router{},
		kubernetes.Router{},
	}
}

// ByProvider finds the router of a provider's name, which may carry a version, as in gatewayapi:v1.
func ByProvider(provider string) (router.Router, bool) {
	name, _, _ := strings.Cut(provider, ":")
	for _, r := range Routers() {
		if r.Name() == name {
			return r, true
		}
	}
	return nil, false
}
