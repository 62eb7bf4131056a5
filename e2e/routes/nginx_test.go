package routes

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/nginx"
)

// TestNginx sends requests over the canary Ingresses that the router nginx renders, through Traefik, which reads the
// annotations of ingress-nginx.
func TestNginx(t *testing.T) {
	p := raise(t, "routes-nginx")
	ingress := fmt.Appendf(nil, ingressYAML, p.namespace, p.host, "nginx")
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), ingress))
	require.Eventually(t, func() bool { return p.send(t, ask{}).from == "primary" }, patience, 200*time.Millisecond)
	w := seen.By(t, nginx.Router{}, "Traefik 3.7.9, by the annotations of ingress-nginx")
	w.Sees("by weight", p.testIngressWeight, router.Weighted, router.FromIngress, router.OwnsRoute)
	w.Sees("by header", p.testIngressMatch, router.HeaderMatch)
	w.Sees("of a canary without pods", p.testIngressEmpty)
	w.Sees("as it was", p.testIngressReleased)
}

// ingressYAML is what a user has. The apex is held to the primary's pods, as Weir holds it in a run.
const ingressYAML = `apiVersion: v1
kind: Service
metadata: {name: podinfo, namespace: %[1]s}
spec: {selector: {app: primary}, ports: [{name: http, port: 9898}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: %[1]s}
spec:
  ingressClassName: %[3]s
  rules:
  - host: %[2]s
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: podinfo, port: {number: 9898}}}}
      - {path: /api/info, pathType: Exact, backend: {service: {name: podinfo-legacy, port: {number: 9898}}}}
`

func (p *proxy) ingressApp() router.App {
	app := p.app()
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	app.Canary.Spec.IngressRef = &v1beta1.IngressRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: "web"}
	return app
}

