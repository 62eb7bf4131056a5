package istio

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// matches are spec.service.match in Istio's words: which requests are the application's. None means all.
func matches(s *v1beta1.CanaryService) []object {
	var all []object
	for _, m := range s.Match {
		for _, path := range paths(m.Path) {
			match := object{}
			if path != nil {
				match["uri"] = path
			}
			if m.Method != nil {
				match["method"] = object{"exact": string(*m.Method)}
			}
			if headers := headers(m.Headers); len(headers) > 0 {
				match["headers"] = headers
			}
			if params := params(m.QueryParams); len(params) > 0 {
				match["queryParams"] = params
			}
			all = append(all, match)
		}
	}
	for _, match := range all {
		if len(match) == 0 {
			return nil // one that takes everything leaves nothing to the others
		}
	}
	return all
}

// paths are the conditions on a path of which one must hold; nil is none. A prefix ends with an element of the
// path, which Istio's, being any text, does not.
func paths(m *gatewayv1.HTTPPathMatch) []object {
	if m == nil || m.Value == nil {
		return []object{nil}
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
		return []object{nil}
	}
	return []object{{"exact": whole}, {"prefix": whole + "/"}}
}

func headers(of []gatewayv1.HTTPHeaderMatch) object {
	out := object{}
	for _, h := range of {
		kind := "exact"
		if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
			kind = "regex"
		}
		out[strings.ToLower(string(h.Name))] = object{kind: h.Value}
	}
	return out
}

func params(of []gatewayv1.HTTPQueryParamMatch) object {
	out := object{}
	for _, p := range of {
		kind := "exact"
		if p.Type != nil && *p.Type == gatewayv1.QueryParamMatchRegularExpression {
			kind = "regex"
		}
		out[string(p.Name)] = object{kind: p.Value}
	}
	return out
}

// fenced are matches for one entry alone. Istio looks at gateways or at source labels, and with both at gateways
// alone; so what is for some pods names no gateway. At a gateway it is never come to: the entry of the gateways
// stands before it and has taken everything.
func fenced(e entry, matches []object) []object {
	if len(e.gateways) == 0 {
		return matches
	}
	if len(matches) == 0 {
		matches = []object{{}}
	}
	var out []object
	for _, m := range matches {
		m = maps.Clone(m)
		if _, some := m[fieldSourceLabels]; !some {
			m["gateways"] = list(e.gateways)
		}
		out = append(out, m)
	}
	return out
}

// chosen are the requests that go to the canary whatever its weight.
func chosen(app router.App, split rollout.Split) []v1beta1.RequestMatch {
	requests := slices.Clone(split.Match)
	if c, ok := router.CookieOf(app, split); ok {
		requests = append(requests, v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"cookie": c.Comes()}})
	}
	return requests
}

// narrowed are the application's requests at an entry that are also described by one of the requests. What
// contradicts itself is left out, so that a rollback never waits for a correction of the spec; Validate tells it.
func narrowed(e entry, own []object, requests []v1beta1.RequestMatch) []object {
	if len(own) == 0 {
		own = []object{{}}
	}
	var all []object
	for _, m := range own {
		for _, r := range requests {
			if len(r.SourceLabels) > 0 && !e.mesh {
				continue // no pod of that kind sends requests here
			}
			if narrow, err := narrow(m, r); err == nil {
				all = append(all, narrow)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fenced(e, all)
}

// narrow is a match of which a request's description must be true as well.
func narrow(match object, r v1beta1.RequestMatch) (object, error) {
	same := func(s string) string { return s }
	headers, err := conditions("header", match["headers"], r.Headers, strings.ToLower)
	if err != nil {
		return nil, err
	}
	params, err := conditions("query parameter", match["queryParams"], r.QueryParams, same)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(match)
	for field, all := range map[string]object{"headers": headers, "queryParams": params} {
		if len(all) > 0 {
			out[field] = all
		}
	}
	if len(r.SourceLabels) > 0 {
		labels := object{}
		for k, v := range r.SourceLabels {
			labels[k] = v
		}
		out[fieldSourceLabels] = labels
	}
	return out, nil
}

// conditions adds those of a description to those of a match. There can be but one for each name.
func conditions(what string, own any, texts map[string]v1beta1.StringMatch, key func(string) string) (object, error) {
	all := object{}
	if had, ok := own.(object); ok {
		maps.Copy(all, had)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		condition := text(texts[name])
		if had, ok := all[key(name)]; ok && !reflect.DeepEqual(had, condition) {
			return nil, fmt.Errorf("%s %s would have to match %v and %v, and Istio allows one condition on each",
				what, name, had, condition)
		}
		all[key(name)] = condition
	}
	return all, nil
}

// text is a text's description in Istio's words. An expression is for all of the text.
func text(m v1beta1.StringMatch) object {
	switch {
	case m.Exact != "":
		return object{"exact": m.Exact}
	case m.Prefix != "":
		return object{"prefix": m.Prefix}
	default:
		return object{"regex": m.Regex}
	}
}
