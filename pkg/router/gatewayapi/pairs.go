package gatewayapi

import (
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Rules and the backends in them are kept as JSON has them, never as Go types: what the user wrote comes
// back the same, fields included that this version of the Gateway API's types does not know.
type object = map[string]any

// hundredths is the finest share that a split knows. All weights of a rule with a pair are multiplied by
// it, so that a backend beside the apex keeps its share, and so that folding finds the old weights again.
const hundredths = 100

func rulesOf(route *unstructured.Unstructured) []object {
	list, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	return objects(list)
}

func backendsOf(rule object) []object { return listIn(rule, "backendRefs") }

// listIn is a list of objects within another object; one that is not there is empty.
func listIn(in object, field string) []object {
	list, _ := in[field].([]any)
	return objects(list)
}

func objects(list []any) []object {
	var out []object
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

func list(of []object) []any {
	out := make([]any, 0, len(of))
	for _, o := range of {
		out = append(out, o)
	}
	return out
}

// names says that a backend is the Service of that name in the application's namespace.
func names(app application, backend object, service string) bool {
	is := func(field, want string) bool {
		v, set := backend[field]
		return !set || v == want
	}
	return backend["name"] == service && is("kind", "Service") && is("group", "") && is("namespace", app.Canary.Namespace)
}

// sends says that a rule has a backend of that name.
func sends(app application, rule object, service string) bool {
	for _, b := range backendsOf(rule) {
		if names(app, b, service) {
			return true
		}
	}
	return false
}

func weightOf(backend object) int64 {
	if w, ok := backend["weight"].(int64); ok {
		return w
	}
	return 1 // what the Gateway API means by none
}

// renamed is a backend with another name and weight; its port, filters and the rest stay.
func renamed(backend object, service string, weight int64) object {
	b := maps.Clone(backend)
	b["name"], b["weight"] = service, weight
	return b
}

// pair is the two backends that take the place of one reference to the apex.
type pair struct{ primary, canary object }

// pairAt finds a pair: primary and canary side by side, with nothing between them but name and weight, and
// the cookie that the canary alone may set.
func pairAt(app application, backends []object, i int) (pair, bool) {
	if i+1 >= len(backends) {
		return pair{}, false
	}
	p := pair{backends[i], backends[i+1]}
	ok := names(app, p.primary, app.Primary) && names(app, p.canary, app.CanaryService) &&
		(reflect.DeepEqual(renamed(p.primary, "", 0), renamed(p.canary, "", 0)) ||
			reflect.DeepEqual(renamed(p.primary, "", 0), renamed(uncookied(p.canary), "", 0)))
	return p, ok
}

// share is the weight of both together.
func (p pair) share() int64 { return weightOf(p.primary) + weightOf(p.canary) }

// pairsOf are all pairs of a route.
func pairsOf(app application, rules []object) []pair {
	var pairs []pair
	for _, rule := range rules {
		backends := backendsOf(rule)
		for i := range backends {
			if p, ok := pairAt(app, backends, i); ok {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

// fold puts the apex back in the place of each pair, and takes the mirror away. It says whether the rule was
// as Weir leaves one: no half of a pair, and all weights in hundredths, of which the folded ones are made.
func fold(app application, rule object) (folded object, whole bool) {
	rule = unmirrored(app, rule)
	backends := backendsOf(rule)
	var out []object
	paired, halved := false, false
	whole = true
	for i := 0; i < len(backends); i++ {
		b := backends[i]
		if p, ok := pairAt(app, backends, i); ok {
			b = renamed(b, app.Apex, p.share())
			paired, whole = true, whole && p.share() > 0
			i++
		} else if names(app, b, app.Primary) || names(app, b, app.CanaryService) {
			halved = true
		}
		out = append(out, b)
	}
	if !paired {
		return rule, !halved
	}
	for _, b := range out {
		whole = whole && weightOf(b)%hundredths == 0
	}
	if whole {
		for i, b := range out {
			out[i] = renamed(b, b["name"].(string), weightOf(b)/hundredths)
		}
	}
	folded = maps.Clone(rule)
	folded["backendRefs"] = list(out)
	return folded, whole && !halved
}