// look finds what a router reads.
func (p *proxy) look(t *testing.T, r router.Router, app router.App) router.Found {
	t.Helper()
	found := router.Found{}
	for _, ref := range r.Refs(app) {
		object, err := p.client.Resource(ref.Resource).Namespace(p.namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		require.NoError(t, err)
		found[ref] = object
	}
	return found
}

// apply renders a split and applies it, as Weir does.
func (p *proxy) apply(t *testing.T, r router.Router, app router.App, split rollout.Split) {
	t.Helper()
	objects, err := r.Render(app, split, p.look(t, r, app))
	require.NoError(t, err)
	for _, o := range objects {
		_, err := p.client.Resource(o.Ref.Resource).Namespace(p.namespace).
			Apply(t.Context(), o.Ref.Name, o.Intent, metav1.ApplyOptions{FieldManager: "weir", Force: true})
		require.NoError(t, err)
	}
}

// write applies a split, and reads it back.
func (p *proxy) write(t *testing.T, r router.Router, app router.App, split rollout.Split) {
	t.Helper()
	p.apply(t, r, app, split)
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Equal(t, in, r.Read(app, split, p.look(t, r, app)))
}

// divide writes a split, and waits for the proxy, of which nothing tells that it has taken it over.
func (p *proxy) divide(t *testing.T, r router.Router, app router.App, split rollout.Split) {
	t.Helper()
	p.write(t, r, app, split)
	time.Sleep(p.follows)
}

// byChance says that of so many requests the canary's share is within what chance allows: five standard deviations.
func byChance(t *testing.T, weight, requests, canary int, what any) {
	t.Helper()
	n, share := float64(requests), float64(weight)/100
	t.Logf("%d of %d requests at weight %d", canary, requests, weight)
	assert.InDelta(t, n*share, canary, 5*math.Sqrt(n*share*(1-share)), "%+v", what)
}

// shared counts what the canary gets.
func (p *proxy) shared(t *testing.T, weight int, a ask) {
	t.Helper()
	const rounds = 4
	canary := 0
	for range rounds {
		from := p.count(t, a)
		require.Zero(t, from["legacy"])
		canary += from["canary"]
	}
	byChance(t, weight, rounds*100, canary, a)
}

func (p *proxy) testIngressWeight(t *testing.T) {
	for _, weight := range []int{0, 10, 50, 100, 0} {
		p.divide(t, nginx.Router{}, p.ingressApp(), rollout.Split{Weight: int32(weight)})
		p.shared(t, weight, ask{})
		p.only(t, "legacy", ask{path: "api/info"})
	}
}

func (p *proxy) testIngressMatch(t *testing.T) {
	header := func(name, value string) ask { return ask{headers: map[string]string{name: value}} }
	for _, c := range []struct {
		header   string
		text     v1beta1.StringMatch
		yes, not []ask
	}{
		{
			"X-Insider", v1beta1.StringMatch{Exact: "yes"},
			[]ask{header("X-Insider", "yes")},
			[]ask{header("X-Insider", "yes!"), header("X-Insider", "always"), header("X-Insider", "never"), {}},
		},
		{
			"x-zone", v1beta1.StringMatch{Exact: "a; b"},
			[]ask{header("X-Zone", "a; b")}, []ask{header("X-Zone", "a; bc"), {}},
		},
		{
			"x-zone", v1beta1.StringMatch{Prefix: "e."},
			[]ask{header("X-Zone", "e."), header("X-Zone", "e.u")}, []ask{header("X-Zone", "eu"), header("X-Zone", "the e.u"), {}},
		},
		{
			"x-zone", v1beta1.StringMatch{Regex: "eu|us-[0-9]+"},
			[]ask{header("X-Zone", "eu"), header("X-Zone", "us-12")},
			[]ask{header("X-Zone", "eu-1"), header("X-Zone", "us-12a"), {}},
		},
		{
			"cookie", v1beta1.StringMatch{Regex: "(.*; )?tester=yes(;.*)?"},
			[]ask{header("Cookie", "tester=yes"), header("Cookie", "a=b; tester=yes; c=d")},
			[]ask{header("Cookie", "tester=yesterday"), header("Cookie", "a=tester=yes"), {}},
		},
	} {
		match := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{c.header: c.text}}}
		p.divide(t, nginx.Router{}, p.ingressApp(), rollout.Split{Match: match})
		for _, a := range c.yes {
			p.only(t, "canary", a)
		}
		for _, a := range c.not {
			p.only(t, "primary", a)
		}
	}
	both := rollout.Split{Weight: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}},
	}}
	p.divide(t, nginx.Router{}, p.ingressApp(), both)
	p.only(t, "canary", header("X-Insider", "yes"))
	p.shared(t, 50, header("X-Insider", "no"))
}

// testIngressEmpty has a canary lose its pods: nobody is sent there.
func (p *proxy) testIngressEmpty(t *testing.T) {
	p.divide(t, nginx.Router{}, p.ingressApp(), rollout.Split{Weight: 50})
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil,
		"apiVersion: v1\nkind: Service\nmetadata: {name: podinfo-canary, namespace: %s}\n"+
			"spec: {selector: {app: nobody}, ports: [{name: http, port: 9898}]}\n", p.namespace)))
	require.Eventually(t, func() bool { return p.count(t, ask{})["canary"] == 0 }, patience, 200*time.Millisecond)
	p.only(t, "primary", ask{})
}

func (p *proxy) testIngressReleased(t *testing.T) {
	p.release(t, nginx.Router{})
	p.only(t, "primary", ask{})
	require.Equal(t, http.StatusOK, p.send(t, ask{path: "api/info"}).status)
}

// release lets go of what a router has made.
func (p *proxy) release(t *testing.T, r router.Router) {
	t.Helper()
	app := p.ingressApp()
	released, err := r.Release(app, p.look(t, r, app))
	require.NoError(t, err)
	require.NotEmpty(t, released)
	for _, o := range released {
		require.NoError(t, p.client.Resource(o.Ref.Resource).Namespace(p.namespace).
			Delete(t.Context(), o.Ref.Name, metav1.DeleteOptions{}))
	}
}
