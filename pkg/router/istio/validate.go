package istio

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Validate refuses what the features do not hold, and what Istio may ignore in silence.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	if router.SpeaksTCP(c) {
		return overTCP().Refuse(r.Name()+" over TCP", c)
	}
	problems := append(r.Features().Refuse(r.Name(), c), protocolProblems(&c.Spec.Service)...)
	problems = append(problems, nameProblems(&c.Spec.Service)...)
	for _, m := range planned(c) {
		problems = append(problems, matchProblems(&c.Spec.Service, m)...)
	}
	return append(problems, router.CookieProblems(c)...)
}

// overTCP are the features where connections are all that can be told apart.
func overTCP() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.NamedGateways: true, router.Hosts: true,
		router.TrafficPolicies: true, router.TCP: true,
	}
}

func notServed(format string, args ...any) []rollout.Problem {
	return []rollout.Problem{{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(format, args...)}}
}

func protocolProblems(s *v1beta1.CanaryService) []rollout.Problem {
	switch field, protocol := router.Protocol(s); protocol {
	case "https", "tls", "udp":
		return notServed("%s says that the port speaks %s, for which Istio has no routes of HTTP or TCP; "+
			"set spec.provider to kubernetes, or let the application speak http and Istio encrypt it", field, protocol)
	}
	return nil
}

// plannedMatch is a match that a field of the spec asks for.
type plannedMatch struct {
	field string
	match v1beta1.RequestMatch
}

func planned(c *v1beta1.Canary) []plannedMatch {
	var all []plannedMatch
	add := func(of string, matches []v1beta1.RequestMatch) {
		for i, m := range matches {
			all = append(all, plannedMatch{fmt.Sprintf("%s.match[%d]", of, i), m})
		}
	}
	add("spec.analysis", c.Spec.Analysis.Match)
	for i, step := range c.Spec.Analysis.Steps {
		add(fmt.Sprintf("spec.analysis.steps[%d]", i), step.Match)
	}
	return all
}

func matchProblems(s *v1beta1.CanaryService, p plannedMatch) []rollout.Problem {
	inMesh := func(e entry) bool { return e.mesh }
	if len(p.match.SourceLabels) > 0 && !slices.ContainsFunc(entries(s), inMesh) {
		return notServed("%s.sourceLabels asks for matching by source labels, and no pod sends requests by spec.service.gateways; "+
			"add mesh to the gateways, or remove the field", p.field)
	}
	for _, name := range slices.Sorted(maps.Keys(p.match.Headers)) {
		if ignored(name) {
			return ignoredProblem(p.field, name)
		}
	}
	own := matches(s)
	if len(own) == 0 {
		own = []object{{}}
	}
	for _, m := range own {
		if _, err := narrow(m, p.match); err != nil {
			return notServed("%s contradicts spec.service.match or itself: %s; correct one of them", p.field, err)
		}
	}
	return nil
}

// ignored says that a header's name is one that Istio's reference says is ignored: a part of the request that has a
// field of its own. Istio 1.31 looks at them all the same, and promises nothing.
func ignored(header string) bool {
	switch strings.ToLower(header) {
	case "uri", "scheme", "method", "authority":
		return true
	}
	return false
}

func ignoredProblem(match, header string) []rollout.Problem {
	return notServed("%s.headers asks for matching by header %s, which Istio's reference says is ignored; remove it",
		match, header)
}

func nameProblems(s *v1beta1.CanaryService) []rollout.Problem {
	for i, m := range s.Match {
		for _, h := range m.Headers {
			if ignored(string(h.Name)) {
				return ignoredProblem(fmt.Sprintf("spec.service.match[%d]", i), string(h.Name))
			}
		}
	}
	return nil
}
