package router

import (
	"fmt"
	"maps"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// An Ingress of the user's leads to the apex, and is only read. Routers that shift its traffic make others beside it,
// which follow it: of each rule they have the paths that lead to the apex, and other backends there. As long as
// there are pods of two revisions the apex is held to the primary's; so all that the others do not take gets there.

// Ingresses are the resource of both.
func Ingresses() schema.GroupVersionResource {
	return networkingv1.SchemeGroupVersion.WithResource("ingresses")
}

// UsersIngress is the one that spec.ingressRef names.
func UsersIngress(app App) Ref {
	return Ref{Resource: Ingresses(), Namespace: app.Canary.Namespace, Name: app.Canary.Spec.IngressRef.Name}
}

// IngressBeside is one of Weir's: it has the name of the user's, and one of its own after that.
func IngressBeside(app App, name string) Ref {
	r := UsersIngress(app)
	r.Name += "-" + name
	return r
}

// NamesNoIngress is what is wrong with a spec that names none.
func NamesNoIngress(router string, c *v1beta1.Canary) []rollout.Problem {
	if c.Spec.IngressRef != nil {
		return nil
	}
	return []rollout.Problem{{Reason: rollout.ReasonIngressMissing, Message: fmt.Sprintf("router %s shifts the traffic "+
		"of an Ingress, and spec.ingressRef names none; set it to the Ingress that leads to the apex Service", router)}}
}

// LeadsToApex refuses a user's Ingress beside which there can be no other, or none that takes a share.
func LeadsToApex(app App, users *unstructured.Unstructured) error {
	ref := UsersIngress(app)
	name := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.Name)
	if users == nil {
		return fmt.Errorf("%s does not exist; make it, or correct spec.ingressRef", name)
	}
	spec := IngressSpec(users)
	if serviceOf(mapIn(spec, "defaultBackend")) == app.Apex {
		return fmt.Errorf("%s leads to Service %s by spec.defaultBackend, which controllers do not divide; "+
			"write a rule with path / instead", name, app.Apex)
	}
	other := ""
	for _, p := range IngressPaths(users) {
		if p.Service == app.Apex {
			return nil
		}
		if resource := mapIn(p.backend, "resource"); resource != nil {
			other = fmt.Sprintf(" (%v %v, a backend of kind resource, cannot be divided)", resource["kind"], resource["name"])
		}
	}
	return fmt.Errorf("%s has no path whose backend is Service %s%s; add one to spec.rules, or correct spec.ingressRef",
		name, app.Apex, other)
}

// IngressPath is where an Ingress sends some requests.
type IngressPath struct {
	Host, Type, Path string
	// Service that is the backend, if it is one.
	Service string

	backend map[string]any
}

// IngressPaths are all of an Ingress's rules, in their order.
func IngressPaths(ingress *unstructured.Unstructured) []IngressPath {
	var all []IngressPath
	for _, rule := range listIn(IngressSpec(ingress), "rules") {
		for _, path := range listIn(mapIn(rule, "http"), "paths") {
			backend := mapIn(path, "backend")
			all = append(all, IngressPath{
				Host: textIn(rule, "host"), Type: textIn(path, "pathType"), Path: textIn(path, "path"),
				Service: serviceOf(backend), backend: backend,
			})
		}
	}
	return all
}

// IngressSpec is an Ingress's spec as it is.
func IngressSpec(ingress *unstructured.Unstructured) map[string]any {
	return mapIn(ingress.Object, "spec")
}

// SpecBeside is the user's spec with the paths that lead to the apex alone, and Services in its place. Paths of other
// backends are none of Weir's business: a controller that reads them here first would take them, too, for a canary's.
func SpecBeside(app App, users *unstructured.Unstructured, services ...string) map[string]any {
	spec := maps.Clone(IngressSpec(users))
	delete(spec, "defaultBackend")
	var rules []any
	for _, rule := range listIn(spec, "rules") {
		var paths []any
		for _, path := range listIn(mapIn(rule, "http"), "paths") {
			if serviceOf(mapIn(path, "backend")) != app.Apex {
				continue
			}
			for _, service := range services {
				paths = append(paths, leadingTo(service, path))
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

// leadingTo is a path with another Service, and the port as it is.
func leadingTo(name string, path map[string]any) map[string]any {
	path = maps.Clone(path)
	backend := maps.Clone(mapIn(path, "backend"))
	service := maps.Clone(mapIn(backend, "service"))
	service["name"] = name
	backend["service"] = service
	path["backend"] = backend
	return path
}

// MakeIngress is an Ingress that is Weir's. Of the annotations those are left out that tell who has made the Ingress
// they come from.
func MakeIngress(app App, ref Ref, annotations map[string]string, spec map[string]any) (*unstructured.Unstructured, error) {
	annotations = maps.Clone(annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return Personal(key) })
	u, err := Whole(app, networkingv1.SchemeGroupVersion.WithKind("Ingress"), ref.Name, runtime.DeepCopyJSON(spec))
	if err != nil {
		return nil, err
	}
	u.SetAnnotations(annotations)
	return u, nil
}

// IngressNotMade refuses an Ingress of somebody else's where Weir's would be.
func IngressNotMade(app App, have *unstructured.Unstructured) error {
	if have == nil || IsMade(app, have) {
		return nil
	}
	return fmt.Errorf("there is an Ingress of that name which Weir did not make for this Canary; " +
		"delete or rename it, or name another in spec.ingressRef")
}

// AsMade says that all that Weir sets in an Ingress is so. What others have added does not matter.
func AsMade(have, want *unstructured.Unstructured) bool {
	if !Holds(have, want) {
		return false
	}
	annotations := have.GetAnnotations()
	for key, value := range want.GetAnnotations() {
		if annotations[key] != value {
			return false
		}
	}
	return true
}

func serviceOf(backend map[string]any) string { return textIn(mapIn(backend, "service"), "name") }

func mapIn(o map[string]any, field string) map[string]any {
	m, _ := o[field].(map[string]any)
	return m
}

func textIn(o map[string]any, field string) string {
	text, _ := o[field].(string)
	return text
}

func listIn(o map[string]any, field string) []map[string]any { return Objects(o[field]) }
