package routes

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
	"weir.dev/weir/pkg/router/named"
)

// siteYAML is a route of the user's. The apex is held to the primary's pods, as Weir holds it in a run.
const siteYAML = `apiVersion: v1
kind: Service
metadata: {name: podinfo, namespace: %[1]s}
spec: {selector: {app: primary}, ports: [{name: http, port: 9898}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site, namespace: %[1]s}
spec:
  parentRefs: [{name: %[2]s, namespace: %[3]s}]
  hostnames: [%[4]s]
  rules:
  - name: web
    backendRefs: [{name: podinfo, port: 9898, weight: 3}, {name: podinfo-legacy, port: 9898}]
  - name: info
    matches: [{path: {type: Exact, value: /api/info}}]
    backendRefs: [{name: podinfo, port: 9898}]
`

// TestNamedRoute sends requests over a route that a Canary names.
func TestNamedRoute(t *testing.T) {
	p := raise(t, "routes-named")
	p.applySite(t)
	p.serves(t)
	r := named.Over(gatewayapi.Router{})
	w := seen.By(t, r, "Traefik 3.7.9")
	w.Sees("by weight", func(t *testing.T) {
		for _, weight := range []int{0, 20, 50, 100, 0} {
			p.shiftSite(t, r, weight)
			p.siteShared(t, weight)
			p.only(t, "primary", ask{path: "api/info"})
		}
	}, router.NamedRoutes)
	w.Sees("that its user applies again", func(t *testing.T) {
		p.shiftSite(t, r, 50)
		p.applySite(t)
		require.Eventually(t, func() bool { return p.count(t, ask{})["canary"] == 0 }, patience, 100*time.Millisecond)
		p.shiftSite(t, r, 50)
		p.siteShared(t, 50)
	})
}

// serves waits until the pods of every revision are there, and Traefik knows them.
func (p *proxy) serves(t *testing.T) {
	t.Helper()
	deployments := p.client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace(p.namespace)
	require.Eventually(t, func() bool {
		all, err := deployments.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for i := range all.Items {
			if n, _, _ := unstructured.NestedInt64(all.Items[i].Object, "status", "availableReplicas"); n == 0 {
				return false
			}
		}
		return len(all.Items) == 3
	}, patience, 200*time.Millisecond)
	require.Eventually(t, func() bool {
		for range 20 {
			if p.send(t, ask{}).status != http.StatusOK {
				return false
			}
		}
		return true
	}, patience, 200*time.Millisecond)
}

func (p *proxy) applySite(t *testing.T) {
	t.Helper()
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil, siteYAML,
		p.namespace, p.sandbox.Gateway.Name, p.sandbox.Gateway.Namespace, p.host)))
}

// shiftSite is one look, and waits until Traefik has accepted what came of it.
func (p *proxy) shiftSite(t *testing.T, r router.Router, weight int) {
	t.Helper()
	app := p.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	app.Canary.Spec.RouteRefs = []v1beta1.NamedRoute{
		{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "site", Rules: []string{"web"}},
	}
	ref := r.Refs(app)[0]
	found := func() router.Found {
		site, err := p.client.Resource(ref.Resource).Namespace(p.namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
		require.NoError(t, err)
		return router.Found{ref: site}
	}
	split := rollout.Split{Weight: int32(weight)}
	require.Eventually(t, func() bool {
		objects, err := r.Render(app, split, found())
		require.NoError(t, err)
		writer := kube.NewWriter(nil, nil, p.client, kube.NewFreshness(), nil)
		for _, o := range objects {
			if err := writer.Restore(t.Context(), o.Ref.Resource, o.Whole); err != nil {
				return false // Traefik has written its status meanwhile
			}
		}
		return assert.ObjectsAreEqual(rollout.Route{Found: true, Split: split, Accepted: true}, r.Read(app, split, found()))
	}, patience, 200*time.Millisecond)
	time.Sleep(2 * time.Second) // it says so before its last worker knows
}

// siteShared says that the canary has its share of the three parts that are the apex's, and the other backend its own.
func (p *proxy) siteShared(t *testing.T, weight int) {
	t.Helper()
	const rounds = 4
	from := map[string]int{}
	for range rounds {
		for revision, n := range p.count(t, ask{}) {
			from[revision] += n
		}
	}
	n, share := rounds*100.0, 0.75*float64(weight)/100
	assert.InDelta(t, n*share, from["canary"], 5*math.Sqrt(n*share*(1-share)), "weight %d: %v", weight, from)
	assert.InDelta(t, n/4, from["legacy"], 5*math.Sqrt(n*3/16), "weight %d: %v", weight, from)
}
