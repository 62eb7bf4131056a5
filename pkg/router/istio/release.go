package istio

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// Release leaves the VirtualService in place, all of its traffic on the apex Service, and belonging to nobody:
// deleting it would be an outage for those who come in by a gateway. The DestinationRules speak for hosts that go
// with the Canary, and are deleted.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	var all []router.Released
	r := ref(app)
	if have := found[r]; have != nil && held(app, have) {
		left, err := left(app, have)
		if err != nil {
			return nil, fmt.Errorf("giving back VirtualService %s/%s: %w", r.Namespace, r.Name, err)
		}
		all = append(all, router.Released{Ref: r, Object: left})
	}
	for _, r := range policyRefs(app) {
		if have := found[r]; have != nil && isMade(app, have) {
			all = append(all, router.Released{Ref: r})
		}
	}
	return all, nil
}

func left(app router.App, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	out := have.DeepCopy()
	field, routes := fieldTCP, tcpRoutes(app, undivided(toApex))
	if !router.SpeaksTCP(app.Canary) {
		base, err := frame(&app.Canary.Spec.Service)
		if err != nil {
			return nil, err
		}
		field, routes = fieldHTTP, united(app, base)
	}
	if err := unstructured.SetNestedSlice(out.Object, routes, "spec", field); err != nil {
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
