package knative_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/knative"
	"weir.dev/weir/pkg/router/routertest"
)

// The revisions of the suite's application.
const primary, canary = "podinfo-7d9c", "podinfo-5f64"

func TestConformance(t *testing.T) {
	definitions, err := sandbox.KnativeDefinitions(t.Context())
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router:      knative.Router{},
		Definitions: definitions,
		LeavesOut:   true,
		Always: func(s *v1beta1.CanarySpec) {
			s.TargetRef = v1beta1.TargetRef{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: routertest.Apex}
			s.Service.Port = 80
		},
		Shares: shares,
		Accept: accept,
		Users: []routertest.User{
			{Name: "that goes by the latest revision", Route: service + latest, Edits: edits()},
			{Name: "with tags", Route: service + tagged, Edits: append(edits(), routertest.Edit{
				Name: "a tag of its own", Stays: true, Do: list(func(entries []any) []any {
					return append(entries, map[string]any{"tag": "next", "latestRevision": true, "percent": int64(0)})
				}),
			}, routertest.Edit{
				Name: "another template", Stays: true, Do: func(s *unstructured.Unstructured) {
					containers := []any{map[string]any{"image": "podinfo:2"}}
					_ = unstructured.SetNestedSlice(s.Object, containers, "spec", "template", "spec", "containers")
				},
			})},
		},
	})
}

const (
	service = `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: podinfo}
spec:
  template: {spec: {containers: [{image: "podinfo:1"}]}}
`
	latest = `
  traffic: [{latestRevision: true, percent: 100}]
`
	tagged = `
  traffic:
  - {tag: stable, revisionName: podinfo-7d9c, latestRevision: false, percent: 0}
  - {latestRevision: true, percent: 100}
  - {tag: old, revisionName: podinfo-0001}
`
)

// list changes spec.traffic.
func list(do func([]any) []any) func(*unstructured.Unstructured) {
	return func(s *unstructured.Unstructured) {
		entries, _, _ := unstructured.NestedSlice(s.Object, "spec", "traffic")
		_ = unstructured.SetNestedSlice(s.Object, do(entries), "spec", "traffic")
	}
}

// share finds the entry of a revision.
func share(entries []any, revision string) map[string]any {
	for _, e := range entries {
		if e := e.(map[string]any); e["revisionName"] == revision && e["percent"] != int64(0) && e["percent"] != nil {
			return e
		}
	}
	return map[string]any{}
}

// edits are damage.
func edits() []routertest.Edit {
	return []routertest.Edit{
		{Name: "the shares were swapped", Do: list(func(entries []any) []any {
			p, c := share(entries, primary), share(entries, canary)
			p["percent"], c["percent"] = c["percent"], p["percent"]
			return entries
		})},
		{Name: "the canary was given more", Do: list(func(entries []any) []any {
			share(entries, primary)["percent"], share(entries, canary)["percent"] = int64(70), int64(30)
			return entries
		})},
		{Name: "the canary was removed", Do: list(func(entries []any) []any {
			share(entries, primary)["percent"] = int64(100)
			return slices.DeleteFunc(entries, func(e any) bool { return e.(map[string]any)["revisionName"] == canary })
		})},
		{Name: "the canary became whoever is the latest", Do: list(func(entries []any) []any {
			c := share(entries, canary)
			delete(c, "revisionName")
			c["latestRevision"] = true
			return entries
		})},
		{Name: "a third revision got a share", Do: list(func(entries []any) []any {
			share(entries, primary)["percent"] = int64(80)
			return append(entries, map[string]any{"revisionName": "podinfo-0001", "latestRevision": false, "percent": int64(10)})
		})},
		{Name: "all went to whoever is the latest", Do: list(func(entries []any) []any {
			share(entries, canary)["percent"] = int64(0)
			p := share(entries, primary)
			delete(p, "revisionName")
			p["latestRevision"], p["percent"] = true, int64(100)
			return slices.DeleteFunc(entries, func(e any) bool { return e.(map[string]any)["revisionName"] == canary })
		})},
	}
}

// shares are those of the two revisions, by the Services that would stand for them elsewhere.
func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		entries, _, _ := unstructured.NestedSlice(o.Object, "spec", "traffic")
		shares := map[string]int64{}
		for _, e := range entries {
			e := e.(map[string]any)
			if percent, _ := e["percent"].(int64); percent > 0 {
				name, _ := e["revisionName"].(string)
				if side, ok := map[string]string{primary: routertest.Primary, canary: routertest.Canary}[name]; ok {
					name = side
				}
				shares[name] += percent
			}
		}
		all = append(all, shares)
	}
	return all
}

// accept says what Knative's controllers say of a version that they serve.
func accept(s *unstructured.Unstructured) {
	entries, _, _ := unstructured.NestedSlice(s.Object, "spec", "traffic")
	for _, e := range entries {
		if e := e.(map[string]any); e["latestRevision"] == true {
			e["revisionName"] = primary
		}
	}
	s.Object["status"] = map[string]any{
		"observedGeneration": s.GetGeneration(), "latestCreatedRevisionName": primary, "latestReadyRevisionName": primary,
		"traffic": entries, "conditions": []any{map[string]any{"type": "RoutesReady", "status": "True"}},
	}
}
