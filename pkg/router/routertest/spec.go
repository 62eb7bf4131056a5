package routertest

import (
	"slices"
	"strings"
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

func (s Subject) wishes() []wish {
	return slices.Concat(s.together(), aloneWishes())
}

// together are those that can be wished for at once.
func (s Subject) together() []wish {
	all := slices.Concat(s.serviceWishes(), meshWishes(), analysisWishes())
	for i, w := range all {
		if instead, ok := s.Instead[w.field]; ok {
			all[i].set = instead
		}
	}
	return all
}

// serviceWishes shape a route that is made, whatever the split.
func (s Subject) serviceWishes() []wish {
	match := s.Match
	if match == nil {
		match = []gatewayv1.HTTPRouteMatch{{
			Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/api")},
			Headers: []gatewayv1.HTTPHeaderMatch{
				{Name: "x-tenant", Value: "blue|green", Type: new(gatewayv1.HeaderMatchRegularExpression)},
			},
			Method: new(gatewayv1.HTTPMethodGet),
		}}
	}
	return []wish{
		{"spec.service.gatewayRefs", router.Gateways, func(s *v1beta1.CanarySpec) {
			s.Service.GatewayRefs = []gatewayv1.ParentReference{
				{Name: "edge", Namespace: new(gatewayv1.Namespace("gateways")), SectionName: new(gatewayv1.SectionName("web"))},
				{Name: "inner"},
			}
		}},
		{"spec.service.hosts", router.Hosts, func(s *v1beta1.CanarySpec) {
			s.Service.Hosts = []gatewayv1.Hostname{"podinfo.example.com", "*.podinfo.example.com"}
		}},
		{"spec.service.match", router.Matches, func(s *v1beta1.CanarySpec) { s.Service.Match = match }},
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

// meshWishes are those of serviceWishes that a mesh alone can grant.
func meshWishes() []wish {
	return []wish{
		{"spec.service.gateways", router.NamedGateways, func(s *v1beta1.CanarySpec) {
			s.Service.Gateways = []string{"gateways/edge", "mesh", "inner"}
		}},
		{"spec.service.retries", router.Retries, func(s *v1beta1.CanarySpec) {
			s.Service.Retries = &v1beta1.Retries{
				Attempts: 3, PerTryTimeout: "2s", RetryOn: "5xx,reset", RetryRemoteLocalities: new(true),
			}
		}},
		{"spec.service.corsPolicy", router.CORS, func(s *v1beta1.CanarySpec) {
			s.Service.CorsPolicy = &v1beta1.CorsPolicy{
				AllowOrigins: []v1beta1.StringMatch{{Exact: "https://example.com"}, {Regex: "https://.+[.]example[.]com"}},
				AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-a"}, ExposeHeaders: []string{"x-b"},
				MaxAge: "24h", AllowCredentials: new(false),
			}
		}},
		{"spec.service.trafficPolicy", router.TrafficPolicies, func(s *v1beta1.CanarySpec) {
			s.Service.TrafficPolicy = trafficPolicy()
		}},
	}
}

// aloneWishes are those of serviceWishes that cannot be wished for with all of the others.
func aloneWishes() []wish {
	return []wish{
		{"spec.service.delegation", router.Delegates, func(s *v1beta1.CanarySpec) {
			s.Service.Delegation = true
		}},
		{"spec.service.portName", router.TCP, func(s *v1beta1.CanarySpec) {
			s.Service.PortName = "tcp"
		}},
		{"spec.service.appProtocol", router.TCP, func(s *v1beta1.CanarySpec) {
			s.Service.AppProtocol = new("TCP")
		}},
	}
}

func trafficPolicy() *v1beta1.TrafficPolicy {
	return &v1beta1.TrafficPolicy{
		LoadBalancer: &v1beta1.LoadBalancer{
			ConsistentHash: &v1beta1.ConsistentHash{
				HTTPCookie: &v1beta1.HTTPCookie{Name: "user", Path: "/", TTL: "0s"}, MinimumRingSize: 1024,
			},
			LocalityLbSetting: &v1beta1.LocalityLbSetting{
				Enabled: new(true), Failover: []v1beta1.LocalityFailover{{From: "eu", To: "us"}},
			},
		},
		ConnectionPool: &v1beta1.ConnectionPool{
			TCP: &v1beta1.TCPPool{MaxConnections: 100, ConnectTimeout: "1s"},
			HTTP: &v1beta1.HTTPPool{
				HTTP1MaxPendingRequests: 10, HTTP2MaxRequests: 100, MaxRequestsPerConnection: 10, MaxRetries: 3,
				IdleTimeout: "1m30s", H2UpgradePolicy: "UPGRADE", UseClientProtocol: true,
			},
		},
		OutlierDetection: &v1beta1.OutlierDetection{
			Consecutive5xxErrors: new(int32(0)), ConsecutiveGatewayErrors: new(int32(5)), Interval: "10s",
			BaseEjectionTime: "30s", MaxEjectionPercent: 50, MinHealthPercent: 25,
		},
		TLS: &v1beta1.ClientTLS{
			Mode: "MUTUAL", ClientCertificate: "/a", PrivateKey: "/b", CACertificates: "/c", SubjectAltNames: []string{"a"}, SNI: "a",
		},
	}
}

// analysisWishes are about splits.
func analysisWishes() []wish {
	match := func(set func(*v1beta1.RequestMatch)) []v1beta1.RequestMatch {
		m := v1beta1.RequestMatch{}
		set(&m)
		return []v1beta1.RequestMatch{m}
	}
	headers := func(m *v1beta1.RequestMatch) { m.Headers = map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}} }
	params := func(m *v1beta1.RequestMatch) { m.QueryParams = map[string]v1beta1.StringMatch{"beta": {Prefix: "v"}} }
	labels := func(m *v1beta1.RequestMatch) { m.SourceLabels = map[string]string{"app": "shop"} }
	method := func(m *v1beta1.RequestMatch) { m.Method = "GET" }
	return []wish{
		{"spec.ingressRef", router.FromIngress, func(s *v1beta1.CanarySpec) {
			s.IngressRef = &v1beta1.IngressRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: Apex}
		}},
		{"spec.routeRefs", router.NamedRoutes, func(s *v1beta1.CanarySpec) {
			s.RouteRefs = []v1beta1.NamedRoute{{APIVersion: "example.com/v1", Kind: "Route", Name: Apex}}
		}},
		{"spec.routeRef", router.FromRoute, func(s *v1beta1.CanarySpec) {
			s.RouteRef = &v1beta1.RouteRef{APIVersion: "apisix.apache.org/v2", Kind: "ApisixRoute", Name: Apex}
		}},
		{"spec.upstreamRef", router.LikeUpstream, func(s *v1beta1.CanarySpec) {
			s.UpstreamRef = &v1beta1.UpstreamRef{APIVersion: "gloo.solo.io/v1", Kind: "Upstream", Name: Apex + "-tuned"}
		}},
		{"spec.analysis.stepWeight", router.Weighted, func(s *v1beta1.CanarySpec) { s.Analysis.StepWeight = new(int32(10)) }},
		{"spec.analysis.stepWeights", router.Weighted, func(s *v1beta1.CanarySpec) { s.Analysis.StepWeights = []int32{10, 50} }},
		{"spec.analysis.steps[0].weight", router.Weighted, func(s *v1beta1.CanarySpec) {
			s.Analysis.Steps = append(s.Analysis.Steps, v1beta1.CanaryStep{Weight: new(int32(10))})
		}},
		{"spec.analysis.match[0].headers", router.HeaderMatch, func(s *v1beta1.CanarySpec) { s.Analysis.Match = match(headers) }},
		{"spec.analysis.match", router.ManyConditions, func(s *v1beta1.CanarySpec) {
			s.Analysis.Match = match(func(m *v1beta1.RequestMatch) {
				m.Headers = map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}, "x-zone": {Regex: "eu-.+"}}
			})
		}},
		{"spec.analysis.match[0].queryParams", router.QueryMatch, func(s *v1beta1.CanarySpec) { s.Analysis.Match = match(params) }},
		{"spec.analysis.match[0].sourceLabels", router.SourceMatch, func(s *v1beta1.CanarySpec) { s.Analysis.Match = match(labels) }},
		{"spec.analysis.match[0].method", router.MethodMatch, func(s *v1beta1.CanarySpec) { s.Analysis.Match = match(method) }},
		{"spec.analysis.steps[0].match[0].headers", router.HeaderMatch, func(s *v1beta1.CanarySpec) {
			s.Analysis.Steps = append(s.Analysis.Steps, v1beta1.CanaryStep{Match: match(headers)})
		}},
		{"spec.analysis.mirror", router.Mirrors, func(s *v1beta1.CanarySpec) { s.Analysis.Mirror = true }},
		{"spec.analysis.steps[0].mirror", router.Mirrors, func(s *v1beta1.CanarySpec) {
			s.Analysis.Steps = append(s.Analysis.Steps, v1beta1.CanaryStep{Mirror: true})
		}},
		{"spec.analysis.mirrorWeight", router.MirrorsPercent, func(s *v1beta1.CanarySpec) {
			s.Analysis.Mirror, s.Analysis.MirrorWeight = true, 30
		}},
		{"spec.analysis.sessionAffinity", router.SessionAffinity, sticky},
	}
}

