package istio_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/istio"
)

// What Istio may ignore, or do otherwise than asked, is refused by name.
func TestValidate(t *testing.T) {
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-tenant", Value: "blue"}}}
	match := func(m v1beta1.RequestMatch) []v1beta1.RequestMatch { return []v1beta1.RequestMatch{m} }
	shop := v1beta1.RequestMatch{SourceLabels: map[string]string{"app": "shop"}}
	for name, c := range map[string]struct {
		ask  func(*v1beta1.CanarySpec)
		says string
	}{
		"all of it": {func(*v1beta1.CanarySpec) {}, ""},
		"pods that send by a gateway": {func(s *v1beta1.CanarySpec) {
			s.Service.Gateways = []string{"public"}
			s.Analysis.Steps = []v1beta1.CanaryStep{{Match: match(shop)}}
		}, "spec.analysis.steps[0].match[0].sourceLabels asks for matching by source labels, and no pod sends requests by " +
			"spec.service.gateways; add mesh to the gateways, or remove the field"},
		"pods beside a gateway": {func(s *v1beta1.CanarySpec) {
			s.Service.Gateways, s.Analysis.Match = []string{"public", "mesh"}, match(shop)
		}, ""},
		"a header that Istio may ignore": {func(s *v1beta1.CanarySpec) {
			s.Analysis.Match = byHeader("Method", v1beta1.StringMatch{Exact: "GET"})
		}, "spec.analysis.match[0].headers asks for matching by header Method, which Istio's reference says is ignored; remove it"},
		"the same in the service": {func(s *v1beta1.CanarySpec) {
			s.Service.Match = []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "authority", Value: "a"}}}}
		}, "spec.service.match[0].headers asks for matching by header authority, which Istio's reference says is ignored; remove it"},
		"a contradiction": {func(s *v1beta1.CanarySpec) {
			s.Service.Match = []gatewayv1.HTTPRouteMatch{tenant}
			s.Analysis.Match = byHeader("X-Tenant", v1beta1.StringMatch{Exact: "green"})
		}, "spec.analysis.match[0] contradicts spec.service.match or itself: header X-Tenant would have to match " +
			"map[exact:blue] and map[exact:green], and Istio allows one condition on each; correct one of them"},
		"the same condition twice": {func(s *v1beta1.CanarySpec) {
			s.Service.Match = []gatewayv1.HTTPRouteMatch{tenant}
			s.Analysis.Match = byHeader("X-Tenant", v1beta1.StringMatch{Exact: "blue"})
		}, ""},
		"a cookie that is removed": {func(s *v1beta1.CanarySpec) {
			s.Service.Headers = &v1beta1.Headers{Response: &v1beta1.HeaderOperations{Remove: []string{"set-cookie"}}}
		}, "spec.service.headers.response sets or removes Set-Cookie, by which spec.analysis.sessionAffinity keeps users " +
			"with the canary; remove one of the two"},
		"a port of TLS": {func(s *v1beta1.CanarySpec) { s.Service.PortName = "https-web" },
			"spec.service.portName says that the port speaks https, for which Istio has no routes of HTTP or TCP; " +
				"set spec.provider to kubernetes, or let the application speak http and Istio encrypt it"},
	} {
		t.Run(name, func(t *testing.T) {
			can := canary(t)
			can.Spec.Service.Gateways = nil
			can.Spec.Service.Match = nil
			c.ask(&can.Spec)
			problems := istio.Router{}.Validate(can)
			if c.says == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, c.says, problems[0].Message)
			require.Equal(t, "FieldNotServed", problems[0].Reason)
		})
	}
}

// Of a port that speaks TCP, nothing of a request can be asked for.
func TestValidateTCP(t *testing.T) {
	can := canary(t)
	can.Spec.Service.PortName = "tcp"
	var says []string
	for _, p := range (istio.Router{}).Validate(can) {
		says = append(says, p.Message)
	}
	require.Len(t, says, 7)
	require.Contains(t, says, "spec.service.timeout asks for timeouts, which router istio over TCP does not offer; "+
		"remove the field or choose another spec.provider")
	can.Spec.Service = v1beta1.CanaryService{
		Port: 6379, PortName: "redis", Gateways: []string{"public"}, Hosts: []gatewayv1.Hostname{"a.example.com"},
		TrafficPolicy: can.Spec.Service.TrafficPolicy,
	}
	can.Spec.Analysis.SessionAffinity = nil
	require.Empty(t, istio.Router{}.Validate(can))
}
