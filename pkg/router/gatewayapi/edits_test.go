package gatewayapi_test

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/routertest"
)

// damage is done to the pair of one rule.
func damage(rule int) []routertest.Edit {
	return []routertest.Edit{
		{Name: "the shares were swapped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, ownRule(r, rule))
			p["weight"], c["weight"] = c["weight"], p["weight"]
		}},
		{Name: "the weights were made odd", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, ownRule(r, rule))
			p["weight"], c["weight"] = int64(7), int64(5)
		}},
		{Name: "all traffic was stopped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, ownRule(r, rule))
			p["weight"], c["weight"] = int64(0), int64(0)
		}},
		{Name: "the canary was removed", Do: func(r *unstructured.Unstructured) {
			removeBackend(r, ownRule(r, rule), "podinfo-canary")
		}},
		{Name: "the primary was removed", Do: func(r *unstructured.Unstructured) {
			removeBackend(r, ownRule(r, rule), "podinfo-primary")
		}},
		{Name: "the two were exchanged", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, ownRule(r, rule))
			p["name"], c["name"] = c["name"], p["name"]
		}},
	}
}

// additions is what is done to the rules that Weir adds for matching requests.
func additions() []routertest.Edit {
	last := func(r *unstructured.Unstructured) map[string]any { return rules(r)[len(rules(r))-1].(map[string]any) }
	return []routertest.Edit{
		{Name: "a rule for matching requests was removed", Do: func(r *unstructured.Unstructured) {
			setRules(r, rules(r)[:len(rules(r))-1])
		}},
		{Name: "a rule for matching requests was put in front", Do: func(r *unstructured.Unstructured) {
			setRules(r, append([]any{last(r)}, rules(r)[:len(rules(r))-1]...))
		}},
		{Name: "a rule for matching requests was sent elsewhere", Do: func(r *unstructured.Unstructured) {
			last(r)["backendRefs"] = []any{map[string]any{"name": "legacy", "port": int64(80)}}
		}},
		{Name: "a rule for matching requests was made to match all", Do: func(r *unstructured.Unstructured) {
			delete(last(r), "matches")
		}},
		{Name: "a second rule for matching requests was added", Do: func(r *unstructured.Unstructured) {
			more := map[string]any{}
			for k, v := range last(r) {
				more[k] = v
			}
			more["name"] = "weir-canary-99"
			setRules(r, append(rules(r), more))
		}},
	}
}

// mirrorings is what is done to the mirror of the first rule.
func mirrorings() []routertest.Edit {
	first := func(r *unstructured.Unstructured) map[string]any { return rules(r)[ownRule(r, 0)].(map[string]any) }
	mirror := func(r *unstructured.Unstructured) map[string]any {
		filters := first(r)["filters"].([]any)
		return filters[len(filters)-1].(map[string]any)["requestMirror"].(map[string]any)
	}
	return []routertest.Edit{
		{Name: "the mirror was removed", Do: func(r *unstructured.Unstructured) {
			filters := first(r)["filters"].([]any)
			if first(r)["filters"] = filters[:len(filters)-1]; len(filters) == 1 {
				delete(first(r), "filters")
			}
		}},
		{Name: "the mirror was made smaller", Do: func(r *unstructured.Unstructured) { mirror(r)["percent"] = int64(0) }},
		{Name: "the mirror was made a fraction", Do: func(r *unstructured.Unstructured) {
			mirror(r)["fraction"] = map[string]any{"numerator": int64(1), "denominator": int64(3)}
		}},
		{Name: "the mirror was sent elsewhere", Do: func(r *unstructured.Unstructured) {
			mirror(r)["backendRef"].(map[string]any)["port"] = int64(80)
		}},
	}
}

// cookies is what is done to the cookie that the canary of the first rule sets.
func cookies() []routertest.Edit {
	cookie := func(r *unstructured.Unstructured) map[string]any {
		_, canary := pairOf(r, ownRule(r, 0))
		modifier := canary["filters"].([]any)[0].(map[string]any)["responseHeaderModifier"].(map[string]any)
		return modifier["add"].([]any)[0].(map[string]any)
	}
	return []routertest.Edit{
		{Name: "the cookie was changed", Do: func(r *unstructured.Unstructured) { cookie(r)["value"] = "weir.canary=mine" }},
		{Name: "the cookie was removed", Do: func(r *unstructured.Unstructured) {
			_, canary := pairOf(r, ownRule(r, 0))
			delete(canary, "filters")
		}},
	}
}

