package gatewayapi

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// mirrored is a rule with a pair that copies a percentage of its requests to the canary.
func mirrored(app application, rule object, percent int32) (object, error) {
	filters := listIn(rule, "filters")
	if len(filters) == maxFilters {
		return nil, errNoRoom
	}
	copies := object{"backendRef": object{
		"group": "", "kind": "Service", "name": app.CanaryService, "port": served(app, rule)[0].canary["port"],
	}}
	if percent < hundredths {
		copies["percent"] = int64(percent) // all of them need no percentage, which fewer implementations know
	}
	rule = maps.Clone(rule)
	rule["filters"] = list(append(filters, object{
		"type": string(gatewayv1.HTTPRouteFilterRequestMirror), "requestMirror": copies,
	}))
	return rule, nil
}

// unmirrored is a rule without the mirror, where it is one that Weir divides. In another it is the user's own.
func unmirrored(app application, rule object) object {
	if sends(app, rule, app.Apex) || len(pairsOf(app, []object{rule})) > 0 {
		return withoutMirror(app, rule)
	}
	return rule
}

func withoutMirror(app application, rule object) object {
	filters := listIn(rule, "filters")
	rest := slices.DeleteFunc(slices.Clone(filters), func(f object) bool { return copied(app, f) > 0 })
	if len(rest) == len(filters) {
		return rule
	}
	rule = maps.Clone(rule)
	if rule["filters"] = list(rest); len(rest) == 0 {
		delete(rule, "filters")
	}
	return rule
}

// mirrorOf is the percentage of a rule's requests that is copied to the canary.
func mirrorOf(app application, rule object) int32 {
	var most int64
	for _, f := range listIn(rule, "filters") {
		most = max(most, copied(app, f))
	}
	return int32(most)
}

// copied is the percentage that a filter copies to the canary, rounded up and at least 1, or 0 if it does not.
func copied(app application, filter object) int64 {
	mirror, _ := filter["requestMirror"].(object)
	to, _ := mirror["backendRef"].(object)
	if to == nil || !names(app, to, app.CanaryService) {
		return 0
	}
	if percent, ok := mirror["percent"].(int64); ok {
		return max(1, percent)
	}
	if fraction, ok := mirror["fraction"].(object); ok {
		numerator, _ := fraction["numerator"].(int64)
		denominator, _ := fraction["denominator"].(int64)
		denominator = max(1, denominator)
		return max(1, (numerator*hundredths+denominator-1)/denominator)
	}
	return hundredths
}

// mirrors refuses a mirror where it would cost requests. Who does not know a filter has to say so, and to answer
// requests with an error meanwhile. Traefik, up to 3.7.9 at least, does the second without the first: it accepts
// the route and answers an error to all. Linkerd, up to 2.19 at least, accepts the route and goes on as if there were
// none. So they are known by the name that they sign with.
func mirrors(have *unstructured.Unstructured) error {
	for controller, does := range map[gatewayv1.GatewayController]string{
		byTraefik: "Traefik, which answers every request with an error", byLinkerd: "Linkerd, which drops the route",
	} {
		if parent := servedBy(controller, have); parent != "" {
			return fmt.Errorf("its parent %s is served by %s where requests are to be mirrored; do without mirroring", parent, does)
		}
	}
	return nil
}

// editsAnswers refuses to change headers of answers in a GRPCRoute of Traefik's, for the same reason.
func editsAnswers(app application, have *unstructured.Unstructured) error {
	headers := app.Canary.Spec.Service.Headers
	if app.kind != grpcRoute || headers == nil || headers.Response == nil {
		return nil
	}
	if parent := servedBy(byTraefik, have); parent != "" {
		return fmt.Errorf("spec.service.headers.response cannot be carried out: its parent %s is served by Traefik, which answers "+
			"every call with an error where a GRPCRoute changes headers of answers; remove the field", parent)
	}
	return nil
}

// servedBy is the name of a parent for which a controller speaks. Of a route that is yet to be made nobody knows
// who will; the look after the one that makes it sees that.
func servedBy(controller gatewayv1.GatewayController, have *unstructured.Unstructured) string {
	if have == nil {
		return ""
	}
	for _, parent := range typed(have).Status.Parents {
		if parent.ControllerName == controller {
			return string(parent.ParentRef.Name)
		}
	}
	return ""
}
