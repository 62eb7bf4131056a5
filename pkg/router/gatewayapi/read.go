package gatewayapi

import (
	"reflect"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force and what the Gateways say of it. A route that is Weir's but not as Weir
// leaves one, because somebody has applied his own again or changed a weight, is found and not accepted:
// it counts as moving until the next apply has put it right. That is so where dividing it again would
// change it.
func (r Router) Read(app router.App, committed rollout.Split, found router.Found) rollout.Route {
	a, have := r.routeOf(app, found)
	if have == nil || !held(a, have) {
		return rollout.Route{}
	}
	rules := rulesOf(have)
	own, _ := parts(rules)
	split := rollout.Split{Weight: largestShare(a, own), Mirror: largestMirror(a, own)}
	match, asLeft := readMatch(a, split, committed.Match, rules, originals(a, have))
	split.Match = match
	route := rollout.Route{Found: true, Split: split}
	if asLeft {
		route.Accepted, route.Refused = r.Accepted(have)
	}
	return route
}

// readMatch says which requests go to the canary by a match, and whether all of the rules are as Weir leaves
// them: what it adds is known again by rendering the committed match once more, or none.
func readMatch(
	app application, split rollout.Split, committed []v1beta1.RequestMatch, rules, users []object,
) (match []v1beta1.RequestMatch, asLeft bool) {
	_, added := parts(rules)
	if len(added) > 0 {
		match = unknown()
	}
	candidates := [][]v1beta1.RequestMatch{nil}
	if len(committed) > 0 {
		candidates = append(candidates, committed)
	}
	for _, m := range candidates {
		split.Match = m
		again, err := divide(app, split, users)
		if err != nil {
			continue
		}
		if _, want := parts(again); reflect.DeepEqual(want, added) {
			match, asLeft = m, reflect.DeepEqual(again, rules)
		}
	}
	return match, asLeft
}

// unknown stands for requests that go to the canary by a match which is not the committed one. Nobody can have
// committed to it: this router refuses source labels.
func unknown() []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{SourceLabels: map[string]string{"weir.dev/unknown": ""}}}
}

// largestShare is the most that any canary gets, in percent rounded up. All get the same where the route
// is as Weir leaves one.
func largestShare(app application, rules []object) int32 {
	var largest int32
	for _, p := range pairsOf(app, rules) {
		largest = max(largest, router.PercentOf(weightOf(p.canary), p.share())) // the user may send nothing this way
	}
	return largest
}

// largestMirror is the most that is copied to the canary by any rule with a pair.
func largestMirror(app application, rules []object) int32 {
	var largest int32
	for _, rule := range rules {
		if len(served(app, rule)) > 0 {
			largest = max(largest, mirrorOf(app, rule))
		}
	}
	return largest
}
