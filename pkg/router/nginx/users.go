package nginx

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/router"
)

// divisible refuses a user's Ingress whose traffic a canary's cannot divide, or could not give back: one that does not
// lead to the apex, or that has annotations with which a controller does not choose a backend anew for each request.
func (r Router) divisible(app router.App, users *unstructured.Unstructured) error {
	if err := router.LeadsToApex(app, users); err != nil {
		return err
	}
	ref, annotations := router.UsersIngress(app), users.GetAnnotations()
	name := fmt.Sprintf("Ingress %s/%s", ref.Namespace, ref.Name)
	has := func(key string) string { return annotations[r.key(key)] }
	switch {
	case has("canary") == "true":
		return fmt.Errorf("%s is the canary of another by its annotation %s; name that other in spec.ingressRef",
			name, r.key("canary"))
	case has("ssl-passthrough") == "true":
		return fmt.Errorf("%s has the annotation %s, with which no request is looked at and none can be shared out; "+
			"remove it", name, r.key("ssl-passthrough"))
	case has("affinity") != "" && has("affinity-canary-behavior") != "legacy":
		return fmt.Errorf("%s keeps users where they are by its annotation %s, also with a canary that is rolled back; "+
			"remove it, or set %s to legacy", name, r.key("affinity"), r.key("affinity-canary-behavior"))
	}
	return nil
}
