package gatewayapi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/routertest"
)

const plainRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: podinfo
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{name: podinfo, port: 9898}]
`

func TestConformance(t *testing.T) {
	manyRules, err := os.ReadFile("testdata/user.yaml")
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router: gatewayapi.Router{},
		Definitions: routertest.Module(t, "sigs.k8s.io/gateway-api",
			"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
		Needs: func(s *v1beta1.CanarySpec) {
			s.Service.GatewayRefs = []gatewayv1.ParentReference{{Name: "edge"}}
		},
		Shares: shares,
		Ways:   ways,
		Accept: accept,
		Damage: append(append(damage(0), additions()...), []routertest.Edit{
			{Name: "its owner was removed", Do: func(r *unstructured.Unstructured) { r.SetOwnerReferences(nil) }},
			{Name: "it was sent to the apex", Do: func(r *unstructured.Unstructured) {
				setBackends(r, 0, map[string]any{"name": "podinfo", "port": int64(9898)})
			}},
			{Name: "a rule was added", Do: func(r *unstructured.Unstructured) {
				to := map[string]any{"name": "podinfo", "port": int64(9898)}
				setRules(r, append(rules(r), map[string]any{"backendRefs": []any{to}}))
			}},
			{Name: "it was taken off its Gateway", Do: func(r *unstructured.Unstructured) {
				unstructured.RemoveNestedField(r.Object, "spec", "parentRefs")
			}},
		}...),
		Users: []routertest.User{
			{Name: "of one rule", Route: plainRoute, Edits: append(append(damage(0), additions()...), marks()...)},
			{Name: "of many rules", Route: string(manyRules), Edits: append(append(damage(0), damage(5)...), wishes()...)},
		},
	})
}

// damage is done to the pair of one rule.
func damage(rule int) []routertest.Edit {
	return []routertest.Edit{
		{Name: "the shares were swapped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, rule)
			p["weight"], c["weight"] = c["weight"], p["weight"]
		}},
		{Name: "the weights were made odd", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, rule)
			p["weight"], c["weight"] = int64(7), int64(5)
		}},
		{Name: "all traffic was stopped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, rule)
			p["weight"], c["weight"] = int64(0), int64(0)
		}},
		{Name: "the canary was removed", Do: func(r *unstructured.Unstructured) { removeBackend(r, rule, "podinfo-canary") }},
		{Name: "the primary was removed", Do: func(r *unstructured.Unstructured) { removeBackend(r, rule, "podinfo-primary") }},
		{Name: "the two were exchanged", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(r, rule)
			p["name"], c["name"] = c["name"], p["name"]
		}},
	}
}

// additions is what is done to what Weir adds to a route whose first rule has a pair.
func additions() []routertest.Edit {
	first := func(r *unstructured.Unstructured) map[string]any { return rules(r)[0].(map[string]any) }
	last := func(r *unstructured.Unstructured) map[string]any { return rules(r)[len(rules(r))-1].(map[string]any) }
	mirror := func(r *unstructured.Unstructured) map[string]any {
		filters := first(r)["filters"].([]any)
		return filters[len(filters)-1].(map[string]any)["requestMirror"].(map[string]any)
	}
	cookie := func(r *unstructured.Unstructured) map[string]any {
		_, canary := pairOf(r, 0)
		modifier := canary["filters"].([]any)[0].(map[string]any)["responseHeaderModifier"].(map[string]any)
		return modifier["add"].([]any)[0].(map[string]any)
	}
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
		{Name: "the cookie was changed", Do: func(r *unstructured.Unstructured) { cookie(r)["value"] = "weir.canary=mine" }},
		{Name: "the cookie was removed", Do: func(r *unstructured.Unstructured) {
			_, canary := pairOf(r, 0)
			delete(canary, "filters")
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

// shares are those of every rule that sends traffic to the application, but for the tester's and for
// one that is switched off.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, r := range objects {
		for i, rule := range rules(r) {
			if added(rule) {
				continue
			}
			shares, total := map[string]int64{}, int64(0)
			for _, b := range backends(r, i) {
				name := b.(map[string]any)["name"].(string)
				if name == "podinfo" || name == "podinfo-primary" || name == "podinfo-canary" {
					shares[name] = b.(map[string]any)["weight"].(int64)
					total += shares[name]
				}
			}
			match := rule.(map[string]any)["matches"].([]any)[0].(map[string]any)
			path, _, _ := unstructured.NestedString(match, "path", "value")
			_, byHeader, _ := unstructured.NestedSlice(match, "headers")
			tester, off := byHeader && path == "/", path == "/beta" && total == 0
			if len(shares) > 0 && !tester && !off {
				all = append(all, shares)
			}
		}
	}
	return all
}

func added(rule any) bool {
	name, _ := rule.(map[string]any)["name"].(string)
	return strings.HasPrefix(name, "weir-canary-")
}

// ways are the matches of rules that were added, with where they lead, and the mirrors.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, r := range objects {
		for i, rule := range rules(r) {
			if added(rule) {
				for _, match := range rule.(map[string]any)["matches"].([]any) {
					all = append(all, fmt.Sprintf("%v to %v", match, backends(r, i)))
				}
			}
			filters, _, _ := unstructured.NestedSlice(rule.(map[string]any), "filters")
			for _, filter := range filters {
				to, _, _ := unstructured.NestedString(filter.(map[string]any), "requestMirror", "backendRef", "name")
				if to == "podinfo-canary" && !added(rule) {
					all = append(all, fmt.Sprintf("rule %d: %v", i, filter))
				}
			}
		}
	}
	return all
}

// accept speaks for every Gateway that the route names.
func accept(r *unstructured.Unstructured) {
	parents, _, _ := unstructured.NestedSlice(r.Object, "spec", "parentRefs")
	says := []any{}
	for _, parent := range parents {
		var conditions []any
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			conditions = append(conditions, map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": r.GetGeneration(),
				"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
			})
		}
		says = append(says, map[string]any{
			"controllerName": "example.com/gateway", "parentRef": parent, "conditions": conditions,
		})
	}
	r.Object["status"] = map[string]any{"parents": says}
}
