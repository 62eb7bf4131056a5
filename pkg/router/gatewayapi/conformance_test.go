package gatewayapi_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
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

// TestConformance has one server for all, which has the definitions of both kinds of routes.
func TestConformance(t *testing.T) {
	server := routertest.StartServer(t, routertest.Module(t, "sigs.k8s.io/gateway-api",
		"config/crd/standard/gateway.networking.k8s.io_[gh][rt][pt][cp]routes.yaml"))
	t.Run("over HTTP", func(t *testing.T) { conformsOverHTTP(t, server) })
	t.Run("over gRPC", func(t *testing.T) { conformsOverGRPC(t, server) })
	t.Run("of Linkerd", func(t *testing.T) { conformsOfLinkerd(t, server) })
}

func conformsOverHTTP(t *testing.T, server *routertest.Server) {
	s := subject(server, gatewayapi.Router{})
	s.Damage = slices.Concat(damage(0), additions(), mirrorings(), cookies(), takeovers())
	s.Users = []routertest.User{
		{Name: "of one rule", Route: plainRoute, Edits: slices.Concat(damage(0), additions(), mirrorings(), cookies(), marks())},
		{Name: "of many rules", Route: manifest(t, "user.yaml"), Edits: slices.Concat(damage(0), damage(5), wishes())},
	}
	routertest.Run(t, s)
}

func conformsOverGRPC(t *testing.T, server *routertest.Server) {
	s := subject(server, overGRPC{})
	s.Always = speaksGRPC
	s.Match = []gatewayv1.HTTPRouteMatch{
		{Path: &gatewayv1.HTTPPathMatch{Value: new("/shop.Orders")}, Headers: []gatewayv1.HTTPHeaderMatch{
			{Name: "x-tenant", Value: "blue|green", Type: new(gatewayv1.HeaderMatchRegularExpression)},
		}},
		{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: new("/shop.Stock/Get")}},
	}
	s.Damage = slices.Concat(damage(0), additions(), mirrorings(), takeovers())
	plain := strings.Replace(plainRoute, "HTTPRoute", "GRPCRoute", 1)
	s.Users = []routertest.User{
		{Name: "of one rule", Route: plain, Edits: slices.Concat(damage(0), marks())},
		{Name: "of many rules", Route: manifest(t, "grpc-user.yaml"), Edits: slices.Concat(damage(0), damage(4), mirrorings())},
	}
	routertest.Run(t, s)
}

// overGRPC is the router for ports of gRPC.
type overGRPC struct{ gatewayapi.Router }

func (overGRPC) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.AdoptsRoute: true, router.Gateways: true, router.GRPC: true,
		router.Hosts: true, router.Matches: true, router.EditsHeaders: true,
		router.HeaderMatch: true, router.ManyConditions: true, router.Mirrors: true, router.MirrorsPercent: true,
	}
}

func (o overGRPC) Over(served []schema.GroupVersionResource) router.Router {
	return overGRPC{o.Router.Over(served).(gatewayapi.Router)}
}

func speaksGRPC(s *v1beta1.CanarySpec) { s.Service.PortName = "grpc" }

func conformsOfLinkerd(t *testing.T, server *routertest.Server) {
	s := subject(server, gatewayapi.Linkerd())
	s.Needs, s.Accept, s.Unversioned = nil, acceptAsLinkerd, true
	s.Damage = slices.Concat(damage(0), additions(), cookies(), takeovers())
	s.Users = []routertest.User{{
		Name:  "of a Service",
		Route: strings.Replace(plainRoute, "{name: edge}", "{name: podinfo, kind: Service, group: core}", 1),
		Edits: slices.Concat(damage(0), marks()),
	}}
	routertest.Run(t, s)
}

func subject(server *routertest.Server, r router.Router) routertest.Subject {
	return routertest.Subject{
		Router: r, Server: server,
		Needs: func(s *v1beta1.CanarySpec) {
			s.Service.GatewayRefs = []gatewayv1.ParentReference{{Name: "edge"}}
		},
		Shares: shares, Ways: ways, Accept: accept,
	}
}

func manifest(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(raw)
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
			match := fmt.Sprint(rule.(map[string]any)["matches"])
			tester, off := strings.Contains(match, "x-tester"), strings.Contains(match, "beta") && total == 0
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
				matches, ok := rule.(map[string]any)["matches"].([]any)
				if !ok {
					matches = []any{"all"} // a GRPCRoute says it by saying nothing
				}
				for _, match := range matches {
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

// accept speaks for every parent that the route names, of this version of it.
func accept(r *unstructured.Unstructured) { by("example.com/gateway")(r) }

// by signs for all parents of a route.
func by(controller string) func(*unstructured.Unstructured) {
	return func(r *unstructured.Unstructured) {
		says(r, func(_, condition map[string]any) string {
			condition["observedGeneration"] = r.GetGeneration()
			return controller
		})
	}
}

// acceptAsLinkerd speaks for Services as Linkerd does: of no version, and with another name of their group. Others
// speak for Gateways.
func acceptAsLinkerd(r *unstructured.Unstructured) {
	says(r, func(parent, condition map[string]any) string {
		if parent["kind"] != "Service" {
			condition["observedGeneration"] = r.GetGeneration()
			return "example.com/gateway"
		}
		parent["group"], parent["namespace"] = "core", r.GetNamespace()
		return "linkerd.io/policy-controller"
	})
}

// says has each parent accept a route; how it does so, and who says it, is told by a function.
func says(r *unstructured.Unstructured, how func(parent, condition map[string]any) string) {
	parents, _, _ := unstructured.NestedSlice(r.Object, "spec", "parentRefs")
	all := []any{}
	for _, p := range parents {
		parent, controller := p.(map[string]any), ""
		var conditions []any
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			condition := map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "",
				"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
			}
			controller = how(parent, condition)
			conditions = append(conditions, condition)
		}
		all = append(all, map[string]any{"controllerName": controller, "parentRef": parent, "conditions": conditions})
	}
	r.Object["status"] = map[string]any{"parents": all}
}
