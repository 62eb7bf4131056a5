package router_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// everything is a spec that asks for each feature.
func everything() *v1beta1.Canary {
	insider := map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}
	return &v1beta1.Canary{Spec: v1beta1.CanarySpec{
		IngressRef: &v1beta1.IngressRef{Name: "podinfo"}, RouteRef: &v1beta1.RouteRef{Name: "podinfo"},
		UpstreamRef: &v1beta1.UpstreamRef{Name: "podinfo"},
		Service: v1beta1.CanaryService{
			Port:        9898,
			GatewayRefs: []gatewayv1.ParentReference{{Name: "edge"}}, Hosts: []gatewayv1.Hostname{"podinfo.example.com"},
			Match: []gatewayv1.HTTPRouteMatch{{}}, Rewrite: &v1beta1.Rewrite{}, Headers: &v1beta1.Headers{},
			Timeout: "1s", Gateways: []string{"public"}, Delegation: true, Retries: &v1beta1.Retries{},
			CorsPolicy: &v1beta1.CorsPolicy{}, TrafficPolicy: &v1beta1.TrafficPolicy{}, PortName: "tcp-cache",
		},
		Analysis: v1beta1.CanaryAnalysis{
			StepWeight: new(int32(10)), StepWeights: []int32{10}, Mirror: true, MirrorWeight: 30,
			Match: []v1beta1.RequestMatch{{Headers: insider}, {QueryParams: insider}},
			Steps: []v1beta1.CanaryStep{
				{Weight: new(int32(0))}, {Weight: new(int32(30)), Mirror: true},
				{Weight: new(int32(99)), Match: []v1beta1.RequestMatch{
					{Headers: insider, QueryParams: insider, SourceLabels: map[string]string{"app": "shop"}, Method: "GET"},
				}},
				{Weight: new(int32(100))},
			},
			SessionAffinity: &v1beta1.SessionAffinity{CookieName: "canary"},
		},
	}}
}

// A router without any feature refuses every field, and each feature makes its fields welcome.
func TestFeaturesRefuse(t *testing.T) {
	messages := func(f router.Features) []string {
		var all []string
		for _, p := range f.Refuse("toy", everything()) {
			require.Equal(t, "FieldNotServed", p.Reason)
			all = append(all, p.Message)
		}
		return all
	}
	all := messages(nil)
	fields := 0
	for _, f := range []struct {
		feature router.Feature
		fields  []string
	}{
		{router.Weighted, []string{
			"spec.analysis.stepWeight", "spec.analysis.stepWeights",
			"spec.analysis.steps[1].weight", "spec.analysis.steps[2].weight",
		}},
		{router.FromIngress, []string{"spec.ingressRef"}},
		{router.FromRoute, []string{"spec.routeRef"}},
		{router.LikeUpstream, []string{"spec.upstreamRef"}},
		{router.ManyConditions, []string{"spec.analysis.match", "spec.analysis.steps[2].match"}},
		{router.Gateways, []string{"spec.service.gatewayRefs"}},
		{router.Hosts, []string{"spec.service.hosts"}},
		{router.Matches, []string{"spec.service.match"}},
		{router.Rewrites, []string{"spec.service.rewrite"}},
		{router.EditsHeaders, []string{"spec.service.headers"}},
		{router.Timeouts, []string{"spec.service.timeout"}},
		{router.NamedGateways, []string{"spec.service.gateways"}},
		{router.Delegates, []string{"spec.service.delegation"}},
		{router.Retries, []string{"spec.service.retries"}},
		{router.CORS, []string{"spec.service.corsPolicy"}},
		{router.TrafficPolicies, []string{"spec.service.trafficPolicy"}},
		{router.TCP, []string{"spec.service.portName"}},
		{router.HeaderMatch, []string{"spec.analysis.match[0].headers", "spec.analysis.steps[2].match[0].headers"}},
		{router.QueryMatch, []string{"spec.analysis.match[1].queryParams", "spec.analysis.steps[2].match[0].queryParams"}},
		{router.SourceMatch, []string{"spec.analysis.steps[2].match[0].sourceLabels"}},
		{router.MethodMatch, []string{"spec.analysis.steps[2].match[0].method"}},
		{router.Mirrors, []string{"spec.analysis.mirror", "spec.analysis.steps[1].mirror"}},
		{router.MirrorsPercent, []string{"spec.analysis.mirrorWeight"}},
		{router.SessionAffinity, []string{"spec.analysis.sessionAffinity"}},
	} {
		with := messages(router.Features{f.feature: true})
		require.Subset(t, all, with)
		require.Len(t, with, len(all)-len(f.fields))
		for _, field := range f.fields {
			require.Contains(t, all, field+" asks for "+string(f.feature)+
				", which router toy does not offer; remove the field or choose another spec.provider")
		}
		fields += len(f.fields)
	}
	require.Len(t, all, fields)
	require.Empty(t, router.Features{}.Refuse("toy", &v1beta1.Canary{}))
}

