package istio

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// What is written is kept as JSON has it, never as Istio's Go types: these leave out a weight of 0, and know
// nothing of server-side apply.
type object = map[string]any

// mesh is Istio's name of the proxies beside the pods, which stands among the gateways.
const mesh = "mesh"

const hundred = 100

// virtualService is the spec for a split.
func virtualService(app router.App, split rollout.Split) (object, error) {
	field, routes, err := routed(app, split)
	if err != nil {
		return nil, err
	}
	spec := object{field: routes}
	s := &app.Canary.Spec.Service
	if s.Delegation {
		return spec, nil // the one that delegates has hosts and gateways
	}
	var hosts []any
	for _, h := range s.Hosts {
		if string(h) != app.Apex {
			hosts = append(hosts, string(h))
		}
	}
	spec["hosts"], spec["gateways"] = append(hosts, app.Apex), list(gateways(s))
	return spec, nil
}

// routed are the routes for a split, and the field that they stand in.
func routed(app router.App, split rollout.Split) (field string, routes []any, err error) {
	if router.SpeaksTCP(app.Canary) {
		return fieldTCP, tcpRoutes(app, pair(split.Weight)), nil
	}
	base, err := frame(&app.Canary.Spec.Service)
	if err != nil {
		return "", nil, err
	}
	return fieldHTTP, httpRoutes(app, split, base), nil
}

func gateways(s *v1beta1.CanaryService) []string {
	if len(s.Gateways) == 0 {
		return []string{mesh}
	}
	return s.Gateways
}

// entry is a place where requests come in.
type entry struct {
	// gateways that a route must name to be for this entry alone; none where there is one entry.
	gateways []string
	// mesh says that pods may send the requests.
	mesh bool
	// toPort says that traffic is for the port of the spec. In the mesh it keeps to the port of the apex that it
	// was sent to, of which there may be several; a gateway has ports of its own.
	toPort bool
}

func entries(s *v1beta1.CanaryService) []entry {
	if s.Delegation {
		return []entry{{mesh: true, toPort: true}} // who delegates is not known here
	}
	var named []string
	for _, g := range gateways(s) {
		if g != mesh {
			named = append(named, g)
		}
	}
	switch {
	case len(named) == 0:
		return []entry{{mesh: true}}
	case !slices.Contains(gateways(s), mesh):
		return []entry{{toPort: true}}
	}
	return []entry{{gateways: named, toPort: true}, {gateways: []string{mesh}, mesh: true}}
}

// share is a Service's part of the traffic.
type share struct {
	to     service
	weight int64
}

// service names one of an application's Services.
type service int

const (
	toPrimary service = iota
	toCanary
	toApex
)

func (s service) name(app router.App) string {
	switch s {
	case toPrimary:
		return app.Primary
	case toCanary:
		return app.CanaryService
	}
	return app.Apex
}

// pair are both sides of a split. Both are there at weight 0 too: a destination that comes and goes could be seen
// half-done.
func pair(weight int32) []share {
	return []share{{toPrimary, hundred - int64(weight)}, {toCanary, int64(weight)}}
}

// undivided is all of the traffic to one Service.
func undivided(to service) []share { return []share{{to, hundred}} }

// destination of traffic that comes in by an entry.
func (s share) destination(app router.App, e entry) object {
	to := object{"host": s.to.name(app)}
	if e.toPort {
		to["port"] = object{"number": int64(app.Canary.Spec.Service.Port)}
	}
	return to
}

func (s share) backend(app router.App, e entry) object {
	return object{"destination": s.destination(app, e), "weight": s.weight}
}

// asJSON is what a field of the spec is in JSON, which Istio has in the same words.
func asJSON(field any) (object, error) {
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(field)
	if err != nil {
		return nil, fmt.Errorf("writing %T: %w", field, err)
	}
	return out, nil
}

func list[T any](of []T) []any {
	out := make([]any, 0, len(of))
	for _, o := range of {
		out = append(out, o)
	}
	return out
}
