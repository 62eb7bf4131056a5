package gatewayapi

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// ruleOf is what spec.service says of a request: matches, changes, time limit, retries.
func ruleOf(s v1beta1.CanaryService) (gatewayv1.HTTPRouteRule, error) {
	rule := gatewayv1.HTTPRouteRule{Matches: s.Match, Filters: filters(s)}
	if s.Timeout != "" {
		timeout := gatewayv1.Duration(s.Timeout)
		rule.Timeouts = &gatewayv1.HTTPRouteTimeouts{Request: &timeout}
	}
	if r := s.Retries; r != nil {
		attempts := int(r.Attempts)
		rule.Retry = &gatewayv1.HTTPRouteRetry{Attempts: &attempts}
		for _, code := range r.Codes {
			rule.Retry.Codes = append(rule.Retry.Codes, gatewayv1.HTTPRouteRetryStatusCode(code))
		}
		if r.Backoff != "" {
			backoff := gatewayv1.Duration(r.Backoff)
			rule.Retry.Backoff = &backoff
		}
	}
	return rule, nil
}

func filters(s v1beta1.CanaryService) []gatewayv1.HTTPRouteFilter {
	var out []gatewayv1.HTTPRouteFilter
	if h := s.Headers; h != nil {
		if h.Request != nil {
			out = append(out, gatewayv1.HTTPRouteFilter{
				Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: headerFilter(h.Request),
			})
		}
		if h.Response != nil {
			out = append(out, gatewayv1.HTTPRouteFilter{
				Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: headerFilter(h.Response),
			})
		}
	}
	if s.Rewrite != nil {
		out = append(out, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: rewrite(s.Rewrite)})
	}
	return out
}

func headerFilter(ops *v1beta1.HeaderOperations) *gatewayv1.HTTPHeaderFilter {
	return &gatewayv1.HTTPHeaderFilter{Set: sorted(ops.Set), Add: sorted(ops.Add), Remove: ops.Remove}
}

// sorted is a map in one order, so that the same spec renders to the same route.
func sorted(m map[string]string) []gatewayv1.HTTPHeader {
	out := make([]gatewayv1.HTTPHeader, 0, len(m))
	for k, v := range m {
		out = append(out, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(k), Value: v})
	}
	slices.SortFunc(out, func(a, b gatewayv1.HTTPHeader) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

func rewrite(r *v1beta1.Rewrite) *gatewayv1.HTTPURLRewriteFilter {
	out := &gatewayv1.HTTPURLRewriteFilter{}
	if r.Authority != "" {
		host := gatewayv1.PreciseHostname(r.Authority)
		out.Hostname = &host
	}
	if r.URI != "" {
		uri := r.URI
		if r.Type == string(gatewayv1.FullPathHTTPPathModifier) {
			out.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: &uri}
		} else {
			out.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: &uri}
		}
	}
	return out
}
