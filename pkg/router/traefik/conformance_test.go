package traefik_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/router/routertest"
	"weir.dev/weir/pkg/router/traefik"
)

func TestConformance(t *testing.T) {
	definitions, err := sandbox.TraefikDefinitions(t.Context())
	require.NoError(t, err)
	routertest.Run(t, routertest.Subject{
		Router:      traefik.Router{},
		Definitions: definitions,
		Shares:      shares,
		LeavesOut:   true,
		Ways:        ways,
		Damage:      append(damage(), mirrorDamage()...),
	})
}

const mirror = "podinfo-mirror"

// to does something to one of the two TraefikServices alone.
func to(name string, do func(spec map[string]any)) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if o.GetName() == name {
			do(o.Object["spec"].(map[string]any))
		}
	}
}

// list does something to what stands in the list of services.
func list(do func(primary, canary map[string]any)) func(*unstructured.Unstructured) {
	return to("podinfo", func(spec map[string]any) {
		services := services(spec)
		do(services[0].(map[string]any), services[1].(map[string]any))
	})
}

func services(spec map[string]any) []any {
	return spec["weighted"].(map[string]any)["services"].([]any)
}

func setServices(spec map[string]any, to ...any) { spec["weighted"].(map[string]any)["services"] = to }

func damage() []routertest.Edit {
	return []routertest.Edit{
		{Name: "its owner was removed", Do: func(o *unstructured.Unstructured) { o.SetOwnerReferences(nil) }},
		{Name: "the shares were swapped", Do: list(func(p, c map[string]any) { p["weight"], c["weight"] = c["weight"], p["weight"] })},
		{Name: "the weights were made odd", Do: list(func(p, c map[string]any) { p["weight"], c["weight"] = int64(7), int64(5) })},
		{Name: "all traffic was stopped", Do: list(func(p, c map[string]any) { p["weight"], c["weight"] = int64(0), int64(0) })},
		{Name: "the weights were removed", Do: list(func(p, c map[string]any) { delete(p, "weight"); delete(c, "weight") })},
		{Name: "the canary was removed", Do: to("podinfo", func(spec map[string]any) { setServices(spec, services(spec)[:1]...) })},
		{Name: "the primary was removed", Do: to("podinfo", func(spec map[string]any) { setServices(spec, services(spec)[1:]...) })},
		{Name: "it was sent to the apex", Do: to("podinfo", func(spec map[string]any) {
			setServices(spec, map[string]any{"name": "podinfo", "port": int64(9898)})
		})},
		{Name: "another Service was added", Do: to("podinfo", func(spec map[string]any) {
			setServices(spec, append(services(spec), map[string]any{"name": "legacy", "port": int64(9898), "weight": int64(100)})...)
		})},
		{Name: "its services were removed", Do: to("podinfo", func(spec map[string]any) { delete(spec, "weighted") })},
		{Name: "the canary was sought in another namespace", Do: list(func(_, c map[string]any) { c["namespace"] = "other" })},
		{Name: "the canary was sought on another port", Do: list(func(_, c map[string]any) { c["port"] = int64(80) })},
		{Name: "the canary was named by its address", Do: list(func(_, c map[string]any) { c["nativeLB"] = true })},
		{Name: "the way to the primary was left to chance", Do: list(func(p, _ map[string]any) { delete(p, "weight") })},
	}
}

// mirrorDamage is done to what copies requests.
func mirrorDamage() []routertest.Edit {
	mirroring := func(do func(m map[string]any)) func(*unstructured.Unstructured) {
		return to(mirror, func(spec map[string]any) { do(spec["mirroring"].(map[string]any)) })
	}
	first := func(m map[string]any) map[string]any { return m["mirrors"].([]any)[0].(map[string]any) }
	return []routertest.Edit{
		{Name: "the copies were passed by", Do: list(func(p, _ map[string]any) {
			p["kind"], p["name"], p["port"] = "Service", "podinfo-primary", int64(9898)
		})},
		{Name: "fewer copies were made", Do: mirroring(func(m map[string]any) { first(m)["percent"] = int64(7) })},
		{Name: "the percentage of copies was removed", Do: mirroring(func(m map[string]any) { delete(first(m), "percent") })},
		{Name: "the copies were sent elsewhere", Do: mirroring(func(m map[string]any) { first(m)["name"] = "legacy" })},
		{Name: "the copies were taken away", Do: mirroring(func(m map[string]any) { delete(m, "mirrors") })},
		{Name: "what is copied was sent elsewhere", Do: mirroring(func(m map[string]any) { m["name"] = "legacy" })},
	}
}

// nameOf is the Service that an entry of the list leads to.
func nameOf(entry map[string]any, objects []*unstructured.Unstructured) string {
	name, _ := entry["name"].(string)
	if entry["namespace"] != nil {
		return fmt.Sprint(entry["namespace"], "/", name)
	}
	for _, o := range objects {
		if entry["kind"] == "TraefikService" && o.GetName() == name {
			name, _, _ = unstructured.NestedString(o.Object, "spec", "mirroring", "name")
			return name
		}
	}
	return name
}

func shares(objects []*unstructured.Unstructured) []map[string]int64 {
	var all []map[string]int64
	for _, o := range objects {
		services, found, _ := unstructured.NestedSlice(o.Object, "spec", "weighted", "services")
		if !found {
			continue
		}
		shares := map[string]int64{}
		for _, s := range services {
			weight, ok := s.(map[string]any)["weight"].(int64)
			if !ok {
				weight = 1
			}
			shares[nameOf(s.(map[string]any), objects)] += weight
		}
		all = append(all, shares)
	}
	return all
}

// ways are the mirrors by which something of the list goes.
func ways(objects []*unstructured.Unstructured) []string {
	leads := false
	for _, o := range objects {
		services, _, _ := unstructured.NestedSlice(o.Object, "spec", "weighted", "services")
		for _, s := range services {
			leads = leads || s.(map[string]any)["name"] == mirror
		}
	}
	var all []string
	for _, o := range objects {
		mirrors, _, _ := unstructured.NestedSlice(o.Object, "spec", "mirroring", "mirrors")
		for _, m := range mirrors {
			if leads && m.(map[string]any)["percent"] != int64(0) {
				all = append(all, fmt.Sprintf("%v%% to %v", m.(map[string]any)["percent"], m.(map[string]any)["name"]))
			}
		}
	}
	return all
}
