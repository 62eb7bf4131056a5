package istio

import (
	"fmt"

	"weir.dev/weir/pkg/router"
)

// policyRefs are the DestinationRules, named as the hosts that they speak for.
func policyRefs(app router.App) []router.Ref {
	var refs []router.Ref
	for _, host := range []string{app.Primary, app.CanaryService} {
		refs = append(refs, router.Ref{Resource: DestinationRules(), Namespace: app.Canary.Namespace, Name: host})
	}
	return refs
}

// policies are the DestinationRules of spec.service.trafficPolicy. Where the policy has been taken away, those
// that are there become empty; they go when the Canary goes. One of somebody else's is left alone as long as there
// is no policy for it to contradict.
func policies(app router.App, found router.Found) ([]router.Object, error) {
	policy := app.Canary.Spec.Service.TrafficPolicy
	var all []router.Object
	for _, r := range policyRefs(app) {
		have := found[r]
		if policy == nil && (have == nil || !isMade(app, have)) {
			continue
		}
		if err := ours(app, kindDestinationRule, have); err != nil {
			return nil, err
		}
		spec := object{"host": r.Name}
		if policy != nil {
			said, err := asJSON(policy)
			if err != nil {
				return nil, fmt.Errorf("rendering DestinationRule %s/%s: %w", r.Namespace, r.Name, err)
			}
			spec["trafficPolicy"] = said
		}
		intent, err := whole(app, kindDestinationRule, r.Name, spec)
		if err != nil {
			return nil, err
		}
		all = append(all, router.Object{Ref: r, Intent: intent})
	}
	return all, nil
}
