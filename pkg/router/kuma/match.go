package kuma

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

type object = map[string]any

// The types of a condition.
const (
	exact      = "Exact"
	prefix     = "Prefix"
	pathPrefix = "PathPrefix"
	expression = "RegularExpression"
)

// matches are spec.service.match in Kuma's words: which requests are the application's. What contradicts itself is left
// out, and Validate tells it. A rule needs at least one, and so without any it has one for all.
func matches(s *v1beta1.CanaryService) []object {
	own := s.Match
	if len(own) == 0 {
		own = []gatewayv1.HTTPRouteMatch{{}}
	}
	var all []object
	for _, m := range own {
		if match, err := matchOf(m); err == nil {
			all = append(all, match)
		}
	}
	return all
}

func matchOf(m gatewayv1.HTTPRouteMatch) (object, error) {
	where, err := path(m.Path)
	if err != nil {
		return nil, err
	}
	match := object{"path": where}
	if m.Method != nil {
		match["method"] = string(*m.Method)
	}
	var headers, params []object
	for _, h := range m.Headers {
		how := gatewayv1.HeaderMatchExact
		if h.Type != nil {
			how = *h.Type
		}
		headers = append(headers, condition(strings.ToLower(string(h.Name)), string(how), h.Value))
	}
	for _, p := range m.QueryParams {
		how := gatewayv1.QueryParamMatchExact
		if p.Type != nil {
			how = *p.Type
		}
		params = append(params, condition(string(p.Name), string(how), p.Value))
	}
	return with(match, headers, params)
}

// path is a condition on the path. A prefix is of whole elements in Kuma, too, which wants it without a slash at its end.
func path(m *gatewayv1.HTTPPathMatch) (object, error) {
	how, value := gatewayv1.PathMatchPathPrefix, "/"
	if m != nil && m.Type != nil {
		how = *m.Type
	}
	if m != nil && m.Value != nil {
		value = *m.Value
	}
	switch how {
	case gatewayv1.PathMatchExact:
		return object{"type": exact, "value": value}, nil
	case gatewayv1.PathMatchRegularExpression:
		return object{"type": expression, "value": value}, compiles(value)
	}
	if value = strings.TrimSuffix(value, "/"); value == "" {
		value = "/"
	}
	return object{"type": pathPrefix, "value": value}, nil
}

func condition(name, how, value string) object {
	return object{"name": name, "type": how, "value": value}
}

// narrowed is a match of which a request's description must be true as well.
func narrowed(match object, r v1beta1.RequestMatch) (object, error) {
	var headers, params []object
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		how, value := text(r.Headers[name])
		headers = append(headers, condition(strings.ToLower(name), how, value))
	}
	for _, name := range slices.Sorted(maps.Keys(r.QueryParams)) {
		how, value := text(r.QueryParams[name])
		if how == prefix { // of parameters, Kuma knows none
			how, value = expression, regexp.QuoteMeta(value)+".*"
		}
		params = append(params, condition(name, how, value))
	}
	return with(match, headers, params)
}

// text is a text's description in Kuma's words. An expression is for all of the text.
func text(m v1beta1.StringMatch) (how, value string) {
	switch {
	case m.Exact != "":
		return exact, m.Exact
	case m.Prefix != "":
		return prefix, m.Prefix
	default:
		return expression, m.Regex
	}
}

// with is a match with more conditions, in the order of their names. Kuma knows one for each query parameter, and
// several for a header.
func with(match object, headers, params []object) (object, error) {
	out := maps.Clone(match)
	for field, more := range map[string][]object{"headers": headers, "queryParams": params} {
		all := router.Objects(match[field])
		for _, c := range more {
			had, err := among(all, c, field == "queryParams")
			if err != nil {
				return nil, err
			}
			if !had {
				all = append(all, c)
			}
		}
		if len(all) > 0 {
			slices.SortStableFunc(all, func(a, b object) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			out[field] = router.List(all)
		}
	}
	return out, nil
}

// among says that a condition stands in a list, or why it cannot.
func among(all []object, c object, once bool) (bool, error) {
	if c["type"] == expression {
		if err := compiles(c["value"].(string)); err != nil {
			return false, err
		}
	}
	for _, had := range all {
		switch {
		case reflect.DeepEqual(had, c):
			return true, nil
		case had["name"] == c["name"] && (once || had["type"] == exact && c["type"] == exact):
			return false, fmt.Errorf("%s would have to match %v and %v", c["name"], had["value"], c["value"])
		}
	}
	return false, nil
}

// compiles refuses an expression that no proxy of Kuma's would take: it would stay with the routes that it has.
func compiles(value string) error {
	if _, err := regexp.Compile(value); err != nil {
		return fmt.Errorf("%q is no expression of the syntax RE2: %w", value, err)
	}
	return nil
}
