package routes

import (
	"maps"
	"os"
	"testing"
	"time"

	"github.com/linkerd/linkerd2-proxy-api/go/destination"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/smi"
)

// TestLinkerd has Linkerd's control plane read the TrafficSplits that the router smi renders, and listens to what it
// tells a proxy that has requests for the apex. That is how Linkerd's proxies learn of their weights.
func TestLinkerd(t *testing.T) {
	if os.Getenv("WEIR_E2E") != "1" {
		t.Skip("told by make e2e (WEIR_E2E=1): it builds Linkerd")
	}
	m := raiseSMI(t)
	w := seen.By(t, smi.Router{}, "the destination controller of Linkerd 2.8, by what it tells proxies")
	w.Sees("without a split", m.testNone)
	w.Sees("by weight", m.testWeight, router.Weighted, router.OwnsRoute)
	w.Sees("by weight, written by another version", m.testVersion)
	w.Sees("after an edit by a stranger", m.testStranger)
	w.Sees("as it was", m.testReleased)
}

// smiMesh is an API server with Linkerd's control plane over it, and a proxy's stream of messages about the apex.
type smiMesh struct {
	router  router.Router
	client  dynamic.Interface
	profile <-chan weights
}

// weights are a message: what each Service gets. There are none where requests go to the apex itself.
type weights map[string]uint64

const (
	authorityPrimary = "podinfo-primary.shop.svc.cluster.local.:9898"
	authorityCanary  = "podinfo-canary.shop.svc.cluster.local.:9898"
)

// raiseSMI serves two versions of TrafficSplits, as linkerd-smi does. Linkerd reads v1alpha1.
func raiseSMI(t *testing.T) *smiMesh {
	t.Helper()
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	definitions, err := sandbox.SMIDefinitions(t.Context(), "v1alpha1", "v1alpha2")
	require.NoError(t, err)
	for _, manifests := range [][]byte{
		definitions, sandbox.LinkerdDefinitions(), []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"),
	} {
		require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), manifests))
	}
	client, err := dynamic.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	linkerd, err := sandbox.StartLinkerd(t.Context(), server.Kubeconfig, t.Output())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, linkerd.Stop()) })
	return &smiMesh{
		router: smi.Router{Served: []string{"v1alpha2", "v1alpha1"}}, client: client,
		profile: profileOf(t, linkerd.Address, "podinfo.shop.svc.cluster.local:9898"),
	}
}

// profileOf asks as a proxy does, and goes on listening until the test ends.
func profileOf(t *testing.T, address, authority string) <-chan weights {
	t.Helper()
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close()) })
	stream, err := destination.NewDestinationClient(connection).
		GetProfile(t.Context(), &destination.GetDestination{Scheme: "k8s", Path: authority})
	require.NoError(t, err)
	messages := make(chan weights, 1000)
	go func() {
		defer close(messages)
		for {
			profile, err := stream.Recv()
			if err != nil {
				return // the end of the test; before it, whoever waits for a message says that there are no more
			}
			told := weights{}
			for _, d := range profile.GetDstOverrides() {
				told[d.GetAuthority()] += uint64(d.GetWeight())
			}
			messages <- told
		}
	}()
	return messages
}

// hears waits for a message that says what is wanted. There may be older ones before it.
func (m *smiMesh) hears(t *testing.T, what string, wanted func(weights) bool) {
	t.Helper()
	var last weights
	deadline := time.After(patience)
	for {
		select {
		case told, more := <-m.profile:
			require.True(t, more, "the stream has ended; the last message was %v", last)
			if wanted(told) {
				t.Logf("%s: %v", what, told)
				return
			}
			last = told
		case <-deadline:
			require.Failf(t, "no such message", "%s; the last one was %v", what, last)
		}
	}
}

// whoGets says that a message gives the canary just so many percent, and names both Services.
func whoGets(percent int32) func(weights) bool {
	return func(told weights) bool {
		primary, hasPrimary := told[authorityPrimary]
		canary, hasCanary := told[authorityCanary]
		both := primary + canary
		return len(told) == 2 && hasPrimary && hasCanary && both > 0 && uint64(percent)*both == canary*100
	}
}

func undivided(told weights) bool { return len(told) == 0 }

