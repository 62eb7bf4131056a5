package apisix

import (
	"fmt"
	"maps"
	"strings"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

const hundred = 100

// addedName begins the names of the rules that send requests to the canary by a match, by which they are known again.
const addedName = "weir-canary-"

// Of the rules with a path in common, APISIX takes that with the highest priority. So the second ApisixRoute comes before
// the first by one, and its rules for requests by a match by two.
const (
	shared  = 1
	matched = 2
)

// rulesFor are the rules of the second ApisixRoute. What is added by a match stands last: the controller goes by the
// place of a rule, too, and those that are always there keep theirs.
func rulesFor(app router.App, users []object, split rollout.Split) []object {
	var own, added []object
	for _, rule := range users {
		if !leads(app, rule) {
			continue
		}
		own = append(own, divided(app, rule, split.Weight))
		for _, request := range split.Match {
			added = append(added, toCanary(app, rule, exprs(request), len(added)+1))
		}
	}
	return append(own, added...)
}

// leads says that a rule sends requests to the apex.
func leads(app router.App, rule object) bool {
	for _, b := range backendsOf(rule) {
		if weight, set := weightOf(b); serviceOf(b) == app.Apex && (weight > 0 || !set) {
			return true
		}
	}
	return false
}

// divided is a rule with a pair in the place of the apex. Where that stands beside others, all shares stay what they
// were. The primary is the first of the two: of a rule whose first backend has no pods, the controller makes none.
func divided(app router.App, rule object, weight int32) object {
	alone := len(backendsOf(rule))+len(upstreamsOf(rule)) == 1
	var backends []object
	for _, b := range backendsOf(rule) {
		share, _ := weightOf(b)
		if serviceOf(b) != app.Apex {
			backends = append(backends, with(b, "weight", share*hundred))
			continue
		}
		if alone {
			share = 1
		}
		backends = append(backends, to(app.Primary, b, share*int64(hundred-weight)), to(app.CanaryService, b, share*int64(weight)))
	}
	out := with(rule, "priority", priorityOf(rule)+shared)
	out["backends"] = router.List(backends)
	var upstreams []object
	for _, u := range upstreamsOf(rule) {
		share, _ := weightOf(u)
		upstreams = append(upstreams, with(u, "weight", share*hundred))
	}
	if len(upstreams) > 0 {
		out["upstreams"] = router.List(upstreams)
	}
	return out
}

// toCanary is a rule that takes those of a rule's requests that are described, for the canary alone.
func toCanary(app router.App, rule object, requests []object, number int) object {
	out := with(rule, "priority", priorityOf(rule)+matched)
	out["name"] = fmt.Sprintf("%s%d", addedName, number)
	delete(out, "upstreams")
	for _, b := range backendsOf(rule) {
		if serviceOf(b) == app.Apex {
			out["backends"] = []any{to(app.CanaryService, b, hundred)}
		}
	}
	match := mapIn(rule, "match")
	out["match"] = with(match, "exprs", router.List(append(router.Objects(match["exprs"]), requests...)))
	return out
}

func to(service string, backend object, weight int64) object {
	out := with(backend, "weight", weight)
	out["serviceName"] = service
	return out
}

func isAdded(rule object) bool { return strings.HasPrefix(nameOf(rule), addedName) }

func nameOf(rule object) string { return textIn(rule, "name") }

func serviceOf(backend object) string { return textIn(backend, "serviceName") }

func backendsOf(rule object) []object { return router.Objects(rule["backends"]) }

func upstreamsOf(rule object) []object { return router.Objects(rule["upstreams"]) }

func priorityOf(rule object) int64 {
	priority, _ := rule["priority"].(int64)
	return priority
}

func weightOf(backend object) (weight int64, set bool) {
	weight, set = backend["weight"].(int64)
	return weight, set
}

// with is an object with another value of a field.
func with(of object, field string, value any) object {
	out := maps.Clone(of)
	if out == nil {
		out = object{}
	}
	out[field] = value
	return out
}

func mapIn(o object, field string) object {
	m, _ := o[field].(object)
	return m
}

func textIn(o object, field string) string {
	text, _ := o[field].(string)
	return text
}
