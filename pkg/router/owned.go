package router

import (
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Whole is an object that is Weir's, for server-side apply.
func Whole(app App, kind schema.GroupVersionKind, name string, spec map[string]any) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(app.Canary.Namespace)
	u.SetName(name)
	u.SetLabels(app.Labels)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, fmt.Errorf("naming the owner of %s %s/%s: %w", kind.Kind, u.GetNamespace(), name, err)
	}
	return u, nil
}

// IsMade says that an object is one that Weir made for this Canary, or for one of the same name that is gone: what
// was released keeps its label, and spec.service holds for it again.
func IsMade(app App, have *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(have); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := have.GetLabels()
	for k, v := range app.Labels {
		if labels[k] != v {
			return false
		}
	}
	return len(app.Labels) > 0
}

// NotMade refuses an object of somebody else's, and says how it becomes Weir's without a gap.
func NotMade(app App, router string, have *unstructured.Unstructured) error {
	if have == nil || IsMade(app, have) {
		return nil
	}
	what := fmt.Sprintf("%s %s/%s", have.GetKind(), have.GetNamespace(), have.GetName())
	if owner := metav1.GetControllerOf(have); owner != nil {
		return fmt.Errorf("%s belongs to %s %s; delete it there, or make this Canary anew with another spec.service.name",
			what, owner.Kind, owner.Name)
	}
	for k, v := range app.Labels {
		return fmt.Errorf("%s is not Weir's, and provider %s makes its own; say in spec.service what its routes say and then "+
			"give it the label %s=%s for Weir to take them over, or make this Canary anew with another spec.service.name",
			what, router, k, v)
	}
	return fmt.Errorf("%s is not Weir's, and provider %s makes its own; delete it", what, router)
}

// Disowned is an object as it is left behind: it belongs to nobody, and has nothing of a writer's.
func Disowned(app App, have *unstructured.Unstructured) *unstructured.Unstructured {
	left := have.DeepCopy()
	owners := slices.DeleteFunc(left.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return o.UID == app.Canary.UID
	})
	if len(owners) == 0 {
		owners = nil
	}
	left.SetOwnerReferences(owners)
	annotations := left.GetAnnotations()
	delete(annotations, AppliedAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	left.SetAnnotations(annotations)
	return left
}

// Holds says that all that an intent's spec says stands in an object. What it does not say is others'.
func Holds(have, intent *unstructured.Unstructured) bool {
	is, _ := have.Object["spec"].(map[string]any)
	wants, _ := intent.Object["spec"].(map[string]any)
	for field, want := range wants {
		if !reflect.DeepEqual(is[field], want) {
			return false
		}
	}
	return true
}
