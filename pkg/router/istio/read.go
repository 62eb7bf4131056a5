package istio

import (
	"math"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force. Nobody says of a VirtualService whether it is accepted, so it is as soon as it is
// as Weir leaves one. One that somebody has changed is found and not accepted: it counts as moving until the next
// apply has put it right.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !held(app, have) {
		return rollout.Route{}
	}
	own, added := parts(routesOf(app, have))
	split := rollout.Split{Weight: largestShare(app, own), Mirror: largestMirror(app, own)}
	match, asLeft := readMatch(app, split, committed.Match, added, found)
	split.Match = match
	return rollout.Route{Found: true, Split: split, Accepted: asLeft}
}

// held says that there is something of Weir's in a VirtualService.
func held(app router.App, have *unstructured.Unstructured) bool {
	if !isMade(app, have) {
		return false
	}
	own, added := parts(routesOf(app, have))
	for _, route := range append(own, added...) {
		if weightsOf(app, route).any {
			return true
		}
	}
	return metav1.IsControlledBy(have, app.Canary)
}

// routesOf are the routes in force, of requests or of connections as the spec has it.
func routesOf(app router.App, have *unstructured.Unstructured) []object {
	field := fieldHTTP
	if router.SpeaksTCP(app.Canary) {
		field = fieldTCP
	}
	routes, _, _ := unstructured.NestedSlice(have.Object, "spec", field)
	return objects(routes)
}

// parts are the routes that share traffic out, and those that were added for requests by a match.
func parts(routes []object) (own, added []object) {
	for _, route := range routes {
		if name, _ := route["name"].(string); strings.HasPrefix(name, addedName) {
			added = append(added, route)
		} else {
			own = append(own, route)
		}
	}
	return own, added
}

// readMatch says which requests go to the canary by a match, and whether everything is as Weir leaves it: what it
// adds is known again by rendering the committed match once more, or none.
func readMatch(
	app router.App, split rollout.Split, committed []v1beta1.RequestMatch, added []object, found router.Found,
) (match []v1beta1.RequestMatch, asLeft bool) {
	if len(added) > 0 {
		match = unknown()
	}
	candidates := [][]v1beta1.RequestMatch{nil}
	if len(committed) > 0 {
		candidates = append(candidates, committed)
	}
	for _, m := range candidates {
		split.Match = m
		_, routes, err := routed(app, split)
		if err != nil {
			continue
		}
		if _, want := parts(objects(routes)); reflect.DeepEqual(want, added) {
			match, asLeft = m, stands(app, split, found)
		}
	}
	return match, asLeft
}

// unknown stands for requests that go to the canary by a match which is not the committed one. The schema lets
// nobody commit to an empty one.
func unknown() []v1beta1.RequestMatch { return []v1beta1.RequestMatch{{}} }

// stands says that all that Weir would write for a split is there. What it does not write is others'.
func stands(app router.App, split rollout.Split, found router.Found) bool {
	intents, err := Router{}.Render(app, split, found)
	if err != nil {
		return false
	}
	for _, intent := range intents {
		have := found[intent.Ref]
		if have == nil {
			return false
		}
		is, _ := have.Object["spec"].(object)
		for field, want := range intent.Intent.Object["spec"].(object) {
			if !reflect.DeepEqual(is[field], want) {
				return false
			}
		}
	}
	return true
}

// weights are those of a route's destinations.
type weights struct {
	primary, canary int64
	// any says that one of them is a destination at all.
	any bool
}

func weightsOf(app router.App, route object) weights {
	var w weights
	to, _ := route["route"].([]any)
	for _, d := range objects(to) {
		weight := int64(hundred) // where there is but one it needs none
		if len(to) > 1 {
			weight, _ = d["weight"].(int64)
		}
		switch hostOf(d["destination"]) {
		case app.Primary:
			w.primary, w.any = w.primary+weight, true
		case app.CanaryService:
			w.canary, w.any = w.canary+weight, true
		}
	}
	return w
}

func hostOf(destination any) string {
	to, _ := destination.(object)
	host, _ := to["host"].(string)
	return host
}

// largestShare is the most that the canary gets of any route, in percent rounded up. All give it the same where
// the VirtualService is as Weir leaves it.
func largestShare(app router.App, routes []object) int32 {
	var largest int32
	for _, route := range routes {
		w := weightsOf(app, route)
		largest = max(largest, router.PercentOf(w.canary, w.primary+w.canary))
	}
	return largest
}

// largestMirror is the largest percentage that is copied to the canary by any route.
func largestMirror(app router.App, routes []object) int32 {
	var largest int32
	for _, route := range routes {
		if hostOf(route["mirror"]) == app.CanaryService {
			largest = max(largest, percentage(route["mirrorPercentage"]))
		}
	}
	return largest
}

// percentage is rounded up and at least 1. Without any, everything is copied.
func percentage(of any) int32 {
	p, ok := of.(object)
	if !ok {
		return hundred
	}
	switch v := p["value"].(type) {
	case int64:
		return int32(min(hundred, max(1, v)))
	case float64:
		return int32(min(hundred, max(1, math.Ceil(v))))
	}
	return 1
}

func objects(list []any) []object {
	var out []object
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}
