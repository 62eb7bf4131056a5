package gloo

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// group is requests that one route is for: those that one of its matchers is for, or all.
type group struct {
	// paths says that each of the matchers has one of a path.
	paths    bool
	matchers []object
}

// groups are the application's requests, by spec.service.match. Whether the path is that of the route which delegates
// can be said for a whole route alone, so those with a path of their own stand apart.
func groups(s *v1beta1.CanaryService) []group {
	with, without := group{paths: true}, group{}
	for _, m := range s.Match {
		for _, path := range paths(m.Path) {
			matcher := maps.Clone(path)
			if m.Method != nil {
				matcher["methods"] = []any{string(*m.Method)}
			}
			for _, h := range m.Headers {
				regex := h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression
				put(matcher, "headers", string(h.Name), h.Value, regex)
			}
			for _, p := range m.QueryParams {
				regex := p.Type != nil && *p.Type == gatewayv1.QueryParamMatchRegularExpression
				put(matcher, "queryParameters", string(p.Name), p.Value, regex)
			}
			switch {
			case len(matcher) == 0:
				return []group{{}} // one that takes everything leaves nothing to the others
			case len(path) > 0:
				with.matchers = append(with.matchers, matcher)
			default:
				without.matchers = append(without.matchers, matcher)
			}
		}
	}
	return slices.DeleteFunc([]group{with, without}, func(g group) bool {
		return len(g.matchers) == 0 && (g.paths || len(with.matchers) > 0)
	})
}

// paths are the conditions on a path of which one must hold; an empty one is none. A prefix ends with an element of
// the path, which Gloo's, being any text, does not.
func paths(m *gatewayv1.HTTPPathMatch) []object {
	if m == nil || m.Value == nil {
		return []object{{}}
	}
	kind := gatewayv1.PathMatchPathPrefix
	if m.Type != nil {
		kind = *m.Type
	}
	switch kind {
	case gatewayv1.PathMatchExact:
		return []object{{"exact": *m.Value}}
	case gatewayv1.PathMatchRegularExpression:
		return []object{{"regex": *m.Value}}
	}
	whole := strings.TrimSuffix(*m.Value, "/")
	if whole == "" {
		return []object{{}}
	}
	return []object{{"exact": whole}, {"prefix": whole + "/"}}
}

// chosen are the requests that go to the canary whatever its weight.
func chosen(app router.App, split rollout.Split) []v1beta1.RequestMatch {
	requests := slices.Clone(split.Match)
	if c, ok := router.CookieOf(app, split); ok {
		requests = append(requests, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"cookie": c.Comes()}})
	}
	return requests
}

// narrowed are those of a group's requests that are also described by one of the requests.
func (g group) narrowed(requests []v1beta1.RequestMatch) group {
	own := g.matchers
	if len(own) == 0 {
		own = []object{{}}
	}
	out := group{paths: g.paths}
	for _, m := range own {
		for _, r := range requests {
			matcher := maps.Clone(m)
			for field, texts := range map[string]map[string]v1beta1.StringMatch{
				"headers": r.Headers, "queryParameters": r.QueryParams,
			} {
				for _, name := range slices.Sorted(maps.Keys(texts)) {
					value, regex := text(texts[name])
					put(matcher, field, name, value, regex)
				}
			}
			out.matchers = append(out.matchers, matcher)
		}
	}
	return out
}

// put adds a condition to those of a matcher, of which all must hold.
func put(matcher object, field, name, value string, regex bool) {
	condition := object{"name": name, "value": value}
	if regex {
		condition["regex"] = true
	}
	had, _ := matcher[field].([]any)
	matcher[field] = append(slices.Clone(had), condition)
}

// text is a text's description in Gloo's words. An expression is for all of the text.
func text(m v1beta1.StringMatch) (value string, regex bool) {
	switch {
	case m.Exact != "":
		return m.Exact, false
	case m.Prefix != "":
		return regexp.QuoteMeta(m.Prefix) + ".*", true
	default:
		return m.Regex, true
	}
}
