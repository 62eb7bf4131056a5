package router

import (
	"fmt"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// Feature is one thing that a router may be able to do.
type Feature string

// The features. docs/routers.md says for each router which it has, and how that is known.
const (
	// Weighted: traffic is shared out by percent.
	Weighted Feature = "weights"
	// OwnsRoute: it makes the route where there is none.
	OwnsRoute Feature = "a route of its own"
	// AdoptsRoute: it shifts traffic in a route of the user's, and gives it back as it was found.
	AdoptsRoute Feature = "a route of the user's"
	// FromIngress: it makes the route from an Ingress of the user's, which it leaves alone.
	FromIngress Feature = "a route beside an Ingress"
	// NamedRoutes: it shifts weights in rules of routes that the spec names, and gives them back as they were found.
	NamedRoutes Feature = "weights in routes that the spec names"
	// FromRoute: it makes the route from an ApisixRoute of the user's, which it leaves alone.
	FromRoute Feature = "a route beside an ApisixRoute"
	// LikeUpstream: it reaches primary and canary as an Upstream of the user's says.
	LikeUpstream Feature = "settings of an Upstream"
	// Gateways: the route that it makes hangs on Gateways that the spec names.
	Gateways Feature = "gateways"
	// NamedGateways: the route that it makes hangs on gateways that the spec names as Istio does.
	NamedGateways Feature = "gateways by name"
	// Delegates: the route that it makes is a part of another one, which says where it hangs.
	Delegates Feature = "delegation"
	// Hosts: the route that it makes answers to hosts that the spec names.
	Hosts Feature = "hosts"
	// Matches: the route that it makes takes only the requests that the spec describes.
	Matches Feature = "matching of requests"
	// Rewrites: it rewrites path and host of a request.
	Rewrites Feature = "rewriting"
	// EditsHeaders: it changes headers of requests and responses.
	EditsHeaders Feature = "changing of headers"
	// Timeouts: it bounds the time of a request.
	Timeouts Feature = "timeouts"
	// Retries: it tries requests again that have failed.
	Retries Feature = "retries"
	// CORS: it lets pages of other origins read answers.
	CORS Feature = "a CORS policy"
	// TrafficPolicies: it says how proxies connect to the pods.
	TrafficPolicies Feature = "a traffic policy"
	// TCP: connections are shared out, of whatever protocol.
	TCP Feature = "shares of connections that are not HTTP"
	// GRPC: calls of gRPC are shared out, by a kind of route that is made for them.
	GRPC Feature = "a route for gRPC"
	// HeaderMatch: requests go to the canary by their headers.
	HeaderMatch Feature = "matching by header"
	// QueryMatch: requests go to the canary by their query parameters.
	QueryMatch Feature = "matching by query parameter"
	// MethodMatch: requests go to the canary by their method.
	MethodMatch Feature = "matching by method"
	// ManyConditions: what goes to the canary can be described by several conditions, and in several ways.
	ManyConditions Feature = "matching by more than one condition"
	// SourceMatch: requests go to the canary by the labels of the pods that send them.
	SourceMatch Feature = "matching by source labels"
	// Mirrors: requests are copied to the canary.
	Mirrors Feature = "mirroring"
	// MirrorsPercent: a percentage of the requests is copied.
	MirrorsPercent Feature = "mirroring of a percentage"
	// SessionAffinity: a cookie keeps a user with the canary.
	SessionAffinity Feature = "session affinity"
	// OwnRevisions: the target is a Knative Service, which is the route as well, and shares out traffic among its revisions.
	OwnRevisions Feature = "revisions of the target's own"
	// FollowsPods: there is nothing but Services, and traffic is shared out as the pods are. It is the core that
	// holds the apex to one revision's pods, or to none. Targets that are released in place can have nothing else.
	FollowsPods Feature = "traffic that follows pods"
)

// Features are what a router can do.
type Features map[Feature]bool

// Has says whether a feature is among them.
func (f Features) Has(feature Feature) bool { return f[feature] }

// Refuse names every field of a spec that asks for what is not among the features. Each router's
// Validate begins with it, so that no field is ignored in silence.
func (f Features) Refuse(router string, c *v1beta1.Canary) []rollout.Problem {
	var problems []rollout.Problem
	switch kind := rollout.KindOf(c); {
	case kind == v1beta1.KindKnativeService && !f.Has(OwnRevisions):
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonProviderNotKnative, Message: fmt.Sprintf(
			"spec.targetRef.kind %s is Knative's, which shares out traffic among revisions of its own, and provider %s knows "+
				"none; set spec.provider to knative", kind, router)})
	case kind != v1beta1.KindKnativeService && f.Has(OwnRevisions):
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonProviderNotKnative, Message: fmt.Sprintf(
			"spec.targetRef.kind %s has no revisions by which provider %s could share out traffic; set spec.targetRef to a "+
				"Service of serving.knative.dev/v1, or choose another spec.provider", kind, router)})
	case (kind == v1beta1.KindStatefulSet || kind == v1beta1.KindDaemonSet) && !f.Has(FollowsPods):
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonProviderNotInPlace, Message: fmt.Sprintf(
			"spec.targetRef.kind %s has pods that are replaced in place, and traffic can only follow them, which is not what "+
				"provider %s does; set spec.provider to kubernetes", kind, router)})
	}
	for _, a := range asks(c) {
		if a.asked && !f.Has(a.feature) {
			problems = append(problems, rollout.Problem{
				Lacks: string(a.feature), Reason: rollout.ReasonFieldNotServed,
				Message: fmt.Sprintf("%s asks for %s, which router %s does not offer; remove the field or %s",
					a.field, a.feature, router, elsewhere),
			})
		}
	}
	return problems
}

