package contour_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/contour"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	definitions, err := sandbox.ContourDefinitions(t.Context())
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router:      contour.Router{},
		Definitions: definitions,
		Instead: map[string]func(*v1beta1.CanarySpec){
			"spec.service.headers": func(s *v1beta1.CanarySpec) {
				s.Service.Headers = &v1beta1.Headers{
					Request:  &v1beta1.HeaderOperations{Set: map[string]string{"x-b": "2", "x-a": "1"}, Remove: []string{"x-secret"}},
					Response: &v1beta1.HeaderOperations{Set: map[string]string{"x-served-by": "weir"}},
				}
			},
			"spec.service.retries": func(s *v1beta1.CanarySpec) {
				s.Service.Retries = &v1beta1.Retries{Attempts: 3, PerTryTimeout: "2s", RetryOn: "5xx,reset"}
			},
		},
		Shares: shares,
		Ways:   ways,
		Accept: accept,
		Damage: append(damage(), additions()...),
	})
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(h *unstructured.Unstructured) { h.SetOwnerReferences(nil) }},
		{Name: "the shares were swapped", Do: func(h *unstructured.Unstructured) {
			p, c := pairOf(own(h))
			p["weight"], c["weight"] = c["weight"], p["weight"]
		}},
		{Name: "the weights were made odd", Do: func(h *unstructured.Unstructured) {
			p, c := pairOf(own(h))
			p["weight"], c["weight"] = int64(7), int64(5)
		}},
		{Name: "the weights were removed", Do: func(h *unstructured.Unstructured) {
			p, c := pairOf(own(h))
			delete(p, "weight")
			delete(c, "weight")
		}},
		{Name: "the canary was removed", Do: func(h *unstructured.Unstructured) { removeService(own(h), "podinfo-canary") }},
		{Name: "the primary was removed", Do: func(h *unstructured.Unstructured) { removeService(own(h), "podinfo-primary") }},
		{Name: "it was sent to the apex", Do: func(h *unstructured.Unstructured) {
			own(h)["services"] = []any{map[string]any{"name": "podinfo", "port": int64(9898)}}
		}},
		{Name: "a route was added", Do: func(h *unstructured.Unstructured) {
			setRoutes(h, append(routes(h), map[string]any{
				"conditions": []any{map[string]any{"prefix": "/elsewhere"}},
				"services":   []any{map[string]any{"name": "podinfo", "port": int64(9898)}},
			}))
		}},
		{Name: "all routes were removed", Do: func(h *unstructured.Unstructured) { setRoutes(h, []any{}) }},
		{Name: "its timeout was changed", Do: func(h *unstructured.Unstructured) {
			own(h)["timeoutPolicy"] = map[string]any{"response": "1s"}
		}},
	}
}

// additions is what is done to what stands in an HTTPProxy beside its shares.
func additions() []routertest.Edit {
	last := func(h *unstructured.Unstructured) map[string]any { return routes(h)[len(routes(h))-1].(map[string]any) }
	return []routertest.Edit{
		{Name: "a route for matching requests was removed", Do: func(h *unstructured.Unstructured) {
			setRoutes(h, routes(h)[:len(routes(h))-1])
		}},
		{Name: "a route for matching requests was sent elsewhere", Do: func(h *unstructured.Unstructured) {
			last(h)["services"] = []any{map[string]any{"name": "legacy", "port": int64(9898)}}
		}},
		{Name: "a route for matching requests was made to match all", Do: func(h *unstructured.Unstructured) {
			delete(last(h), "conditions")
		}},
		{Name: "the mirror was removed", Do: func(h *unstructured.Unstructured) {
			own(h)["services"] = own(h)["services"].([]any)[:2]
		}},
		{Name: "the mirror was made smaller", Do: func(h *unstructured.Unstructured) { mirrorOf(own(h))["weight"] = int64(1) }},
		{Name: "the mirror was sent elsewhere", Do: func(h *unstructured.Unstructured) { mirrorOf(own(h))["name"] = "legacy" }},
		{Name: "the mirror was made a share", Do: func(h *unstructured.Unstructured) { delete(mirrorOf(own(h)), "mirror") }},
	}
}

func routes(h *unstructured.Unstructured) []any {
	list, _ := h.Object["spec"].(map[string]any)["routes"].([]any)
	return list
}

func setRoutes(h *unstructured.Unstructured, to []any) {
	h.Object["spec"].(map[string]any)["routes"] = to
}

// own is the first route that shares traffic out.
func own(h *unstructured.Unstructured) map[string]any { return routes(h)[0].(map[string]any) }

func services(route any) []any {
	list, _ := route.(map[string]any)["services"].([]any)
	return list
}

func pairOf(route map[string]any) (primary, canary map[string]any) {
	for _, s := range services(route) {
		switch s := s.(map[string]any); {
		case s["mirror"] == true:
		case s["name"] == "podinfo-primary":
			primary = s
		case s["name"] == "podinfo-canary":
			canary = s
		}
	}
	return primary, canary
}

func mirrorOf(route any) map[string]any {
	for _, s := range services(route) {
		if s := s.(map[string]any); s["mirror"] == true {
			return s
		}
	}
	return nil
}

func removeService(route map[string]any, name string) {
	var rest []any
	for _, s := range services(route) {
		if s.(map[string]any)["name"] != name {
			rest = append(rest, s)
		}
	}
	route["services"] = rest
}

// isAdded says that a route leads to the canary alone.
func isAdded(route any) bool {
	primary, canary := pairOf(route.(map[string]any))
	return canary != nil && primary == nil
}

// shares are those of every route that was not added for matching requests.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, h := range objects {
		for _, route := range routes(h) {
			if isAdded(route) {
				continue
			}
			shares := map[string]int64{}
			for _, s := range services(route) {
				if s := s.(map[string]any); s["mirror"] != true {
					weight, _ := s["weight"].(int64)
					shares[s["name"].(string)] += weight
				}
			}
			all = append(all, shares)
		}
	}
	return all
}

// ways are the conditions of added routes with what they lead to, and the mirrors.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, h := range objects {
		for i, r := range routes(h) {
			route := r.(map[string]any)
			if isAdded(r) {
				all = append(all, fmt.Sprintf("%v to %v", route["conditions"], route["services"]))
			}
			if m := mirrorOf(r); m != nil && m["name"] == "podinfo-canary" {
				all = append(all, fmt.Sprintf("%d: copied to %v", i, m))
			}
		}
	}
	return all
}

// accept speaks for Contour.
func accept(h *unstructured.Unstructured) { speak(h, "True", "Valid HTTPProxy") }

func speak(h *unstructured.Unstructured, valid, message string, errors ...any) {
	says := map[string]any{"True": "valid", "False": "invalid"}[valid]
	condition := map[string]any{
		"type": "Valid", "status": valid, "reason": "Valid", "message": message, "observedGeneration": h.GetGeneration(),
		"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
	}
	if len(errors) > 0 {
		condition["errors"] = errors
	}
	h.Object["status"] = map[string]any{
		"currentStatus": says, "description": message, "conditions": []any{condition},
	}
}
