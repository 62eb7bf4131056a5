package gloo

import (
	"fmt"
	"strings"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const (
	hundred     = 100
	fieldRoutes = "routes"
	setCookie   = "Set-Cookie"
)

// addedName begins the names of the routes that send requests to the canary by a match, by which they are known
// again.
const addedName = "weir-canary-"

// routesFor are the routes for a split. What goes to the canary by a match stands before all that is shared out.
func routesFor(app router.App, split rollout.Split) ([]any, error) {
	options, err := optionsOf(&app.Canary.Spec.Service)
	if err != nil {
		return nil, err
	}
	requests := chosen(app, split)
	var own, added []any
	for _, g := range groups(&app.Canary.Spec.Service) {
		// A route without a matcher would take everything.
		if len(requests) > 0 {
			route := g.narrowed(requests).route(single(upstreamRef(app, app.CanaryService)), options)
			route["name"] = fmt.Sprintf("%s%d", addedName, len(added)+1)
			added = append(added, route)
		}
		own = append(own, g.route(pair(app, split), mirrored(app, split, options)))
	}
	return append(added, own...), nil
}

// united are the routes with all of the traffic on the apex.
func united(app router.App) ([]any, error) {
	options, err := optionsOf(&app.Canary.Spec.Service)
	if err != nil {
		return nil, err
	}
	var all []any
	for _, g := range groups(&app.Canary.Spec.Service) {
		all = append(all, g.route(single(apexRef(app)), options))
	}
	return all, nil
}

// route sends what a group describes somewhere. Conditions of the route that delegates hold, too; one of its path is
// in the way of a path of our own.
func (g group) route(action, options object) object {
	out := object{
		"routeAction": action, "inheritableMatchers": true, "inheritablePathMatchers": !g.paths,
	}
	if len(g.matchers) > 0 {
		out["matchers"] = router.List(g.matchers)
	}
	if len(options) > 0 {
		out["options"] = options
	}
	return out
}

func single(to router.Ref) object { return object{"single": destination(to)} }

// pair are both sides of a split. Both are there at weight 0 too: a destination that comes and goes could be seen
// half-done.
func pair(app router.App, split rollout.Split) object {
	side := func(service string, weight int32) object {
		return object{"destination": destination(upstreamRef(app, service)), "weight": int64(weight)}
	}
	primary, canary := side(app.Primary, hundred-split.Weight), side(app.CanaryService, split.Weight)
	if c, ok := router.CookieOf(app, split); ok {
		canary["options"] = object{"headerManipulation": object{
			"responseHeadersToAdd": []any{header(setCookie, c.Goes(), true)},
		}}
	}
	return object{"multi": object{"destinations": []any{primary, canary}}}
}

func destination(to router.Ref) object {
	return object{"upstream": object{"name": to.Name, "namespace": to.Namespace}}
}

// mirrored are options by which requests are copied to the canary as well.
func mirrored(app router.App, split rollout.Split, options object) object {
	if split.Mirror == 0 {
		return options
	}
	out := destination(upstreamRef(app, app.CanaryService))
	out["percentage"] = int64(split.Mirror)
	return with(options, "shadowing", out)
}

func isAdded(route object) bool { return strings.HasPrefix(textIn(route, "name"), addedName) }
