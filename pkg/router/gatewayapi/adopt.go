package gatewayapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// OriginalAnnotation holds the rules of an adopted route as the user has them, as JSON.
const OriginalAnnotation = "weir.dev/original-rules"

// The bounds of the Gateway API.
const (
	maxBackends = 16
	maxWeight   = 1_000_000
)

// adopted is what Weir owns of a user's route: its rules.
func adopted(app router.App, split rollout.Split, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := adoptable(app, have); err != nil {
		return nil, err
	}
	rules := originals(app, have)
	divided, err := divide(app, split, rules)
	if err != nil {
		return nil, err
	}
	kept, err := json.Marshal(rules)
	if err != nil {
		return nil, fmt.Errorf("writing its annotation %s: %w", OriginalAnnotation, err)
	}
	intent := blank(app, object{"rules": list(divided)})
	intent.SetAnnotations(map[string]string{OriginalAnnotation: string(kept)})
	// A route that was deleted meanwhile must not come back as a fragment.
	intent.SetUID(have.GetUID())
	return intent, nil
}

// adoptable refuses a route, before Weir has ever touched it, whose adoption would ignore or change
// something in silence. Later it says nothing: a rollback must not wait for a correction of the spec.
func adoptable(app router.App, have *unstructured.Unstructured) error {
	if _, adopted := have.GetAnnotations()[OriginalAnnotation]; adopted {
		return nil
	}
	rules := rulesOf(have)
	if len(pairsOf(app, rules)) > 0 {
		for i, rule := range rules {
			if sends(app, rule, app.Apex) {
				return fmt.Errorf("its rule %d sends traffic to Service %s while another divides it between %s and %s already; "+
					"let all of them name %s", i+1, app.Apex, app.Primary, app.CanaryService, app.Apex)
			}
		}
		return nil // somebody has removed the annotation: the pairs are Weir's
	}
	if field := ignored(app, have); field != "" {
		return fmt.Errorf("it is not Weir's and is adopted as it is, so %s would not hold; "+
			"remove the field and say so in the route, or delete the route", field)
	}
	return nil
}

// ignored is a field of spec.service that shapes a route, and so says nothing to an adopted one.
func ignored(app router.App, have *unstructured.Unstructured) string {
	s := app.Canary.Spec.Service
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"hosts", len(s.Hosts) > 0}, {"match", len(s.Match) > 0}, {"rewrite", s.Rewrite != nil},
		{"headers", s.Headers != nil}, {"timeout", s.Timeout != ""},
	} {
		if f.set {
			return "spec.service." + f.name
		}
	}
	route := typed(have)
	for _, want := range s.GatewayRefs {
		hangs := false
		for _, parent := range route.Spec.ParentRefs {
			hangs = hangs || sameParent(parent, want, have.GetNamespace())
		}
		if !hangs {
			return fmt.Sprintf("%s in spec.service.gatewayRefs", want.Name)
		}
	}
	return ""
}

// originals are the rules as the user has them now: the pairs folded back, all else as it is found.
func originals(app router.App, have *unstructured.Unstructured) []object {
	var kept []any
	// An annotation that cannot be read is as good as none; the next apply writes it anew.
	_ = utiljson.Unmarshal([]byte(have.GetAnnotations()[OriginalAnnotation]), &kept)
	rules := rulesOf(have)
	for i, rule := range rules {
		folded, whole := fold(app, rule)
		if !whole && !sends(app, rule, app.Apex) {
			folded = remembered(app, rule, objects(kept), folded)
		}
		rules[i] = folded
	}
	return rules
}

// remembered is a rule with the backends that it had at the apex before somebody damaged its pair. Where
// none is remembered, the rule is what can be made of it.
func remembered(app router.App, rule object, kept []object, otherwise object) object {
	frame := func(r object) object {
		f := maps.Clone(r)
		delete(f, "backendRefs")
		return f
	}
	for _, was := range kept {
		if sends(app, was, app.Apex) && reflect.DeepEqual(frame(was), frame(rule)) {
			return was
		}
	}
	return otherwise
}

// divide puts a pair in the place of each reference to the apex. Rules that do not name it stay.
func divide(app router.App, split rollout.Split, rules []object) ([]object, error) {
	var out []object
	shifts := false
	for i, rule := range rules {
		if sends(app, rule, app.Apex) {
			backends, err := divideBackends(app, split, backendsOf(rule))
			if err != nil {
				return nil, fmt.Errorf("its rule %d %w", i+1, err)
			}
			rule = maps.Clone(rule)
			rule["backendRefs"] = list(backends)
		}
		out = append(out, rule)
	}
	for _, p := range pairsOf(app, out) {
		shifts = shifts || p.share() > 0
	}
	if !shifts {
		return nil, fmt.Errorf("none of its rules sends traffic to Service %s; "+
			"correct the route, or rename it so that Weir can make its own", app.Apex)
	}
	return out, nil
}

func divideBackends(app router.App, split rollout.Split, backends []object) ([]object, error) {
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
		canary := int64(split.Weight)
		out = append(out, renamed(b, app.Primary, w*(hundredths-canary)), renamed(b, app.CanaryService, w*canary))
	}
	if len(out) > maxBackends {
		return nil, errors.New("has too many backends; the Gateway API allows 16, and the apex becomes two")
	}
	return out, nil
}
