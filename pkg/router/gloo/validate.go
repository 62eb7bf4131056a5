package gloo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Validate refuses what the features do not hold, and what Gloo would ignore or do otherwise. What is wrong with the
// Upstream is for Render to say.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := append(r.Features().Refuse(r.Name(), c), protocolProblems(c)...)
	problems = append(problems, retryProblems(c.Spec.Service.Retries)...)
	problems = append(problems, hostProblems(c.Spec.Service.Headers)...)
	if u := c.Spec.UpstreamRef; u != nil && (u.Namespace == "" || u.Namespace == c.Namespace) {
		apex := apexOf(c)
		if u.Name == apex+"-primary" || u.Name == apex+"-canary" {
			problems = append(problems, notServed("spec.upstreamRef names Upstream %s, which is Weir's to make; name another", u.Name))
		}
	}
	return append(problems, router.CookieProblems(c)...)
}

func apexOf(c *v1beta1.Canary) string {
	if c.Spec.Service.Name != "" {
		return c.Spec.Service.Name
	}
	return c.Spec.TargetRef.Name
}

func notServed(format string, args ...any) rollout.Problem {
	return rollout.Problem{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(format, args...)}
}

// protocolProblems refuses a port that an Upstream of Weir's would speak wrongly to.
func protocolProblems(c *v1beta1.Canary) []rollout.Problem {
	switch field, protocol := router.Protocol(&c.Spec.Service); protocol {
	case "https", "tls":
		if c.Spec.UpstreamRef == nil {
			return []rollout.Problem{notServed("%s says that the port speaks %s, and Gloo has to be told how; name an Upstream with "+
				"spec.sslConfig in spec.upstreamRef", field, protocol)}
		}
	case "udp":
		return []rollout.Problem{notServed("%s says that the port speaks udp, for which a RouteTable has no routes; set "+
			"spec.provider to kubernetes", field)}
	}
	return nil
}

// speaksHTTP2 says that requests must come by HTTP/2, as those of gRPC.
func speaksHTTP2(s *v1beta1.CanaryService) bool {
	switch _, protocol := router.Protocol(s); protocol {
	case "grpc", "h2c", "http2", "kubernetes.io/h2c":
		return true
	}
	return false
}

func retryProblems(r *v1beta1.Retries) []rollout.Problem {
	var problems []rollout.Problem
	if r == nil {
		return nil
	}
	if r.Attempts == 0 {
		problems = append(problems, notServed("spec.service.retries.attempts is 0, which Gloo takes for 1; remove the retries"))
	}
	if r.RetryOn == "" {
		problems = append(problems, notServed("spec.service.retries has no retryOn, and Gloo retries nothing without; set it, as "+
			"in 5xx,reset"))
	}
	if r.RetryRemoteLocalities != nil {
		problems = append(problems, notServed("spec.service.retries.retryRemoteLocalities asks for what router gloo does not "+
			"offer; remove the field"))
	}
	return problems
}

// hostProblems refuses a change of the header that Envoy lets nobody change as a header.
func hostProblems(h *v1beta1.Headers) []rollout.Problem {
	if h == nil || h.Request == nil {
		return nil
	}
	names := slices.Concat(slices.Collect(maps.Keys(h.Request.Set)), slices.Collect(maps.Keys(h.Request.Add)), h.Request.Remove)
	if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, "host") }) {
		return []rollout.Problem{notServed("spec.service.headers.request changes the header host, which Gloo does not do by " +
			"headers; set spec.service.rewrite.authority instead")}
	}
	return nil
}
