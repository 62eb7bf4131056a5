package routes

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/skipper"
)

// TestSkipper sends requests through Skipper over the Ingresses that the router skipper renders.
func TestSkipper(t *testing.T) {
	p := raise(t, "routes-skipper")
	at, err := p.sandbox.StartSkipper(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, p.sandbox.StopSkipper(ctx))
	})
	p.url, p.follows = at, 5*time.Second // it asks every three seconds
	p.have(t, ingressYAML, p.namespace, p.host, "skipper")
	require.Eventually(t, func() bool { return p.send(t, ask{}).from == "primary" }, patience, 200*time.Millisecond)
	w := seen.By(t, skipper.Router{}, "Skipper 0.22.0")
	w.Sees("by weight", p.testSkipperWeight, router.Weighted, router.FromIngress, router.OwnsRoute)
	w.Sees("by match", p.testSkipperMatch, router.HeaderMatch, router.QueryMatch, router.ManyConditions)
	w.Sees("with session affinity", p.testSkipperAffinity, router.SessionAffinity)
	w.Sees("put right", p.testSkipperPutRight)
	w.Sees("beside routes of others", p.testSkipperOthers)
	w.Sees("of a canary without pods", p.testSkipperEmpty)
	w.Sees("as it was", p.testSkipperReleased)
	w.Sees("a copy keeps its sender waiting", p.testSkipperCopies)
	w.Sees("what is refused would be taken", p.testSkipperRefused)
}

// skip is divide by the router skipper.
func (p *proxy) skip(t *testing.T, split rollout.Split) {
	t.Helper()
	p.divide(t, skipper.Router{}, p.ingressApp(), split)
}

func (p *proxy) have(t *testing.T, manifests string, args ...any) {
	t.Helper()
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil, manifests, args...)))
}

func (p *proxy) testSkipperWeight(t *testing.T) {
	for _, weight := range []int{0, 10, 50, 100, 0} {
		p.skip(t, rollout.Split{Weight: int32(weight)})
		p.shared(t, weight, ask{})
		p.only(t, "legacy", ask{path: "api/info"})
	}
}

func (p *proxy) testSkipperMatch(t *testing.T) {
	exactly := func(name, value string) map[string]v1beta1.StringMatch {
		return map[string]v1beta1.StringMatch{name: {Exact: value}}
	}
	header := func(name, value string) ask { return ask{headers: map[string]string{name: value}} }
	param := func(value string) ask { return ask{path: "?beta=" + url.QueryEscape(value)} }
	both := func(path string, headers map[string]string) ask { return ask{path: path, headers: headers} }
	for _, c := range []struct {
		match    []v1beta1.RequestMatch
		yes, not []ask
	}{
		{
			[]v1beta1.RequestMatch{{Headers: exactly("X-Insider", `y.s"\`)}},
			[]ask{header("x-insider", `y.s"\`)}, []ask{header("X-Insider", `yes"\`), header("X-Insider", `y.s"\!`), {}},
		},
		{
			[]v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-zone": {Prefix: "e."}}}},
			[]ask{header("X-Zone", "e."), header("X-Zone", "e.u")}, []ask{header("X-Zone", "eu"), header("X-Zone", "the e.u"), {}},
		},
		{
			[]v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-zone": {Regex: "eu|us-[0-9]+"}}}},
			[]ask{header("X-Zone", "eu"), header("X-Zone", "us-12")},
			[]ask{header("X-Zone", "eu-1"), header("X-Zone", "us-12a"), {}},
		},
		{
			[]v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"cookie": {Regex: "(.*; )?tester=yes(;.*)?"}}}},
			[]ask{header("Cookie", "tester=yes"), header("Cookie", "a=b; tester=yes; c=d")},
			[]ask{header("Cookie", "tester=yesterday"), header("Cookie", "a=tester=yes"), {}},
		},
		{
			[]v1beta1.RequestMatch{{QueryParams: exactly("beta", "a bü")}},
			[]ask{param("a bü")}, []ask{param("a bü c"), {}},
		},
		{
			[]v1beta1.RequestMatch{{QueryParams: map[string]v1beta1.StringMatch{"beta": {Prefix: "(v"}}}},
			[]ask{param("(v"), param("(v2)")}, []ask{param("v"), {}},
		},
		{
			[]v1beta1.RequestMatch{{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "[0-9]"}}}},
			[]ask{param("7")}, []ask{param("77"), {}},
		},
		{ // all that an entry says, and any entry
			[]v1beta1.RequestMatch{
				{
					Headers:     map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}, "x-zone": {Prefix: "eu"}},
					QueryParams: exactly("beta", "1"),
				},
				{Headers: exactly("x-crew", "red")},
			},
			[]ask{
				both("?beta=1", map[string]string{"x-insider": "yes", "x-zone": "eu-1"}), header("x-crew", "red"),
				both("?beta=2", map[string]string{"x-crew": "red"}),
			},
			[]ask{
				both("?beta=2", map[string]string{"x-insider": "yes", "x-zone": "eu-1"}), header("x-insider", "yes"),
				both("?beta=1", map[string]string{"x-insider": "yes", "x-zone": "us"}), {},
			},
		},
	} {
		p.skip(t, rollout.Split{Match: c.match})
		for _, a := range c.yes {
			p.only(t, "canary", a)
		}
		for _, a := range c.not {
			p.only(t, "primary", a)
		}
	}
	insiders := []v1beta1.RequestMatch{{Headers: exactly("x-insider", "yes")}}
	p.skip(t, rollout.Split{Weight: 50, Match: insiders})
	p.only(t, "canary", header("X-Insider", "yes"))
	p.shared(t, 50, header("X-Insider", "no"))
	p.only(t, "legacy", ask{path: "api/info", headers: map[string]string{"X-Insider": "yes"}})
	p.skip(t, rollout.Split{})
	p.only(t, "primary", header("X-Insider", "yes"))
}

