package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Kept is a field that somebody else has set, and that was left to them.
type Kept struct {
	// Field as in "spec.analysis.stepWeights"; Manager is who has set it.
	Field, Manager string
}

// ApplyCanary makes the Canary of an annotated workload what the intent says, by server-side apply. It is nil in the cache
// where there is none. What others have set otherwise is left to them, and told, but for what is locked: a field below the
// spec, as in "analysis.stepWeights". It writes nothing where neither the intent nor what is locked has changed since it
// was applied last.
func (w *Writer) ApplyCanary(
	ctx context.Context, intent, found *v1beta1.Canary, locked func(path string) bool,
) ([]Kept, error) {
	obj, err := Intent(intent)
	if err != nil {
		return nil, err
	}
	digest, err := digestOf(obj)
	if err != nil {
		return nil, err
	}
	if found != nil {
		is, err := Intent(found)
		if err != nil {
			return nil, err
		}
		if found.Annotations[AppliedAnnotation] == digest && holdsLocked(is, obj, locked) {
			return nil, nil
		}
		obj.SetUID(found.UID) // without it, what was deleted meanwhile would be made anew
	}
	annotations := obj.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AppliedAnnotation] = digest
	obj.SetAnnotations(annotations)
	client := w.dynamic.Resource(canaries).Namespace(intent.Namespace)
	apply := func(force bool) error {
		doing := fmt.Sprintf("applying Canary %s/%s", intent.Namespace, intent.Name)
		_, err := write(ctx, w, canaries, doing, func(ctx context.Context) (*unstructured.Unstructured, error) {
			return client.Apply(ctx, intent.Name, obj, metav1.ApplyOptions{FieldManager: v1beta1.FieldManager, Force: force})
		})
		return err
	}
	err = apply(false)
	if found == nil || !contested(err) {
		return nil, err
	}
	live, err := client.Get(ctx, intent.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading who has set what of Canary %s/%s: %w", intent.Namespace, intent.Name, err)
	}
	kept, err := leave(obj, live, locked)
	if err != nil {
		return nil, fmt.Errorf("reading who has set what of Canary %s/%s: %w", intent.Namespace, intent.Name, err)
	}
	obj.SetResourceVersion(live.GetResourceVersion())
	return kept, apply(true)
}

// DeleteCanary deletes one whose workload does not ask for it any more. What it has taken over is given back before it goes.
func (w *Writer) DeleteCanary(ctx context.Context, c *v1beta1.Canary) error {
	return w.erase(ctx, canaries, c, fmt.Sprintf("deleting Canary %s/%s", c.Namespace, c.Name),
		func(ctx context.Context, options metav1.DeleteOptions) error {
			return w.weir.WeirV1beta1().Canaries(c.Namespace).Delete(ctx, c.Name, options)
		})
}

// contested says that others own fields that an apply would change.
func contested(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeFieldManagerConflict
	})
}

// holdsLocked says that what is locked is as the intent has it. A field that it does not have may be anything.
func holdsLocked(found, intent *unstructured.Unstructured, locked func(string) bool) bool {
	spec, _ := intent.Object["spec"].(map[string]any)
	is, _ := found.Object["spec"].(map[string]any)
	return sameWhere(is, spec, "", locked)
}

// sameWhere goes down to what is locked, and compares that.
func sameWhere(found, intent map[string]any, below string, locked func(string) bool) bool {
	for name, want := range intent {
		path := below + name
		inner, isObject := want.(map[string]any)
		have, _ := found[name].(map[string]any)
		switch {
		case !locked(path):
		case isObject && !sameWhere(have, inner, path+".", locked), !isObject && !contains(found[name], want):
			return false
		}
	}
	return true
}

// leave takes out of an intent what others have set otherwise, by what the API server knows of who owns what.
func leave(intent, live *unstructured.Unstructured, locked func(string) bool) ([]Kept, error) {
	var kept []Kept
	for _, m := range live.GetManagedFields() {
		if m.FieldsV1 == nil || m.Subresource != "" ||
			m.Manager == v1beta1.FieldManager && m.Operation == metav1.ManagedFieldsOperationApply {
			continue
		}
		owned := &fieldpath.Set{}
		if err := owned.FromJSON(bytes.NewReader(m.FieldsV1.GetRawBytes())); err != nil {
			return nil, err
		}
		owned.Leaves().Iterate(func(p fieldpath.Path) {
			field := strings.TrimPrefix(p.String(), ".")
			if !locked(strings.TrimPrefix(nameOf(p), "spec.")) && drop(intent.Object, live.Object, p) {
				kept = append(kept, Kept{Field: field, Manager: m.Manager})
			}
		})
	}
	return kept, nil
}

// nameOf is the part of a path above the items of lists.
func nameOf(p fieldpath.Path) string {
	var names []string
	for _, e := range p {
		if e.FieldName == nil {
			break
		}
		names = append(names, *e.FieldName)
	}
	return strings.Join(names, ".")
}

// drop takes the value at a path out of an intent where the live one is another.
func drop(intent, live any, p fieldpath.Path) bool {
	e := p[0]
	switch {
	case e.FieldName != nil:
		in, ok := intent.(map[string]any)
		is, also := live.(map[string]any)
		if !ok || !also {
			return false
		}
		want, there := in[*e.FieldName]
		if !there {
			return false
		}
		if len(p) > 1 {
			return drop(want, is[*e.FieldName], p[1:])
		}
		if reflect.DeepEqual(want, is[*e.FieldName]) {
			return false
		}
		delete(in, *e.FieldName)
		return true
	case e.Key != nil && len(p) > 1:
		return drop(item(intent, e), item(live, e), p[1:])
	}
	return false
}

// item of a list that has the keys.
func item(list any, e fieldpath.PathElement) any {
	items, _ := list.([]any)
	for _, one := range items {
		m, ok := one.(map[string]any)
		other := func(k value.Field) bool { return !reflect.DeepEqual(m[k.Name], k.Value.Unstructured()) }
		if ok && !slices.ContainsFunc(*e.Key, other) {
			return one
		}
	}
	return nil
}
