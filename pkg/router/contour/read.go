package contour

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force and what Contour says of it. An HTTPProxy that somebody has changed is found and not
// accepted: it counts as moving until the next apply has put it right.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !held(app, have) {
		return rollout.Route{}
	}
	own, added := parts(app, routesOf(have))
	split := rollout.Split{Weight: largestShare(app, own), Mirror: largestMirror(app, own)}
	match, asLeft := router.Recognise(committed.Match, added, func(m []v1beta1.RequestMatch) ([]object, bool) {
		again := split
		again.Match = m
		intents, err := r.Render(app, again, found)
		if err != nil {
			return nil, false
		}
		_, want := parts(app, routesOf(intents[0].Intent))
		return want, router.Holds(have, intents[0].Intent)
	})
	split.Match = match
	route := rollout.Route{Found: true, Split: split}
	if asLeft {
		route.Accepted, route.Refused = r.Accepted(have)
	}
	return route
}

// held says that there is something of Weir's in an HTTPProxy.
func held(app router.App, have *unstructured.Unstructured) bool {
	if !router.IsMade(app, have) {
		return false
	}
	for _, route := range routesOf(have) {
		if w := weightsOf(app, route); w.hasPrimary || w.hasCanary {
			return true
		}
	}
	return metav1.IsControlledBy(have, app.Canary)
}

func routesOf(have *unstructured.Unstructured) []object {
	spec, _ := have.Object["spec"].(object)
	return router.Objects(spec["routes"])
}

// parts are the routes that share traffic out, and those in which the canary stands without the primary.
func parts(app router.App, routes []object) (own, added []object) {
	for _, route := range routes {
		if w := weightsOf(app, route); w.hasCanary && !w.hasPrimary {
			added = append(added, route)
		} else {
			own = append(own, route)
		}
	}
	return own, added
}

// weights are those of a route's services, without copies.
type weights struct {
	primary, canary, all  int64
	hasPrimary, hasCanary bool
	services              int64
}

func weightsOf(app router.App, route object) weights {
	var w weights
	for _, s := range router.Objects(route["services"]) {
		if s["mirror"] == true {
			continue
		}
		weight, _ := s["weight"].(int64)
		w.services, w.all = w.services+1, w.all+weight
		switch s["name"] {
		case app.Primary:
			w.primary, w.hasPrimary = w.primary+weight, true
		case app.CanaryService:
			w.canary, w.hasCanary = w.canary+weight, true
		}
	}
	return w
}

// largestShare is the most that the canary gets of any route, in percent rounded up. All give it the same where the
// HTTPProxy is as Weir leaves it. A route without any weight is shared out evenly.
func largestShare(app router.App, routes []object) int32 {
	var largest int32
	for _, route := range routes {
		w := weightsOf(app, route)
		switch {
		case w.all != 0:
			largest = max(largest, router.PercentOf(w.canary, w.all))
		case w.hasCanary:
			largest = max(largest, router.PercentOf(1, w.services))
		}
	}
	return largest
}

// largestMirror is the largest percentage that is copied to the canary by any route. Without a weight, or with a
// weight of 0, everything is copied.
func largestMirror(app router.App, routes []object) int32 {
	var largest int64
	for _, route := range routes {
		for _, s := range router.Objects(route["services"]) {
			if s["mirror"] != true || s["name"] != app.CanaryService {
				continue
			}
			weight, _ := s["weight"].(int64)
			if weight <= 0 || weight > hundred {
				weight = hundred
			}
			largest = max(largest, weight)
		}
	}
	return int32(largest)
}

// Accepted is what Contour says of this very generation. Of an older one it says nothing that counts.
func (Router) Accepted(have *unstructured.Unstructured) (accepted bool, refused string) {
	status, _ := have.Object["status"].(object)
	for _, c := range router.Objects(status["conditions"]) {
		if c["type"] != "Valid" || c["observedGeneration"] != have.GetGeneration() {
			continue
		}
		switch c["status"] {
		case string(metav1.ConditionTrue):
			return true, ""
		case string(metav1.ConditionFalse):
			return false, fmt.Sprintf("HTTPProxy %s/%s is not served: %s", have.GetNamespace(), have.GetName(), faults(c))
		}
	}
	return false, ""
}

// faults are the errors of a condition. One that no root includes is called orphaned, and most are so when they are new.
func faults(condition object) string {
	says, _ := condition["message"].(string)
	for i, e := range router.Objects(condition["errors"]) {
		if e["type"] == "Orphaned" {
			return "no root HTTPProxy includes it; name it in spec.includes of yours"
		}
		if i == 0 {
			says = fmt.Sprintf("%v: %v", e["reason"], e["message"])
		}
	}
	return says
}
