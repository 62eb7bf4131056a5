package named

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/router"
)

// place is a rule of a route, with its backends as they stand in it.
type place struct {
	// title is the rule's name, and words what it is called in a sentence.
	title, words string
	backends     []object
	apex         int
	set          func([]object)
}

// all are the rules of a route that have backends.
func (b borrowed) all(route *unstructured.Unstructured) []place {
	at, ok, _ := unstructured.NestedFieldNoCopy(route.Object, b.kind.rules...)
	if !ok {
		return nil
	}
	rules, _ := at.([]any)
	if b.kind.one {
		rules = []any{at}
	}
	var all []place
	for i, item := range rules {
		rule, ok := item.(object)
		if !ok {
			continue
		}
		list, _ := rule[b.kind.backends].([]any)
		p := place{words: fmt.Sprintf("rule %d", i+1), set: func(backends []object) {
			out := make([]any, 0, len(backends))
			for _, o := range backends {
				out = append(out, o)
			}
			rule[b.kind.backends] = out
		}}
		if title, ok := rule[b.kind.title].(string); ok && title != "" {
			p.title, p.words = title, "rule "+title
		}
		for _, item := range list {
			if backend, ok := item.(object); ok {
				p.backends = append(p.backends, backend)
			}
		}
		if len(p.backends) > 0 && len(p.backends) == len(list) {
			all = append(all, p)
		}
	}
	return all
}

func (b borrowed) serviceOf(backend object) string {
	name, _, _ := unstructured.NestedString(backend, b.kind.service...)
	return name
}

func (b borrowed) setService(backend object, name string) {
	in := backend
	for _, field := range b.kind.service[:len(b.kind.service)-1] {
		in, _ = in[field].(object)
	}
	in[b.kind.service[len(b.kind.service)-1]] = name
}

// isService says that a backend is a Service of the application's.
func (b borrowed) isService(app router.App, backend object, service string) bool {
	is := func(field, want string) bool {
		v, set := backend[field]
		return !set || v == want || v == ""
	}
	name := b.serviceOf(backend)
	if b.kind.domain {
		name = strings.TrimSuffix(name, ".")
		for _, suffix := range domains(app) {
			if name == service+suffix {
				return true
			}
		}
		return false
	}
	return name == service && is("kind", "Service") && is("group", "") && is("namespace", app.Canary.Namespace)
}

// domains are the ways in which the host of a Service may go on after its name.
func domains(app router.App) []string {
	ns := "." + app.Canary.Namespace
	return []string{"", ns, ns + ".svc", ns + ".svc.cluster.local"}
}

// canaryFor is the canary Service, written as the apex is.
func (b borrowed) canaryFor(app router.App, apex string) string {
	return app.CanaryService + strings.TrimPrefix(apex, app.Apex)
}

func deepCopy(o object) object { return runtime.DeepCopyJSON(o) }