func (p *proxy) testSkipperAffinity(t *testing.T) {
	app := p.ingressApp()
	app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{
		CookieName: "weir.canary", MaxAge: 3600, HTTPOnly: true, SameSite: "Lax",
	}
	p.divide(t, skipper.Router{}, app, rollout.Split{Weight: 20})
	var met *http.Cookie
	for range 100 {
		answer := p.send(t, ask{})
		if answer.from == "primary" {
			require.Empty(t, answer.cookies, "only the canary's answers set the cookie")
			continue
		}
		require.Len(t, answer.cookies, 1)
		met = answer.cookies[0]
	}
	require.NotNil(t, met)
	require.Equal(t, "weir.canary=5f64b8c9d7; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax", met.Raw)
	with := func(cookies string) ask { return ask{headers: map[string]string{"Cookie": cookies}} }
	for _, cookies := range []string{"%s", "a=b; %s", "%s; a=b", "a=b; %s; c=d"} {
		p.only(t, "canary", with(fmt.Sprintf(cookies, met.Name+"="+met.Value)))
	}
	p.shared(t, 20, ask{})
	for _, cookies := range []string{
		"weir.canary=before", "weir-canary=5f64b8c9d7", "xweir.canary=5f64b8c9d7", "weir.canary=5f64b8c9d7x",
	} {
		p.shared(t, 20, with(cookies))
	}
	for weight, from := range map[int32]string{0: "primary", 100: "canary"} {
		p.divide(t, skipper.Router{}, app, rollout.Split{Weight: weight})
		p.only(t, from, with(met.Name+"="+met.Value))
		p.only(t, from, ask{})
		require.Empty(t, p.send(t, ask{}).cookies)
	}
}

// testSkipperPutRight has a stranger take the canary everything, and then take the pair away.
func (p *proxy) testSkipperPutRight(t *testing.T) {
	app, r := p.ingressApp(), skipper.Router{}
	split := rollout.Split{Weight: 50}
	p.skip(t, split)
	ingresses := p.client.Resource(router.Ingresses()).Namespace(p.namespace)
	pair, err := ingresses.Get(t.Context(), "web-canary", metav1.GetOptions{})
	require.NoError(t, err)
	annotations := pair.GetAnnotations()
	annotations["zalando.org/backend-weights"] = `{"podinfo-primary": 100}`
	pair.SetAnnotations(annotations)
	_, err = ingresses.Update(t.Context(), pair, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.count(t, ask{})["canary"] == 0 }, patience, 200*time.Millisecond)
	require.Equal(t, rollout.Route{Found: true}, r.Read(app, split, p.look(t, r, app)), "it is read as it is")
	p.skip(t, split)
	p.shared(t, 50, ask{})

	require.NoError(t, ingresses.Delete(t.Context(), "web-canary", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool { return p.count(t, ask{})["canary"] == 0 }, patience, 200*time.Millisecond)
	p.only(t, "primary", ask{})
	p.skip(t, split)
	p.shared(t, 50, ask{})
}

const otherYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: old, namespace: %s, annotations: {zalando.org/skipper-predicate: '%s'}}
spec:
  ingressClassName: skipper
  rules:
  - host: %s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo-legacy, port: {number: 9898}}}}]}
`

// testSkipperOthers has another Ingress of the user's that takes some of the apex's requests by a predicate. Weir's take
// some of these, unless it says how much it counts.
func (p *proxy) testSkipperOthers(t *testing.T) {
	old := ask{headers: map[string]string{"x-old": "yes", "x-insider": "yes"}}
	p.have(t, otherYAML, p.namespace, `Header("x-old", "yes")`, p.host)
	p.skip(t, rollout.Split{})
	p.only(t, "legacy", old)
	p.skip(t, rollout.Split{Weight: 50})
	require.NotZero(t, p.count(t, old)["primary"], "a share is a predicate, too")
	p.have(t, otherYAML, p.namespace, `Header("x-old", "yes") && Weight(100)`, p.host)
	p.skip(t, rollout.Split{Weight: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}},
	}})
	p.only(t, "legacy", old)
	require.NoError(t, p.client.Resource(router.Ingresses()).Namespace(p.namespace).
		Delete(t.Context(), "old", metav1.DeleteOptions{}))
}

const canaryServiceYAML = "apiVersion: v1\nkind: Service\nmetadata: {name: podinfo-canary, namespace: %s}\n" +
	"spec: {selector: {app: %s}, ports: [{name: http, port: 9898}]}\n"

// testSkipperEmpty has a canary lose its pods: its share is answered with an error, and nothing at weight 0.
func (p *proxy) testSkipperEmpty(t *testing.T) {
	p.skip(t, rollout.Split{Weight: 50})
	p.have(t, canaryServiceYAML, p.namespace, "nobody")
	time.Sleep(p.follows)
	from := map[string]int{}
	for range 100 {
		answer := p.send(t, ask{})
		from[fmt.Sprintf("%s%d", answer.from, answer.status)]++
	}
	assert.InDelta(t, 50, from["502"], 25, "%v", from)
	assert.Equal(t, 100, from["502"]+from["primary200"], "%v", from)
	p.skip(t, rollout.Split{})
	p.only(t, "primary", ask{})
	p.have(t, canaryServiceYAML, p.namespace, "canary")
}

func (p *proxy) testSkipperReleased(t *testing.T) {
	p.skip(t, rollout.Split{Weight: 100})
	p.release(t, skipper.Router{})
	require.Eventually(t, func() bool { return p.count(t, ask{})["canary"] == 0 }, patience, 200*time.Millisecond)
	p.only(t, "primary", ask{})
	p.only(t, "legacy", ask{path: "api/info"})
}

// copyYAML is how requests are copied: a filter where they come in, and a predicate where the copies go to. Those are
// pods that take twenty seconds before they read a request.
const copyYAML = `apiVersion: apps/v1
kind: Deployment
metadata: {name: slow, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec:
      containers:
      - name: podinfo
        image: %[3]s
        imagePullPolicy: Never
        command: ["/podinfo", "--port=9898", "--level=warn", "--random-delay", "--random-delay-min=20", "--random-delay-max=21"]
---
apiVersion: v1
kind: Service
metadata: {name: slow, namespace: %[1]s}
spec: {selector: {app: slow}, ports: [{name: http, port: 9898}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: copied
  namespace: %[1]s
  annotations: {zalando.org/skipper-predicate: Weight(1), zalando.org/skipper-filter: teeLoopback("copy")}
spec:
  ingressClassName: skipper
  rules:
  - host: %[2]s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo-primary, port: {number: 9898}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: copies
  namespace: %[1]s
  annotations: {zalando.org/skipper-predicate: Tee("copy") && Weight(100)}
spec:
  ingressClassName: skipper
  rules:
  - host: %[2]s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: slow, port: {number: 9898}}}}]}
