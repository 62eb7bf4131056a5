package routes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/e2e/envoy"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/seen"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/contour"
	"weir.dev/weir/pkg/workload"
)

// TestContour asks Contour what it makes of the HTTPProxies that the router contour renders: what it would have Envoy
// do with a request, and what it says of them. Envoy is not there.
func TestContour(t *testing.T) {
	c := raiseContour(t)
	w := seen.By(t, contour.Router{}, "Contour 1.33.8, by what it tells Envoy")
	w.Sees("what no root includes", c.testOrphaned)
	w.Sees("by weight", c.testWeight, router.Weighted, router.OwnsRoute)
	w.Sees("by match", c.testMatch, router.HeaderMatch, router.QueryMatch, router.ManyConditions)
	w.Sees("by path", c.testPaths, router.Matches, router.Rewrites)
	w.Sees("a mirror", c.testMirror, router.Mirrors, router.MirrorsPercent)
	w.Sees("fields of every request", c.testFields, router.EditsHeaders, router.Timeouts, router.Retries)
	w.Sees("an edit by a stranger", c.testStranger)
	w.Sees("a fault is said, and serves nothing", c.testFault)
	w.Sees("as it is left", c.testReleased)
}

// contourStage is an API server with Contour beside it.
type contourStage struct {
	contour *sandbox.Contour
	config  func(context.Context, []byte) error
	client  dynamic.ResourceInterface
	app     router.App
	// told is what Contour tells proxies.
	told []byte
}

const contourYAML = `apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default}
spec: {selector: {app: podinfo}, ports: [{name: http, port: 9898}]}
---
`

// rootYAML is a user's root, which includes the application three times, as users do: under nothing, a prefix, and a
// prefix with a slash.
const rootYAML = `apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: root-%[1]s, namespace: default}
spec:
  virtualhost: {fqdn: %[1]s.test}
  includes: [{name: podinfo%[2]s}]
---
`

func raiseContour(t *testing.T) *contourStage {
	t.Helper()
	if os.Getenv("WEIR_E2E") != "1" {
		t.Skip("told by make e2e (WEIR_E2E=1): Contour is built for it")
	}
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	serving, err := server.StartContour(t.Context(), t.Output())
	require.NoError(t, err)
	client, err := dynamic.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	s := &contourStage{contour: serving, client: client.Resource(contour.Resource()).Namespace("default")}
	s.config = func(ctx context.Context, manifests []byte) error {
		return sandbox.Apply(ctx, server.RESTConfig(), manifests)
	}
	var manifests []byte
	for _, service := range []string{"podinfo", "podinfo-primary", "podinfo-canary"} {
		manifests = fmt.Appendf(manifests, contourYAML, service)
	}
	require.NoError(t, s.config(t.Context(), manifests))
	canary := &v1beta1.Canary{}
	canary.Name, canary.Namespace, canary.UID = "podinfo", "default", "1"
	canary.Spec.Service = plain()
	owner := workload.ControlledByCanary(canary)
	s.app = router.App{
		Canary: canary, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary",
		Labels: map[string]string{workload.CanaryLabel: canary.Name},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}
	return s
}

func (s *contourStage) found(t require.TestingT) router.Found {
	have, err := s.client.Get(context.Background(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	return router.Found{contour.Router{}.Refs(s.app)[0]: have}
}

// render writes a split.
func (s *contourStage) render(t *testing.T, split rollout.Split) {
	t.Helper()
	require.Empty(t, contour.Router{}.Validate(s.app.Canary))
	objects, err := contour.Router{}.Render(s.app, split, nil)
	require.NoError(t, err)
	_, err = s.client.Apply(t.Context(), "podinfo", objects[0].Intent, metav1.ApplyOptions{FieldManager: "weir", Force: true})
	require.NoError(t, err)
}

// divide writes a split, and waits until Contour has accepted it.
func (s *contourStage) divide(t *testing.T, split rollout.Split) {
	t.Helper()
	s.render(t, split)
	want := rollout.Route{Found: true, Split: split, Accepted: true}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, want, contour.Router{}.Read(s.app, split, s.found(c)))
	}, time.Minute, 50*time.Millisecond)
	said, err := s.contour.Routes(t.Context()) // Contour tells proxies before it writes a status
	require.NoError(t, err)
	s.told = said
}

// asked says what becomes of a request by the split that was written last.
func (s *contourStage) asked(t *testing.T, r envoy.Request) envoy.Answer {
	t.Helper()
	answer, err := envoy.Ask(s.told, r)
	require.NoError(t, err)
	return answer
}