// takeovers is what is done to a route of Weir's.
func takeovers() []routertest.Edit {
	apex := map[string]any{"name": "podinfo", "port": int64(9898)}
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(r *unstructured.Unstructured) { r.SetOwnerReferences(nil) }},
		{Name: "it was sent to the apex", Do: func(r *unstructured.Unstructured) { setBackends(r, ownRule(r, 0), apex) }},
		{Name: "a rule was added", Do: func(r *unstructured.Unstructured) {
			setRules(r, append(rules(r), map[string]any{"backendRefs": []any{apex}}))
		}},
		{Name: "it was taken off its parents", Do: func(r *unstructured.Unstructured) {
			unstructured.RemoveNestedField(r.Object, "spec", "parentRefs")
		}},
	}
}

// marks is what is done to Weir's annotation.
func marks() []routertest.Edit {
	mark := func(value func(map[string]string)) func(*unstructured.Unstructured) {
		return func(r *unstructured.Unstructured) {
			annotations := r.GetAnnotations()
			value(annotations)
			r.SetAnnotations(annotations)
		}
	}
	return []routertest.Edit{
		{Name: "its annotation was removed", Do: mark(func(a map[string]string) { delete(a, gatewayapi.OriginalAnnotation) })},
		{Name: "its annotation was spoilt", Do: mark(func(a map[string]string) { a[gatewayapi.OriginalAnnotation] = "{" })},
	}
}

// wishes are the user's to have in the middle of a run. Each works on his own route and on the divided one.
func wishes() []routertest.Edit {
	return []routertest.Edit{
		{Name: "a change of another rule", Stays: true, Do: func(r *unstructured.Unstructured) {
			setBackends(r, 1, map[string]any{"name": "cdn-2", "port": int64(80)})
		}},
		{Name: "a new rule in front", Stays: true, Do: func(r *unstructured.Unstructured) {
			setRules(r, append([]any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/about"}}},
				"backendRefs": []any{map[string]any{"name": "about", "port": int64(80)}},
			}}, rules(r)...))
		}},
		{Name: "one rule less", Stays: true, Do: func(r *unstructured.Unstructured) { setRules(r, rules(r)[1:]) }},
		{Name: "a change of a divided rule's timeout", Stays: true, Do: func(r *unstructured.Unstructured) {
			rules(r)[0].(map[string]any)["timeouts"] = map[string]any{"request": "20s"}
		}},
		{Name: "one backend beside the apex less", Stays: true, Do: func(r *unstructured.Unstructured) {
			removeBackend(r, 0, "legacy")
		}},
		{Name: "a new way for the tester", Stays: true, Do: func(r *unstructured.Unstructured) {
			rules(r)[2].(map[string]any)["timeouts"] = map[string]any{"request": "1s"}
		}},
		{Name: "other hosts and parents", Stays: true, Do: func(r *unstructured.Unstructured) {
			spec := r.Object["spec"].(map[string]any)
			spec["hostnames"] = []any{"other.example.com"}
			spec["parentRefs"] = []any{map[string]any{"name": "outer"}}
		}},
		{Name: "no hosts", Stays: true, Do: func(r *unstructured.Unstructured) {
			unstructured.RemoveNestedField(r.Object, "spec", "hostnames")
		}},
	}
}

func rules(r *unstructured.Unstructured) []any {
	return r.Object["spec"].(map[string]any)["rules"].([]any)
}

// ownRule is the place of a rule among all, counted without those that Weir has added.
func ownRule(r *unstructured.Unstructured, n int) int {
	for i, rule := range rules(r) {
		if added(rule) {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

func setRules(r *unstructured.Unstructured, to []any) {
	r.Object["spec"].(map[string]any)["rules"] = to
}

func backends(r *unstructured.Unstructured, rule int) []any {
	list, _ := rules(r)[rule].(map[string]any)["backendRefs"].([]any)
	return list
}

func setBackends(r *unstructured.Unstructured, rule int, to ...any) {
	rules(r)[rule].(map[string]any)["backendRefs"] = to
}

func removeBackend(r *unstructured.Unstructured, rule int, name string) {
	var rest []any
	for _, b := range backends(r, rule) {
		if b.(map[string]any)["name"] != name {
			rest = append(rest, b)
		}
	}
	setBackends(r, rule, rest...)
}

func pairOf(r *unstructured.Unstructured, rule int) (primary, canary map[string]any) {
	for _, b := range backends(r, rule) {
		switch b := b.(map[string]any); b["name"] {
		case "podinfo-primary":
			primary = b
		case "podinfo-canary":
			canary = b
		}
	}
	return primary, canary
}
