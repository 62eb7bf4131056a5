package nginx

import (
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

type object = map[string]any

func mapIn(o object, field string) object {
	m, _ := o[field].(object)
	return m
}

func listIn(o object, field string) []object {
	raw, _ := o[field].([]any)
	list := make([]object, 0, len(raw))
	for _, item := range raw {
		if m, ok := item.(object); ok {
			list = append(list, m)
		}
	}
	return list
}

// divisible refuses a user's Ingress whose traffic a canary's cannot divide, or could not give back.
func (r Router) divisible(app router.App, users *unstructured.Unstructured) error {
	ref := usersRef(app)
	name := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.Name)
	if users == nil {
		return fmt.Errorf("%s does not exist; make it, or correct spec.ingressRef", name)
	}
	spec, annotations := mapIn(users.Object, "spec"), users.GetAnnotations()
	if serviceOf(mapIn(spec, "defaultBackend")) == app.Apex {
		return fmt.Errorf("%s leads to Service %s by spec.defaultBackend, which controllers do not divide; "+
			"write a rule with path / instead", name, app.Apex)
	}
	if len(listIn(specFor(app, spec), "rules")) == 0 {
		return fmt.Errorf("%s has no path whose backend is Service %s%s; add one to spec.rules, or correct spec.ingressRef",
			name, app.Apex, instead(spec))
	}
	return r.dividedByPath(name, annotations)
}

// dividedByPath refuses annotations with which a controller does not choose a backend anew for each request.
func (r Router) dividedByPath(name string, annotations map[string]string) error {
	has := func(key string) string { return annotations[r.key(key)] }
	switch {
	case has("canary") == "true":
		return fmt.Errorf("%s is the canary of another by its annotation %s; name that other in spec.ingressRef",
			name, r.key("canary"))
	case has("ssl-passthrough") == "true":
		return fmt.Errorf("%s has the annotation %s, with which no request is looked at and none can be shared out; "+
			"remove it", name, r.key("ssl-passthrough"))
	case has("affinity") != "" && has("affinity-canary-behavior") != "legacy":
		return fmt.Errorf("%s keeps users where they are by its annotation %s, also with a canary that is rolled back; "+
			"remove it, or set %s to legacy", name, r.key("affinity"), r.key("affinity-canary-behavior"))
	}
	return nil
}

// instead tells of backends that are no Services, as what a user may have meant.
func instead(spec object) string {
	for _, rule := range listIn(spec, "rules") {
		for _, path := range listIn(mapIn(rule, "http"), "paths") {
			if resource := mapIn(mapIn(path, "backend"), "resource"); resource != nil {
				return fmt.Sprintf(" (%v %v, a backend of kind resource, cannot be divided)", resource["kind"], resource["name"])
			}
		}
	}
	return ""
}

func serviceOf(backend object) string {
	name, _ := mapIn(backend, "service")["name"].(string)
	return name
}

// specFor is the user's spec, with the paths that lead to the apex alone and the canary Service in its place. Paths
// of other backends are none of the canary's business: a controller that reads them here first would take them, too,
// for a canary's.
func specFor(app router.App, users object) object {
	spec := maps.Clone(users)
	delete(spec, "defaultBackend")
	var rules []any
	for _, rule := range listIn(users, "rules") {
		var paths []any
		for _, path := range listIn(mapIn(rule, "http"), "paths") {
			if serviceOf(mapIn(path, "backend")) == app.Apex {
				paths = append(paths, toCanary(app, path))
			}
		}
		if len(paths) > 0 {
			rule = maps.Clone(rule)
			http := maps.Clone(mapIn(rule, "http"))
			http["paths"] = paths
			rule["http"] = http
			rules = append(rules, rule)
		}
	}
	spec["rules"] = rules
	return spec
}

func toCanary(app router.App, path object) object {
	path = maps.Clone(path)
	backend := maps.Clone(mapIn(path, "backend"))
	service := maps.Clone(mapIn(backend, "service"))
	service["name"] = app.CanaryService
	backend["service"] = service
	path["backend"] = backend
	return path
}