// becomes waits until something is so of what becomes of a request.
func (s *contourStage) becomes(t *testing.T, r envoy.Request, so func(*assert.CollectT, envoy.Shares)) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		said, err := s.contour.Routes(t.Context())
		require.NoError(c, err)
		answer, err := envoy.Ask(said, r)
		require.NoError(c, err)
		so(c, answer.Shares)
	}, time.Minute, 100*time.Millisecond)
}

// root is a request for the root of the plain host.
func root() envoy.Request { return envoy.Request{Host: "plain.test", Path: "/"} }

// plain is a spec that asks for nothing of requests.
func plain() v1beta1.CanaryService { return v1beta1.CanaryService{Port: 9898} }

// asks has a spec for the rest of a test.
func (s *contourStage) asks(t *testing.T, shape func(*v1beta1.CanaryService)) {
	t.Helper()
	t.Cleanup(func() { s.app.Canary.Spec.Service = plain() })
	s.app.Canary.Spec.Service = plain()
	shape(&s.app.Canary.Spec.Service)
}

func (s *contourStage) testOrphaned(t *testing.T) {
	s.render(t, rollout.Split{})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		read := contour.Router{}.Read(s.app, rollout.Split{}, s.found(c))
		assert.Equal(c, rollout.Route{Found: true, Refused: "HTTPProxy default/podinfo is not served: no root HTTPProxy includes " +
			"it; name it in spec.includes of yours"}, read)
	}, time.Minute, 50*time.Millisecond)
	manifests := fmt.Appendf(nil, rootYAML, "plain", "")
	manifests = fmt.Appendf(manifests, rootYAML, "under", ", conditions: [{prefix: /shop}]")
	manifests = fmt.Appendf(manifests, rootYAML, "slash", ", conditions: [{prefix: /shop/}]")
	require.NoError(t, s.config(t.Context(), manifests))
	s.divide(t, rollout.Split{})
}

func (s *contourStage) testWeight(t *testing.T) {
	for _, weight := range []int{0, 1, 10, 50, 99, 100, 0} {
		s.divide(t, rollout.Split{Weight: int32(weight)})
		for _, r := range []envoy.Request{
			{Host: "plain.test", Path: "/"}, {Host: "plain.test", Path: "/a?b=c"}, {Host: "under.test", Path: "/shop"},
		} {
			require.Equal(t, envoy.Shares{"podinfo-primary": 100 - weight, "podinfo-canary": weight}, s.asked(t, r).Shares)
		}
	}
}

func (s *contourStage) testMatch(t *testing.T) {
	tenant := gatewayv1.HTTPRouteMatch{
		Path:    &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/api")},
		Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-tenant", Value: "blue"}},
		Method:  new(gatewayv1.HTTPMethodGet),
	}
	all := gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}}
	s.asks(t, func(service *v1beta1.CanaryService) { service.Match = []gatewayv1.HTTPRouteMatch{tenant, all} })
	type texts = map[string]v1beta1.StringMatch
	match := []v1beta1.RequestMatch{
		{Headers: texts{"X-Insider": {Exact: "yes"}}},
		{Headers: texts{"x-version": {Prefix: "2."}, "x-zone": {Regex: "eu|us-[0-9]+"}}},
		{QueryParams: texts{"beta": {Exact: "1"}, "user": {Prefix: "a(b"}}},
		{QueryParams: texts{"zone": {Regex: "eu-.+"}}, Headers: texts{"x-tenant": {Regex: "b.+"}}},
	}
	type values = map[string]string
	for _, weight := range []int{0, 30} {
		s.divide(t, rollout.Split{Weight: int32(weight), Match: match})
		for _, c := range []struct {
			headers values
			query   string
			canary  bool
		}{
			{values{"x-insider": "yes"}, "", true},
			{values{"x-insider": "yes!"}, "", false},
			{values{"x-version": "2.1", "x-zone": "us-12"}, "", true},
			{values{"x-version": "22", "x-zone": "us-12"}, "", false},
			{values{"x-version": "2.1"}, "", false},
			{values{"x-version": "2.1", "x-zone": "us-12a"}, "", false},
			{nil, "beta=1&user=a(b)", true},
			{nil, "beta=1", false},
			{nil, "beta=1&user=ab", false},
			{values{"x-tenant": "blue"}, "zone=eu-1", true},
			{nil, "zone=eu-1", false},
			{values{"x-tenant": "blue"}, "", false},
			{nil, "", false},
		} {
			want := envoy.Shares{"podinfo-primary": 100 - weight, "podinfo-canary": weight}
			if c.canary {
				want = envoy.Shares{"podinfo-canary": 100}
			}
			for _, path := range []string{"/", "/api", "/api/info", "/other"} {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					r := envoy.Request{Host: "plain.test", Path: path + "?" + c.query, Method: method, Headers: c.headers}
					require.Equal(t, want, s.asked(t, r).Shares, "%+v", r)
				}
			}
		}
	}
}

