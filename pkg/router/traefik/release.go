package traefik

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// Release leaves the TraefikService in place, all of its traffic on the apex Service, and belonging to nobody: an
// IngressRoute names it, and without it would answer with 404. Then the one that mirrors leads from nowhere, and is
// deleted.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	var all []router.Released
	if have := found[ref(app)]; have != nil && isMade(app, have) && held(app, have) {
		left, err := left(app, have)
		if err != nil {
			return nil, fmt.Errorf("giving back %s: %w", called(have), err)
		}
		all = append(all, router.Released{Ref: ref(app), Object: left})
	}
	if have := found[mirrorRef(app)]; have != nil && isMade(app, have) {
		all = append(all, router.Released{Ref: mirrorRef(app)})
	}
	return all, nil
}

func left(app router.App, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := have.DeepCopy()
	services := []any{service(app, app.Apex)}
	if err := unstructured.SetNestedSlice(out.Object, services, "spec", "weighted", "services"); err != nil {
		return nil, err
	}
	owners := slices.DeleteFunc(out.GetOwnerReferences(), func(o metav1.OwnerReference) bool {
		return o.UID == app.Canary.UID
	})
	if len(owners) == 0 {
		owners = nil
	}
	out.SetOwnerReferences(owners)
	annotations := out.GetAnnotations()
	delete(annotations, router.AppliedAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	out.SetAnnotations(annotations)
	return out, nil
}
