package stories

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// meshPlan leaves time to measure at each step. No proxy counts calls here, so it judges by testers' requests.
const meshPlan = `    interval: 20s
    threshold: 1
    stepWeights: [10, 50]
` + successRate + `  provider: %s
`

// testersYAML is a way of the user's to whatever is under test.
const testersYAML = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: testers, namespace: %[2]s}
spec:
  parentRefs: [{name: %[4]s, namespace: %[5]s}]
  hostnames: [%[3]s]
  rules: [{backendRefs: [{name: %[1]s-canary, port: 9898}]}]
`

// meshed is how a router moves the callers within a mesh.
type meshed struct {
	// router, and the kind of its route.
	router, kind string
	// weights is where the route has them, and edit a patch that gives the canary all.
	weights, edit string
	// left checks what is left of the route when the Canary is gone: everything on the apex.
	left func(s *story, route []byte)
}

// inIstio is the life by a VirtualService.
func inIstio(s *story) {
	inMesh(s, meshed{
		router: "istio", kind: "virtualservice", weights: "{.spec.http[*].route[*].weight}",
		edit: `[{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 0},` +
			`{"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 100}]`,
		left: (*story).leftVirtualService,
	})
}

// inLinkerd is the life by a route that hangs on the apex Service, as Linkerd reads it, and Istio's control plane too.
func inLinkerd(s *story) {
	s.Port, s.PortName = 9999, "grpc"
	inMesh(s, meshed{
		router: "linkerd", kind: "grpcroute", weights: "{.spec.rules[*].backendRefs[*].weight}",
		edit: `[{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 0},` +
			`{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 100}]`,
		left: (*story).leftRoute,
	})
}

// inMesh: a caller within a mesh, which its control plane tells where to call, loses nothing in adoption,
// promotion, rollback, supersession and deletion, and somebody's edit of the route is put right. The load of
// every story comes by the user's HTTPRoute meanwhile, which is nobody's business, and meets the apex alone.
func inMesh(s *story, m meshed) {
	calls, leave := s.joinIstio()
	defer leave()
	weights := func() string { return s.kubectl("get", m.kind, s.Name, "-o", "jsonpath="+m.weights) }
	pods, _ := s.pods()
	s.adoptWith(fmt.Sprintf(meshPlan, m.router))
	now, _ := s.pods()
	assert.Equal(s.t, pods, now, "adoption touches no pod")
	assert.Equal(s.t, "100 0", weights())
	settled()
	assert.Equal(s.t, 100, s.share(calls, s.await(stage.InPhase(v1beta1.PhaseInitialized)).Status.Primary.Hash, 2*time.Second))

	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(10))
	hash := c.Status.Canary.Hash
	end := s.test()
	settled()
	s.divided(calls, hash, 10)
	s.kubectl("patch", m.kind, s.Name, "--type=json", "-p", m.edit)
	require.Eventually(s.t, func() bool { return weights() == "90 10" }, patience, 100*time.Millisecond, "it is put right")
	s.await(stage.AtWeight(50))
	settled()
	assert.Equal(s.t, "50 50", weights())
	s.divided(calls, hash, 50)
	assert.Zero(s.t, s.share(s.requests, hash, time.Second), "the apex is held to the primary")
	c = s.ended(1, v1beta1.OutcomePromoted)
	end()
	assert.Equal(s.t, hash, c.Status.Primary.Hash)
	assert.Equal(s.t, "100 0", weights())
	settled()
	assert.Equal(s.t, 100, s.share(calls, hash, 2*time.Second))

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.await(stage.AtWeight(10))
	end = s.test()
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	end()
	assert.Equal(s.t, int32(10), c.Status.History[0].MaxWeight, "it was seen at the smallest weight")
	assert.Equal(s.t, "100 0", weights())
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Canary == nil || c.Status.Canary.Replicas == 0 })
	assert.Equal(s.t, 100, s.share(calls, hash, 2*time.Second))

	s.release(stage.Version{Label: "three"})
	s.await(stage.AtWeight(10))
	s.release(stage.Version{Label: "four"})
	c = s.await(func(c *v1beta1.Canary) bool { return len(c.Status.History) == 3 && stage.AtWeight(10)(c) })
	assert.Equal(s.t, v1beta1.OutcomeSuperseded, c.Status.History[0].Outcome)
	settled()
	s.divided(calls, c.Status.Canary.Hash, 10)

	// Deleted in the midst of a run.
	s.remove()
	m.left(s, []byte(s.kubectl("get", m.kind, s.Name, "-o", "json")))
	assert.NotContains(s.t, s.kubectl("get", "services", "-o", "name"), s.Name+"-")
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
	settled()
	assert.Equal(s.t, 100, s.share(calls, hash, 2*time.Second), "the version that was proven")
}

