package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split of the first rule that has both backends, and what the Gateways say of it. A
// Gateway that has not spoken of this version of the route has not accepted it yet.
func (Router) Read(app router.App, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil {
		return rollout.Route{}
	}
	split, ok := splitOf(app, have)
	if !ok {
		return rollout.Route{}
	}
	route := rollout.Route{Found: true, Split: split}
	route.Accepted, route.Refused = accepted(have)
	return route
}

func splitOf(app router.App, have *unstructured.Unstructured) (rollout.Split, bool) {
	for _, rule := range rulesOf(have) {
		var primary, canary *int32
		for _, b := range rule.BackendRefs {
			switch {
			case isService(b, app.Primary):
				primary = b.Weight
			case isService(b, app.CanaryService):
				canary = b.Weight
			}
		}
		if primary != nil && canary != nil && *primary+*canary > 0 {
			return rollout.Split{Weight: *canary * 100 / (*primary + *canary)}, true
		}
	}
	return rollout.Split{}, false
}

// accepted goes through the parents that the route names.
func accepted(have *unstructured.Unstructured) (ok bool, refused string) {
	var route gatewayv1.HTTPRoute
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(have.Object, &route); err != nil {
		return false, ""
	}
	all := true
	for _, parent := range route.Spec.ParentRefs {
		said := false
		for i := range route.Status.Parents {
			status := &route.Status.Parents[i]
			if !sameParent(status.ParentRef, parent, route.Namespace) {
				continue
			}
			good, bad := verdict(&route, parent, status.Conditions)
			if bad != "" {
				return false, bad
			}
			said = said || good
		}
		all = all && said
	}
	return all && len(route.Spec.ParentRefs) > 0, ""
}

func verdict(route *gatewayv1.HTTPRoute, parent gatewayv1.ParentReference, conditions []metav1.Condition) (good bool, bad string) {
	for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		c := meta.FindStatusCondition(conditions, string(kind))
		if c == nil || c.ObservedGeneration != route.Generation {
			return false, ""
		}
		if c.Status != metav1.ConditionTrue {
			return false, fmt.Sprintf("HTTPRoute %s/%s is not accepted by %s: %s: %s", route.Namespace, route.Name, parent.Name, c.Reason, c.Message)
		}
	}
	return true, ""
}

func sameParent(a, b gatewayv1.ParentReference, namespace string) bool {
	return a.Name == b.Name && deref(a.Namespace, gatewayv1.Namespace(namespace)) == deref(b.Namespace, gatewayv1.Namespace(namespace)) &&
		deref(a.Group, gatewayv1.GroupName) == deref(b.Group, gatewayv1.GroupName) &&
		deref(a.Kind, "Gateway") == deref(b.Kind, "Gateway") &&
		deref(a.SectionName, "") == deref(b.SectionName, "") && deref(a.Port, 0) == deref(b.Port, 0)
}

func deref[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}
