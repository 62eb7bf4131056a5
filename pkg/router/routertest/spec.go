package routertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// wish is a field of a spec that asks for a feature, with a value that is good everywhere.
type wish struct {
	field   string
	feature router.Feature
	set     func(*v1beta1.CanarySpec)
}

func wishes() []wish {
	return []wish{
		{"spec.analysis.stepWeight", router.Weighted, func(s *v1beta1.CanarySpec) { s.Analysis.StepWeight = new(int32(10)) }},
		{"spec.analysis.stepWeights", router.Weighted, func(s *v1beta1.CanarySpec) { s.Analysis.StepWeights = []int32{10, 50} }},
		{"spec.service.gatewayRefs", router.Gateways, func(s *v1beta1.CanarySpec) {
			s.Service.GatewayRefs = []gatewayv1.ParentReference{
				{Name: "edge", Namespace: new(gatewayv1.Namespace("gateways")), SectionName: new(gatewayv1.SectionName("web"))},
				{Name: "inner"},
			}
		}},
		{"spec.service.hosts", router.Hosts, func(s *v1beta1.CanarySpec) {
			s.Service.Hosts = []gatewayv1.Hostname{"podinfo.example.com", "*.podinfo.example.com"}
		}},
		{"spec.service.match", router.Matches, func(s *v1beta1.CanarySpec) {
			s.Service.Match = []gatewayv1.HTTPRouteMatch{{
				Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/api")},
				Headers: []gatewayv1.HTTPHeaderMatch{
					{Name: "x-tenant", Value: "blue|green", Type: new(gatewayv1.HeaderMatchRegularExpression)},
				},
				Method: new(gatewayv1.HTTPMethodGet),
			}}
		}},
		{"spec.service.rewrite", router.Rewrites, func(s *v1beta1.CanarySpec) {
			s.Service.Rewrite = &v1beta1.Rewrite{URI: "/", Type: "ReplacePrefixMatch", Authority: "podinfo.internal"}
		}},
		{"spec.service.headers", router.EditsHeaders, func(s *v1beta1.CanarySpec) {
			s.Service.Headers = &v1beta1.Headers{
				Request:  &v1beta1.HeaderOperations{Set: map[string]string{"x-b": "2", "x-a": "1"}, Remove: []string{"x-secret"}},
				Response: &v1beta1.HeaderOperations{Add: map[string]string{"x-served-by": "weir"}},
			}
		}},
		{"spec.service.timeout", router.Timeouts, func(s *v1beta1.CanarySpec) { s.Service.Timeout = "15s" }},
	}
}

// everything asks for all that the router claims to do.
func (s Subject) everything(spec *v1beta1.CanarySpec) {
	for _, w := range wishes() {
		if s.Router.Features().Has(w.feature) {
			w.set(spec)
		}
	}
}

// serves says that each field that the router claims to serve leaves a trace in the route that it makes.
func (s Subject) serves(t *testing.T) {
	made := func(shape ...func(*v1beta1.CanarySpec)) []router.Object {
		objects, err := s.Router.Render(appOf("default", "podinfo", shape...), rollout.Split{Weight: 10}, nil)
		require.NoError(t, err)
		return objects
	}
	for _, w := range wishes() {
		if w.feature != router.Weighted && s.Router.Features().Has(w.feature) {
			require.NotEqual(t, made(s.Needs), made(s.Needs, w.set), "%s is ignored", w.field)
		}
	}
}

// validates says that Validate refuses what the router does not claim, by name, and nothing else.
func (s Subject) validates(t *testing.T) {
	problems := func(shape ...func(*v1beta1.CanarySpec)) []rollout.Problem {
		return s.Router.Validate(appOf("default", "podinfo", shape...).Canary)
	}
	require.Empty(t, problems(s.Needs), "the least spec")
	require.Empty(t, problems(s.Needs, s.everything), "everything that it claims")
	for _, w := range wishes() {
		problems := problems(s.Needs, w.set)
		if s.Router.Features().Has(w.feature) {
			require.Empty(t, problems, w.field)
			continue
		}
		require.Len(t, problems, 1, w.field)
		require.NotEmpty(t, problems[0].Reason)
		require.Contains(t, problems[0].Message, w.field)
	}
}
