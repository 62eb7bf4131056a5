package gloo_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/gloo"
	"weir.dev/weir/pkg/router/routertest"
)

func TestConformance(t *testing.T) {
	routertest.Run(t, routertest.Subject{
		Router:      gloo.Router{},
		Definitions: []byte(file(t, "definitions.yaml")),
		Beside:      []string{tuned},
		Instead: map[string]func(*v1beta1.CanarySpec){
			"spec.service.retries": func(s *v1beta1.CanarySpec) {
				s.Service.Retries = &v1beta1.Retries{Attempts: 3, PerTryTimeout: "2s", RetryOn: "5xx,reset"}
			},
		},
		Shares:  shares,
		Ways:    ways,
		Changes: changes(),
		Damage:  append(damage(), additions()...),
	})
}

// tuned is the user's Upstream that spec.upstreamRef names in the suite.
const tuned = `
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: podinfo-tuned}
spec:
  circuitBreakers: {maxConnections: 1000}
  kube: {serviceName: podinfo, serviceNamespace: '${namespace}', servicePort: 9898}
`

func file(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(content)
}

// of is done to objects of one kind.
func of(kind string, do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if o.GetKind() == kind {
			do(o)
		}
	}
}

func toTable(do func(*unstructured.Unstructured)) func(*unstructured.Unstructured) {
	return of("RouteTable", do)
}

func spec(o *unstructured.Unstructured) map[string]any { return o.Object["spec"].(map[string]any) }

// changes are the user's, of his Upstream.
func changes() []routertest.Edit {
	return []routertest.Edit{
		{Name: "another bound", Do: func(o *unstructured.Unstructured) {
			spec(o)["circuitBreakers"] = map[string]any{"maxConnections": int64(10)}
		}},
		{Name: "no bound", Do: func(o *unstructured.Unstructured) { delete(spec(o), "circuitBreakers") }},
	}
}

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) }},
		{Name: "the shares were swapped", Do: toTable(func(o *unstructured.Unstructured) {
			p, c := pairOf(own(o))
			p["weight"], c["weight"] = c["weight"], p["weight"]
		})},
		{Name: "all traffic was stopped", Do: toTable(func(o *unstructured.Unstructured) {
			p, c := pairOf(own(o))
			p["weight"], c["weight"] = int64(0), int64(0)
		})},
		{Name: "the canary was removed", Do: toTable(func(o *unstructured.Unstructured) {
			multi := multiOf(own(o))
			multi["destinations"] = multi["destinations"].([]any)[:1]
		})},
		{Name: "the primary was removed", Do: toTable(func(o *unstructured.Unstructured) {
			multi := multiOf(own(o))
			multi["destinations"] = multi["destinations"].([]any)[1:]
		})},
		{Name: "it was sent elsewhere", Do: toTable(func(o *unstructured.Unstructured) {
			own(o)["routeAction"] = elsewhere()
		})},
		{Name: "a route was put in front", Do: toTable(func(o *unstructured.Unstructured) {
			setRoutes(o, append([]any{map[string]any{"routeAction": elsewhere()}}, routes(o)...))
		})},
		{Name: "its timeout was changed", Do: toTable(func(o *unstructured.Unstructured) {
			own(o)["options"].(map[string]any)["timeout"] = "1s"
		})},
		{Name: "an Upstream was sent to other pods", Do: of("Upstream", func(o *unstructured.Unstructured) {
			spec(o)["kube"].(map[string]any)["serviceName"] = "legacy"
		})},
	}
}

