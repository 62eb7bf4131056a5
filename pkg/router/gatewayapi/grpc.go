package gatewayapi

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// overGRPC are those of a router's features that a GRPCRoute has words for. Session affinity is left out because
// clients of gRPC keep no cookies.
func overGRPC(f router.Features) router.Features {
	f = maps.Clone(f)
	for _, none := range []router.Feature{
		router.Rewrites, router.Timeouts, router.QueryMatch, router.MethodMatch, router.SessionAffinity,
	} {
		delete(f, none)
	}
	return f
}

// callProblems refuses what spec.service.match says and no call of gRPC can be told by.
func callProblems(s *v1beta1.CanaryService) []rollout.Problem {
	var problems []rollout.Problem
	for i, m := range s.Match {
		refuse := func(field, why string) {
			problems = append(problems, rollout.Problem{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(
				"spec.service.match[%d].%s %s; correct it, or write a GRPCRoute of the apex Service's name, which Weir adopts",
				i, field, why)})
		}
		if m.Method != nil {
			refuse("method", "is that of HTTP, and all calls of gRPC have the same")
		}
		if len(m.QueryParams) > 0 {
			refuse("queryParams", "says what no call of gRPC has")
		}
		if _, ok := called(m.Path); !ok {
			refuse("path", "cannot be written as a service and a method of gRPC, as in the prefix /shop.Orders or exactly "+
				"/shop.Orders/Get")
		}
	}
	return problems
}

// calls are spec.service.match in the words of a GRPCRoute: which calls are the application's. None means all.
func calls(s *v1beta1.CanaryService) []object {
	var all []object
	for _, m := range s.Match {
		match := object{}
		if method, _ := called(m.Path); method != nil {
			match["method"] = method
		}
		var headers []object
		for _, h := range m.Headers {
			kind := gatewayv1.HeaderMatchExact
			if h.Type != nil {
				kind = *h.Type
			}
			headers = append(headers, object{"name": string(h.Name), "type": string(kind), "value": h.Value})
		}
		if len(headers) > 0 {
			match["headers"] = list(headers)
		}
		if len(match) == 0 {
			return nil // one that takes everything leaves nothing to the others
		}
		all = append(all, match)
	}
	return all
}

var (
	grpcService = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*([.][A-Za-z_][A-Za-z_0-9]*)*$`)
	grpcMethod  = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)
)

// called is the service, and perhaps the method, that a path stands for, which in gRPC has these two elements. It
// is nil for a path that every call has.
func called(path *gatewayv1.HTTPPathMatch) (method object, ok bool) {
	if path == nil || path.Value == nil {
		return nil, true
	}
	exact := false
	if path.Type != nil {
		if *path.Type == gatewayv1.PathMatchRegularExpression {
			return nil, false
		}
		exact = *path.Type == gatewayv1.PathMatchExact
	}
	value := *path.Value
	if !exact {
		value = strings.TrimSuffix(value, "/") // a prefix is one of whole elements
	}
	if value == "" {
		return nil, true
	}
	service, name, both := strings.Cut(strings.TrimPrefix(value, "/"), "/")
	if !grpcService.MatchString(service) || both != grpcMethod.MatchString(name) || exact && !both {
		return nil, false
	}
	method = object{"type": string(gatewayv1.GRPCMethodMatchExact), "service": service}
	if both {
		method["method"] = name
	}
	return method, true
}
