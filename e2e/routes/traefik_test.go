package routes

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

var _ = flag.Bool("rewrite", false, "write down anew what is seen of each router")

// patience is how long any one thing may take; nothing here takes a tenth of it.
const patience = 3 * time.Minute

// TestTraefik sends requests over routes that the router gatewayapi renders.
func TestTraefik(t *testing.T) {
	p := raise(t, "routes-traefik")
	w := seen.By(t, gatewayapi.Router{}, "Traefik 3.7.9")
	w.Sees("by weight", p.testWeight, router.Weighted, router.OwnsRoute, router.Gateways, router.Hosts)
	w.Sees("by match", p.testMatch, router.HeaderMatch, router.QueryMatch)
	w.Sees("by method", p.testMethod, router.MethodMatch)
	w.Sees("by match, beside rules of the user's", p.testUsersRules, router.AdoptsRoute)
	w.Sees("with session affinity", p.testSessionAffinity, router.SessionAffinity)
	w.Sees("a mirror fails every request", p.testMirror)
}

// proxy is a cluster with the pods of two revisions, and a route to them.
type proxy struct {
	sandbox   *sandbox.Sandbox
	client    dynamic.Interface
	namespace string
	host      string
	// url is where requests are sent to.
	url string
	// follows is how long the proxy takes at most to follow a change of which nobody tells.
	follows time.Duration
	// owner stands for the Canary: what belongs to nobody would be collected.
	owner *unstructured.Unstructured
}

func raise(t *testing.T, namespace string) *proxy {
	t.Helper()
	if os.Getenv("WEIR_E2E") != "1" || os.Geteuid() != 0 || os.Getenv("KUBECONFIG") != "" {
		t.Skip("told by make e2e (WEIR_E2E=1), as root, on a cluster of the sandbox's: it is about its Traefik")
	}
	_, missing := sandbox.Open(sandbox.Options{})
	box, err := sandbox.Up(t.Context(), sandbox.Options{Progress: t.Output()})
	require.NoError(t, err)
	client, err := dynamic.NewForConfig(box.RESTConfig())
	require.NoError(t, err)
	p := &proxy{
		sandbox: box, client: client, namespace: namespace, host: namespace + ".test", url: box.TraefikURL,
		follows: 3 * time.Second, // in the sandbox it takes changes over after a tenth of a second
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if missing != nil {
			assert.NoError(t, box.Down(ctx))
			return
		}
		namespaces := client.Resource(corev1.SchemeGroupVersion.WithResource("namespaces"))
		assert.NoError(t, namespaces.Delete(ctx, namespace, metav1.DeleteOptions{}))
	})
	var manifests strings.Builder
	fmt.Fprintf(&manifests, "apiVersion: v1\nkind: Namespace\nmetadata: {name: %[1]s}\n---\n"+
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: podinfo, namespace: %[1]s}\n", namespace)
	for _, revision := range []string{"primary", "canary", "legacy"} {
		fmt.Fprintf(&manifests, revisionYAML, revision, namespace, sandbox.PodinfoImage)
	}
	require.NoError(t, sandbox.Apply(t.Context(), box.RESTConfig(), []byte(manifests.String())))
	p.owner, err = client.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(namespace).
		Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	return p
}

// revisionYAML is one revision's pods, and the Service that leads to them alone.
const revisionYAML = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
      - name: podinfo
        image: %[3]s
        imagePullPolicy: Never
        command: ["/podinfo", "--port=9898", "--grpc-port=9999", "--level=warn"]
        env: [{name: PODINFO_UI_MESSAGE, value: %[1]s}]
        readinessProbe: {httpGet: {path: /readyz, port: 9898}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: podinfo-%[1]s, namespace: %[2]s}
