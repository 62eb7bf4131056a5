package gatewayapi

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The names that controllers sign with, of whom more is known than the Gateway API says.
const (
	byTraefik = "traefik.io/gateway-controller"
	byLinkerd = "linkerd.io/policy-controller"
)

// common is what a route of any kind has.
type common struct {
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   gatewayv1.CommonRouteSpec `json:"spec"`
	Status gatewayv1.RouteStatus     `json:"status,omitempty"`
}

// typed is for reading alone; a route that cannot be read at all has no parents.
func typed(route *unstructured.Unstructured) *common {
	var out common
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(route.Object, &out); err != nil {
		return &common{}
	}
	return &out
}

// parents are those of a route of Weir's: what the spec names, and for Linkerd the apex in any case.
func parents(app application) []gatewayv1.ParentReference {
	named := app.Canary.Spec.Service.GatewayRefs
	if !app.linkerd || slices.ContainsFunc(named, app.isApex) {
		return named
	}
	group, kind, port := gatewayv1.Group(""), gatewayv1.Kind("Service"), app.Canary.Spec.Service.Port
	apex := gatewayv1.ParentReference{Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(app.Apex), Port: &port}
	return append([]gatewayv1.ParentReference{apex}, named...)
}

// isApex says that a parent is the apex Service, at its port or at all of them.
func (a application) isApex(p gatewayv1.ParentReference) bool {
	home, port := gatewayv1.Namespace(a.Canary.Namespace), a.Canary.Spec.Service.Port
	return groupOf(p) == "" && same(p.Kind, nil, "Service") && string(p.Name) == a.Apex && same(p.Namespace, nil, home) &&
		same(p.Port, &port, port)
}

// Accepted goes through the parents that a route names. A parent that has not spoken of this very
// generation of the route has not accepted it, and has not refused it either.
func (Router) Accepted(have *unstructured.Unstructured) (ok bool, refused string) {
	route := typed(have)
	called := fmt.Sprintf("%s %s/%s", have.GetKind(), have.GetNamespace(), have.GetName())
	if len(route.Spec.ParentRefs) == 0 {
		return false, called + " has no spec.parentRefs, so nobody serves it"
	}
	all := true
	for _, parent := range route.Spec.ParentRefs {
		said := false
		for _, status := range route.Status.Parents {
			if !sameParent(status.ParentRef, parent, have.GetNamespace()) {
				continue
			}
			good, bad := verdict(route, &status)
			if bad != "" {
				return false, fmt.Sprintf("%s is not served whole by %s", called, bad)
			}
			said = said || good
		}
		all = all && said
	}
	return all, ""
}

// verdict is what one controller says for one parent.
func verdict(route *common, status *gatewayv1.RouteParentStatus) (good bool, bad string) {
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
		case c == nil || !current(route, status, c) || c.Status == metav1.ConditionUnknown:
		case c.Status != fine:
			return false, fmt.Sprintf("%s: %s: %s", status.ParentRef.Name, c.Reason, c.Message)
		case fine == metav1.ConditionTrue:
			said++
		}
	}
	return said == 2, "" // both of the two that must be said
}

// current says that a condition is about this very generation of the route. Linkerd's controller, up to 2.19 at
// least, does not say which it means, so what it says counts for the present one; the settle time has to do.
func current(route *common, status *gatewayv1.RouteParentStatus, c *metav1.Condition) bool {
	return c.ObservedGeneration == route.Generation || c.ObservedGeneration == 0 && status.ControllerName == byLinkerd
}

func sameParent(a, b gatewayv1.ParentReference, namespace string) bool {
	home := gatewayv1.Namespace(namespace)
	return a.Name == b.Name && same(a.Namespace, b.Namespace, home) && groupOf(a) == groupOf(b) &&
		same(a.Kind, b.Kind, "Gateway") && same(a.SectionName, b.SectionName, "") && same(a.Port, b.Port, 0)
}

// groupOf is the group of a parent. That of Services is empty, and some call it core.
func groupOf(p gatewayv1.ParentReference) string {
	switch {
	case p.Group == nil:
		return gatewayv1.GroupName
	case *p.Group == "core":
		return ""
	}
	return string(*p.Group)
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
