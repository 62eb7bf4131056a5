package named

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// Objects are kept as JSON has them, so that what is not about weights comes back as it was.
type object = map[string]any

// hundredths is the finest share that a split knows. While the canary stands in a rule all weights of it are
// multiplied by that, so that a backend beside the apex keeps its share and the old weights can be found again.
const hundredths = 100

// largestWeight is what every kind can hold.
const largestWeight = 1_000_000

// divided is the route with the canary in the rules that are named, at its weight; at weight 0 as the user has it.
func (b borrowed) divided(app router.App, weight int64, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if have == nil {
		return nil, fmt.Errorf("%s does not exist, and spec.routeRefs names it; create it or correct the name", b)
	}
	users := b.folded(app, have)
	places, err := b.places(app, users)
	if err != nil {
		return nil, fmt.Errorf("%s, which spec.routeRefs names, %w", b, err)
	}
	if weight == 0 {
		return users, nil
	}
	var original [][]*int64
	for _, place := range places {
		original = append(original, b.weigh(place.backends))
		for _, backend := range place.backends {
			backend["weight"] = backend["weight"].(int64) * hundredths
		}
		apex := place.backends[place.apex]
		canary := deepCopy(apex)
		b.setService(canary, b.canaryFor(app, b.serviceOf(apex)))
		share := apex["weight"].(int64) / hundredths
		apex["weight"], canary["weight"] = share*(hundredths-weight), share*weight
		place.set(slices.Insert(slices.Clone(place.backends), place.apex+1, canary))
	}
	note, err := json.Marshal(original)
	if err != nil {
		return nil, fmt.Errorf("writing annotation %s of %s: %w", WeightsAnnotation, b, err)
	}
	annotations := users.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[WeightsAnnotation] = string(note)
	users.SetAnnotations(annotations)
	return users, nil
}

// weigh gives every backend the weight that it means, and returns those that were there.
func (b borrowed) weigh(backends []object) (original []*int64) {
	for _, backend := range backends {
		var weight *int64
		if w, ok := backend["weight"].(int64); ok {
			weight = &w
		}
		original = append(original, weight)
	}
	for i, backend := range backends {
		if original[i] == nil {
			backend["weight"] = b.meant(original)
		}
	}
	return original
}

// meant is the weight of a backend that has none.
func (b borrowed) meant(weights []*int64) int64 {
	if !slices.ContainsFunc(weights, func(w *int64) bool { return w != nil }) {
		return 1 // all alike
	}
	return b.kind.absent
}