spec: {selector: {app: %[1]s}, ports: [{name: http, port: 9898}]}
`

// app is the application of a Canary that a test may change.
func (p *proxy) app() router.App {
	c := &v1beta1.Canary{}
	c.Name, c.Namespace, c.UID = p.owner.GetName(), p.namespace, p.owner.GetUID()
	c.Spec.Service = v1beta1.CanaryService{
		Port: 9898, Hosts: []gatewayv1.Hostname{gatewayv1.Hostname(p.host)},
		GatewayRefs: []gatewayv1.ParentReference{{
			Name: gatewayv1.ObjectName(p.sandbox.Gateway.Name), Namespace: new(gatewayv1.Namespace(p.sandbox.Gateway.Namespace)),
		}},
	}
	c.Status.Canary = &v1beta1.RevisionStatus{Hash: "5f64b8c9d7"}
	return router.App{
		Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{"weir.dev/canary": c.Name},
		Owner: map[string]any{
			"apiVersion": "v1", "kind": p.owner.GetKind(), "name": c.Name, "uid": string(c.UID), "controller": true,
		},
	}
}

func (p *proxy) found(t *testing.T, app router.App) router.Found {
	t.Helper()
	ref := gatewayapi.Router{}.Refs(app)[0]
	found, err := p.client.Resource(ref.Resource).Namespace(p.namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
	require.NoError(t, err)
	return router.Found{ref: found}
}

// split renders a split over what is found, and waits until Traefik has accepted it and a request goes where
// it ought to.
func (p *proxy) split(t *testing.T, app router.App, split rollout.Split, found router.Found, to string, by ask) {
	t.Helper()
	var r gatewayapi.Router
	objects, err := r.Render(app, split, found)
	require.NoError(t, err)
	for _, o := range objects {
		_, err := p.client.Resource(o.Ref.Resource).Namespace(p.namespace).
			Apply(t.Context(), o.Ref.Name, o.Intent, metav1.ApplyOptions{FieldManager: "weir", Force: true})
		require.NoError(t, err)
	}
	in := rollout.Route{Found: true, Split: split, Accepted: true}
	require.Eventually(t, func() bool {
		return assert.ObjectsAreEqual(in, r.Read(app, split, p.found(t, app))) && p.send(t, by).from == to
	}, patience, 200*time.Millisecond)
}

// ask is a request. Without a method it gets.
type ask struct {
	path    string
	headers map[string]string
	method  string
}

// answer is who answered, with which status, and the cookie that was set.
type answer struct {
	from    string
	status  int
	cookies []*http.Cookie
}

func (p *proxy) send(t *testing.T, a ask) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), cmp.Or(a.method, http.MethodGet), p.url+"/"+a.path, http.NoBody)
	require.NoError(t, err)
	request.Host = p.host
	for name, value := range a.headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{said(body), response.StatusCode, response.Cookies()}
}

// said is who has answered, by his message, or by his environment, which can be posted to. An error page is nobody's.
func said(body []byte) string {
	var says struct{ Message string }
	if json.Unmarshal(body, &says) == nil {
		return says.Message
	}
	var environment []string
	_ = json.Unmarshal(body, &environment)
	for _, variable := range environment {
		if message, ok := strings.CutPrefix(variable, "PODINFO_UI_MESSAGE="); ok {
			return message
		}
	}
	return ""
}

// count sends a request a hundred times and counts who answered.
func (p *proxy) count(t *testing.T, a ask) map[string]int {
	t.Helper()
	from := map[string]int{}
	for range 100 {
		answer := p.send(t, a)
		require.Equal(t, http.StatusOK, answer.status)
		from[answer.from]++
	}
	return from
}

// only says that one revision alone answers a request.
func (p *proxy) only(t *testing.T, from string, a ask) {
	t.Helper()
	assert.Equal(t, map[string]int{from: 100}, p.count(t, a), "%+v", a)
}

func (p *proxy) testWeight(t *testing.T) {
	app := p.app()
	p.split(t, app, rollout.Split{}, nil, "primary", ask{})
	p.only(t, "primary", ask{})
	for _, weight := range []int32{1, 30, 99, 100} {
		p.split(t, app, rollout.Split{Weight: weight}, p.found(t, app), "canary", ask{})
		assert.InDelta(t, weight, p.count(t, ask{})["canary"], 3)
	}
}

func (p *proxy) testMatch(t *testing.T) {
	app := p.app()
	header := func(value string) ask { return ask{headers: map[string]string{"X-Zone": value}} }
	param := func(value string) ask { return ask{path: "?beta=" + url.QueryEscape(value)} }
	for _, c := range []struct {
		match    v1beta1.RequestMatch
		yes, not []ask
	}{
		{
			v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"x-zone": {Exact: "eu"}}},
			[]ask{header("eu")}, []ask{header("eu-1"), header("EU"), {}},
		},
		{
			v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"x-zone": {Prefix: "e."}}},
			[]ask{header("e."), header("e.u")}, []ask{header("eu"), header("the e.u"), {}},
		},
		{
			v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"x-zone": {Regex: "eu|us-[0-9]+"}}},
			[]ask{header("eu"), header("us-12")}, []ask{header("eu-1"), header("us-12a"), {}},
		},
		{
			v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{"beta": {Exact: "a b"}}},
			[]ask{param("a b")}, []ask{param("a b c"), {}},
		},
		{
			v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{"beta": {Prefix: "(v"}}},
			[]ask{param("(v"), param("(v2)")}, []ask{param("v"), {}},
		},
		{
			v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{"beta": {Regex: "[0-9]"}}},
			[]ask{param("7")}, []ask{param("77"), {}},
		},
	} {
		p.split(t, app, rollout.Split{}, p.found(t, app), "primary", c.yes[0])
		p.split(t, app, rollout.Split{Match: []v1beta1.RequestMatch{c.match}}, p.found(t, app), "canary", c.yes[0])
		for _, a := range c.yes {
			p.only(t, "canary", a)
		}
		for _, a := range c.not {
			p.only(t, "primary", a)
		}
	}
	both := rollout.Split{Weight: 50, Match: []v1beta1.RequestMatch{
		{Headers: map[string]v1beta1.StringMatch{"x-zone": {Exact: "eu"}}},
	}}
	p.split(t, app, both, p.found(t, app), "canary", header("eu"))
	p.only(t, "canary", header("eu"))
	assert.InDelta(t, 50, p.count(t, ask{})["canary"], 3)
}

func (p *proxy) testMethod(t *testing.T) {
	app := p.app()
	get, post := ask{path: "env"}, ask{path: "env", method: http.MethodPost}
	insider := ask{path: "env", method: http.MethodPost, headers: map[string]string{"X-Insider": "yes"}}
	p.split(t, app, rollout.Split{}, p.found(t, app), "primary", get)
	p.split(t, app, rollout.Split{Match: []v1beta1.RequestMatch{{Method: "GET"}}}, p.found(t, app), "canary", get)
	p.only(t, "canary", get)
	p.only(t, "primary", post)
	posts := []v1beta1.RequestMatch{{Method: "POST", Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
	p.split(t, app, rollout.Split{Match: posts}, p.found(t, app), "canary", insider)
	p.only(t, "canary", insider)
	p.only(t, "primary", get)
	p.only(t, "primary", post)

	// The route takes one method, and that is all that is asked for: its own rule is no more specific.
	app.Canary.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{{Method: new(gatewayv1.HTTPMethodGet)}}
	p.split(t, app, rollout.Split{}, p.found(t, app), "primary", get)
	p.split(t, app, rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{{Method: "GET"}}}, p.found(t, app), "canary", get)
	p.only(t, "canary", get)
	require.Equal(t, http.StatusNotFound, p.send(t, post).status)
}

// testUsersRules has rules beside that of the apex: what is theirs stays theirs.
func (p *proxy) testUsersRules(t *testing.T) {
	app := p.app()
	ref := gatewayapi.Router{}.Refs(app)[0]
	routes := p.client.Resource(ref.Resource).Namespace(p.namespace)
	gone := func() {
		require.NoError(t, routes.Delete(t.Context(), ref.Name, metav1.DeleteOptions{}))
		require.Eventually(t, func() bool { return p.send(t, ask{}).status == http.StatusNotFound }, patience, 200*time.Millisecond)
	}
	gone()
	require.NoError(t, sandbox.Apply(t.Context(), p.sandbox.RESTConfig(), fmt.Appendf(nil, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: podinfo, namespace: %s}
spec:
  parentRefs: [{name: %s, namespace: %s}]
  hostnames: [%s]
  rules:
  - backendRefs: [{name: podinfo, port: 9898}]
  - matches: [{headers: [{name: x-old, value: "yes"}]}]
    backendRefs: [{name: podinfo-legacy, port: 9898}]
  - matches: [{path: {value: /api/info}}]
    backendRefs: [{name: podinfo-legacy, port: 9898}]
`, p.namespace, p.sandbox.Gateway.Name, p.sandbox.Gateway.Namespace, p.host)))
	app.Canary.Spec.Service = v1beta1.CanaryService{Port: 9898}
	insider := map[string]string{"x-insider": "yes"}
	split := rollout.Split{Match: []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}}
	p.split(t, app, split, p.found(t, app), "canary", ask{headers: insider})
	p.only(t, "canary", ask{headers: insider})
	p.only(t, "primary", ask{})
	p.only(t, "legacy", ask{headers: map[string]string{"x-insider": "yes", "x-old": "yes"}})
	p.only(t, "legacy", ask{path: "api/info", headers: insider})

	released, err := gatewayapi.Router{}.Release(app, p.found(t, app))
	require.NoError(t, err)
	_, err = routes.Update(t.Context(), released[0].Object, metav1.UpdateOptions{})
	require.NoError(t, err)
	gone()
}

