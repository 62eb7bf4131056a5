package gatewayapi

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// chosen are the requests that go to the canary whatever its weight.
func chosen(app router.App, split rollout.Split) []v1beta1.RequestMatch {
	requests := slices.Clone(split.Match)
	if c, ok := router.CookieOf(app, split); ok {
		requests = append(requests, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"cookie": c.Comes()}})
	}
	return requests
}

// choose gives the rules that are to be added for a rule with the apex: what it matches, narrowed down to the
// requests, goes to the canary alone. Of a rule that sends nothing to the apex, nothing goes there.
func choose(app router.App, rule object, requests []v1beta1.RequestMatch) ([]object, error) {
	var canary []object
	for _, b := range backendsOf(rule) {
		if names(app, b, app.Apex) && weightOf(b) > 0 {
			canary = append(canary, renamed(b, app.CanaryService, weightOf(b)))
		}
	}
	if len(canary) == 0 {
		return nil, nil
	}
	own := listIn(rule, "matches")
	if len(own) == 0 {
		own = []object{{}} // everything
	}
	var matches []object
	for _, m := range own {
		for _, r := range requests {
			narrow, err := narrowed(m, r)
			if err != nil {
				return nil, err
			}
			matches = append(matches, narrow)
		}
	}
	together := maxMatches
	if replacesPrefix(rule) {
		together = 1 // the prefix that is replaced is that of the one match
	}
	var added []object
	for some := range slices.Chunk(matches, together) {
		extra := maps.Clone(rule)
		extra["matches"], extra["backendRefs"] = list(some), list(canary)
		added = append(added, extra)
	}
	return added, nil
}

// narrowed is a match of which a request's description must be true as well.
func narrowed(match object, request v1beta1.RequestMatch) (object, error) {
	headers, err := conditions(listIn(match, "headers"), request.Headers, kind{"header", 4096, strings.EqualFold})
	if err != nil {
		return nil, err
	}
	same := func(a, b string) bool { return a == b }
	params, err := conditions(listIn(match, "queryParams"), request.QueryParams, kind{"query parameter", 1024, same})
	if err != nil {
		return nil, err
	}
	narrow := maps.Clone(match)
	for field, conditions := range map[string][]object{"headers": headers, "queryParams": params} {
		if len(conditions) > 0 {
			narrow[field] = list(conditions)
		}
	}
	return narrow, nil
}

// kind is what headers and query parameters differ in.
type kind struct {
	what    string
	longest int // value
	same    func(a, b string) bool
}

var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// conditions adds those of a description to those of a match. There can be but one of each name.
func conditions(own []object, texts map[string]v1beta1.StringMatch, of kind) ([]object, error) {
	const most = 16
	all := slices.Clone(own)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		match, value := expression(texts[name])
		condition := object{"name": name, "type": string(match), "value": value}
		at := slices.IndexFunc(all, func(c object) bool {
			has, _ := c["name"].(string)
			return of.same(has, name)
		})
		switch {
		case at >= 0 && all[at]["value"] == value && typeOf(all[at]) == string(match):
			continue
		case at >= 0:
			return nil, fmt.Errorf("matches by %s %s already, and the Gateway API allows one condition on each; "+
				"so requests cannot be sent to the canary by another", of.what, name)
		case !token.MatchString(name):
			return nil, fmt.Errorf("cannot match by %s %q: the Gateway API allows no such name", of.what, name)
		case len(value) > of.longest:
			return nil, fmt.Errorf("cannot match by %s %s: written as the expression %.32s… its value has more than the %d characters "+
				"that the Gateway API allows", of.what, name, value, of.longest)
		}
		all = append(all, condition)
	}
	if len(all) > most {
		return nil, fmt.Errorf("cannot match by %d conditions on a %s; the Gateway API allows %d", len(all), of.what, most)
	}
	return all, nil
}

func typeOf(condition object) string {
	if t, ok := condition["type"].(string); ok {
		return t
	}
	return string(gatewayv1.HeaderMatchExact) // what the Gateway API means by none
}

// expression says a text's description in the Gateway API's words. Proxies differ in whether an expression is
// for all of a text or for a part of it; one that holds from the first to the last letter is the same to both.
func expression(m v1beta1.StringMatch) (gatewayv1.HeaderMatchType, string) {
	switch {
	case m.Exact != "":
		return gatewayv1.HeaderMatchExact, m.Exact
	case m.Prefix != "":
		return gatewayv1.HeaderMatchRegularExpression, "^" + regexp.QuoteMeta(m.Prefix) + ".*$"
	default:
		return gatewayv1.HeaderMatchRegularExpression, "^(" + m.Regex + ")$"
	}
}

// replacesPrefix says that a rule, or one of its backends, replaces the prefix that was matched.
func replacesPrefix(rule object) bool {
	for _, o := range append(backendsOf(rule), rule) {
		for _, f := range listIn(o, "filters") {
			rewrite, _ := f["urlRewrite"].(object)
			path, _ := rewrite["path"].(object)
			if path["type"] == string(gatewayv1.PrefixMatchHTTPPathModifier) {
				return true
			}
		}
	}
	return false
}

// errNoRoom is for what Weir has to add and the Gateway API has no place for.
var errNoRoom = errors.New("has as many filters as the Gateway API allows, and Weir needs one more")
