package knative

import (
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// unknown is read where the shares are none of a split of the two sides. No split has this weight.
const unknown = -1

// Read tells the split from spec.traffic. It is accepted where Knative says that this version of its routes is ready,
// and that it serves these shares. Whether the Service as a whole is ready is not asked: it is not, as soon as its
// newest Revision fails, and that is no matter of the route.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !isWeirs(have) {
		return rollout.Route{}
	}
	between, ok := sidesOf(app, have)
	if !ok {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: rollout.Split{Weight: weightOf(have, between, committed.Weight)}}
	asLeft := route.Split.Weight != unknown && asWritten(have, between, route.Split.Weight)
	ready := routesReady(have)
	switch ready["status"] {
	case "True":
		route.Accepted = asLeft && maps.Equal(statusShares(have), sharesOf(traffic(have, "spec")))
	case "False":
		route.Refused = fmt.Sprintf("%s does not serve its spec.traffic: %v: %v", called(have), ready["reason"], ready["message"])
	}
	return route
}

// weightOf is the other side's share. Where there is no other side, both are the primary, whatever the split.
func weightOf(have *unstructured.Unstructured, s sides, committed int32) int32 {
	for _, e := range traffic(have, "spec") {
		if percentOf(e) != 0 && e["latestRevision"] == true {
			return unknown // whoever is the latest
		}
	}
	shares := sharesOf(traffic(have, "spec"))
	switch {
	case shares[s.primary] == all && len(shares) == 1:
		if s.other == "" {
			return committed
		}
		return 0
	case s.other != "" && shares[s.primary]+shares[s.other] == all && shares[s.other] > 0:
		return int32(shares[s.other]) //nolint:gosec // at most 100
	}
	return unknown
}

// asWritten says that the list is as Weir leaves it.
func asWritten(have *unstructured.Unstructured, s sides, weight int32) bool {
	list, _, _ := unstructured.NestedSlice(have.Object, "spec", "traffic")
	return reflect.DeepEqual(list, written(have, s.entries(weight)))
}

// routesReady is what Knative says of the routes of this very version; nothing where it says nothing yet.
func routesReady(have *unstructured.Unstructured) object {
	seen, _, _ := unstructured.NestedInt64(have.Object, "status", "observedGeneration")
	if seen != have.GetGeneration() {
		return nil
	}
	conditions, _, _ := unstructured.NestedFieldNoCopy(have.Object, "status", "conditions")
	for _, c := range router.Objects(conditions) {
		if c["type"] == "RoutesReady" {
			return c
		}
	}
	return nil
}
