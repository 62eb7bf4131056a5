package kuma_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router/kuma"
	"weir.dev/weir/pkg/router/routertest"
)

var definitions = flag.String("definitions", "testdata/definitions.yaml", "the definition of MeshHTTPRoutes; give Kuma's own")

const apexYAML = `apiVersion: v1
kind: Service
metadata:
  name: podinfo
spec:
  selector: {app: podinfo}
  ports:
  - {name: metrics, port: 9797}
  - {name: web, port: 9898, appProtocol: http}
`

func TestConformance(t *testing.T) {
	defined, err := os.ReadFile(*definitions)
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router:      kuma.Router{},
		Definitions: defined,
		Beside:      []string{apexYAML},
		Shares:      shares,
		Ways:        ways,
		Changes: []routertest.Edit{{Name: "the port's name", Do: func(s *unstructured.Unstructured) {
			s.Object["spec"].(map[string]any)["ports"].([]any)[1].(map[string]any)["name"] = "http"
		}}},
		Damage: append(damage(), additions()...),
	})
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(r *unstructured.Unstructured) { r.SetOwnerReferences(nil) }},
		{Name: "the shares were swapped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(own(r))
			p["weight"], c["weight"] = c["weight"], p["weight"]
		}},
		{Name: "the weights were made odd", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(own(r))
			p["weight"], c["weight"] = int64(7), int64(5)
		}},
		{Name: "the weights were removed", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(own(r))
			delete(p, "weight")
			delete(c, "weight")
		}},
		{Name: "all traffic was stopped", Do: func(r *unstructured.Unstructured) {
			p, c := pairOf(own(r))
			p["weight"], c["weight"] = int64(0), int64(0)
		}},
		{Name: "the canary was removed", Do: func(r *unstructured.Unstructured) { removeBackend(own(r), "podinfo-canary") }},
		{Name: "the primary was removed", Do: func(r *unstructured.Unstructured) { removeBackend(own(r), "podinfo-primary") }},
		{Name: "it was sent to the apex", Do: func(r *unstructured.Unstructured) {
			rule := own(r)
			p, _ := pairOf(rule)
			p["labels"].(map[string]any)["kuma.io/display-name"] = "podinfo"
			setBackends(rule, p)
		}},
		{Name: "it was made for another Service", Do: func(r *unstructured.Unstructured) {
			target(r)["labels"].(map[string]any)["kuma.io/display-name"] = "legacy"
		}},
		{Name: "it was made for all ports", Do: func(r *unstructured.Unstructured) { delete(target(r), "sectionName") }},
		{Name: "it was made for some proxies", Do: func(r *unstructured.Unstructured) {
			r.Object["spec"].(map[string]any)["targetRef"] = map[string]any{"kind": "Dataplane"}
		}},
		{Name: "a rule was added", Do: func(r *unstructured.Unstructured) {
			setRules(r, append(rules(r), map[string]any{
				"matches": []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/elsewhere"}}},
				"default": map[string]any{"backendRefs": []any{map[string]any{"kind": "MeshService"}}},
			}))
		}},
		{Name: "all rules were removed", Do: func(r *unstructured.Unstructured) { setRules(r, []any{}) }},
		{Name: "its filters were removed", Do: func(r *unstructured.Unstructured) { delete(does(own(r)), "filters") }},
	}
}

// additions is what is done to what stands in a route beside its shares.
func additions() []routertest.Edit {
	first := func(r *unstructured.Unstructured) map[string]any { return rules(r)[0].(map[string]any) }
	return []routertest.Edit{
		{Name: "the rule for matching requests was removed", Do: func(r *unstructured.Unstructured) { setRules(r, rules(r)[1:]) }},
		{Name: "the rule for matching requests was put last", Do: func(r *unstructured.Unstructured) {
			setRules(r, append(rules(r)[1:], first(r)))
		}},
		{Name: "the rule for matching requests was made to match all", Do: func(r *unstructured.Unstructured) {
			first(r)["matches"] = []any{map[string]any{}}
		}},
		{Name: "the mirror was made smaller", Do: func(r *unstructured.Unstructured) { mirrorOf(own(r))["percentage"] = "0.5" }},
		{Name: "the mirror was made whole", Do: func(r *unstructured.Unstructured) { delete(mirrorOf(own(r)), "percentage") }},
		{Name: "the mirror was sent elsewhere", Do: func(r *unstructured.Unstructured) {
			to := mirrorOf(own(r))["backendRef"].(map[string]any)
			to["labels"].(map[string]any)["kuma.io/display-name"] = "legacy"
		}},
	}
}

func to(r *unstructured.Unstructured) map[string]any {
	return r.Object["spec"].(map[string]any)["to"].([]any)[0].(map[string]any)
}

func target(r *unstructured.Unstructured) map[string]any { return to(r)["targetRef"].(map[string]any) }

func rules(r *unstructured.Unstructured) []any { return to(r)["rules"].([]any) }

func setRules(r *unstructured.Unstructured, all []any) { to(r)["rules"] = all }

func does(rule any) map[string]any { return rule.(map[string]any)["default"].(map[string]any) }

func backends(rule any) []any {
	list, _ := does(rule)["backendRefs"].([]any)
	return list
}

func setBackends(rule any, all ...any) { does(rule)["backendRefs"] = all }

func nameOf(backend any) string {
	name, _, _ := unstructured.NestedString(backend.(map[string]any), "labels", "kuma.io/display-name")
	return name
}

func removeBackend(rule any, name string) {
	var rest []any
	for _, b := range backends(rule) {
		if nameOf(b) != name {
			rest = append(rest, b)
		}
	}
	setBackends(rule, rest...)
}

func pairOf(rule any) (primary, canary map[string]any) {
	for _, b := range backends(rule) {
		switch nameOf(b) {
		case "podinfo-primary":
			primary = b.(map[string]any)
		case "podinfo-canary":
			canary = b.(map[string]any)
		}
	}
	return primary, canary
}

// isAdded says that a rule leads to the canary alone.
func isAdded(rule any) bool {
	primary, canary := pairOf(rule)
	return canary != nil && primary == nil
}

// own is the first rule that shares traffic out.
func own(r *unstructured.Unstructured) map[string]any {
	for _, rule := range rules(r) {
		if !isAdded(rule) {
			return rule.(map[string]any)
		}
	}
	return nil
}

func mirrorOf(rule any) map[string]any {
	filters, _ := does(rule)["filters"].([]any)
	for _, filter := range filters {
		if mirror, ok := filter.(map[string]any)["requestMirror"].(map[string]any); ok {
			return mirror
		}
	}
	return nil
}

// shares are those of every rule that was not added for matching requests. A weight that is not said is 1.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, r := range objects {
		for _, rule := range rules(r) {
			if isAdded(rule) {
				continue
			}
			shares := map[string]int64{}
			for _, b := range backends(rule) {
				weight, ok := b.(map[string]any)["weight"].(int64)
				if !ok {
					weight = 1
				}
				shares[nameOf(b)] = weight
			}
			all = append(all, shares)
		}
	}
	return all
}

// ways are the matches of added rules with what they lead to, and the mirrors.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, r := range objects {
		for i, rule := range rules(r) {
			if isAdded(rule) {
				all = append(all, fmt.Sprintf("%d: %v to %v", i, rule.(map[string]any)["matches"], backends(rule)))
			}
			if m := mirrorOf(rule); m != nil && nameOf(m["backendRef"]) == "podinfo-canary" {
				all = append(all, fmt.Sprintf("%d: copied by %v", i, m))
			}
		}
	}
	return all
}
