package apisix

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// heaviest is the largest weight that a backend beside the apex may have: all are multiplied.
const heaviest = 10000

// divisible refuses a user's ApisixRoute whose traffic a second one cannot divide, or could not give back.
func divisible(app router.App, users *unstructured.Unstructured) error {
	ref := usersRef(app)
	name := fmt.Sprintf("ApisixRoute %s/%s", ref.Namespace, ref.Name)
	if users == nil {
		return fmt.Errorf("%s does not exist; make it, or correct spec.routeRef", name)
	}
	for _, rule := range router.Objects(specOf(users)["stream"]) {
		if serviceOf(mapIn(rule, "backend")) == app.Apex {
			return fmt.Errorf("%s leads to Service %s by rule %s of spec.stream, whose connections cannot be divided; "+
				"move it to an ApisixRoute of its own", name, app.Apex, nameOf(rule))
		}
	}
	count := 0
	for _, rule := range httpOf(users) {
		if !leads(app, rule) {
			continue
		}
		count++
		if err := ruleDivisible(app, rule); err != nil {
			return fmt.Errorf("rule %s of %s %w", nameOf(rule), name, err)
		}
		for _, other := range httpOf(users) {
			if leads(app, other) || !contend(rule, other) {
				continue
			}
			low, high := priorityOf(rule), priorityOf(rule)+matched+1
			return fmt.Errorf("rules %s and %s of %s may match the same requests, and the canary's rules come between them; "+
				"set the priority of %s to %d or more, or below %d", nameOf(rule), nameOf(other), name, nameOf(other), high, low)
		}
	}
	if count == 0 {
		return fmt.Errorf("%s has no rule in spec.http that leads to Service %s; add it to a rule's backends, or correct "+
			"spec.routeRef", name, app.Apex)
	}
	return nil
}

// ruleDivisible refuses a rule whose requests cannot be shared out anew.
func ruleDivisible(app router.App, rule object) error {
	if isAdded(rule) {
		return fmt.Errorf("has a name that Weir gives to rules of its own; let it begin otherwise than with %s", addedName)
	}
	for _, p := range router.Objects(rule["plugins"]) {
		if textIn(p, "name") == "traffic-split" && p["enable"] != false {
			return errors.New("has the plugin traffic-split, which chooses a backend whatever the weights; remove it")
		}
	}
	apexes := 0
	for _, b := range backendsOf(rule) {
		switch serviceOf(b) {
		case app.Apex:
			apexes++
		case app.Primary, app.CanaryService:
			return fmt.Errorf("has Service %s beside %s in its backends, which is Weir's to set there; remove it",
				serviceOf(b), app.Apex)
		}
	}
	if apexes > 1 {
		return fmt.Errorf("has Service %s twice in its backends; leave one of them", app.Apex)
	}
	return weighable(rule)
}

// weighable refuses weights beside the apex's that could not keep their share.
func weighable(rule object) error {
	all := append(backendsOf(rule), upstreamsOf(rule)...)
	if len(all) == 1 {
		return nil
	}
	for _, b := range all {
		if weight, set := weightOf(b); !set || weight < 0 || weight > heaviest {
			return fmt.Errorf("has several backends, and %s%s has no weight from 0 to %d; set one",
				serviceOf(b), nameOf(b), heaviest)
		}
	}
	return nil
}

// contend says that two rules may match the same request, and that the canary's rules for the first would come in
// between, or decide between equals.
func contend(rule, other object) bool {
	if p := priorityOf(other) - priorityOf(rule); p < 0 || p > matched {
		return false
	}
	same := func(a, b string) bool { return a == b }
	a, b := mapIn(rule, "match"), mapIn(other, "match")
	return meet(a, b, "paths", same) && meet(a, b, "methods", same) && meet(a, b, "hosts", sameHost)
}

// meet says that two lists have something in common; an empty one is for everything.
func meet(a, b object, field string, same func(a, b string) bool) bool {
	these, those := textsIn(a, field), textsIn(b, field)
	if len(these) == 0 || len(those) == 0 {
		return true
	}
	return slices.ContainsFunc(these, func(x string) bool {
		return slices.ContainsFunc(those, func(y string) bool { return same(x, y) })
	})
}

func sameHost(a, b string) bool {
	covers := func(wild, host string) bool {
		rest, is := strings.CutPrefix(wild, "*")
		return is && strings.HasSuffix(host, rest)
	}
	return strings.EqualFold(a, b) || covers(a, b) || covers(b, a)
}

func textsIn(o object, field string) []string {
	items, _ := o[field].([]any)
	var out []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
