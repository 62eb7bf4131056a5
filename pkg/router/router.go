// Package router turns a split of traffic into the objects of a mesh or an ingress, and reads the split
// back from them. A router is pure: objects as they are found go in, objects as they ought to be come
// out; whoever calls it reads and writes the cluster.
package router

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// AppliedAnnotation is what the writer of an intent adds to each object, to know it again; a router takes
// it away from what it gives back.
const AppliedAnnotation = "weir.dev/applied"

// Router shifts traffic over one kind of mesh or ingress. An implementation is a value without state and
// passes the suite of package routertest.
type Router interface {
	// Name is the value of spec.provider, without a version.
	Name() string
	// Features are what the router can do. What it does not claim is refused by Validate.
	Features() Features
	// Settle is how long a change of its objects takes until traffic follows, unless the Canary says.
	Settle() time.Duration
	// Resources are the kinds of objects that it reads and writes, but for Services, which are watched anyway.
	Resources() []schema.GroupVersionResource
	// Refs are the objects that it reads and writes for an application, in the order of writing. A Service, and
	// what is the user's beside the route, as the object of spec.ingressRef, is only read.
	Refs(app App) []Ref
	// Validate refuses by name what a spec asks for and this router cannot do.
	Validate(c *v1beta1.Canary) []rollout.Problem
	// Render gives the whole intent for a split, object by object, for server-side apply. Rendering over
	// what it rendered before changes nothing.
	Render(app App, split rollout.Split, found Found) ([]Object, error)
	// Read gives the split in force, and whether whoever serves it has accepted it. Matches need not be read
	// back from what they were rendered to: where the objects hold just what those of the committed split
	// render to, they are in force; otherwise Split.Match is anything that is not equal to them, and is not
	// empty while any request goes to the canary by a match.
	Read(app App, committed rollout.Split, found Found) rollout.Route
	// Release says how its objects are to be left when Weir lets go of them.
	Release(app App, found Found) ([]Released, error)
}

// Versioned is a Router of a kind that one cluster serves by one version and another by another, or of several kinds
// of which one will do. Its Resources are those of all, the preferred first, of which it needs one.
type Versioned interface {
	Router
	// Over is the router of a cluster that serves these of its Resources, in the same order, and none of the others.
	Over(served []schema.GroupVersionResource) Router
}

// App is an application whose traffic is split.
type App struct {
	// Canary that asks for it.
	Canary *v1beta1.Canary
	// Apex, Primary and CanaryService are the names of its Services.
	Apex, Primary, CanaryService string
	// Labels are on every object that Weir makes.
	Labels map[string]string
	// Owner is the controller reference of every object that Weir makes.
	Owner map[string]any
}

// Ref names an object of the cluster.
type Ref struct {
	Resource  schema.GroupVersionResource
	Namespace string
	Name      string
}

// Found are the objects of Refs as the cache has them; one that is not there is absent.
type Found map[Ref]*unstructured.Unstructured

// Object is one object of an intent.
type Object struct {
	Ref Ref
	// Intent is all that Weir owns of it.
	Intent *unstructured.Unstructured
	// Whole is instead of an Intent: an object of the user's, written back whole on the version that was found,
	// of which Weir owns nothing. It is given only where something is to be changed.
	Whole *unstructured.Unstructured
}

// Released is how one object is left behind: as Object says, or, without one, deleted.
type Released struct {
	Ref    Ref
	Object *unstructured.Unstructured
}
