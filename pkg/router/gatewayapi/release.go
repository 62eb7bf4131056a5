package gatewayapi

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// Release leaves a route that Weir made in place, all of its traffic on the apex Service, and belonging
// to nobody: deleting it would be an outage. An adopted route gets its own rules back. One that has
// nothing of Weir's is left alone.
func (r Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	a, have := r.routeOf(app, found)
	if have == nil || !held(a, have) {
		return nil, nil
	}
	left := have.DeepCopy()
	rules := originals(a, have)
	if isMade(a, have) {
		rules = united(a, rulesOf(have))
	}
	if err := unstructured.SetNestedSlice(left.Object, list(rules), "spec", "rules"); err != nil {
		return nil, fmt.Errorf("giving back %s %s/%s: %w", a.kind, app.Canary.Namespace, app.Apex, err)
	}
	disown(a, left)
	unmark(left)
	return []router.Released{{Ref: a.ref(), Object: left}}, nil
}

// held says that there is something of Weir's in a route.
func held(app application, have *unstructured.Unstructured) bool {
	_, adopted := have.GetAnnotations()[OriginalAnnotation]
	return adopted || metav1.IsControlledBy(have, app.Canary) || len(pairsOf(app, rulesOf(have))) > 0
}

// united is the rules of a route of Weir's with the apex as their one backend, however they were left.
func united(app application, rules []object) []object {
	rules, _ = parts(rules)
	for i := range rules {
		rules[i] = withoutMirror(app, rules[i])
		rules[i]["backendRefs"] = []any{object{
			"group": "", "kind": "Service", "name": app.Apex, "port": int64(app.Canary.Spec.Service.Port), "weight": int64(1),
		}}
	}
	return rules
}

func disown(app application, left *unstructured.Unstructured) {
	owners := slices.DeleteFunc(left.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return o.UID == app.Canary.UID
	})
	if len(owners) == 0 {
		owners = nil
	}
	left.SetOwnerReferences(owners)
}

// unmark takes away the annotations of Weir's.
func unmark(left *unstructured.Unstructured) {
	annotations := left.GetAnnotations()
	delete(annotations, OriginalAnnotation)
	delete(annotations, router.AppliedAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	left.SetAnnotations(annotations)
}
