package contour

import (
	"weir.dev/weir/pkg/router"
)

// Release leaves the HTTPProxy in place, all of its traffic on the apex Service, and belonging to nobody: a root
// includes it, and deleting it would be an outage.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	at := ref(app)
	have := found[at]
	if have == nil || !held(app, have) {
		return nil, nil
	}
	left := router.Disowned(app, have)
	left.Object["spec"].(object)["routes"] = united(app)
	return []router.Released{{Ref: at, Object: left}}, nil
}
