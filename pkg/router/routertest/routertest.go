// Package routertest is the suite that every router passes. It applies what a router renders to a real
// API server that has the upstream definitions, and refuses what those do not know; it lets a user and a
// stranger change the objects in the middle of a run; and it holds the router to its own Features.
//
// A router's test calls Run with a Subject. What the suite asks of a router:
//
//   - its objects are valid upstream, in the least form and with every field that it claims to serve;
//   - each field that it claims to serve leaves a trace in a route that it makes;
//   - every weight from 0 to 100 stands in them and is read back, with both backends there at 0 and 100, or, where a
//     backend without pods would be in the way of the other, with those alone that get something;
//   - so does every split by match, mirror and weight that it claims; beside its share, requests get to the canary
//     in no way that the split does not have, and an earlier split is not taken for the committed one;
//   - a user is kept with the canary by a cookie of that canary's, and only while both sides have a share;
//   - rendering again changes nothing, neither on the server nor for a process that has just started;
//   - what it makes has our labels, owner and field manager; what others add to it stays;
//   - damage to it is read as not in force, and is put right by one more look;
//   - what a route is made from is left as it is, and a change of it by the user shows in the route;
//   - a user's object comes back as it was found, or as the user has changed it meanwhile;
//   - Validate refuses by name each field that asks for what it does not claim;
//   - over some of its kinds, or one of the versions of its kind, it reads and writes those alone;
//   - where traffic follows pods, nothing is written, and what the apex selects is read as the split.
package routertest

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router"
)

// Subject is a router under test, and what the suite cannot know about it.
type Subject struct {
	Router router.Router
	// Definitions are the CRDs of its objects, as upstream has them. Module finds them.
	Definitions []byte
	// Server has them already, where several subjects share one. It may be nil: then the suite starts one.
	Server *Server
	// Beside are manifests of the user's that a route is made from: the router reads them and never writes them.
	// They name the Services; their namespace is added, and put in the place of ${namespace}. One that the spec does not
	// name is not there.
	Beside []string
	// Needs sets what a spec must have at least for the router to make a route. It may be nil.
	Needs func(*v1beta1.CanarySpec)
	// Always sets what every spec has, also where a route is adopted: what the port speaks, say. It may be nil.
	Always func(*v1beta1.CanarySpec)
	// Match is spec.service.match where a route is made, if the suite's own is not for this router.
	Match []gatewayv1.HTTPRouteMatch
	// Instead has, by its field, what is asked for instead of the suite's own value: where a router serves a field and
	// not each of its values. What it does not serve is for the router's own tests.
	Instead map[string]func(*v1beta1.CanarySpec)
	// Shares reads the objects without the router's help: for each place in which they divide the
	// application's traffic, the weights by Service.
	Shares func(objects []*unstructured.Unstructured) []map[string]int64
	// LeavesOut says that a Service that gets nothing is left out where traffic is divided: whoever serves the objects
	// stumbles over one without pods.
	LeavesOut bool
	// Ways reads the objects without the router's help: each way in which requests get to the canary beside its
	// share, in a few words: a match, a cookie, a mirror. A way of the user's own is left out. It is needed by
	// routers that claim any of that.
	Ways func(objects []*unstructured.Unstructured) []string
	// Accept writes into the status of an object what accepts this version of it. It is nil where nobody
	// says whether an object is accepted.
	Accept func(object *unstructured.Unstructured)
	// Unversioned says that nobody can see which version it was that was accepted.
	Unversioned bool
	// Changes are the user's, of what is Beside, in the middle of a run. Each changes the route.
	Changes []Edit
	// Damage is done to a route that the router made.
	Damage []Edit
	// Users have routes that can be adopted.
	Users []User
}

// User is somebody with a route of his own.
type User struct {
	Name string
	// Route is his manifest. It names the Services Apex, Primary and Canary; its namespace is added.
	Route string
	// Edits are done to it in the middle of a run.
	Edits []Edit
}

// Edit is a change of an object by somebody else.
type Edit struct {
	Name string
	Do   func(object *unstructured.Unstructured)
	// Stays says that it is the user's to change: it is there during the run and after it. Else it is
	// damage, of which nothing is left.
	Stays bool
}

// The names of the Services of the application in the suite.
const (
	Apex    = "podinfo"
	Primary = "podinfo-primary"
	Canary  = "podinfo-canary"
)

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("validates", s.validates)
	t.Run("over what is served", s.overServed)
	server := s.Server
	if server == nil {
		server = StartServer(t, s.Definitions)
	}
	if s.Router.Features().Has(router.FollowsPods) {
		t.Run("follows pods", func(t *testing.T) { s.follows(t, server) })
	}
	if s.Router.Features().Has(router.OwnsRoute) {
		t.Run("makes a route", func(t *testing.T) { s.makes(t, server) })
	}
	if s.Router.Features().Has(router.AdoptsRoute) {
		if len(s.Users) == 0 {
			t.Error("the router claims to adopt routes, and the subject has no user with one")
		}
		for _, user := range s.Users {
			t.Run("adopts a route "+user.Name, func(t *testing.T) { s.adopts(t, server, user) })
		}
	}
}