// elsewhere is the way out to another router, where nobody has said which there are.
const elsewhere = "choose another spec.provider"

// Elsewhere names in problems the routers that have what is lacking.
func Elsewhere(problems []rollout.Problem, routers []Router) []rollout.Problem {
	for i, p := range problems {
		var able []string
		for _, r := range routers {
			if p.Lacks != "" && r.Features().Has(Feature(p.Lacks)) {
				able = append(able, r.Name())
			}
		}
		slices.Sort(able)
		if last := len(able) - 1; last > 0 {
			able = []string{strings.Join(able[:last], ", ") + " or " + able[last]}
		}
		if len(able) > 0 {
			problems[i].Message = strings.Replace(p.Message, elsewhere, "set spec.provider to "+able[0], 1)
		}
	}
	return problems
}

// Unknown says of a provider that none of the routers has its name.
func Unknown(provider string, routers []Router) rollout.Problem {
	var names []string
	for _, r := range routers {
		names = append(names, r.Name())
	}
	slices.Sort(names)
	return rollout.Problem{Reason: rollout.ReasonProviderNotServed, Message: fmt.Sprintf(
		"spec.provider: this version of Weir has no router %s; set it to one of %s", provider, strings.Join(names, ", "))}
}

// ask is a field of a spec that asks for a feature.
type ask struct {
	field   string
	feature Feature
	asked   bool
}

