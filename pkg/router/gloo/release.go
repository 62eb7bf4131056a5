package gloo

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// Release leaves the RouteTable in place, all of its traffic on the apex Service, and belonging to nobody: deleting it
// would be an outage for those whom a VirtualService sends there. The Upstream of the apex stays with it. Those of
// primary and canary are for Services that go with the Canary, and are deleted.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	var all []router.Released
	table := ref(app)
	if have := found[table]; have != nil && held(app, have) {
		routes, err := united(app)
		if err != nil {
			return nil, fmt.Errorf("giving back RouteTable %s/%s: %w", table.Namespace, table.Name, err)
		}
		left := router.Disowned(app, have)
		if err := unstructured.SetNestedSlice(left.Object, routes, "spec", fieldRoutes); err != nil {
			return nil, fmt.Errorf("giving back RouteTable %s/%s: %w", table.Namespace, table.Name, err)
		}
		all = append(all, router.Released{Ref: table, Object: left})
	}
	if have := found[apexRef(app)]; have != nil && metav1.IsControlledBy(have, app.Canary) {
		all = append(all, router.Released{Ref: apexRef(app), Object: router.Disowned(app, have)})
	}
	for _, service := range []string{app.Primary, app.CanaryService} {
		if have := found[upstreamRef(app, service)]; have != nil && router.IsMade(app, have) {
			all = append(all, router.Released{Ref: upstreamRef(app, service)})
		}
	}
	return all, nil
}
