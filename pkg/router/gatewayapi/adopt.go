package gatewayapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/rollout"
)

// OriginalAnnotation holds the rules of an adopted route as the user has them, as JSON.
const OriginalAnnotation = "weir.dev/original-rules"

// adopted is what Weir owns of a user's route: its rules.
func adopted(app application, split rollout.Split, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := adoptable(app, have); err != nil {
		return nil, err
	}
	rules := originals(app, have)
	divided, err := share(app, split, have, rules)
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
func adoptable(app application, have *unstructured.Unstructured) error {
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
	if err := taken(app, rules); err != nil {
		return err
	}
	if app.linkerd && !slices.ContainsFunc(typed(have).Spec.ParentRefs, app.isApex) {
		return fmt.Errorf("it does not hang on Service %s, so Linkerd does not serve it for that one; "+
			"add the Service to its spec.parentRefs", app.Apex)
	}
	if field := ignored(app, have); field != "" {
		return fmt.Errorf("it is not Weir's and is adopted as it is, so %s would not hold; "+
			"remove the field and say so in the route, or delete the route", field)
	}
	return nil
}

// taken refuses rules in which there is something already by which Weir knows its own.
func taken(app application, rules []object) error {
	for i, rule := range rules {
		if isAdded(rule) {
			return fmt.Errorf("its rule %d has the name %s, and Weir has names of that kind for rules of its own; rename it",
				i+1, rule["name"])
		}
		if sends(app, rule, app.Apex) && mirrorOf(app, rule) > 0 {
			return fmt.Errorf("its rule %d mirrors requests to Service %s already, which is for Weir to do; remove that filter",
				i+1, app.CanaryService)
		}
	}
	return nil
}

// ignored is a field of spec.service that shapes a route, and so says nothing to an adopted one.
func ignored(app application, have *unstructured.Unstructured) string {
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
		is := func(p gatewayv1.ParentReference) bool { return sameParent(p, want, have.GetNamespace()) }
		if !slices.ContainsFunc(route.Spec.ParentRefs, is) {
			return fmt.Sprintf("%s in spec.service.gatewayRefs", want.Name)
		}
	}
	return ""
}

// originals are the rules as the user has them now: the pairs folded back, what Weir has added taken away, all
// else as it is found.
func originals(app application, have *unstructured.Unstructured) []object {
	var kept []any
	// An annotation that cannot be read is as good as none; the next apply writes it anew.
	_ = utiljson.Unmarshal([]byte(have.GetAnnotations()[OriginalAnnotation]), &kept)
	rules, _ := parts(rulesOf(have))
	for i, rule := range rules {
		folded, whole := fold(app, rule)
		if !whole && !sends(app, rule, app.Apex) {
			folded = remembered(app, withoutMirror(app, rule), objects(kept), folded)
		}
		rules[i] = folded
	}
	return rules
}

// remembered is a rule with the backends that it had at the apex before somebody damaged its pair. Where
// none is remembered, the rule is what can be made of it.
func remembered(app application, rule object, kept []object, otherwise object) object {
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