// What is as it is without the field asks for nothing.
func TestFeaturesOfNothing(t *testing.T) {
	c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{Analysis: v1beta1.CanaryAnalysis{MirrorWeight: 30}}}
	require.Empty(t, router.Features{}.Refuse("toy", c), "the percentage of nothing")
	c.Spec.Analysis.Mirror, c.Spec.Analysis.MirrorWeight = true, 100
	require.Empty(t, router.Features{router.Mirrors: true}.Refuse("toy", c), "all requests are no part of them")
}

// Traffic to pods that are replaced in place can only follow them.
func TestFeaturesRefuseTargetsInPlace(t *testing.T) {
	for kind, refused := range map[string]bool{
		"": false, v1beta1.KindDeployment: false, v1beta1.KindStatefulSet: true, v1beta1.KindDaemonSet: true,
	} {
		c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{TargetRef: v1beta1.TargetRef{Kind: kind, Name: "podinfo"}}}
		require.Empty(t, router.Features{router.FollowsPods: true}.Refuse("toy", c), kind)
		problems := router.Features{router.Weighted: true}.Refuse("toy", c)
		if !refused {
			require.Empty(t, problems, kind)
			continue
		}
		require.Len(t, problems, 1)
		require.Equal(t, "ProviderNotInPlace", problems[0].Reason)
		require.Contains(t, problems[0].Message, "spec.targetRef.kind "+kind)
		require.Contains(t, problems[0].Message, "provider toy does; set spec.provider to kubernetes")
	}
}

// A port's protocol is what it is said to be, before what it is called.
func TestSpeaks(t *testing.T) {
	for _, c := range []struct {
		portName    string
		appProtocol *string
		tcp, grpc   bool
	}{
		{"", nil, false, false},
		{"http", nil, false, false},
		{"tcp", nil, true, false},
		{"tcp-cache", nil, true, false},
		{"tcpish", nil, false, false},
		{"redis", nil, true, false},
		{"grpc", nil, false, true},
		{"grpc-orders", nil, false, true},
		{"grpc-web", nil, false, false},
		{"grpc-web-orders", nil, false, false},
		{"grpc-webs", nil, false, true},
		{"http", new("TCP"), true, false},
		{"tcp", new("http"), false, false},
		{"http", new("kubernetes.io/h2c"), false, false},
		{"http", new("GRPC"), false, true},
		{"grpc-web", new("grpc"), false, true},
		{"grpc", new("grpc-web"), false, false},
		{"grpc", new("http"), false, false},
	} {
		canary := &v1beta1.Canary{}
		canary.Spec.Service.PortName, canary.Spec.Service.AppProtocol = c.portName, c.appProtocol
		require.Equal(t, c.tcp, router.SpeaksTCP(canary), "%+v", c)
		require.Equal(t, c.grpc, router.SpeaksGRPC(canary), "%+v", c)
	}
	canary := &v1beta1.Canary{}
	canary.Spec.Service.AppProtocol = new("tcp")
	refused := router.Features{}.Refuse("toy", canary)
	require.Contains(t, refused[0].Message, "spec.service.appProtocol asks for shares of connections")
}

// able is a router of which only its features matter.
type able struct {
	router.Router
	name     string
	features router.Features
}

func (a able) Name() string              { return a.name }
func (a able) Features() router.Features { return a.features }

func TestElsewhere(t *testing.T) {
	c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{Service: v1beta1.CanaryService{Timeout: "1s"}}}
	times := router.Features{router.Timeouts: true}
	for want, routers := range map[string][]router.Router{
		"remove the field or choose another spec.provider": {able{name: "a"}},
		"remove the field or set spec.provider to b":       {able{name: "a"}, able{name: "b", features: times}},
		"remove the field or set spec.provider to a, b or c": {able{name: "b", features: times}, able{name: "c", features: times},
			able{name: "a", features: times}},
	} {
		problems := router.Elsewhere(router.Features{}.Refuse("toy", c), routers)
		require.Len(t, problems, 1)
		require.Equal(t, "spec.service.timeout asks for timeouts, which router toy does not offer; "+want, problems[0].Message)
	}
}