// joinIstio starts Istio's control plane and calls the application as a caller in the mesh, of whom none may have been lost
// when they leave.
func (s *story) joinIstio() (calls *load.Load, leave func()) {
	s.t.Helper()
	ctx, box := s.t.Context(), s.Stage.Sandbox
	if box.External {
		s.t.Skip("the control plane that callers ask is the sandbox's")
	}
	at, err := box.StartIstiod(ctx)
	require.NoError(s.t, err)
	// Weir asks once at its start which kinds there are.
	for _, args := range [][]string{{"rollout", "restart"}, {"rollout", "status", "--timeout=90s"}} {
		_, err := s.Stage.Kubectl(ctx, append([]string{"-n", "weir-system"}, append(args, "deployment/weir")...)...)
		require.NoError(s.t, err)
	}
	require.NoError(s.t, sandbox.Apply(ctx, box.RESTConfig(),
		fmt.Appendf(nil, testersYAML, s.Name, s.Namespace, s.testers().Host, box.Gateway.Name, box.Gateway.Namespace)))
	config := load.Calls{
		ControlPlane: at, Target: fmt.Sprintf("%s.%s.svc.cluster.local:9999", s.Name, s.Namespace),
		Namespace: s.Namespace, Rate: rate,
	}
	require.NoError(s.t, load.AwaitCalls(ctx, config))
	calls, err = load.StartCalls(ctx, config)
	require.NoError(s.t, err)
	return calls, func() { s.count("by the mesh", calls.Stop()) }
}

// testers meet the canary alone, by the gateway, once there are callers in a mesh.
func (s *story) testers() load.Config {
	return load.Config{URL: s.Stage.Sandbox.TraefikURL, Host: "testers." + s.Host, Path: "/", Rate: rate / 4}
}

// test has testers at it until end is called.
func (s *story) test() (end func()) {
	l := load.Start(s.t.Context(), s.testers())
	return func() { s.t.Logf("by the testers' way: %s", load.Summarise(l.Stop(), time.Time{})) }
}

// divided says that a revision answers its share of the calls, within what chance allows: five standard deviations.
func (s *story) divided(calls *load.Load, revision string, weight float64) {
	s.t.Helper()
	const while = 5
	allowed := 5 * math.Sqrt(weight*(100-weight)/(while*rate))
	assert.InDelta(s.t, weight, s.share(calls, revision, while*time.Second), allowed+1, "the share of the calls")
}

func (s *story) leftVirtualService(route []byte) {
	s.t.Helper()
	var left struct {
		Metadata struct{ OwnerReferences []any }
		Spec     struct {
			HTTP []struct {
				Route []struct{ Destination struct{ Host string } }
			}
		}
	}
	require.NoError(s.t, json.Unmarshal(route, &left))
	assert.Empty(s.t, left.Metadata.OwnerReferences)
	require.Len(s.t, left.Spec.HTTP, 1)
	require.Len(s.t, left.Spec.HTTP[0].Route, 1)
	assert.Equal(s.t, s.Name, left.Spec.HTTP[0].Route[0].Destination.Host)
}

func (s *story) leftRoute(route []byte) {
	s.t.Helper()
	var left struct {
		Metadata struct{ OwnerReferences []any }
		Spec     struct {
			Rules []struct{ BackendRefs []struct{ Name string } }
		}
	}
	require.NoError(s.t, json.Unmarshal(route, &left))
	assert.Empty(s.t, left.Metadata.OwnerReferences)
	require.Len(s.t, left.Spec.Rules, 1)
	require.Len(s.t, left.Spec.Rules[0].BackendRefs, 1)
	assert.Equal(s.t, s.Name, left.Spec.Rules[0].BackendRefs[0].Name)
}