// sticky asks for session affinity.
func sticky(s *v1beta1.CanarySpec) {
	s.Analysis.SessionAffinity = &v1beta1.SessionAffinity{
		CookieName: "weir.canary", MaxAge: 3600, Domain: "example.com", Path: "/shop", HTTPOnly: true, Secure: true,
		Partitioned: true, SameSite: "None",
	}
}

// everything asks for all that the router claims to do.
func (s Subject) everything(spec *v1beta1.CanarySpec) {
	for _, w := range s.together() {
		if s.Router.Features().Has(w.feature) {
			w.set(spec)
		}
	}
}

// serves says that each field that the router claims to serve leaves a trace in the route that it makes.
func (s Subject) serves(t *testing.T) {
	made := func(shape ...func(*v1beta1.CanarySpec)) []router.Object {
		app := s.appOf("default", "podinfo", shape...)
		objects, err := s.Router.Render(app, rollout.Split{Weight: 10}, s.foundBeside(t, app))
		require.NoError(t, err)
		return objects
	}
	for _, w := range s.wishes() {
		about := strings.HasPrefix(w.field, "spec.service.") || w.feature == router.SessionAffinity
		if about && s.Router.Features().Has(w.feature) {
			require.NotEqual(t, made(s.Needs), made(s.Needs, w.set), "%s is ignored", w.field)
		}
	}
}