// additions is what is done to what stands in a route beside its shares.
func additions() []routertest.Edit {
	first := func(o *unstructured.Unstructured) map[string]any { return routes(o)[0].(map[string]any) }
	return []routertest.Edit{
		{Name: "a route for matching requests was removed", Do: toTable(func(o *unstructured.Unstructured) {
			setRoutes(o, routes(o)[1:])
		})},
		{Name: "a route for matching requests was put last", Do: toTable(func(o *unstructured.Unstructured) {
			setRoutes(o, append(routes(o)[1:], first(o)))
		})},
		{Name: "a route for matching requests was sent elsewhere", Do: toTable(func(o *unstructured.Unstructured) {
			first(o)["routeAction"] = elsewhere()
		})},
		{Name: "a route for matching requests was made to match all", Do: toTable(func(o *unstructured.Unstructured) {
			delete(first(o), "matchers")
		})},
		{Name: "the mirror was removed", Do: toTable(func(o *unstructured.Unstructured) {
			delete(own(o)["options"].(map[string]any), "shadowing")
		})},
		{Name: "the mirror was made smaller", Do: toTable(func(o *unstructured.Unstructured) {
			own(o)["options"].(map[string]any)["shadowing"].(map[string]any)["percentage"] = 0.5
		})},
		{Name: "the cookie was changed", Do: toTable(func(o *unstructured.Unstructured) {
			_, c := pairOf(own(o))
			c["options"] = map[string]any{"headerManipulation": map[string]any{"responseHeadersToAdd": []any{
				map[string]any{"header": map[string]any{"key": "Set-Cookie", "value": "weir.canary=mine"}},
			}}}
		})},
		{Name: "the cookie was removed", Do: toTable(func(o *unstructured.Unstructured) {
			_, c := pairOf(own(o))
			delete(c, "options")
		})},
	}
}

func elsewhere() map[string]any {
	return map[string]any{"single": map[string]any{"upstream": map[string]any{"name": "legacy", "namespace": "shop"}}}
}

func routes(o *unstructured.Unstructured) []any {
	list, _ := spec(o)["routes"].([]any)
	return list
}

func setRoutes(o *unstructured.Unstructured, to []any) { spec(o)["routes"] = to }

func isAdded(route any) bool {
	name, _ := route.(map[string]any)["name"].(string)
	return strings.HasPrefix(name, "weir-canary-")
}

// own is the first route that shares traffic out.
func own(o *unstructured.Unstructured) map[string]any {
	for _, route := range routes(o) {
		if !isAdded(route) {
			return route.(map[string]any)
		}
	}
	return nil
}

func multiOf(route map[string]any) map[string]any {
	multi, _ := route["routeAction"].(map[string]any)["multi"].(map[string]any)
	return multi
}

func upstreamOf(by any) string {
	upstream, _ := by.(map[string]any)["upstream"].(map[string]any)
	name, _ := upstream["name"].(string)
	return name
}

func pairOf(route map[string]any) (primary, canary map[string]any) {
	for _, d := range multiOf(route)["destinations"].([]any) {
		switch d := d.(map[string]any); upstreamOf(d["destination"]) {
		case "podinfo-primary":
			primary = d
		case "podinfo-canary":
			canary = d
		}
	}
	return primary, canary
}

// shares are those of every route that was not added for matching requests.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		if o.GetKind() != "RouteTable" {
			continue
		}
		for _, route := range routes(o) {
			if isAdded(route) {
				continue
			}
			shares := map[string]int64{}
			destinations, _ := multiOf(route.(map[string]any))["destinations"].([]any)
			for _, d := range destinations {
				d := d.(map[string]any)
				shares[upstreamOf(d["destination"])], _ = d["weight"].(int64)
			}
			all = append(all, shares)
		}
	}
	return all
}

// ways are the added routes with what stands before them, and the mirrors.
func ways(objects []*unstructured.Unstructured) []string {
	var all []string
	for _, o := range objects {
		if o.GetKind() != "RouteTable" {
			continue
		}
		for i, r := range routes(o) {
			route := r.(map[string]any)
			options, _ := route["options"].(map[string]any)
			shadowing, mirrors := options["shadowing"].(map[string]any)
			switch {
			case isAdded(r):
				all = append(all, fmt.Sprintf("%d: %v to %v", i, route["matchers"], route["routeAction"]))
			case mirrors && upstreamOf(shadowing) == "podinfo-canary":
				all = append(all, fmt.Sprintf("%d: %v copied", i, shadowing["percentage"]))
			}
		}
	}
	return all
}
