package istio

import "weir.dev/weir/pkg/router"

// tcpRoutes are the routes of connections for some shares. In the mesh they are for the spec's port alone: the
// other ports of the apex may speak anything.
func tcpRoutes(app router.App, shares []share) []any {
	port := int64(app.Canary.Spec.Service.Port)
	var all []any
	for _, e := range entries(&app.Canary.Spec.Service) {
		match := object{}
		if len(e.gateways) > 0 {
			match["gateways"] = list(e.gateways)
		}
		if e.mesh {
			match["port"] = port
		}
		e.toPort = true
		var to []any
		for _, s := range shares {
			to = append(to, s.backend(app, e))
		}
		route := object{"route": to}
		if len(match) > 0 {
			route["match"] = []any{match}
		}
		all = append(all, route)
	}
	return all
}