func (p *proxy) testSessionAffinity(t *testing.T) {
	app := p.app()
	app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{
		CookieName: "weir.canary", MaxAge: 3600, HTTPOnly: true, SameSite: "Lax",
	}
	p.split(t, app, rollout.Split{Weight: 20}, nil, "canary", ask{})
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
	for _, cookies := range []string{
		"weir.canary=before", "weir-canary=5f64b8c9d7", "xweir.canary=5f64b8c9d7", "weir.canary=5f64b8c9d7x",
	} {
		assert.InDelta(t, 20, p.count(t, with(cookies))["canary"], 3, cookies)
	}
	for weight, from := range map[int32]string{0: "primary", 100: "canary"} {
		p.split(t, app, rollout.Split{Weight: weight}, p.found(t, app), from, with(met.Name+"="+met.Value))
		p.only(t, from, ask{})
		require.Empty(t, p.send(t, ask{}).cookies)
	}
}

// testMirror is why Weir refuses to mirror through Traefik. When it fails, Traefik has learnt to mirror.
func (p *proxy) testMirror(t *testing.T) {
	app := p.app()
	p.split(t, app, rollout.Split{}, p.found(t, app), "primary", ask{})
	_, err := gatewayapi.Router{}.Render(app, rollout.Split{Mirror: 50}, p.found(t, app))
	require.ErrorContains(t, err, "Traefik")

	for _, o := range p.found(t, app) {
		rules, _, err := unstructured.NestedSlice(o.Object, "spec", "rules")
		require.NoError(t, err)
		rules[0].(map[string]any)["filters"] = []any{map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{
			"backendRef": map[string]any{"name": "podinfo-canary", "port": int64(9898)},
		}}}
		require.NoError(t, unstructured.SetNestedSlice(o.Object, rules, "spec", "rules"))
		_, err = p.client.Resource(gatewayapi.HTTPRoutes()).Namespace(p.namespace).Update(t.Context(), o, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		return p.send(t, ask{}).status == http.StatusInternalServerError
	}, patience, 200*time.Millisecond)
	route := gatewayapi.Router{}.Read(app, rollout.Split{Mirror: 100}, p.found(t, app))
	require.True(t, route.Accepted, "it says that all is well")
}
