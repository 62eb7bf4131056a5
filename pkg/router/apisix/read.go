package apisix

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split that stands in the second ApisixRoute, and what the controller says of this very version of it.
// One that somebody has changed is found and not accepted: it counts as moving until the next apply has put it right.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	if app.Canary.Spec.RouteRef == nil {
		return rollout.Route{}
	}
	have := found[copyRef(app)]
	if have == nil || !router.IsMade(app, have) {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: splitOf(app, have)}
	if err := divisible(app, found[usersRef(app)]); err != nil {
		route.Refused = err.Error()
		return route
	}
	want, match := known(app, route.Split, committed.Match, found)
	route.Split.Match = match
	if beyond := beyond(have, want); beyond != "" {
		route.Refused = fmt.Sprintf("ApisixRoute %s/%s has got %s from somebody else, which Weir does not write and cannot "+
			"take away; remove it", have.GetNamespace(), have.GetName(), beyond)
		return route
	}
	if stand(want, found) {
		route.Accepted, route.Refused = accepted(have)
	}
	return route
}

// splitOf is the split that stands in the rules, with a match that nobody has committed to if there is one.
func splitOf(app router.App, have *unstructured.Unstructured) rollout.Split {
	split := rollout.Split{}
	for _, rule := range httpOf(have) {
		if isAdded(rule) {
			split.Match = unknown()
			continue
		}
		var pair [2]int64
		for _, b := range backendsOf(rule) {
			weight, set := weightOf(b)
			if !set {
				weight = 1
			}
			switch serviceOf(b) {
			case app.Primary:
				pair[0] += weight
			case app.CanaryService:
				pair[1] += weight
			}
		}
		split.Weight = max(split.Weight, router.PercentOf(pair[1], pair[0]+pair[1]))
	}
	return split
}

// unknown stands for requests that go to the canary by a match which is not the committed one. Nobody can have
// committed to it: this router refuses source labels.
func unknown() []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{SourceLabels: map[string]string{"weir.dev/unknown": ""}}}
}

// known are the objects that a split would be rendered to, with the match that stands in what is found: the committed
// one, or none, is known again by what it is rendered to.
func known(
	app router.App, split rollout.Split, committed []v1beta1.RequestMatch, found router.Found,
) (want []router.Object, match []v1beta1.RequestMatch) {
	standing := byName(addedIn(found[copyRef(app)]))
	match = split.Match
	for _, m := range [][]v1beta1.RequestMatch{committed, nil} {
		split.Match = m
		again, err := intents(app, split, found)
		if err != nil {
			continue
		}
		want = again
		if reflect.DeepEqual(standing, byName(addedIn(again[len(again)-1].Intent))) {
			return again, m
		}
	}
	return want, match
}

func addedIn(route *unstructured.Unstructured) []object {
	return slices.DeleteFunc(httpOf(route), func(rule object) bool { return !isAdded(rule) })
}

func byName(rules []object) map[string]object {
	all := map[string]object{}
	for _, rule := range rules {
		all[nameOf(rule)] = rule
	}
	return all
}

// stand says that all objects are as Weir leaves them. The order of rules means nothing, and is not Weir's alone.
func stand(want []router.Object, found router.Found) bool {
	for _, w := range want {
		have := found[w.Ref]
		if have == nil {
			return false
		}
		if w.Ref.Resource != Routes() {
			if !router.IsLike(have, w.Intent) {
				return false
			}
			continue
		}
		if !reflect.DeepEqual(byName(httpOf(have)), byName(httpOf(w.Intent))) || !noted(have, w.Intent) ||
			specOf(have)["ingressClassName"] != specOf(w.Intent)["ingressClassName"] {
			return false
		}
	}
	return len(want) > 0
}

// noted says that an object has the annotations that it is to have.
func noted(have, want *unstructured.Unstructured) bool {
	annotations := have.GetAnnotations()
	for key, value := range want.GetAnnotations() {
		if annotations[key] != value {
			return false
		}
	}
	return true
}

// beyond is what somebody else has added to the rules. They are a map for server-side apply: of what others hold
// there, Weir can put right what it writes itself, and take away nothing.
func beyond(have *unstructured.Unstructured, want []router.Object) string {
	if len(router.Objects(specOf(have)["stream"])) > 0 {
		return "rules in spec.stream"
	}
	if len(want) == 0 || !othersHold(have) {
		return ""
	}
	known := byName(httpOf(want[len(want)-1].Intent))
	for _, rule := range httpOf(have) {
		name := nameOf(rule)
		if known[name] == nil {
			return "rule " + name
		}
		if field := extra(rule, known[name]); field != "" {
			return fmt.Sprintf("the field %s in rule %s", field, name)
		}
	}
	return ""
}

// othersHold says that somebody else has written a part of the rules, and that it still stands.
func othersHold(have *unstructured.Unstructured) bool {
	return slices.ContainsFunc(have.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager != v1beta1.FieldManager && m.Subresource == "" && m.FieldsV1 != nil &&
			strings.Contains(string(m.FieldsV1.GetRawBytes()), `"f:http"`)
	})
}

// extra is the first field that one object has and another has not. Lists are whole for server-side apply.
func extra(have, want object) string {
	for _, field := range slices.Sorted(maps.Keys(have)) {
		value, known := want[field]
		if !known {
			return field
		}
		is, isMap := have[field].(object)
		ought, oughtMap := value.(object)
		if isMap && oughtMap {
			if inner := extra(is, ought); inner != "" {
				return field + "." + inner
			}
		}
	}
	return ""
}

// accepted is what the controller says of this generation. It has not said anything of it where all that it said is
// older.
func accepted(have *unstructured.Unstructured) (ok bool, refused string) {
	for _, c := range router.Objects(mapIn(have.Object, "status")["conditions"]) {
		if seen, _ := c["observedGeneration"].(int64); seen != have.GetGeneration() {
			continue
		}
		kind, status := textIn(c, "type"), textIn(c, "status")
		if kind == "Accepted" && status == "False" || kind == "PartiallyInvalid" && status == "True" {
			return false, fmt.Sprintf("ApisixRoute %s/%s is not served whole: %s: %s",
				have.GetNamespace(), have.GetName(), textIn(c, "reason"), textIn(c, "message"))
		}
		ok = ok || kind == "Accepted" && status == "True"
	}
	return ok, ""
}

// Release deletes what Weir has made, the ApisixRoute first: without it, all requests go by the user's own.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	if app.Canary.Spec.RouteRef == nil {
		return nil, nil
	}
	var all []router.Released
	for _, ref := range []router.Ref{copyRef(app), upstreamRef(app, app.Primary), upstreamRef(app, app.CanaryService)} {
		if have := found[ref]; have != nil && router.IsMade(app, have) {
			all = append(all, router.Released{Ref: ref})
		}
	}
	return all, nil
}
