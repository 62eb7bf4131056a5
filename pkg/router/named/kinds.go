package named

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is what has to be known of a kind of routes to shift weights in it.
type kind struct {
	name     string
	resource schema.GroupVersionResource
	// rules is where the list of rules stands, and title the field by which a rule is named. Of a kind that is one
	// rule itself, rules is where that stands, and one is true.
	rules []string
	one   bool
	title string
	// backends is the list within a rule, and service where in a backend the name of the Service stands.
	backends string
	service  []string
	// absent is the weight of a backend that says none beside others that do.
	absent int64
	// domain says that a Service stands there as a host, which may have its namespace and domain after its name.
	domain bool
	// lone fields of a backend keep it from being divided: they are about the apex Service and no other.
	lone []string
}

// allKinds are those of the Gateway API, Istio, Traefik, the SMI and Contour.
func allKinds() []kind {
	resource := func(group, version, plural string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	}
	all := []kind{
		{
			name: "HTTPRoute", resource: resource("gateway.networking.k8s.io", "v1", "httproutes"),
			rules: []string{"spec", "rules"}, title: "name", backends: "backendRefs", service: []string{"name"}, absent: 1,
		},
		{
			name: "GRPCRoute", resource: resource("gateway.networking.k8s.io", "v1", "grpcroutes"),
			rules: []string{"spec", "rules"}, title: "name", backends: "backendRefs", service: []string{"name"}, absent: 1,
		},
		{
			name: "VirtualService", resource: resource("networking.istio.io", "v1", "virtualservices"),
			rules: []string{"spec", "http"}, title: "name", backends: "route", service: []string{"destination", "host"},
			domain: true, lone: []string{"destination.subset"},
		},
		{
			name: "TraefikService", resource: resource("traefik.io", "v1alpha1", "traefikservices"),
			rules: []string{"spec", "weighted"}, one: true, backends: "services", service: []string{"name"}, absent: 1,
		},
		{
			name: "HTTPProxy", resource: resource("projectcontour.io", "v1", "httpproxies"),
			rules: []string{"spec", "routes"}, backends: "services", service: []string{"name"},
			lone: []string{"mirror"},
		},
	}
	for _, version := range []string{"v1alpha2", "v1alpha3", "v1alpha4"} { // before them weights are quantities
		all = append(all, kind{
			name: "TrafficSplit", resource: resource("split.smi-spec.io", version, "trafficsplits"),
			rules: []string{"spec"}, one: true, backends: "backends", service: []string{"service"}, absent: 1,
		})
	}
	return all
}

// kinds are those that the router beneath reads and writes.
func (r Router) kinds() []kind {
	return slices.DeleteFunc(allKinds(), func(k kind) bool { return !slices.Contains(r.Resources(), k.resource) })
}

func (r Router) kindsInWords() string {
	var words []string
	for _, k := range r.kinds() {
		words = append(words, k.name+" of "+k.resource.GroupVersion().String())
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
