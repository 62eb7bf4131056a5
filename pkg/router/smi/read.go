package smi

import (
	"fmt"
	"math"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split that stands in the weights. Nobody says of a TrafficSplit whether it is carried out, so it
// counts as accepted where it is as Weir leaves one; else the next apply puts it right.
func (r Router) Read(app router.App, _ rollout.Split, found router.Found) rollout.Route {
	have := found[r.ref(app)]
	if have == nil || !isMade(app, have) {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: rollout.Split{Weight: share(app, have)}}
	if matches, _, _ := unstructured.NestedSlice(have.Object, "spec", "matches"); len(matches) > 0 {
		route.Refused = fmt.Sprintf("%s %s/%s has got spec.matches, by which not all requests are shared out; remove it",
			kind, have.GetNamespace(), have.GetName())
		return route
	}
	route.Accepted = stands(have, trafficSplit(app, route.Split))
	return route
}

// stands says that all that Weir would write is there. What it does not write is others'.
func stands(have *unstructured.Unstructured, want object) bool {
	spec, _ := have.Object["spec"].(object)
	for field, value := range want {
		if !reflect.DeepEqual(spec[field], value) {
			return false
		}
	}
	return true
}

// share is what the canary gets, in percent rounded up.
func share(app router.App, have *unstructured.Unstructured) int32 {
	var primary, canary float64
	backends, _, _ := unstructured.NestedSlice(have.Object, "spec", "backends")
	for _, b := range backends {
		switch backend, _ := b.(object); backend["service"] {
		case app.Primary:
			primary += weightOf(backend)
		case app.CanaryService:
			canary += weightOf(backend)
		}
	}
	if canary == 0 {
		return 0
	}
	return int32(math.Ceil(canary * hundred / (primary + canary)))
}

// weightOf is a weight as any version may have it: a number, or a quantity as 500m, which v1alpha1 reads as a half.
func weightOf(backend object) float64 {
	const largest = 1e300 // so that a sum of two is one that can be divided by
	quantity, err := v1beta1.ParseQuantity(fmt.Sprint(backend["weight"]))
	if err != nil {
		return 0
	}
	return min(max(0, quantity.AsApproximateFloat64()), largest)
}

// Release deletes the TrafficSplit. Without one, requests for the apex go to the pods that it selects.
func (r Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	ref := r.ref(app)
	if have := found[ref]; have == nil || !isMade(app, have) {
		return nil, nil
	}
	return []router.Released{{Ref: ref}}, nil
}
