package kuma

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Validate refuses what the features do not hold, and what Kuma would refuse or not take notice of.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	s := &c.Spec.Service
	problems := slices.Concat(r.Features().Refuse(r.Name(), c), protocolProblems(c), headerProblems(s))
	for i, m := range s.Match {
		if _, err := matchOf(m); err != nil {
			problems = append(problems, notServed("spec.service.match[%d] is none for Kuma: %s; correct it", i, err)...)
		}
	}
	for _, m := range router.PlannedMatches(c) {
		problems = append(problems, matchProblems(s, m)...)
	}
	return problems
}

func notServed(format string, args ...any) []rollout.Problem {
	return []rollout.Problem{{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf(format, args...)}}
}

// protocolProblems refuses a protocol that Kuma takes for TCP. Whether there has to be one depends on the Service, so
// that is for Render to say.
func protocolProblems(c *v1beta1.Canary) []rollout.Problem {
	s := &c.Spec.Service
	if s.AppProtocol == nil || isHTTP(*s.AppProtocol) || router.SpeaksTCP(c) {
		return nil
	}
	return notServed("spec.service.appProtocol %s is none of http, http2 and grpc, and all else Kuma takes for TCP; "+
		"set it to one of these", *s.AppProtocol)
}

// headerProblems refuses a header that is named twice.
func headerProblems(s *v1beta1.CanaryService) []rollout.Problem {
	if s.Headers == nil {
		return nil
	}
	var problems []rollout.Problem
	for _, of := range []struct {
		field string
		ops   *v1beta1.HeaderOperations
	}{{"spec.service.headers.request", s.Headers.Request}, {"spec.service.headers.response", s.Headers.Response}} {
		if of.ops == nil {
			continue
		}
		names := slices.Concat(slices.Sorted(maps.Keys(of.ops.Set)), slices.Sorted(maps.Keys(of.ops.Add)), of.ops.Remove)
		seen := map[string]bool{}
		for _, name := range names {
			lower := strings.ToLower(name)
			if seen[lower] {
				problems = append(problems, notServed("%s names the header %s twice, and Kuma does one thing with each; "+
					"remove one of the two", of.field, lower)...)
				break
			}
			seen[lower] = true
		}
	}
	return problems
}

// matchProblems refuses a match that describes nothing, or no less than all of an entry.
func matchProblems(s *v1beta1.CanaryService, p router.PlannedMatch) []rollout.Problem {
	own := matches(s)
	for _, m := range own {
		narrow, err := narrowed(m, p.Match)
		if err != nil {
			return notServed("%s contradicts spec.service.match or itself: %s; correct one of them", p.Field, err)
		}
		for _, other := range own {
			if reflect.DeepEqual(narrow, other) {
				return notServed("%s describes all requests of an entry of spec.service.match, and Kuma makes one rule of two for "+
					"the same requests; let one of them say more or less", p.Field)
			}
		}
	}
	return nil
}
