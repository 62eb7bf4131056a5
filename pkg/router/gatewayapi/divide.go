package gatewayapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir.dev/weir/pkg/rollout"
)

// The bounds of the Gateway API.
const (
	maxRules      = 16
	maxBackends   = 16
	maxFilters    = 16
	maxWeight     = 1_000_000
	maxMatches    = 64 // of a rule
	maxAllMatches = 128
)

// addedName begins the names of the rules that Weir adds, by which it knows them again.
const addedName = "weir-canary-"

func isAdded(rule object) bool {
	name, _ := rule["name"].(string)
	return strings.HasPrefix(name, addedName)
}

// parts are the rules of a route but for those that Weir has added, and these.
func parts(rules []object) (own, added []object) {
	for _, rule := range rules {
		if isAdded(rule) {
			added = append(added, rule)
		} else {
			own = append(own, rule)
		}
	}
	return own, added
}

// divide puts a pair in the place of each reference to the apex, and adds the rules by which requests go to
// the canary by a match. Rules that do not name the apex stay.
//
// What is added comes last. Among rules the more specific match wins, and only where two are equally specific
// the one that is first. A match that is added to is more specific than it was, so it wins over its own rule
// wherever it stands; from another rule of the user's it must not take what is that rule's. A match that says
// already all that is asked for stands before its own rule, and so after those that it must not take from.
func divide(app application, split rollout.Split, rules []object) ([]object, error) {
	requests := chosen(app, split)
	if err := met(app, rules, requests); err != nil {
		return nil, err
	}
	var all, last []object
	for i, rule := range rules {
		if sends(app, rule, app.Apex) {
			fail := func(err error) ([]object, error) { return nil, fmt.Errorf("its rule %d %w", i+1, err) }
			whole, some, err := choose(app, rule, requests)
			if err != nil {
				return fail(err)
			}
			all, last = append(all, whole...), append(last, some...)
			if rule, err = divideRule(app, split, rule); err != nil {
				return fail(err)
			}
		}
		all = append(all, rule)
	}
	all = append(all, last...)
	own, added := parts(all)
	if !slices.ContainsFunc(pairsOf(app, own), func(p pair) bool { return p.share() > 0 }) {
		return nil, fmt.Errorf("none of its rules sends traffic to Service %s; "+
			"correct the route, or rename it so that Weir can make its own", app.Apex)
	}
	for i, rule := range added {
		rule["name"] = fmt.Sprintf("%s%d", addedName, i+1)
	}
	return all, fits(own, added)
}

// fits refuses more rules than a route can hold.
func fits(own, added []object) error {
	if len(added) == 0 {
		return nil
	}
	if len(own)+len(added) > maxRules {
		return fmt.Errorf("it has %d rules and needs %d more to send requests to the canary by a match; "+
			"the Gateway API allows %d", len(own), len(added), maxRules)
	}
	matches := 0
	for _, rule := range slices.Concat(own, added) {
		matches += max(1, len(listIn(rule, "matches")))
	}
	if matches > maxAllMatches {
		return fmt.Errorf("it needs %d matches to send requests to the canary by a match; the Gateway API allows %d",
			matches, maxAllMatches)
	}
	return nil
}

func divideRule(app application, split rollout.Split, rule object) (object, error) {
	backends, err := divideBackends(app, split, backendsOf(rule))
	if err != nil {
		return nil, err
	}
	rule = maps.Clone(rule)
	rule["backendRefs"] = list(backends)
	if split.Mirror == 0 || len(served(app, rule)) == 0 {
		return rule, nil
	}
	return mirrored(app, rule, split.Mirror)
}

// served are the pairs of a rule that get any traffic; the user may send nothing some way.
func served(app application, rule object) []pair {
	return slices.DeleteFunc(pairsOf(app, []object{rule}), func(p pair) bool { return p.share() == 0 })
}

// divideBackends has both halves of a pair at weight 0 too: a backend that comes and goes could be seen
// half-done.
func divideBackends(app application, split rollout.Split, backends []object) ([]object, error) {
	var out []object
	for _, b := range backends {
		w := weightOf(b)
		if w*hundredths > maxWeight {
			return nil, fmt.Errorf("has a weight of %d; Weir needs hundredths of it, so let no weight beside Service %s exceed %d",
				w, app.Apex, maxWeight/hundredths)
		}
		if !names(app, b, app.Apex) {
			out = append(out, renamed(b, b["name"].(string), w*hundredths))
			continue
		}
		weight := int64(split.Weight)
		canary, err := cookied(app, split, renamed(b, app.CanaryService, w*weight))
		if err != nil {
			return nil, err
		}
		out = append(out, renamed(b, app.Primary, w*(hundredths-weight)), canary)
	}
	if len(out) > maxBackends {
		return nil, errors.New("has too many backends; the Gateway API allows 16, and the apex becomes two")
	}
	return out, nil
}
