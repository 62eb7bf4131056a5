package apisix_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/apisix"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	routertest.Run(t, routertest.Subject{
		Router:      apisix.Router{},
		Definitions: []byte(file(t, "definitions.yaml")),
		Beside:      []string{file(t, "user.yaml"), file(t, "upstream.yaml")},
		Needs: func(s *v1beta1.CanarySpec) {
			s.RouteRef = &v1beta1.RouteRef{APIVersion: "apisix.apache.org/v2", Kind: "ApisixRoute", Name: routertest.Apex}
		},
		Shares:  shares,
		Ways:    ways,
		Accept:  accept,
		Changes: changes(),
		Damage:  damage(),
	})
}

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(content)
}

// accept lets the controller take over this version of an ApisixRoute.
func accept(o *unstructured.Unstructured) {
	if o.GetKind() == "ApisixRoute" {
		say(o, "Accepted", "True", o.GetGeneration())
	}
}

func say(o *unstructured.Unstructured, condition, status string, generation int64) {
	o.Object["status"] = map[string]any{"conditions": []any{map[string]any{
		"type": condition, "status": status, "reason": "Sync", "message": "said so",
		"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
	}}}
}

func routes(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "ApisixRoute" {
			all = append(all, o)
		}
	}
	return all
}

func rules(o *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	list, _ := o.Object["spec"].(map[string]any)["http"].([]any)
	for _, rule := range list {
		all = append(all, rule.(map[string]any))
	}
	return all
}

func isAdded(rule map[string]any) bool {
	return strings.HasPrefix(rule["name"].(string), "weir-canary-")
}

func backends(rule map[string]any) []map[string]any {
	var all []map[string]any
	for _, b := range rule["backends"].([]any) {
		all = append(all, b.(map[string]any))
	}
	return all
}

// shares are those of every rule that was not added for a match.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range routes(objects) {
		for _, rule := range rules(o) {
			if isAdded(rule) {
				continue
			}
			share := map[string]int64{}
			for _, b := range backends(rule) {
				share[b["serviceName"].(string)], _ = b["weight"].(int64)
			}
			all = append(all, share)
		}
	}
	return all
}

// ways are the rules that were added, whole.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range routes(objects) {
		for _, rule := range rules(o) {
			if isAdded(rule) {
				all = append(all, fmt.Sprintf("%v", rule))
			}
		}
	}
	return all
}

// of is done to objects of one kind.
func of(kind string, do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if o.GetKind() == kind {
			do(o)
		}
	}
}

func toRoute(do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return of("ApisixRoute", do)
}

func spec(o *unstructured.Unstructured) map[string]any { return o.Object["spec"].(map[string]any) }

// changes are the user's, of his ApisixRoute and of his ApisixUpstream.
func changes() []routertest.Edit {
	web := func(o *unstructured.Unstructured) map[string]any { return rules(o)[0] }
	return []routertest.Edit{
		{Name: "a new rule", Do: toRoute(func(o *unstructured.Unstructured) {
			spec(o)["http"] = append([]any{map[string]any{
				"name": "beta", "match": map[string]any{"paths": []any{"/beta"}},
				"backends": []any{map[string]any{"serviceName": "podinfo", "servicePort": int64(9898)}},
			}}, spec(o)["http"].([]any)...)
		})},
		{Name: "a rule less", Do: toRoute(func(o *unstructured.Unstructured) {
			spec(o)["http"] = spec(o)["http"].([]any)[:1]
		})},
		{Name: "another host", Do: toRoute(func(o *unstructured.Unstructured) {
			web(o)["match"].(map[string]any)["hosts"] = []any{"www.example.com"}
		})},
		{Name: "a field less", Do: toRoute(func(o *unstructured.Unstructured) { delete(web(o), "timeout") })},
		{Name: "another priority", Do: toRoute(func(o *unstructured.Unstructured) { web(o)["priority"] = int64(7) })},
		{Name: "another class", Do: toRoute(func(o *unstructured.Unstructured) { spec(o)["ingressClassName"] = "internal" })},
		{Name: "an annotation", Do: toRoute(func(o *unstructured.Unstructured) {
			o.SetAnnotations(map[string]string{"example.com/contact": "web"})
		})},
		{Name: "another way to its pods", Do: of("ApisixUpstream", func(o *unstructured.Unstructured) {
			spec(o)["scheme"] = "grpc"
		})},
		{Name: "less of the way to its pods", Do: of("ApisixUpstream", func(o *unstructured.Unstructured) {
			delete(spec(o), "retries")
		})},
	}
}

func damage() []routertest.Edit {
	own := func(o *unstructured.Unstructured) map[string]any { return rules(o)[0] }
	last := func(o *unstructured.Unstructured) map[string]any { return rules(o)[len(rules(o))-1] }
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) }},
		{Name: "the shares were swapped", Do: toRoute(func(o *unstructured.Unstructured) {
			pair := backends(own(o))
			pair[0]["weight"], pair[1]["weight"] = pair[1]["weight"], pair[0]["weight"]
		})},
		{Name: "the canary was removed", Do: toRoute(func(o *unstructured.Unstructured) {
			own(o)["backends"] = own(o)["backends"].([]any)[:1]
		})},
		{Name: "the primary was removed", Do: toRoute(func(o *unstructured.Unstructured) {
			own(o)["backends"] = own(o)["backends"].([]any)[1:]
		})},
		{Name: "it was sent to the apex", Do: toRoute(func(o *unstructured.Unstructured) {
			own(o)["backends"] = []any{map[string]any{"serviceName": "podinfo", "servicePort": int64(9898)}}
		})},
		{Name: "its priority was taken away", Do: toRoute(func(o *unstructured.Unstructured) { delete(own(o), "priority") })},
		{Name: "its class was taken away", Do: toRoute(func(o *unstructured.Unstructured) { delete(spec(o), "ingressClassName") })},
		{Name: "a rule was removed", Do: toRoute(func(o *unstructured.Unstructured) {
			spec(o)["http"] = spec(o)["http"].([]any)[1:]
		})},
		{Name: "a rule for matching requests was removed", Do: toRoute(func(o *unstructured.Unstructured) {
			list := spec(o)["http"].([]any)
			spec(o)["http"] = list[:len(list)-1]
		})},
		{Name: "a rule for matching requests was made to match all", Do: toRoute(func(o *unstructured.Unstructured) {
			delete(last(o)["match"].(map[string]any), "exprs")
		})},
		{Name: "a rule for matching requests was sent elsewhere", Do: toRoute(func(o *unstructured.Unstructured) {
			backends(last(o))[0]["serviceName"] = "legacy"
		})},
		{Name: "an annotation of the user's was changed", Do: toRoute(func(o *unstructured.Unstructured) {
			annotations := o.GetAnnotations()
			annotations["example.com/contact"] = "nobody"
			o.SetAnnotations(annotations)
		})},
		{Name: "the way to its pods was changed", Do: of("ApisixUpstream", func(o *unstructured.Unstructured) {
			spec(o)["scheme"] = "https"
		})},
	}
}
