package gatewayapi

import (
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force and what the Gateways say of it. A route that is Weir's but not as Weir
// leaves one, because somebody has applied his own again or changed a weight, is found and not accepted:
// it counts as moving until the next apply has put it right. That is so where dividing it again would
// change it.
func (Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !held(app, have) {
		return rollout.Route{}
	}
	rules := rulesOf(have)
	own, _ := parts(rules)
	split := rollout.Split{Weight: largestShare(app, own), Mirror: largestMirror(app, own)}
	match, asLeft := readMatch(app, split, committed.Match, rules, originals(app, have))
	split.Match = match
	route := rollout.Route{Found: true, Split: split}
	if asLeft {
		route.Accepted, route.Refused = accepted(typed(have))
	}
	return route
}

// readMatch says which requests go to the canary by a match, and whether all of the rules are as Weir leaves
// them: what it adds is known again by rendering the committed match once more, or none.
func readMatch(
	app router.App, split rollout.Split, committed []v1beta1.RequestMatch, rules, users []object,
) (match []v1beta1.RequestMatch, asLeft bool) {
	_, added := parts(rules)
	if len(added) > 0 {
		match = unknown()
	}
	candidates := [][]v1beta1.RequestMatch{nil}
	if len(committed) > 0 {
		candidates = append(candidates, committed)
	}
	for _, m := range candidates {
		split.Match = m
		again, err := divide(app, split, users)
		if err != nil {
			continue
		}
		if _, want := parts(again); reflect.DeepEqual(want, added) {
			match, asLeft = m, reflect.DeepEqual(again, rules)
		}
	}
	return match, asLeft
}

// unknown stands for requests that go to the canary by a match which is not the committed one. Nobody can have
// committed to it: this router refuses source labels.
func unknown() []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{SourceLabels: map[string]string{"weir.dev/unknown": ""}}}
}

// largestShare is the most that any canary gets, in percent rounded up. All get the same where the route
// is as Weir leaves one.
func largestShare(app router.App, rules []object) int32 {
	var largest int64
	for _, p := range pairsOf(app, rules) {
		if share := p.share(); share > 0 { // the user may send nothing this way
			largest = max(largest, (weightOf(p.canary)*hundredths+share-1)/share)
		}
	}
	return int32(largest)
}

// largestMirror is the most that is copied to the canary by any rule with a pair.
func largestMirror(app router.App, rules []object) int32 {
	var largest int32
	for _, rule := range rules {
		if len(served(app, rule)) > 0 {
			largest = max(largest, mirrorOf(app, rule))
		}
	}
	return largest
}

// accepted goes through the parents that the route names. A parent that has not spoken of this very
// generation of the route has not accepted it, and has not refused it either.
func accepted(route *gatewayv1.HTTPRoute) (ok bool, refused string) {
	if len(route.Spec.ParentRefs) == 0 {
		return false, fmt.Sprintf("HTTPRoute %s/%s has no spec.parentRefs, so no Gateway serves it",
			route.Namespace, route.Name)
	}
	all := true
	for _, parent := range route.Spec.ParentRefs {
		said := false
		for _, status := range route.Status.Parents {
			if !sameParent(status.ParentRef, parent, route.Namespace) {
				continue
			}
			good, bad := verdict(route, &status)
			if bad != "" {
				return false, bad
			}
			said = said || good
		}
		all = all && said
	}
	return all, ""
}

// verdict is what one controller says for one parent.
func verdict(route *gatewayv1.HTTPRoute, status *gatewayv1.RouteParentStatus) (good bool, bad string) {
	said := 0
	for _, kind := range []gatewayv1.RouteConditionType{
		gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteConditionPartiallyInvalid,
	} {
		// Partly invalid is said only where it is so: rules may have been dropped, or what is served may
		// still be the last version that was good.
		fine := metav1.ConditionTrue
		if kind == gatewayv1.RouteConditionPartiallyInvalid {
			fine = metav1.ConditionFalse
		}
		c := meta.FindStatusCondition(status.Conditions, string(kind))
		switch {
		case c == nil || c.ObservedGeneration != route.Generation || c.Status == metav1.ConditionUnknown:
		case c.Status != fine:
			return false, fmt.Sprintf("HTTPRoute %s/%s is not served whole by %s: %s: %s",
				route.Namespace, route.Name, status.ParentRef.Name, c.Reason, c.Message)
		case fine == metav1.ConditionTrue:
			said++
		}
	}
	return said == 2, "" // both of the two that must be said
}

func sameParent(a, b gatewayv1.ParentReference, namespace string) bool {
	home := gatewayv1.Namespace(namespace)
	return a.Name == b.Name && same(a.Namespace, b.Namespace, home) && same(a.Group, b.Group, gatewayv1.GroupName) &&
		same(a.Kind, b.Kind, "Gateway") && same(a.SectionName, b.SectionName, "") && same(a.Port, b.Port, 0)
}

// same compares what may be absent and then means something.
func same[T comparable](a, b *T, absent T) bool {
	if a == nil {
		a = &absent
	}
	if b == nil {
		b = &absent
	}
	return *a == *b
}

// typed is what this version of the Gateway API's types knows of a route. It is for reading alone; one
// that they cannot read at all has no parents.
func typed(route *unstructured.Unstructured) *gatewayv1.HTTPRoute {
	var out gatewayv1.HTTPRoute
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &out); err != nil {
		return &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: route.GetNamespace(), Name: route.GetName()}}
	}
	return &out
}
