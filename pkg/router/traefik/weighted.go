package traefik

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// What is written is kept as JSON has it. Traefik's Go types come with all of Traefik, and leave out a percentage of 0.
type object = map[string]any

const hundred = 100

// shares are the sides of a split that get anything.
func shares(app router.App, split rollout.Split) []any {
	var services []any
	add := func(entry object, weight int32) {
		entry["weight"] = int64(weight)
		services = append(services, entry)
	}
	switch {
	case split.Mirror > 0: // what leads to the mirror stays, so that it is seen
		add(object{"kind": kind, "name": mirrorRef(app).Name}, hundred-split.Weight)
	case split.Weight < hundred:
		add(side(app, app.Primary), hundred-split.Weight)
	}
	if split.Weight > 0 {
		add(side(app, app.CanaryService), split.Weight)
	}
	return services
}

// mirroring is what stands in the primary's place. Copies are of what the primary gets.
func mirroring(app router.App, split rollout.Split) object {
	mirrors := []any{}
	if split.Mirror > 0 {
		copies := side(app, app.CanaryService)
		copies["percent"] = int64(split.Mirror)
		mirrors = append(mirrors, copies)
	}
	out := side(app, app.Primary)
	out["mirrors"] = mirrors
	return out
}

// side is a Service by its pods, also where Traefik is set to go by the address of a Service. Connections to that are
// kept open when the Service's selector changes, and so would lead to another revision than it says.
func side(app router.App, name string) object {
	s := service(app, name)
	s["nativeLB"] = false
	return s
}

func service(app router.App, name string) object {
	s := object{"kind": "Service", "name": name, "port": int64(app.Canary.Spec.Service.Port)}
	if scheme := schemeOf(&app.Canary.Spec.Service); scheme != "" {
		s["scheme"] = scheme
	}
	return s
}

// schemeOf is how the port is spoken to. Where the spec does not say, Traefik goes by the name and the number of the
// Service's port.
func schemeOf(s *v1beta1.CanaryService) string {
	switch _, protocol := router.Protocol(s); protocol {
	case "http", "ws", "kubernetes.io/ws", "grpc-web":
		return "http"
	case "https", "wss", "kubernetes.io/wss":
		return "https"
	case "h2c", "kubernetes.io/h2c", "http2", "grpc":
		return "h2c"
	}
	return ""
}

// transferable refuses a TraefikService that was given to Weir by its label, and has something in it that would be
// lost or would go on leading requests elsewhere.
func transferable(app router.App, have *unstructured.Unstructured) error {
	if field := foreign(have, "weighted", "services"); field != "" {
		return fmt.Errorf("%s has %s, which Weir cannot shift traffic by; remove the field", called(have), field)
	}
	for i, s := range servicesOf(have) {
		if !names(app, s, app.Apex) {
			return fmt.Errorf("%s sends requests to %v, too, and Weir makes the apex Service %s all of it; remove "+
				"spec.weighted.services[%d], and let another TraefikService share out between that and this one",
				called(have), s["name"], app.Apex, i)
		}
		for _, field := range slices.Sorted(maps.Keys(s)) {
			if !kept(app, field, s[field]) {
				return fmt.Errorf("%s has spec.weighted.services[%d].%s, which Weir has no field for, so it would not hold; "+
					"remove it", called(have), i, field)
			}
		}
	}
	return nil
}

// kept says that a field of the apex in a user's list means nothing more once both sides stand in its place.
func kept(app router.App, field string, value any) bool {
	switch field {
	case "kind", "name", "namespace", "weight", "nativeLB":
		return true
	case "port":
		return value == int64(app.Canary.Spec.Service.Port)
	case "scheme":
		return value == schemeOf(&app.Canary.Spec.Service)
	case "passHostHeader":
		return value == true
	}
	return false
}

// names says that an entry is a Service of the Canary's namespace.
func names(app router.App, entry object, service string) bool {
	return entry["name"] == service && (entry["kind"] == nil || entry["kind"] == "Service") && isHome(app, entry)
}

// isHome says that an entry names something of the Canary's namespace.
func isHome(app router.App, entry object) bool {
	return entry["namespace"] == nil || entry["namespace"] == app.Canary.Namespace
}
