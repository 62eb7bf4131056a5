package gatewayapi

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// adopted is a user's route with the split in the place of the apex Service.
func adopted(app router.App, split rollout.Split, have *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	original, err := originalOf(app, have)
	if err != nil {
		return nil, err
	}
	spec := gatewayv1.HTTPRouteSpec{}
	if err := json.Unmarshal(original, &spec); err != nil {
		return nil, fmt.Errorf("reading its annotation %s: %w", OriginalAnnotation, err)
	}
	replaced := 0
	for i := range spec.Rules {
		replaced += replaceApex(app, split, &spec.Rules[i])
	}
	if replaced == 0 {
		return nil, fmt.Errorf("none of its rules sends traffic to Service %s; correct the route, or rename it so that Weir can make its own", app.Apex)
	}
	u, err := content(&spec)
	if err != nil {
		return nil, err
	}
	intent := blank(app, u)
	intent.SetAnnotations(map[string]string{OriginalAnnotation: string(original)})
	return intent, nil
}

// originalOf is the user's spec: remembered, or, where the user has applied the route anew, as it is.
func originalOf(app router.App, have *unstructured.Unstructured) ([]byte, error) {
	kept, ok := have.GetAnnotations()[OriginalAnnotation]
	if ok && carriesSplit(app, have) {
		return []byte(kept), nil
	}
	spec, found, err := unstructured.NestedMap(have.Object, "spec")
	if err != nil || !found {
		return nil, fmt.Errorf("it has no spec")
	}
	if ok && !mentions(app, have) {
		return []byte(kept), nil
	}
	return json.Marshal(spec)
}

// replaceApex puts two weighted backends in the place of the apex. A backend beside the apex, which the
// user gave a weight of its own, keeps its share of the traffic.
func replaceApex(app router.App, split rollout.Split, rule *gatewayv1.HTTPRouteRule) int {
	var out []gatewayv1.HTTPBackendRef
	replaced := 0
	alone := len(rule.BackendRefs) == 1
	for _, b := range rule.BackendRefs {
		if !isService(b, app.Apex) {
			b.Weight = scaled(b.Weight, 100)
			out = append(out, b)
			continue
		}
		replaced++
		share := int32(1)
		if b.Weight != nil && !alone {
			share = *b.Weight
		}
		primary, canary := b, b
		primary.Name, canary.Name = gatewayv1.ObjectName(app.Primary), gatewayv1.ObjectName(app.CanaryService)
		p, c := share*(100-split.Weight), share*split.Weight
		primary.Weight, canary.Weight = &p, &c
		out = append(out, primary, canary)
	}
	if replaced > 0 {
		rule.BackendRefs = out
	}
	return replaced
}

func scaled(weight *int32, by int32) *int32 {
	w := by
	if weight != nil {
		w = *weight * by
	}
	return &w
}

func isService(b gatewayv1.HTTPBackendRef, name string) bool {
	return string(b.Name) == name && (b.Kind == nil || *b.Kind == "Service") && (b.Group == nil || *b.Group == "") && b.Namespace == nil
}

func rulesOf(have *unstructured.Unstructured) []gatewayv1.HTTPRouteRule {
	var route gatewayv1.HTTPRoute
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(have.Object, &route); err != nil {
		return nil
	}
	return route.Spec.Rules
}

// carriesSplit says that the route has Weir's two backends.
func carriesSplit(app router.App, have *unstructured.Unstructured) bool {
	_, ok := splitOf(app, have)
	return ok
}

// mentions says that the route sends traffic to the apex Service.
func mentions(app router.App, have *unstructured.Unstructured) bool {
	for _, rule := range rulesOf(have) {
		for _, b := range rule.BackendRefs {
			if isService(b, app.Apex) {
				return true
			}
		}
	}
	return false
}

// Release leaves a route that Weir made in place, all of its traffic on the apex Service, and belonging
// to nobody: deleting it would be an outage. An adopted route gets its own spec back.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	r := ref(app)
	have := found[r]
	if have == nil {
		return nil, nil
	}
	left := have.DeepCopy()
	annotations := left.GetAnnotations()
	original, wasAdopted := annotations[OriginalAnnotation]
	switch {
	case wasAdopted:
		var spec map[string]any
		if err := json.Unmarshal([]byte(original), &spec); err != nil {
			return nil, fmt.Errorf("giving back HTTPRoute %s/%s: reading its annotation %s: %w", r.Namespace, r.Name, OriginalAnnotation, err)
		}
		left.Object["spec"] = spec
	case made(app, have):
		full := backend(app, app.Apex, 1)
		full.Weight = nil
		spec, err := ownSpec(app, []gatewayv1.HTTPBackendRef{full})
		if err != nil {
			return nil, fmt.Errorf("giving back HTTPRoute %s/%s: %w", r.Namespace, r.Name, err)
		}
		left.Object["spec"] = spec
		left.SetOwnerReferences(nil)
		labels := left.GetLabels()
		for k := range app.Labels {
			delete(labels, k)
		}
		left.SetLabels(labels)
	default:
		return nil, nil
	}
	for _, mark := range []string{OriginalAnnotation, "weir.dev/applied"} {
		delete(annotations, mark)
	}
	left.SetAnnotations(annotations)
	return []router.Released{{Ref: r, Object: left}}, nil
}