// folded is the route without the canary, as the user has it.
func (b borrowed) folded(app router.App, have *unstructured.Unstructured) *unstructured.Unstructured {
	users := have.DeepCopy()
	users.SetManagedFields(nil) // whose they are is not said by whoever writes
	annotations := users.GetAnnotations()
	note, noted := annotations[WeightsAnnotation]
	var original [][]*int64
	_ = json.Unmarshal([]byte(note), &original) // what cannot be read remembers nothing
	divided := 0
	for _, place := range b.all(users) {
		at := b.pairAt(app, place.backends)
		if at < 0 {
			continue
		}
		backends := slices.Delete(slices.Clone(place.backends), at+1, at+2)
		backends[at]["weight"] = weightIn(place.backends[at]) + weightIn(place.backends[at+1])
		var weights []*int64
		if divided < len(original) {
			weights = original[divided]
		}
		b.unweigh(backends, weights)
		place.set(backends)
		divided++
	}
	if divided == 0 && !noted {
		return users
	}
	delete(annotations, WeightsAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	users.SetAnnotations(annotations)
	return users
}

// unweigh gives the backends of a rule the weights that they had. Those that stand there say it, as long as all of
// them are whole hundredths; where somebody has moved one, it is what was remembered.
func (b borrowed) unweigh(backends []object, original []*int64) {
	remembered := len(original) == len(backends)
	whole := !slices.ContainsFunc(backends, func(o object) bool { return weightIn(o)%hundredths != 0 })
	for i, backend := range backends {
		switch {
		case whole:
			backend["weight"] = weightIn(backend) / hundredths
		case remembered && original[i] != nil:
			backend["weight"] = *original[i]
		case remembered:
			backend["weight"] = b.meant(original)
		}
		if remembered && original[i] == nil && weightIn(backend) == b.meant(original) {
			delete(backend, "weight")
		}
	}
}

// weightIn is the weight of a backend that Weir has weighed.
func weightIn(backend object) int64 {
	w, _ := backend["weight"].(int64)
	return w
}

// pairAt is where the apex stands with the canary right after it, or -1.
func (b borrowed) pairAt(app router.App, backends []object) int {
	for i := 0; i+1 < len(backends); i++ {
		if b.isService(app, backends[i], app.Apex) && b.isService(app, backends[i+1], app.CanaryService) {
			return i
		}
	}
	return -1
}

// stands says that the canary stands in a route.
func (b borrowed) stands(app router.App, have *unstructured.Unstructured) bool {
	for _, place := range b.all(have) {
		if b.pairAt(app, place.backends) >= 0 {
			return true
		}
	}
	return have.GetAnnotations()[WeightsAnnotation] != ""
}

// held says that there is something of Weir's in a route.
func (b borrowed) held(app router.App, have *unstructured.Unstructured) bool {
	return have != nil && (b.stands(app, have) || managed(have))
}

// largestShare is the most that the canary has in any rule, in percent rounded up.
func (b borrowed) largestShare(app router.App, have *unstructured.Unstructured) int32 {
	var largest int32
	for _, place := range b.all(have) {
		at := b.pairAt(app, place.backends)
		if at < 0 {
			continue
		}
		apex, canary := weightIn(place.backends[at]), weightIn(place.backends[at+1])
		largest = max(largest, router.PercentOf(canary, apex+canary))
	}
	return largest
}

// places are those rules of a user's route in which the canary is to stand.
func (b borrowed) places(app router.App, users *unstructured.Unstructured) ([]place, error) {
	var some []place
	missing := slices.Clone(b.rules)
	for _, p := range b.all(users) {
		if len(b.rules) > 0 && !slices.Contains(b.rules, p.title) {
			continue
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == p.title })
		at, err := b.apexIn(app, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.words, err)
		}
		if at < 0 {
			if len(b.rules) > 0 {
				return nil, fmt.Errorf("sends nothing to Service %s by its %s; name another rule, or correct the route", app.Apex, p.words)
			}
			continue
		}
		p.apex = at
		some = append(some, p)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("has no rule %s; correct spec.routeRefs or name the rule so", strings.Join(missing, ", "))
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("has no rule that sends traffic to Service %s; correct the route, or take it out of "+
			"spec.routeRefs", app.Apex)
	}
	return some, nil
}

// apexIn is the one backend of a rule that is the apex, or -1. It refuses what could not be divided.
func (b borrowed) apexIn(app router.App, p place) (int, error) {
	at := -1
	for i, backend := range p.backends {
		switch {
		case b.isService(app, backend, app.CanaryService):
			return -1, fmt.Errorf("names Service %s already, which is for Weir to do; let it name %s alone", app.CanaryService, app.Apex)
		case !b.isService(app, backend, app.Apex):
		case at >= 0:
			return -1, fmt.Errorf("names Service %s twice; let it name it once", app.Apex)
		default:
			at = i
		}
	}
	if at < 0 {
		return -1, nil
	}
	for _, field := range b.kind.lone {
		if _, set, _ := unstructured.NestedFieldNoCopy(p.backends[at], strings.Split(field, ".")...); set {
			return -1, fmt.Errorf("has %s beside Service %s, which would not hold for the canary; remove the field", field, app.Apex)
		}
	}
	for _, backend := range p.backends {
		if weightIn(backend) > largestWeight/hundredths {
			return -1, errors.New("has a weight above 10000, and Weir needs hundredths of it; make the weights of that rule smaller")
		}
	}
	return at, nil
}
