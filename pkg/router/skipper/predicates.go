package skipper

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// predicatesOf say an entry of a match; all of them must hold. Names of headers are in lower case, because Skipper
// would forget one of two that differ by that alone.
func predicatesOf(m v1beta1.RequestMatch) ([]string, error) {
	if len(m.SourceLabels) > 0 {
		return nil, errors.New("nobody tells Skipper which pods send requests; remove sourceLabels")
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		expression, err := expressionOf("header "+name, m.Headers[name])
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "host") {
			return nil, errors.New("there is no header host when Skipper chooses a route; remove it, and have a host of its " +
				"own in the Ingress")
		}
		all = append(all, fmt.Sprintf("HeaderRegexp(%s, %s)", quote(strings.ToLower(name)), quote(expression)))
	}
	slices.Sort(all) // in an order that does not depend on upper and lower case
	for _, name := range slices.Sorted(maps.Keys(m.QueryParams)) {
		expression, err := expressionOf("query parameter "+name, m.QueryParams[name])
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("QueryParam(%s, %s)", quote(name), quote(expression)))
	}
	return all, nil
}

// expressionOf says a text's description as an expression. Skipper looks for it anywhere in the text.
func expressionOf(what string, text v1beta1.StringMatch) (string, error) {
	switch {
	case text.Exact != "":
		return "^" + regexp.QuoteMeta(text.Exact) + "$", nil
	case text.Prefix != "":
		return "^" + regexp.QuoteMeta(text.Prefix), nil
	}
	// Skipper leaves a route out whose expression it cannot read. Its expressions are Go's.
	if _, err := regexp.Compile(text.Regex); err != nil {
		return "", fmt.Errorf("the expression of %s is none of the syntax RE2 (%w); correct it", what, err)
	}
	return "^(?:" + text.Regex + ")$", nil
}

// quote writes a text as Skipper reads it.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// names says that predicates of the user's have a condition on a header, or seem to. Of two predicates for one header
// Skipper may forget one.
func names(predicates, header string) bool {
	predicates, header = strings.ToLower(predicates), strings.ToLower(header)
	for _, mark := range []string{`"`, "`", "/"} {
		if strings.Contains(predicates, mark+header+mark) {
			return true
		}
	}
	return false
}
