package traefik

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Read gives the split in force. Nobody says of a TraefikService whether it is served, so it counts as accepted where
// it is as Weir leaves one; else it counts as moving until the next apply has put it right. What an apply cannot put
// right, because it is in fields that Weir never sets, is for its user to take away.
func (Router) Read(app router.App, _ rollout.Split, found router.Found) rollout.Route {
	have := found[ref(app)]
	if have == nil || !isMade(app, have) || !held(app, have) {
		return rollout.Route{}
	}
	split := rollout.Split{Weight: share(app, servicesOf(have))}
	if copying(app, have) {
		split.Mirror = mirrored(app, found[mirrorRef(app)])
	}
	route := rollout.Route{Found: true, Split: split}
	if route.Refused = disturbed(app, have, found[mirrorRef(app)]); route.Refused == "" {
		route.Accepted = stands(app, split, found)
	}
	return route
}

// held says that there is something of Weir's in a TraefikService that is Weir's to write.
func held(app router.App, have *unstructured.Unstructured) bool {
	if metav1.IsControlledBy(have, app.Canary) {
		return true
	}
	return copying(app, have) || slices.ContainsFunc(servicesOf(have), func(s object) bool {
		return names(app, s, app.Primary) || names(app, s, app.CanaryService)
	})
}

func servicesOf(have *unstructured.Unstructured) []object {
	list, _, _ := unstructured.NestedSlice(have.Object, "spec", "weighted", "services")
	return objects(list)
}

func objects(list []any) []object {
	out := make([]object, 0, len(list))
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// copying says that a TraefikService sends requests by the one that mirrors.
func copying(app router.App, have *unstructured.Unstructured) bool {
	return slices.ContainsFunc(servicesOf(have), func(s object) bool {
		return s["kind"] == kind && s["name"] == mirrorRef(app).Name && isHome(app, s)
	})
}

// share is what the canary gets, in percent rounded up.
func share(app router.App, services []object) int32 {
	var canary, all int64
	for _, s := range services {
		weight, ok := s["weight"].(int64)
		if !ok {
			weight = 1 // as Traefik has it
		}
		all += weight
		if names(app, s, app.CanaryService) {
			canary += weight
		}
	}
	return router.PercentOf(canary, all)
}

// mirrored is the percentage that is copied to the canary.
func mirrored(app router.App, mirror *unstructured.Unstructured) int32 {
	if mirror == nil {
		return 0
	}
	var most int64
	list, _, _ := unstructured.NestedSlice(mirror.Object, "spec", "mirroring", "mirrors")
	for _, m := range objects(list) {
		if percent, _ := m["percent"].(int64); names(app, m, app.CanaryService) {
			most = max(most, percent)
		}
	}
	return int32(most)
}

// disturbed tells of fields by which requests go another way than Weir says.
func disturbed(app router.App, have, mirror *unstructured.Unstructured) string {
	field := foreign(have, "weighted", "services")
	if field == "" && copying(app, have) && mirror != nil {
		known := slices.Collect(maps.Keys(mirroring(app, rollout.Split{})))
		known = append(known, "mirrorBody", "maxBodySize") // how bodies are copied is the user's to say
		field, have = foreign(mirror, "mirroring", known...), mirror
	}
	if field == "" {
		return ""
	}
	return fmt.Sprintf("%s has got %s, by which requests may go another way than Weir says; remove the field",
		called(have), field)
}

// foreign is a field of a TraefikService that is none of the known ones of what it is of.
func foreign(have *unstructured.Unstructured, of string, known ...string) string {
	spec, _, _ := unstructured.NestedMap(have.Object, "spec")
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		if field != of {
			return "spec." + field
		}
	}
	fields, _ := spec[of].(object)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, field) {
			return "spec." + of + "." + field
		}
	}
	return ""
}

// stands says that all that Weir would write for a split is there.
func stands(app router.App, split rollout.Split, found router.Found) bool {
	intents, err := Router{}.Render(app, split, found)
	if err != nil {
		return false
	}
	for _, intent := range intents {
		have := found[intent.Ref]
		if have == nil {
			return false
		}
		for of, fields := range intent.Intent.Object["spec"].(object) {
			is, _, _ := unstructured.NestedMap(have.Object, "spec", of)
			for field, want := range fields.(object) {
				if !reflect.DeepEqual(is[field], want) {
					return false
				}
			}
		}
	}
	return true
}