func asks(c *v1beta1.Canary) []ask {
	s, a := &c.Spec.Service, &c.Spec.Analysis
	all := []ask{
		{"spec.ingressRef", FromIngress, c.Spec.IngressRef != nil},
		{"spec.routeRefs", NamedRoutes, len(c.Spec.RouteRefs) > 0},
		{"spec.routeRef", FromRoute, c.Spec.RouteRef != nil},
		{"spec.upstreamRef", LikeUpstream, c.Spec.UpstreamRef != nil},
		{"spec.analysis.stepWeight", Weighted, a.StepWeight != nil},
		{"spec.analysis.stepWeights", Weighted, len(a.StepWeights) > 0},
		{"spec.analysis.sessionAffinity", SessionAffinity, a.SessionAffinity != nil},
		{"spec.service.gatewayRefs", Gateways, len(s.GatewayRefs) > 0},
		{"spec.service.gateways", NamedGateways, len(s.Gateways) > 0},
		{"spec.service.delegation", Delegates, s.Delegation},
		{"spec.service.hosts", Hosts, len(s.Hosts) > 0},
		{"spec.service.match", Matches, len(s.Match) > 0},
		{"spec.service.rewrite", Rewrites, s.Rewrite != nil},
		{"spec.service.headers", EditsHeaders, s.Headers != nil},
		{"spec.service.timeout", Timeouts, s.Timeout != ""},
		{"spec.service.retries", Retries, s.Retries != nil},
		{"spec.service.corsPolicy", CORS, s.CorsPolicy != nil},
		{"spec.service.trafficPolicy", TrafficPolicies, s.TrafficPolicy != nil},
	}
	if field, protocol := Protocol(s); opaque(protocol) {
		all = append(all, ask{field, TCP, true})
	}
	all = append(all, matchAsks("spec.analysis", a.Match)...)
	mirrors := a.Mirror
	for i, step := range a.Steps {
		field := fmt.Sprintf("spec.analysis.steps[%d]", i)
		// All of the traffic, or none, is no share of it.
		shared := step.Weight != nil && *step.Weight > 0 && *step.Weight < 100
		all = append(all, ask{field + ".weight", Weighted, shared}, ask{field + ".mirror", Mirrors, step.Mirror})
		all = append(all, matchAsks(field, step.Match)...)
		mirrors = mirrors || step.Mirror
	}
	part := a.MirrorWeight > 0 && a.MirrorWeight < 100
	return append(all, ask{"spec.analysis.mirror", Mirrors, a.Mirror},
		ask{"spec.analysis.mirrorWeight", MirrorsPercent, mirrors && part})
}

// matchAsks are those of the requests that go to the canary by a match.
func matchAsks(of string, matches []v1beta1.RequestMatch) []ask {
	all := []ask{{of + ".match", ManyConditions, conditions(matches) > 1}}
	for i, m := range matches {
		field := fmt.Sprintf("%s.match[%d]", of, i)
		all = append(all, ask{field + ".headers", HeaderMatch, len(m.Headers) > 0},
			ask{field + ".queryParams", QueryMatch, len(m.QueryParams) > 0},
			ask{field + ".sourceLabels", SourceMatch, len(m.SourceLabels) > 0},
			ask{field + ".method", MethodMatch, m.Method != ""})
	}
	return all
}

func conditions(matches []v1beta1.RequestMatch) int {
	n := 0
	for _, m := range matches {
		n += len(m.Headers) + len(m.QueryParams) + len(m.SourceLabels)
		if m.Method != "" {
			n++
		}
	}
	return n
}

// Protocol is what the port speaks, in lower case, and the field that says so. A name's part before the first
// hyphen is the protocol, as proxies have it.
func Protocol(s *v1beta1.CanaryService) (field, protocol string) {
	if s.AppProtocol != nil {
		return "spec.service.appProtocol", strings.ToLower(*s.AppProtocol)
	}
	protocol, _, _ = strings.Cut(strings.ToLower(s.PortName), "-")
	return "spec.service.portName", protocol
}

// opaque says that a protocol is carried by TCP and has no requests that a proxy of HTTP could tell apart.
func opaque(protocol string) bool {
	switch protocol {
	case "tcp", "mongo", "mysql", "redis":
		return true
	}
	return false
}

// SpeaksTCP says that the port speaks something of which a router knows connections alone.
func SpeaksTCP(c *v1beta1.Canary) bool {
	_, protocol := Protocol(&c.Spec.Service)
	return opaque(protocol)
}

// SpeaksGRPC says that the port speaks gRPC. gRPC-Web, which browsers speak, is not it.
func SpeaksGRPC(c *v1beta1.Canary) bool {
	s := &c.Spec.Service
	_, protocol := Protocol(s)
	web := s.AppProtocol == nil && strings.HasPrefix(strings.ToLower(s.PortName)+"-", "grpc-web-")
	return protocol == "grpc" && !web
}
