package gatewayapi

import (
	"errors"
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

// chosen are the requests that go to the canary whatever its weight.
func chosen(app application, split rollout.Split) []v1beta1.RequestMatch {
	requests := slices.Clone(split.Match)
	if c, ok := router.CookieOf(app.App, split); ok {
		requests = append(requests, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"cookie": c.Comes()}})
	}
	return requests
}

// met refuses requests that no rule with the apex takes: none would go to the canary.
func met(app application, rules []object, requests []v1beta1.RequestMatch) error {
	for _, r := range requests {
		sends := func(rule object) bool {
			return len(chosenBackends(app, rule)) > 0 && slices.ContainsFunc(matchesOf(rule), func(m object) bool { return takes(m, r) })
		}
		if r.Method != "" && !slices.ContainsFunc(rules, sends) {
			return fmt.Errorf("none of its rules sends requests of method %s to Service %s, so none of them would go to the canary; "+
				"correct the route, or the match", r.Method, app.Apex)
		}
	}
	return nil
}

// takes says that some request can be as a match and a description say.
func takes(match object, request v1beta1.RequestMatch) bool {
	return request.Method == "" || match["method"] == nil || match["method"] == request.Method
}

// choose gives the rules that are to be added for a rule with the apex: what it matches, narrowed down to the
// requests, goes to the canary alone. Whole are those that are not narrowed down by that.
func choose(app application, rule object, requests []v1beta1.RequestMatch) (whole, some []object, err error) {
	canary := chosenBackends(app, rule)
	if len(canary) == 0 {
		return nil, nil, nil
	}
	var same, narrower []object
	for _, m := range matchesOf(rule) {
		for _, r := range requests {
			if !takes(m, r) {
				continue
			}
			narrow, err := narrowed(app.kind, m, r)
			switch {
			case err != nil:
				return nil, nil, err
			case reflect.DeepEqual(narrow, m):
				same = append(same, narrow)
			default:
				narrower = append(narrower, narrow)
			}
		}
	}
	return added(rule, canary, same), added(rule, canary, narrower), nil
}

// chosenBackends are the canary in the places of the apex, for a rule that is to be added. Of a rule that sends
// nothing to the apex, nothing goes there.
func chosenBackends(app application, rule object) []object {
	var canary []object
	for _, b := range backendsOf(rule) {
		if names(app, b, app.Apex) && weightOf(b) > 0 {
			canary = append(canary, renamed(b, app.CanaryService, weightOf(b)))
		}
	}
	return canary
}

// matchesOf are the matches of a rule. One without any matches everything.
func matchesOf(rule object) []object {
	if own := listIn(rule, "matches"); len(own) > 0 {
		return own
	}
	return []object{{}}
}

// added are as many rules as it takes, like another, for other matches and backends. They get their names at last.
func added(rule object, canary, matches []object) []object {
	together := maxMatches
	if replacesPrefix(rule) {
		together = 1 // the prefix that is replaced is that of the one match
	}
	var rules []object
	for some := range slices.Chunk(matches, together) {
		extra := maps.Clone(rule)
		extra["matches"], extra["backendRefs"], extra["name"] = list(some), list(canary), addedName
		rules = append(rules, extra)
	}
	return rules
}

// narrowed is a match of which a request's description must be true as well.
func narrowed(of kind, match object, request v1beta1.RequestMatch) (object, error) {
	if of == grpcRoute && (len(request.QueryParams) > 0 || request.Method != "") {
		return nil, errors.New("matches calls of gRPC, which have no query parameters and all the same method; " +
			"match by headers alone")
	}
	headers, err := conditions(listIn(match, "headers"), request.Headers, field{"header", 4096, strings.EqualFold})
	if err != nil {
		return nil, err
	}
	same := func(a, b string) bool { return a == b }
	params, err := conditions(listIn(match, "queryParams"), request.QueryParams, field{"query parameter", 1024, same})
	if err != nil {
		return nil, err
	}
	narrow := maps.Clone(match)
	for field, conditions := range map[string][]object{"headers": headers, "queryParams": params} {
		if len(conditions) > 0 {
			narrow[field] = list(conditions)
		}
	}
	if request.Method != "" {
		narrow["method"] = request.Method
	}
	return narrow, nil
}

// field is what headers and query parameters differ in.
type field struct {
	what    string
	longest int // value
	same    func(a, b string) bool
}

var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// conditions adds those of a description to those of a match. There can be but one of each name.
func conditions(own []object, texts map[string]v1beta1.StringMatch, of field) ([]object, error) {
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