// foundBeside are the objects that a route is made from, before there is a route.
func (s Subject) foundBeside(t *testing.T, app router.App) router.Found {
	t.Helper()
	found := router.Found{}
	for _, manifest := range s.Beside {
		obj := parse(t, manifest)
		obj.SetNamespace(app.Canary.Namespace)
		if ref, reads := s.refOf(app, obj); reads {
			found[ref] = obj
		}
	}
	return found
}

// validates says that Validate refuses what the router does not claim, by name, and nothing else.
func (s Subject) validates(t *testing.T) {
	problems := func(shape ...func(*v1beta1.CanarySpec)) []rollout.Problem {
		return s.Router.Validate(s.appOf("default", "podinfo", shape...).Canary)
	}
	require.Empty(t, problems(s.Needs), "the least spec")
	require.Empty(t, problems(s.Needs, s.everything), "everything that it claims")
	for _, w := range s.wishes() {
		problems := problems(s.Needs, w.set)
		if s.Router.Features().Has(w.feature) {
			require.Empty(t, problems, w.field)
			continue
		}
		named := func(p rollout.Problem) bool { return p.Reason != "" && strings.Contains(p.Message, w.field+" ") }
		require.True(t, slices.ContainsFunc(problems, named), "%s is not refused by name: %v", w.field, problems)
	}
}