`

// testSkipperCopies is why Weir does not mirror by Skipper's filter: whoever sends more than sockets hold waits until a
// slow canary has read the copy. When it fails, Skipper has learnt to copy without that.
func (p *proxy) testSkipperCopies(t *testing.T) {
	problems := skipper.Router{}.Validate(&v1beta1.Canary{Spec: v1beta1.CanarySpec{
		IngressRef: &v1beta1.IngressRef{Name: "web"}, Analysis: v1beta1.CanaryAnalysis{Mirror: true},
	}})
	require.Len(t, problems, 1)
	const waits = 20 * time.Second
	require.Less(t, p.upload(t), waits/2)
	p.have(t, copyYAML, p.namespace, p.host, sandbox.PodinfoImage)
	require.Eventually(t, func() bool { return p.upload(t) >= waits }, patience, 200*time.Millisecond)
	for _, name := range []string{"copied", "copies"} {
		require.NoError(t, p.client.Resource(router.Ingresses()).Namespace(p.namespace).
			Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
	time.Sleep(p.follows)
	require.Less(t, p.upload(t), waits/2)
}

// upload is how long it takes until the primary has answered a large request.
func (p *proxy) upload(t *testing.T) time.Duration {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/echo", bytes.NewReader(make([]byte, 8<<20)))
	require.NoError(t, err)
	request.Host = p.host
	begun := time.Now()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	return time.Since(begun)
}

// specificYAML and hostlessYAML are Ingresses of users' that the router refuses. The second comes after another's.
const specificYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: specific, namespace: %[1]s}
spec:
  ingressClassName: skipper
  rules:
  - host: specific.%[2]s
    http:
      paths:
      - {path: /, pathType: ImplementationSpecific, backend: {service: {name: podinfo, port: {number: 9898}}}}
      - {path: /api/info, pathType: ImplementationSpecific, backend: {service: {name: podinfo-legacy, port: {number: 9898}}}}
`

const hostlessYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: neighbour, namespace: %[1]s}
spec:
  ingressClassName: skipper
  rules:
  - host: neighbour.%[2]s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo-legacy, port: {number: 9898}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: hostless, namespace: %[1]s}
spec:
  ingressClassName: skipper
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: podinfo, port: {number: 9898}}}}]}
`

// testSkipperRefused shows of two users' Ingresses that are refused what Weir's beside them would take from others.
func (p *proxy) testSkipperRefused(t *testing.T) {
	ours := p.host
	p.have(t, specificYAML, p.namespace, ours)
	p.host = "specific." + ours
	p.takenBeside(t, "specific", ask{path: "api/info"})
	p.have(t, hostlessYAML, p.namespace, ours)
	p.host = "neighbour." + ours
	require.Eventually(t, func() bool { return p.send(t, ask{}).from == "legacy" }, patience, 200*time.Millisecond)
	p.only(t, "legacy", ask{})
	p.takenBeside(t, "hostless", ask{})
	p.host = ours
}

// takenBeside makes what Weir would beside a user's Ingress, and has it take requests that are none of the apex's.
func (p *proxy) takenBeside(t *testing.T, ingress string, a ask) {
	t.Helper()
	app := p.ingressApp()
	app.Canary.Spec.IngressRef.Name = ingress
	found := p.look(t, skipper.Router{}, app)
	_, err := skipper.Router{}.Render(app, rollout.Split{}, found)
	require.ErrorContains(t, err, "Ingress "+p.namespace+"/"+ingress)
	beside, err := router.MakeIngress(app, router.IngressBeside(app, "canary"),
		map[string]string{"zalando.org/skipper-predicate": "Weight(2)"}, // as a way has
		router.SpecBeside(app, found[router.UsersIngress(app)], app.CanaryService))
	require.NoError(t, err)
	ingresses := p.client.Resource(router.Ingresses()).Namespace(p.namespace)
	_, err = ingresses.Create(t.Context(), beside, metav1.CreateOptions{})
	require.NoError(t, err)
	time.Sleep(p.follows)
	p.only(t, "canary", a)
	require.NoError(t, ingresses.Delete(t.Context(), beside.GetName(), metav1.DeleteOptions{}))
}
