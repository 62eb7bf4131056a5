package contour

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

type object = map[string]any

const (
	onHeader = "header"
	onParam  = "queryParameter"
)

// place is a way in which requests of the application come.
type place struct {
	// conditions of which all must be so.
	conditions []object
	// prefixes says what takes the place of the path's prefix; nothing does without.
	prefixes []object
}

// places are spec.service.match in Contour's words: which requests are the application's. What contradicts itself is
// left out, and Validate tells it.
func places(s *v1beta1.CanaryService) []place {
	if len(s.Match) == 0 {
		all, _ := placesOf(s, gatewayv1.HTTPRouteMatch{})
		return all
	}
	var all []place
	for _, m := range s.Match {
		some, err := placesOf(s, m)
		if err != nil {
			continue
		}
		all = append(all, some...)
	}
	return all
}

func placesOf(s *v1beta1.CanaryService, m gatewayv1.HTTPRouteMatch) ([]place, error) {
	var more []object
	if m.Method != nil {
		more = append(more, onText(onHeader, ":method", "exact", string(*m.Method)))
	}
	for _, h := range m.Headers {
		how := "exact"
		if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
			how = "regex"
		}
		more = append(more, onText(onHeader, strings.ToLower(string(h.Name)), how, h.Value))
	}
	for _, p := range m.QueryParams {
		how := "exact"
		if p.Type != nil && *p.Type == gatewayv1.QueryParamMatchRegularExpression {
			how = "regex"
		}
		more = append(more, onText(onParam, string(p.Name), how, p.Value))
	}
	all := paths(s, m.Path)
	for i := range all {
		var err error
		if all[i].conditions, err = together(nil, slices.Concat(all[i].conditions, more)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// paths are the places that a condition on a path makes. Contour's prefix is any text, and Weir's ends with an element
// of the path.
func paths(s *v1beta1.CanaryService, m *gatewayv1.HTTPPathMatch) []place {
	how, value := gatewayv1.PathMatchPathPrefix, "/"
	if m != nil && m.Type != nil {
		how = *m.Type
	}
	if m != nil && m.Value != nil {
		value = *m.Value
	}
	switch how {
	case gatewayv1.PathMatchExact:
		return []place{{conditions: []object{{"exact": value}}}}
	case gatewayv1.PathMatchRegularExpression:
		return []place{{conditions: []object{{"regex": value}}}}
	}
	whole := strings.TrimSuffix(value, "/")
	if by, ok := replacement(s); ok {
		return replaced(whole, by)
	}
	if whole == "" {
		return []place{{}}
	}
	return []place{{conditions: []object{{"exact": whole}}}, {conditions: []object{{"prefix": whole + "/"}}}}
}

// replacement is what takes the place of a prefix, without a slash at its end.
func replacement(s *v1beta1.CanaryService) (string, bool) {
	r := s.Rewrite
	if r == nil || r.URI == "" || r.Type == string(gatewayv1.FullPathHTTPPathModifier) {
		return "", false
	}
	return strings.TrimSuffix(r.URI, "/"), true
}

// replaced are the places of a prefix that is replaced: the prefix alone, and with more behind it. Contour makes the
// second out of the first only where no other route has the same prefix. It replaces nothing in a route of an exact
// path, so the first is a prefix whose path also ends with it. Where the root includes all of this under a prefix of
// its own, that one is replaced with it, and there the prefix alone need not be a slash.
func replaced(whole, by string) []place {
	alone := []object{{"replacement": cmp.Or(by, "/")}}
	more := place{conditions: []object{{"prefix": whole + "/"}}, prefixes: []object{{"replacement": by + "/"}}}
	if whole == "" {
		return []place{{prefixes: append([]object{{"prefix": "/", "replacement": by + "/"}}, alone...)}, more}
	}
	ends := onText(onHeader, ":path", "regex", "[^?]*"+regexp.QuoteMeta(whole)+"([?].*)?")
	return []place{{conditions: []object{{"prefix": whole}, ends}, prefixes: alone}, more}
}

func onText(what, name, how, value string) object {
	return object{what: object{"name": name, how: value}}
}

// narrowed are a place's conditions and those of a request's description.
func (p place) narrowed(r v1beta1.RequestMatch) ([]object, error) {
	var more []object
	for name, m := range r.Headers {
		how, value := text(m)
		if how == "prefix" { // of headers, Contour knows none
			how, value = "regex", regexp.QuoteMeta(value)+".*"
		}
		more = append(more, onText(onHeader, strings.ToLower(name), how, value))
	}
	for name, m := range r.QueryParams {
		how, value := text(m)
		more = append(more, onText(onParam, name, how, value))
	}
	return together(p.conditions, more)
}

// text is a text's description in Contour's words. An expression is for all of the text.
func text(m v1beta1.StringMatch) (how, value string) {
	switch {
	case m.Exact != "":
		return "exact", m.Exact
	case m.Prefix != "":
		return "prefix", m.Prefix
	default:
		return "regex", m.Regex
	}
}

// together are conditions of which all must be so, each once and in one order.
func together(own, more []object) ([]object, error) {
	all := slices.Clone(own)
	for _, c := range more {
		if err := sound(c); err != nil {
			return nil, err
		}
		same := func(had object) bool { return reflect.DeepEqual(had, c) }
		if slices.ContainsFunc(all, same) {
			continue
		}
		for _, had := range all {
			if err := contradicts(had, c); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b object) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	return all, nil
}

// rank has headers before query parameters before paths. A path must stand last: Contour takes it for a prefix, though
// it says exact, where another condition comes after it.
func rank(condition object) int {
	order := []string{onHeader, onParam}
	for i, what := range order {
		if _, ok := condition[what]; ok {
			return i
		}
	}
	return len(order)
}

// sound refuses an expression that Contour does not take. It compiles them as Go does.
func sound(condition object) error {
	for _, of := range []any{condition, condition[onHeader], condition[onParam]} {
		on, _ := of.(object)
		expression, ok := on["regex"].(string)
		if !ok {
			continue
		}
		if _, err := regexp.Compile(expression); err != nil {
			return fmt.Errorf("%q is no expression of the syntax RE2: %w", expression, err)
		}
		if _, named := on["name"]; !named && !strings.HasPrefix(expression, "/") {
			return fmt.Errorf("the expression %q of a path does not begin with a slash", expression)
		}
	}
	return nil
}

// contradicts refuses two texts for one name, of which Contour makes a fault of the whole HTTPProxy. For that it takes
// names of query parameters for the same, too, where they differ in upper and lower case alone.
func contradicts(a, b object) error {
	for _, what := range []string{onHeader, onParam} {
		a, _ := a[what].(object)
		b, _ := b[what].(object)
		_, first := a["exact"]
		_, second := b["exact"]
		if first && second && strings.EqualFold(a["name"].(string), b["name"].(string)) {
			return fmt.Errorf("%s would have to be %v and %v", b["name"], a["exact"], b["exact"])
		}
	}
	return nil
}
