package gloo

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force. A RouteTable as Weir leaves one counts as accepted unless Gloo has rejected it. Gloo's
// states have no generation: that of an older version may still stand there, so Accepted is no proof. A warning may be
// about somebody else's object, and is no refusal. One that somebody has changed is found and not accepted: it counts as
// moving until the next apply has put it right.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !held(app, have) {
		return rollout.Route{}
	}
	own, added := parts(routesOf(have))
	split := rollout.Split{Weight: largestShare(app, own), Mirror: largestMirror(app, own)}
	match, asLeft := router.Recognise(committed.Match, added, func(m []v1beta1.RequestMatch) ([]object, bool) {
		intents, err := r.Render(app, rollout.Split{Weight: split.Weight, Mirror: split.Mirror, Match: m}, found)
		if err != nil {
			return []object{}, false // unlike anything
		}
		_, want := parts(routesOf(intents[len(intents)-1].Intent))
		return want, stand(intents, found)
	})
	split.Match = match
	route := rollout.Route{Found: true, Split: split, Accepted: asLeft}
	if _, err := users(app, found); err != nil {
		route.Accepted, route.Refused = false, err.Error()
	} else if reason := rejected(have); reason != "" {
		route.Accepted, route.Refused = false, reason
	}
	return route
}

// held says that there is something of Weir's in a RouteTable.
func held(app router.App, have *unstructured.Unstructured) bool {
	if !router.IsMade(app, have) {
		return false
	}
	if metav1.IsControlledBy(have, app.Canary) {
		return true
	}
	return slices.ContainsFunc(routesOf(have), func(route object) bool { return weightsOf(app, route).any })
}

func routesOf(have *unstructured.Unstructured) []object {
	return router.Objects(mapIn(have.Object, "spec")[fieldRoutes])
}

// parts are the routes that share traffic out, and those that were added for requests by a match.
func parts(routes []object) (own, added []object) {
	for _, route := range routes {
		if isAdded(route) {
			added = append(added, route)
		} else {
			own = append(own, route)
		}
	}
	return own, added
}

// stand says that all that Weir would write is there. What it does not write is others'.
func stand(intents []router.Object, found router.Found) bool {
	return !slices.ContainsFunc(intents, func(o router.Object) bool {
		return found[o.Ref] == nil || !router.IsLike(found[o.Ref], o.Intent)
	})
}

// weights are those of a route's destinations.
type weights struct {
	primary, canary int64
	// any says that one of them is a destination at all.
	any bool
}

func weightsOf(app router.App, route object) weights {
	var w weights
	add := func(destination object, weight int64) {
		switch upstreamOf(app, destination) {
		case app.Primary:
			w.primary, w.any = w.primary+weight, true
		case app.CanaryService:
			w.canary, w.any = w.canary+weight, true
		}
	}
	action := mapIn(route, "routeAction")
	add(mapIn(action, "single"), hundred)
	for _, d := range router.Objects(mapIn(action, "multi")["destinations"]) {
		weight, _ := d["weight"].(int64)
		add(mapIn(d, "destination"), weight)
	}
	return w
}

// upstreamOf is the name of the Upstream in the Canary's namespace that is named.
func upstreamOf(app router.App, by object) string {
	named := mapIn(by, "upstream")
	if in := textIn(named, "namespace"); in != "" && in != app.Canary.Namespace {
		return ""
	}
	return textIn(named, "name")
}

// largestShare is the most that the canary gets of any route, in percent rounded up. All give it the same where
// the RouteTable is as Weir leaves it.
func largestShare(app router.App, routes []object) int32 {
	var largest int32
	for _, route := range routes {
		w := weightsOf(app, route)
		largest = max(largest, router.PercentOf(w.canary, w.primary+w.canary))
	}
	return largest
}

// largestMirror is the largest percentage that is copied to the canary by any route, rounded up and at least 1.
func largestMirror(app router.App, routes []object) int32 {
	var largest int32
	for _, route := range routes {
		shadowing := mapIn(mapIn(route, "options"), "shadowing")
		if upstreamOf(app, shadowing) != app.CanaryService {
			continue
		}
		percentage := int32(1)
		switch v := shadowing["percentage"].(type) {
		case int64:
			percentage = int32(v)
		case float64:
			percentage = int32(v) + 1
		}
		largest = max(largest, min(hundred, max(1, percentage)))
	}
	return largest
}

// rejected is why Gloo does not serve a RouteTable, as each of its control planes says.
func rejected(have *unstructured.Unstructured) string {
	statuses := mapIn(mapIn(have.Object, "status"), "statuses")
	for _, by := range slices.Sorted(maps.Keys(statuses)) {
		status := mapIn(statuses, by)
		if state := status["state"]; state == "Rejected" || state == int64(stateRejected) {
			return fmt.Sprintf("RouteTable %s/%s is rejected by Gloo in namespace %s: %s",
				have.GetNamespace(), have.GetName(), by, textIn(status, "reason"))
		}
	}
	return ""
}

// stateRejected is how older versions write it.
const stateRejected = 2
