package contour

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Validate refuses what the features do not hold, and what Contour would take for a fault of the whole HTTPProxy.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	s := &c.Spec.Service
	problems := slices.Concat(r.Features().Refuse(r.Name(), c), rewriteProblems(s), headerProblems(s), retryProblems(s))
	for i, m := range s.Match {
		problems = append(problems, placeProblems(s, i, m)...)
	}
	for _, m := range router.PlannedMatches(c) {
		problems = append(problems, matchProblems(s, m)...)
	}
	return problems
}

func notServed(format string, args ...any) []rollout.Problem {
	return []rollout.Problem{{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(format, args...)}}
}

func rewriteProblems(s *v1beta1.CanaryService) []rollout.Problem {
	if r := s.Rewrite; r != nil && r.URI != "" && r.Type == string(gatewayv1.FullPathHTTPPathModifier) {
		return notServed("spec.service.rewrite.type ReplaceFullPath asks for what an HTTPProxy cannot do, which replaces " +
			"prefixes; set it to ReplacePrefixMatch, or let the application do it")
	}
	return nil
}

// headerProblems refuses changes of headers that an HTTPProxy has no words for.
func headerProblems(s *v1beta1.CanaryService) []rollout.Problem {
	if s.Headers == nil {
		return nil
	}
	var problems []rollout.Problem
	authority := s.Rewrite != nil && s.Rewrite.Authority != ""
	for _, of := range []struct {
		field string
		ops   *v1beta1.HeaderOperations
		host  string
	}{
		{"spec.service.headers.request", s.Headers.Request, "spec.service.rewrite.authority does already"},
		{"spec.service.headers.response", s.Headers.Response, "Contour does not do with answers"},
	} {
		if of.ops == nil {
			continue
		}
		if len(of.ops.Add) > 0 {
			problems = append(problems, notServed("%s.add adds to headers, and an HTTPProxy can only set and remove them; "+
				"use set, or let the application do it", of.field)...)
		}
		taken := strings.HasSuffix(of.field, "response") || authority
		problems = append(problems, nameProblems(of.field+".set", slices.Sorted(maps.Keys(of.ops.Set)), taken, of.host)...)
		problems = append(problems, nameProblems(of.field+".remove", of.ops.Remove, false, "")...)
	}
	return problems
}

// nameProblems refuses names of headers that Contour refuses.
func nameProblems(field string, names []string, hostTaken bool, by string) []rollout.Problem {
	plain := regexp.MustCompile("^[-A-Za-z0-9]+$")
	seen := map[string]string{}
	for _, name := range names {
		lower := strings.ToLower(name)
		switch other := seen[lower]; {
		case !plain.MatchString(name):
			return notServed("%s names the header %s, and Contour takes names of letters, digits and hyphens; remove it", field, name)
		case other != "":
			return notServed("%s names the header %s and the header %s, which are the same; remove one of them", field, other, name)
		case lower == "host" && hostTaken:
			return notServed("%s sets the header %s, which %s; remove it", field, name, by)
		}
		seen[lower] = name
	}
	return nil
}

func retryProblems(s *v1beta1.CanaryService) []rollout.Problem {
	if s.Retries == nil {
		return nil
	}
	if s.Retries.RetryRemoteLocalities != nil {
		return notServed("spec.service.retries.retryRemoteLocalities asks for what an HTTPProxy cannot do; remove the field")
	}
	if s.Retries.Attempts == 0 && s.Retries.PerTryTimeout != "" {
		return notServed("spec.service.retries.perTryTimeout asks for what an HTTPProxy cannot do where " +
			"spec.service.retries.attempts is 0; set spec.service.timeout instead")
	}
	known := []string{
		"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx",
		"refused-stream", "retriable-headers", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal",
		"resource-exhausted", "unavailable",
	}
	for _, word := range retryWords(s.Retries) {
		if s.Retries.RetryOn != "" && !slices.Contains(known, word) {
			return notServed("spec.service.retries.retryOn names %q, and an HTTPProxy takes %s; use some of these",
				word, strings.Join(known, ", "))
		}
	}
	return nil
}

func placeProblems(s *v1beta1.CanaryService, i int, m gatewayv1.HTTPRouteMatch) []rollout.Problem {
	if _, err := placesOf(s, m); err != nil {
		return notServed("spec.service.match[%d] is none for Contour: %s; correct it", i, err)
	}
	return nil
}

// matchProblems refuses a match that describes nothing, or no less than all of a place.
func matchProblems(s *v1beta1.CanaryService, p router.PlannedMatch) []rollout.Problem {
	own := places(s)
	for _, place := range own {
		narrow, err := place.narrowed(p.Match)
		if err != nil {
			return notServed("%s contradicts spec.service.match or itself: %s; correct one of them", p.Field, err)
		}
		for _, other := range own {
			if reflect.DeepEqual(narrow, other.conditions) {
				return notServed("%s describes all requests of an entry of spec.service.match, and Contour does not say which of "+
					"two routes for the same requests it takes; let one of them say more or less", p.Field)
			}
		}
	}
	return nil
}
