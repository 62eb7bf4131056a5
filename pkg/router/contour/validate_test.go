package contour_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/contour"
)

// What an HTTPProxy has no words for, and what would be a fault of all of it, is refused by name.
func TestValidate(t *testing.T) {
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-tenant", Value: "blue"}}}
	request := func(o v1beta1.HeaderOperations) func(*v1beta1.CanarySpec) {
		return func(s *v1beta1.CanarySpec) { s.Service.Headers = &v1beta1.Headers{Request: &o} }
	}
	response := func(o v1beta1.HeaderOperations) func(*v1beta1.CanarySpec) {
		return func(s *v1beta1.CanarySpec) { s.Service.Headers = &v1beta1.Headers{Response: &o} }
	}
	only := func(m gatewayv1.HTTPRouteMatch, requests []v1beta1.RequestMatch) func(*v1beta1.CanarySpec) {
		return func(s *v1beta1.CanarySpec) {
			s.Service.Match, s.Service.Rewrite = []gatewayv1.HTTPRouteMatch{m}, nil
			s.Analysis.Steps = []v1beta1.CanaryStep{{}, {Match: requests}}
		}
	}
	one := map[string]string{"x-a": "1"}
	for name, c := range map[string]struct {
		ask  func(*v1beta1.CanarySpec)
		says string
	}{
		"all of it": {func(*v1beta1.CanarySpec) {}, ""},
		"a whole path": {func(s *v1beta1.CanarySpec) { s.Service.Rewrite.Type = "ReplaceFullPath" },
			"spec.service.rewrite.type ReplaceFullPath asks for what an HTTPProxy cannot do"},
		"adding to a request": {request(v1beta1.HeaderOperations{Add: one}),
			"spec.service.headers.request.add adds to headers, and an HTTPProxy can only set and remove them"},
		"adding to an answer": {response(v1beta1.HeaderOperations{Add: one}), "spec.service.headers.response.add adds to headers"},
		"the host of an answer": {response(v1beta1.HeaderOperations{Set: map[string]string{"Host": "a"}}),
			"spec.service.headers.response.set sets the header Host, which Contour does not do with answers"},
		"the host twice": {request(v1beta1.HeaderOperations{Set: map[string]string{"host": "a"}}),
			"spec.service.headers.request.set sets the header host, which spec.service.rewrite.authority does already"},
		"a header twice": {request(v1beta1.HeaderOperations{Set: map[string]string{"x-a": "1", "X-A": "2"}}),
			"names the header X-A and the header x-a, which are the same"},
		"an odd name": {response(v1beta1.HeaderOperations{Remove: []string{"x_a"}}),
			"spec.service.headers.response.remove names the header x_a, and Contour takes names of letters"},
		"another locality": {func(s *v1beta1.CanarySpec) { s.Service.Retries.RetryRemoteLocalities = new(false) },
			"spec.service.retries.retryRemoteLocalities asks for what an HTTPProxy cannot do"},
		"retries by a number": {func(s *v1beta1.CanarySpec) { s.Service.Retries.RetryOn = "5xx,503" },
			`spec.service.retries.retryOn names "503", and an HTTPProxy takes 5xx, gateway-error`},
		"no retries": {func(s *v1beta1.CanarySpec) { s.Service.Retries = &v1beta1.Retries{} }, ""},
		"no retries, and a time for the one try": {func(s *v1beta1.CanarySpec) { s.Service.Retries.Attempts = 0 },
			"spec.service.retries.perTryTimeout asks for what an HTTPProxy cannot do where spec.service.retries.attempts is 0"},
		"retries without a word": {func(s *v1beta1.CanarySpec) { s.Service.Retries.RetryOn = "" }, ""},
		"an expression without a slash": {only(onPath(gatewayv1.PathMatchRegularExpression, "a.*"), nil),
			`spec.service.match[0] is none for Contour: the expression "a.*" of a path does not begin with a slash`},
		"an expression that is none": {only(onPath(gatewayv1.PathMatchRegularExpression, "/("), nil), `"/(" is no expression`},
		"a lookahead": {only(tenant, byHeader("x-a", v1beta1.StringMatch{Regex: "(?!b)"})),
			`spec.analysis.steps[1].match[0] contradicts spec.service.match or itself: "(?!b)" is no expression of the syntax RE2`},
		"a contradiction": {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Exact: "green"})),
			"spec.analysis.steps[1].match[0] contradicts spec.service.match or itself: x-tenant would have to be blue and green"},
		"all of it by a match": {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Exact: "blue"})),
			"spec.analysis.steps[1].match[0] describes all requests of an entry of spec.service.match"},
		"a narrower one": {only(tenant, byHeader("X-Tenant", v1beta1.StringMatch{Regex: "b.*"})), ""},
		"parameters that Contour takes for one": {only(tenant, []v1beta1.RequestMatch{{QueryParams: map[string]v1beta1.StringMatch{
			"v": {Exact: "1"}, "V": {Exact: "1"},
		}}}), "spec.analysis.steps[1].match[0] contradicts spec.service.match or itself: "},
	} {
		t.Run(name, func(t *testing.T) {
			can := canary(t)
			c.ask(&can.Spec)
			problems := contour.Router{}.Validate(can)
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