func (s *contourStage) testPaths(t *testing.T) {
	for _, c := range []struct {
		prefix, by string
		// sent are paths by their host, and what becomes of them; a path that does not match becomes nothing.
		sent map[string]map[string]string
	}{
		{"/api", "", map[string]map[string]string{
			"plain.test": {"/api": "/api", "/api/": "/api/", "/api/info": "/api/info", "/apix": "", "/": ""},
			"under.test": {"/shop/api": "/shop/api", "/shop/api/a": "/shop/api/a", "/shop/apix": "", "/shop": "", "/api": ""},
		}},
		{"/api", "/", map[string]map[string]string{
			"plain.test": {"/api": "/", "/api/": "/", "/api/info": "/info", "/apix": "", "/": ""},
			"under.test": {"/shop/api": "/", "/shop/api/a": "/a", "/shop/apix": "", "/shop": ""},
			"slash.test": {"/shop/api": "/", "/shop/api/a": "/a", "/shop/apix": "", "/shop": ""},
		}},
		{"/api", "/v1", map[string]map[string]string{
			"plain.test": {"/api": "/v1", "/api/": "/v1/", "/api/info": "/v1/info", "/apix": ""},
			"under.test": {"/shop/api": "/v1", "/shop/api/a": "/v1/a"},
		}},
		{"", "/", map[string]map[string]string{
			"plain.test": {"/": "/", "/info": "/info"},
			"under.test": {"/shop": "/", "/shop/": "/", "/shop/info": "/info"},
			"slash.test": {"/shop/": "/", "/shop/info": "/info"},
		}},
		{"", "/v1", map[string]map[string]string{
			"plain.test": {"/": "/v1/", "/info": "/v1/info"},
			"under.test": {"/shop": "/v1", "/shop/": "/v1/", "/shop/info": "/v1/info"},
			"slash.test": {"/shop/": "/v1/", "/shop/info": "/v1/info"},
		}},
	} {
		s.asks(t, func(service *v1beta1.CanaryService) {
			if c.prefix != "" {
				path := gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: &c.prefix}
				service.Match = []gatewayv1.HTTPRouteMatch{{Path: &path}}
			}
			if c.by != "" {
				service.Rewrite = &v1beta1.Rewrite{URI: c.by, Type: "ReplacePrefixMatch"}
			}
		})
		insiders := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-insider": {Exact: "yes"}}}}
		for _, split := range []rollout.Split{{Weight: 10}, {Weight: 10, Match: insiders}} {
			s.divide(t, split)
			for host, paths := range c.sent {
				for path, want := range paths {
					for _, query := range []string{"", "?a=/b"} {
						for _, insider := range []string{"yes", "no"} {
							r := envoy.Request{Host: host, Path: path + query, Headers: map[string]string{"x-insider": insider}}
							got := s.asked(t, r)
							if want == "" {
								require.Empty(t, got.Shares, "%s by %q of %+v", c.prefix, c.by, r)
								continue
							}
							require.Equal(t, want+query, got.Path, "%s by %q of %+v", c.prefix, c.by, r)
							byMatch := insider == "yes" && split.Match != nil
							require.Equal(t, byMatch, got.Shares["podinfo-canary"] == 100, "%s by %q of %+v: %+v", c.prefix, c.by, r, got.Shares)
						}
					}
				}
			}
		}
	}
}

func (s *contourStage) testMirror(t *testing.T) {
	for _, percent := range []int{1, 40, 100} {
		s.divide(t, rollout.Split{Weight: 20, Mirror: int32(percent)})
		got := s.asked(t, root())
		require.Equal(t, envoy.Shares{"podinfo-primary": 80, "podinfo-canary": 20}, got.Shares)
		require.Equal(t, envoy.Shares{"podinfo-canary": percent}, got.Copies)
	}
	s.divide(t, rollout.Split{})
	require.Empty(t, s.asked(t, root()).Copies)
}

