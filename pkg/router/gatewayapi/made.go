package gatewayapi

import (
	"errors"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// made is a route of Weir's, whole.
func made(app router.App, split rollout.Split, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	s := app.Canary.Spec.Service
	spec := gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: s.GatewayRefs},
		Hostnames:       s.Hosts,
		Rules: []gatewayv1.HTTPRouteRule{{
			Matches: s.Match, Filters: filters(s), Timeouts: timeouts(s),
			BackendRefs: []gatewayv1.HTTPBackendRef{backend(app)},
		}},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, err
	}
	divided, err := share(app, split, have, listIn(content, "rules"))
	if err != nil {
		return nil, err
	}
	content["rules"] = list(divided)
	if len(s.GatewayRefs) == 0 {
		// A route that serves stays where it is; taking it off its Gateways would be an outage.
		parents := parentsOf(have)
		if len(parents) == 0 {
			return nil, errors.New("there is no such route to adopt, and no Gateway to make one for; " +
				"name one in spec.service.gatewayRefs")
		}
		content["parentRefs"] = parents
	}
	u := blank(app, content)
	u.SetLabels(app.Labels)
	return u, unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences")
}

// isMade says that a route is one that Weir made for this Canary, or for one of the same name that is
// gone: a released route keeps its label, and spec.service holds for it again.
func isMade(app router.App, route *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(route); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := route.GetLabels()
	for k, v := range app.Labels {
		if labels[k] != v {
			return false
		}
	}
	return len(app.Labels) > 0
}

func parentsOf(route *unstructured.Unstructured) []any {
	if route == nil {
		return nil
	}
	parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	return parents
}

// backend is the apex, which becomes a pair.
func backend(app router.App) gatewayv1.HTTPBackendRef {
	group, kind, port := gatewayv1.Group(""), gatewayv1.Kind("Service"), app.Canary.Spec.Service.Port
	weight := int32(1)
	return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{
			Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(app.Apex), Port: &port,
		},
		Weight: &weight,
	}}
}

func timeouts(s v1beta1.CanaryService) *gatewayv1.HTTPRouteTimeouts {
	if s.Timeout == "" {
		return nil
	}
	limit := gatewayv1.Duration(s.Timeout)
	return &gatewayv1.HTTPRouteTimeouts{Request: &limit}
}

func filters(s v1beta1.CanaryService) []gatewayv1.HTTPRouteFilter {
	var out []gatewayv1.HTTPRouteFilter
	if s.Headers != nil && s.Headers.Request != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: headers(s.Headers.Request),
		})
	}
	if s.Headers != nil && s.Headers.Response != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: headers(s.Headers.Response),
		})
	}
	if s.Rewrite != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: rewrite(s.Rewrite)})
	}
	return out
}

func headers(ops *v1beta1.HeaderOperations) *gatewayv1.HTTPHeaderFilter {
	return &gatewayv1.HTTPHeaderFilter{Set: sorted(ops.Set), Add: sorted(ops.Add), Remove: ops.Remove}
}

// sorted gives a map one order, so that the same spec renders to the same route.
func sorted(m map[string]string) []gatewayv1.HTTPHeader {
	out := make([]gatewayv1.HTTPHeader, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(name), Value: m[name]})
	}
	return out
}

func rewrite(r *v1beta1.Rewrite) *gatewayv1.HTTPURLRewriteFilter {
	out := &gatewayv1.HTTPURLRewriteFilter{}
	if r.Authority != "" {
		host := gatewayv1.PreciseHostname(r.Authority)
		out.Hostname = &host
	}
	switch {
	case r.URI == "":
	case r.Type == string(gatewayv1.FullPathHTTPPathModifier):
		out.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: &r.URI}
	default:
		out.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: &r.URI}
	}
	return out
}
