package kuma

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force. A MeshHTTPRoute has no status. It is accepted as soon as it is as Weir leaves one and
// Kuma has taken it for one that holds for the mesh, which its control plane says by a label as it is written. One that
// somebody has changed is found and not accepted: it counts as moving until the next apply has put it right.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !held(app, have) {
		return rollout.Route{}
	}
	own, added := parts(app, rulesOf(have))
	split := rollout.Split{Weight: largestShare(app, own), Mirror: largestMirror(app, own)}
	match, asLeft := router.Recognise(committed.Match, added, func(m []v1beta1.RequestMatch) ([]object, bool) {
		again := split
		again.Match = m
		intents, err := Router{}.Render(app, again, found)
		if err != nil {
			return nil, false
		}
		_, want := parts(app, rulesOf(intents[0].Intent))
		return want, router.Holds(have, intents[0].Intent)
	})
	split.Match = match
	route := rollout.Route{Found: true, Split: split}
	if asLeft {
		route.Accepted, route.Refused = verdict(have)
	}
	return route
}

// verdict is what Kuma takes a route for. Where no control plane looks at what is written, nobody says anything.
func verdict(have *unstructured.Unstructured) (good bool, bad string) {
	switch role := have.GetLabels()[roleLabel]; role {
	case "", "producer", "system":
		return true, ""
	default:
		return false, fmt.Sprintf("%s %s/%s is one for the pods of its namespace alone, as Kuma says by its label %s=%s; Weir "+
			"needs Kuma 3, which takes one with the labels %s, %s and %s of its target for one of the mesh",
			kind, have.GetNamespace(), have.GetName(), roleLabel, role, nameLabel, namespaceLabel, zoneLabel)
	}
}

// held says that there is something of Weir's in a MeshHTTPRoute.
func held(app router.App, have *unstructured.Unstructured) bool {
	if !router.IsMade(app, have) {
		return false
	}
	for _, rule := range rulesOf(have) {
		if w := weightsOf(app, rule); w.hasPrimary || w.hasCanary {
			return true
		}
	}
	return metav1.IsControlledBy(have, app.Canary)
}

// reaches says that by a route, as it is, some request may get to the canary.
func reaches(app router.App, have *unstructured.Unstructured) bool {
	if have == nil {
		return false
	}
	own, added := parts(app, rulesOf(have))
	return len(added) > 0 || largestShare(app, own) > 0 || largestMirror(app, own) > 0
}

func rulesOf(have *unstructured.Unstructured) []object {
	spec, _ := have.Object["spec"].(object)
	var all []object
	for _, to := range router.Objects(spec["to"]) {
		all = append(all, router.Objects(to["rules"])...)
	}
	return all
}

// parts are the rules that share traffic out, and those in which the canary stands without the primary.
func parts(app router.App, rules []object) (own, added []object) {
	for _, rule := range rules {
		if w := weightsOf(app, rule); w.hasCanary && !w.hasPrimary {
			added = append(added, rule)
		} else {
			own = append(own, rule)
		}
	}
	return own, added
}

// weights are those of a rule's backends.
type weights struct {
	canary, all           int64
	hasPrimary, hasCanary bool
}

func weightsOf(app router.App, rule object) weights {
	var w weights
	does, _ := rule["default"].(object)
	for _, b := range router.Objects(does["backendRefs"]) {
		weight, ok := b["weight"].(int64)
		if !ok {
			weight = 1 // what Kuma means by none
		}
		w.all += weight
		switch nameOf(b) {
		case app.Primary:
			w.hasPrimary = true
		case app.CanaryService:
			w.canary, w.hasCanary = w.canary+weight, true
		}
	}
	return w
}

func nameOf(backend object) string {
	labels, _ := backend["labels"].(object)
	name, _ := labels[nameLabel].(string)
	return name
}

// largestShare is the most that the canary gets of any rule, in percent rounded up. All give it the same where the
// route is as Weir leaves it.
func largestShare(app router.App, rules []object) int32 {
	var largest int32
	for _, rule := range rules {
		w := weightsOf(app, rule)
		largest = max(largest, router.PercentOf(w.canary, w.all))
	}
	return largest
}

// largestMirror is the largest percentage that is copied to the canary by any rule.
func largestMirror(app router.App, rules []object) int32 {
	var largest int32
	for _, rule := range rules {
		does, _ := rule["default"].(object)
		for _, filter := range router.Objects(does["filters"]) {
			mirror, _ := filter["requestMirror"].(object)
			if to, _ := mirror["backendRef"].(object); nameOf(to) == app.CanaryService {
				largest = max(largest, percentage(mirror["percentage"]))
			}
		}
	}
	return largest
}

// percentage is rounded up and at least 1. Without any, or with one that cannot be read, everything is copied.
func percentage(of any) int32 {
	switch v := of.(type) {
	case int64:
		return int32(min(hundred, max(1, v)))
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64); err == nil {
			return int32(min(hundred, max(1, math.Ceil(f))))
		}
	}
	return hundred
}