func (s *contourStage) testFields(t *testing.T) {
	s.asks(t, func(service *v1beta1.CanaryService) {
		service.Rewrite = &v1beta1.Rewrite{Authority: "podinfo.internal", Type: "ReplacePrefixMatch"}
		service.Headers = &v1beta1.Headers{
			Request:  &v1beta1.HeaderOperations{Set: map[string]string{"x-a": "100%"}, Remove: []string{"x-secret"}},
			Response: &v1beta1.HeaderOperations{Set: map[string]string{"x-served-by": "weir"}, Remove: []string{"server"}},
		}
		service.Timeout = "1m30s"
		service.Retries = &v1beta1.Retries{Attempts: 3, PerTryTimeout: "2s", RetryOn: "5xx,reset"}
	})
	s.divide(t, rollout.Split{Weight: 20})
	got := s.asked(t, root())
	require.Equal(t, "podinfo.internal", got.Route.Action.HostRewrite)
	require.Equal(t, "90s", got.Route.Action.Timeout)
	require.Equal(t, envoy.RetryPolicy{RetryOn: "5xx,reset", Retries: 3, PerTry: "2s"}, got.Route.Action.Retry)
	require.Equal(t, []string{"X-A: 100%%"}, got.Route.RequestSets.Texts(), "a percent sign is one")
	require.Equal(t, []string{"X-Secret"}, got.Route.RequestRemoves)
	require.Equal(t, []string{"X-Served-By: weir"}, got.Route.ResponseSets.Texts())
	require.Equal(t, []string{"Server"}, got.Route.ResponseRemoves)
	s.app.Canary.Spec.Service.Retries = &v1beta1.Retries{RetryOn: "5xx"}
	s.divide(t, rollout.Split{Weight: 20})
	require.Zero(t, s.asked(t, root()).Route.Action.Retry, "never")
}

func (s *contourStage) testStranger(t *testing.T) {
	split := rollout.Split{Weight: 10}
	s.divide(t, split)
	have := s.found(t)[contour.Router{}.Refs(s.app)[0]]
	pair := have.Object["spec"].(map[string]any)["routes"].([]any)[0].(map[string]any)["services"].([]any)
	for _, service := range pair {
		delete(service.(map[string]any), "weight")
	}
	_, err := s.client.Update(t.Context(), have, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	s.becomes(t, root(), func(c *assert.CollectT, got envoy.Shares) {
		assert.Equal(c, got["podinfo-primary"], got["podinfo-canary"], "without weights, each gets the same")
		assert.NotZero(c, got["podinfo-canary"])
	})
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 50}}, contour.Router{}.Read(s.app, split, s.found(t)))
	s.divide(t, split)
	require.Equal(t, 10, s.asked(t, root()).Shares["podinfo-canary"])
}

// testFault has Contour say of one faulty route what it does with all of them, which is why Weir writes none.
func (s *contourStage) testFault(t *testing.T) {
	split := rollout.Split{Weight: 10}
	s.divide(t, split)
	have := s.found(t)[contour.Router{}.Refs(s.app)[0]]
	spec := have.Object["spec"].(map[string]any)
	whole := spec["routes"].([]any)
	spec["routes"] = append(whole, map[string]any{
		"conditions": []any{map[string]any{"regex": "/("}}, "services": whole[0].(map[string]any)["services"],
	})
	_, err := s.client.Update(t.Context(), have, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	s.becomes(t, root(), func(c *assert.CollectT, got envoy.Shares) { assert.Empty(c, got) })
	s.divide(t, split)

	s.app.CanaryService = "podinfo-gone"
	defer func() { s.app.CanaryService = "podinfo-canary" }()
	s.render(t, split)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		read := contour.Router{}.Read(s.app, split, s.found(c))
		assert.Contains(c, read.Refused, "HTTPProxy default/podinfo is not served: ServiceUnresolvedReference: ")
		assert.False(c, read.Accepted)
	}, time.Minute, 50*time.Millisecond)
}

func (s *contourStage) testReleased(t *testing.T) {
	s.divide(t, rollout.Split{Weight: 10})
	released, err := contour.Router{}.Release(s.app, s.found(t))
	require.NoError(t, err)
	require.Len(t, released, 1)
	_, err = s.client.Update(t.Context(), released[0].Object, metav1.UpdateOptions{FieldManager: "weir"})
	require.NoError(t, err)
	s.becomes(t, root(), func(c *assert.CollectT, got envoy.Shares) { assert.Equal(c, envoy.Shares{"podinfo": 100}, got) })
	left := s.found(t)[contour.Router{}.Refs(s.app)[0]]
	valid, _, err := unstructured.NestedString(left.Object, "status", "currentStatus")
	require.NoError(t, err)
	require.Equal(t, "valid", valid)
}