// app is the application of a Canary whose provider is named with a version or without.
func (m *smiMesh) app(provider string) router.App {
	c := &v1beta1.Canary{}
	c.Name, c.Namespace, c.UID = "podinfo", "shop", "11111111-2222-3333-4444-555555555555"
	c.Spec.Provider = provider
	c.Spec.Service = v1beta1.CanaryService{Port: 9898}
	return router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{"weir.dev/canary": c.Name},
		Owner: map[string]any{
			"apiVersion": "weir.dev/v1beta1", "kind": "Canary", "name": c.Name, "uid": string(c.UID), "controller": true,
		},
	}
}

func (m *smiMesh) on(ref router.Ref) dynamic.ResourceInterface {
	return m.client.Resource(ref.Resource).Namespace(ref.Namespace)
}

func (m *smiMesh) found(t *testing.T, app router.App) router.Found {
	t.Helper()
	found := router.Found{}
	for _, ref := range m.router.Refs(app) {
		object, err := m.on(ref).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		require.NoError(t, err)
		found[ref] = object
	}
	return found
}

// split renders and writes a split, and waits until the proxy is told of it.
func (m *smiMesh) split(t *testing.T, app router.App, weight int32) {
	t.Helper()
	split := rollout.Split{Weight: weight}
	objects, err := m.router.Render(app, split, m.found(t, app))
	require.NoError(t, err)
	for _, o := range objects {
		_, err := m.on(o.Ref).Apply(t.Context(), o.Ref.Name, o.Intent, metav1.ApplyOptions{FieldManager: "weir", Force: true})
		require.NoError(t, err)
	}
	require.Equal(t, inForce(weight), m.router.Read(app, split, m.found(t, app)))
	m.hears(t, app.Canary.Spec.Provider, whoGets(weight))
}

// inForce is what is read where a weight is in force.
func inForce(weight int32) rollout.Route {
	return rollout.Route{Found: true, Split: rollout.Split{Weight: weight}, Accepted: true}
}

func (m *smiMesh) testNone(t *testing.T) { m.hears(t, "no split", undivided) }

func (m *smiMesh) testWeight(t *testing.T) {
	app := m.app("smi:v1alpha1")
	for _, weight := range []int32{0, 1, 30, 99, 100, 0, 50} {
		m.split(t, app, weight)
	}
}

// testVersion writes by a version that Linkerd does not read.
func (m *smiMesh) testVersion(t *testing.T) {
	app := m.app("smi")
	require.Equal(t, "v1alpha2", m.router.Refs(app)[0].Resource.Version)
	for _, weight := range []int32{0, 1, 30, 99, 100} {
		m.split(t, app, weight)
	}
	m.split(t, m.app("smi:v1alpha1"), 20) // and back, over the same object
}

func (m *smiMesh) testStranger(t *testing.T) {
	app := m.app("smi:v1alpha1")
	m.split(t, app, 10)
	for name, edit := range map[string]struct {
		backends []any
		tells    weights
	}{
		"other weights": {
			[]any{backend("podinfo-primary", 25), backend("podinfo-canary", 75)},
			weights{authorityPrimary: 250_000, authorityCanary: 750_000},
		},
		"the canary alone": {[]any{backend("podinfo-canary", 1)}, weights{authorityCanary: 10_000}},
		"another Service":  {[]any{backend("podinfo-legacy", 1)}, weights{"podinfo-legacy.shop.svc.cluster.local.:9898": 10_000}},
	} {
		ref := m.router.Refs(app)[0]
		object := m.found(t, app)[ref]
		require.NoError(t, unstructured.SetNestedSlice(object.Object, edit.backends, "spec", "backends"))
		_, err := m.on(ref).Update(t.Context(), object, metav1.UpdateOptions{FieldManager: "somebody"})
		require.NoError(t, err)
		m.hears(t, name, func(told weights) bool { return maps.Equal(told, edit.tells) })
		assert.NotEqual(t, inForce(10), m.router.Read(app, rollout.Split{Weight: 10}, m.found(t, app)), name)
		m.split(t, app, 10)
	}
}

func backend(service string, weight int64) map[string]any {
	return map[string]any{"service": service, "weight": weight}
}

func (m *smiMesh) testReleased(t *testing.T) {
	app := m.app("smi:v1alpha1")
	m.split(t, app, 40)
	released, err := m.router.Release(app, m.found(t, app))
	require.NoError(t, err)
	require.Len(t, released, 1)
	require.Nil(t, released[0].Object)
	require.NoError(t, m.on(released[0].Ref).Delete(t.Context(), released[0].Ref.Name, metav1.DeleteOptions{}))
	m.hears(t, "after release", undivided)
}
