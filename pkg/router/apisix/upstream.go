package apisix

import (
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/router"
)

// upstreams are the ApisixUpstreams of primary and canary Service, like the user's of the apex. Where that one has been
// taken away, those that are there become empty; they go when the Canary goes. One of somebody else's holds as it is.
func upstreams(app router.App, found router.Found) ([]router.Object, error) {
	users := found[upstreamRef(app, app.Apex)]
	var all []router.Object
	for _, service := range []string{app.Primary, app.CanaryService} {
		ref := upstreamRef(app, service)
		have := found[ref]
		if have == nil && users == nil || have != nil && !router.IsMade(app, have) {
			continue
		}
		spec := object{}
		if said := specOf(users); said != nil {
			spec = runtime.DeepCopyJSON(said)
		}
		intent, err := router.Whole(app, groupVersion().WithKind(kindUpstream), service, spec)
		if err != nil {
			return nil, err
		}
		all = append(all, router.Object{Ref: ref, Intent: intent})
	}
	return all, nil
}
