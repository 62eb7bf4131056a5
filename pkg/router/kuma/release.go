package kuma

import (
	"weir.dev/weir/pkg/router"
)

// Release leaves the MeshHTTPRoute in place, all of its traffic on the apex Service, and belonging to nobody: without
// it, requests would no longer be what spec.service makes of them.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	at := ref(app)
	have := found[at]
	if have == nil || !held(app, have) {
		return nil, nil
	}
	left := router.Disowned(app, have)
	spec, _ := left.Object["spec"].(object)
	for field, value := range specOf(app, found, united(namesIn(app, have), &app.Canary.Spec.Service)) {
		spec[field] = value
	}
	return []router.Released{{Ref: at, Object: left}}, nil
}
