package kuma_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/kuma"
)

// What Kuma would refuse, or take no notice of, is refused by name.
func TestValidate(t *testing.T) {
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-tenant", Value: "blue"}}}
	only := func(m gatewayv1.HTTPRouteMatch, requests []v1beta1.RequestMatch) func(*v1beta1.CanarySpec) {
		return func(s *v1beta1.CanarySpec) {
			s.Service.Match, s.Service.Rewrite = []gatewayv1.HTTPRouteMatch{m}, nil
			s.Analysis.Steps = []v1beta1.CanaryStep{{}, {Match: requests}}
		}
	}
	byParam := func(text v1beta1.StringMatch) []v1beta1.RequestMatch {
		return []v1beta1.RequestMatch{{QueryParams: map[string]v1beta1.StringMatch{"v": text}}}
	}
	version := gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "v", Value: "2"}}}
	const all = "spec.analysis.steps[1].match[0] describes all requests of an entry of spec.service.match"
	const contradicts = "spec.analysis.steps[1].match[0] contradicts spec.service.match or itself: "
	for name, c := range map[string]struct {
		ask  func(*v1beta1.CanarySpec)
		says string
	}{
		"all of it":          {func(*v1beta1.CanarySpec) {}, ""},
		"a protocol of HTTP": {func(s *v1beta1.CanarySpec) { s.Service.AppProtocol = new("grpc") }, ""},
		"another protocol": {func(s *v1beta1.CanarySpec) { s.Service.AppProtocol = new("kubernetes.io/h2c") },
			"spec.service.appProtocol kubernetes.io/h2c is none of http, http2 and grpc"},
		"TCP": {func(s *v1beta1.CanarySpec) { s.Service.AppProtocol = new("tcp") },
			"spec.service.appProtocol asks for shares of connections that are not HTTP"},
		"a header twice": {func(s *v1beta1.CanarySpec) {
			s.Service.Headers = &v1beta1.Headers{Response: &v1beta1.HeaderOperations{
				Set: map[string]string{"X-A": "1"}, Add: map[string]string{"x-a": "1"},
			}}
		}, "spec.service.headers.response names the header x-a twice"},
		"a header that is set and removed": {func(s *v1beta1.CanarySpec) {
			s.Service.Headers = &v1beta1.Headers{Request: &v1beta1.HeaderOperations{
				Set: map[string]string{"x-a": "1"}, Remove: []string{"X-A"},
			}}
		}, "spec.service.headers.request names the header x-a twice"},
		"an expression that is none": {only(onPath(gatewayv1.PathMatchRegularExpression, "/("), nil),
			`spec.service.match[0] is none for Kuma: "/(" is no expression of the syntax RE2`},
		"a lookahead": {only(tenant, byHeader("x-a", v1beta1.StringMatch{Regex: "(?!b)"})),
			contradicts + `"(?!b)" is no expression`},
		"a contradiction": {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Exact: "green"})),
			contradicts + "x-tenant would have"},
		"two for one parameter": {only(version, byParam(v1beta1.StringMatch{Regex: "2|3"})),
			contradicts + "v would have to match 2 and 2|3"},
		"all of it by a match":     {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Exact: "blue"})), all},
		"all of it by a parameter": {only(version, byParam(v1beta1.StringMatch{Exact: "2"})), all},
		"a narrower one":           {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Regex: "b.*"})), ""},
	} {
		t.Run(name, func(t *testing.T) {
			can := newScene(t).app.Canary
			c.ask(&can.Spec)
			problems := kuma.Router{}.Validate(can)
			if c.says == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].Message, c.says)
			require.Equal(t, "FieldNotServed", problems[0].Reason)
		})
	}
}
