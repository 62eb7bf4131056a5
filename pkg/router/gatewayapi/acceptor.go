package gatewayapi

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Accepted says whether all parents of a route have accepted this version of it, or why one has not. It is for routes
// that others divide.
func (Router) Accepted(route *unstructured.Unstructured) (bool, string) {
	return accepted(typed(route))
}
