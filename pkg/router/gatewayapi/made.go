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
)

// made is a route of Weir's, whole.
func made(app application, split rollout.Split, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	s := &app.Canary.Spec.Service
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: parents(app)},
		Hostnames:       s.Hosts,
		Rules:           []gatewayv1.HTTPRouteRule{rule(app)},
	})
	if err != nil {
		return nil, err
	}
	rules := listIn(content, "rules")
	if matches := calls(s); app.kind == grpcRoute && len(matches) > 0 {
		rules[0]["matches"] = list(matches)
	}
	divided, err := share(app, split, have, rules)
	if err != nil {
		return nil, err
	}
	content["rules"] = list(divided)
	if len(parents(app)) == 0 {
		// A route that serves stays where it is; taking it off its Gateways would be an outage.
		kept := parentsOf(have)
		if len(kept) == 0 {
			return nil, errors.New("there is no such route to adopt, and no Gateway to make one for; " +
				"name one in spec.service.gatewayRefs")
		}
		content["parentRefs"] = kept
	}
	u := blank(app, content)
	u.SetLabels(app.Labels)
	return u, unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences")
}

// rule is the one rule of a route of Weir's, before it is divided. A GRPCRoute has the same words for backends and
// headers, others for matches, and none for the rest.
func rule(app application) gatewayv1.HTTPRouteRule {
	s := &app.Canary.Spec.Service
	r := gatewayv1.HTTPRouteRule{Filters: edits(s.Headers), BackendRefs: []gatewayv1.HTTPBackendRef{backend(app)}}
	if app.kind == grpcRoute {
		return r
	}
	r.Matches, r.Timeouts = s.Match, timeouts(s)
	if s.Rewrite != nil {
		r.Filters = append(r.Filters, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: rewrite(s.Rewrite),
		})
	}
	return r
}

// isMade says that a route is one that Weir made for this Canary, or for one of the same name that is
// gone: a released route keeps its label, and spec.service holds for it again.
func isMade(app application, route *unstructured.Unstructured) bool {
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
func backend(app application) gatewayv1.HTTPBackendRef {
	group, kind, port := gatewayv1.Group(""), gatewayv1.Kind("Service"), app.Canary.Spec.Service.Port
	weight := int32(1)
	return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{
			Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(app.Apex), Port: &port,
		},
		Weight: &weight,
	}}
}

func timeouts(s *v1beta1.CanaryService) *gatewayv1.HTTPRouteTimeouts {
	if s.Timeout == "" {
		return nil
	}
	limit := gatewayv1.Duration(s.Timeout)
	return &gatewayv1.HTTPRouteTimeouts{Request: &limit}
}

// edits are the filters that change headers.
func edits(h *v1beta1.Headers) []gatewayv1.HTTPRouteFilter {
	var out []gatewayv1.HTTPRouteFilter
	if h != nil && h.Request != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: headers(h.Request),
		})
	}
	if h != nil && h.Response != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: headers(h.Response),
		})
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
