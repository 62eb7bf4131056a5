package apisix

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// headerName is of the characters by which a variable of nginx can name a header.
var headerName = regexp.MustCompile(`^[-_A-Za-z0-9]+$`)

// sayable refuses a header that APISIX has no variable for.
func sayable(m v1beta1.RequestMatch) error {
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if !headerName.MatchString(name) {
			return fmt.Errorf("it has no variable for a header %s; use one of letters, digits and hyphens", name)
		}
	}
	return nil
}

// exprs are the conditions of a description, of which all must hold.
func exprs(m v1beta1.RequestMatch) []object {
	var all []object
	for _, scope := range []struct {
		name  string
		texts map[string]v1beta1.StringMatch
	}{{"Header", m.Headers}, {"Query", m.QueryParams}} {
		for _, name := range slices.Sorted(maps.Keys(scope.texts)) {
			op, value := condition(scope.texts[name])
			all = append(all, object{"subject": object{"scope": scope.name, "name": name}, "op": op, "value": value})
		}
	}
	return all
}

// condition is a text's description as APISIX has it, which looks for an expression anywhere in a text.
func condition(m v1beta1.StringMatch) (op, value string) {
	const regexMatch = "RegexMatch"
	switch {
	case m.Exact != "":
		return "Equal", m.Exact
	case m.Prefix != "":
		return regexMatch, "^" + regexp.QuoteMeta(m.Prefix)
	}
	return regexMatch, "^(?:" + m.Regex + ")$"
}
