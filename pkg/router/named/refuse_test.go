package named_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/istio"
	"weir.dev/weir/pkg/router/named"
	"weir.dev/weir/pkg/router/nginx"
)

const web = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: site, namespace: default}
spec:
  http:
  - name: web
    route: [{destination: {host: podinfo}, weight: 1}, {destination: {host: legacy}, weight: 1}]
  - name: old
    route: [{destination: {host: legacy}}]
`

// scene is a VirtualService that a Canary names, and what is found of it.
type scene struct {
	router router.Router
	app    router.App
	found  router.Found
}

func newScene(t *testing.T, manifest string, rules ...string) *scene {
	t.Helper()
	c := &v1beta1.Canary{}
	c.Namespace = namespace
	c.Spec.RouteRefs = []v1beta1.NamedRoute{
		{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: "site", Rules: rules},
	}
	s := &scene{
		router: named.Over(istio.Router{}), found: router.Found{},
		app: router.App{Canary: c, Apex: "podinfo", Primary: "podinfo-primary", CanaryService: "podinfo-canary"},
	}
	if manifest != "" {
		raw, err := yaml.YAMLToJSON([]byte(manifest))
		require.NoError(t, err)
		route := &unstructured.Unstructured{}
		require.NoError(t, route.UnmarshalJSON(raw))
		s.found[s.router.Refs(s.app)[0]] = route
	}
	return s
}

// TestRenderRefuses what cannot be divided, with one sentence that names object, field and way out.
func TestRenderRefuses(t *testing.T) {
	rule := func(backends string) string {
		return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: site, namespace: default}\n" +
			"spec: {http: [{name: web, route: [" + backends + "]}]}\n"
	}
	for name, c := range map[string]struct {
		manifest string
		rules    []string
		says     string
	}{
		"no route": {"", nil, "VirtualService default/site does not exist, and spec.routeRefs names it; " +
			"create it or correct the name"},
		"no rule": {web, []string{"web", "new"}, "has no rule new; correct spec.routeRefs or name the rule so"},
		"another rule": {web, []string{"old"}, "sends nothing to Service podinfo by its rule old; " +
			"name another rule, or correct the route"},
		"none": {rule("{destination: {host: legacy}}"), nil,
			"has no rule that sends traffic to Service podinfo; correct the route, or take it out of spec.routeRefs"},
		"the canary's": {rule("{destination: {host: legacy}}, {destination: {host: podinfo-canary}}"), nil,
			"rule web: names Service podinfo-canary already, which is for Weir to do; let it name podinfo alone"},
		"twice": {rule("{destination: {host: podinfo}}, {destination: {host: podinfo.default}}"), nil,
			"rule web: names Service podinfo twice; let it name it once"},
		"a subset": {rule("{destination: {host: podinfo, subset: v1}}"), nil,
			"rule web: has destination.subset beside Service podinfo, which would not hold for the canary; remove the field"},
		"a weight": {rule("{destination: {host: podinfo}, weight: 10001}"), nil,
			"rule web: has a weight above 10000, and Weir needs hundredths of it; make the weights of that rule smaller"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.manifest, c.rules...)
			_, err := s.router.Render(s.app, rollout.Split{}, s.found)
			require.ErrorContains(t, err, c.says)
			read := s.router.Read(s.app, rollout.Split{}, s.found)
			assert.False(t, read.Accepted)
			assert.Contains(t, read.Refused, c.says)
		})
	}
}

// TestTakenBack has one of two routes go in mid-run: the canary is taken out of the other.
func TestTakenBack(t *testing.T) {
	s := newScene(t, web)
	s.app.Canary.Spec.RouteRefs = append(s.app.Canary.Spec.RouteRefs, v1beta1.NamedRoute{
		APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: "gone",
	})
	_, err := s.router.Render(s.app, rollout.Split{}, s.found)
	require.ErrorContains(t, err, "default/gone does not exist")
	objects, err := s.router.Render(s.app, rollout.Split{Weight: 20}, s.found)
	require.NoError(t, err, "a run does not wait for it")
	require.Len(t, objects, 1)
	s.found[objects[0].Ref] = objects[0].Whole
	read := s.router.Read(s.app, rollout.Split{Weight: 20}, s.found)
	require.Equal(t, int32(20), read.Split.Weight)
	require.Contains(t, read.Refused, "default/gone does not exist")
	objects, err = s.router.Render(s.app, rollout.Split{}, s.found)
	require.NoError(t, err)
	require.Len(t, objects, 1)
	require.Equal(t, newScene(t, web).found[objects[0].Ref].Object, objects[0].Whole.Object)
}

// TestChangedInMidRun keeps what the user makes of his rules.
func TestChangedInMidRun(t *testing.T) {
	s := newScene(t, web)
	objects, err := s.router.Render(s.app, rollout.Split{Weight: 20}, s.found)
	require.NoError(t, err)
	during := objects[0].Whole
	rules := during.Object["spec"].(map[string]any)["http"].([]any)
	rules[0].(map[string]any)["timeout"] = "3s"
	backends := rules[0].(map[string]any)["route"].([]any)
	backends[2].(map[string]any)["weight"] = int64(300)
	during.Object["spec"].(map[string]any)["http"] = slices.Delete(rules, 1, 2)
	s.found[objects[0].Ref] = during
	objects, err = s.router.Render(s.app, rollout.Split{}, s.found)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"http": []any{map[string]any{"name": "web", "timeout": "3s", "route": []any{
		map[string]any{"destination": map[string]any{"host": "podinfo"}, "weight": int64(1)},
		map[string]any{"destination": map[string]any{"host": "legacy"}, "weight": int64(3)},
	}}}}, objects[0].Whole.Object["spec"])
	require.Empty(t, objects[0].Whole.GetAnnotations())
}

func TestValidate(t *testing.T) {
	s := newScene(t, web)
	c := s.app.Canary
	require.Empty(t, s.router.Validate(c))
	c.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "a"}
	c.Spec.Service.Timeout = "3s"
	c.Spec.RouteRefs = []v1beta1.NamedRoute{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "site"}}
	var said []string
	for _, p := range s.router.Validate(c) {
		said = append(said, p.Message)
	}
	require.Equal(t, []string{
		"spec.analysis.sessionAffinity asks for session affinity, which router istio with spec.routeRefs does not offer; " +
			"remove the field or choose another spec.provider",
		"spec.service.timeout asks for timeouts, which router istio with spec.routeRefs does not offer; " +
			"remove the field or choose another spec.provider",
		"spec.routeRefs[0] names a HTTPRoute of gateway.networking.k8s.io/v1, which router istio does not shift; " +
			"it shifts VirtualService of networking.istio.io/v1",
	}, said)
	require.Contains(t, nginx.Router{}.Validate(c)[0].Message+nginx.Router{}.Validate(c)[1].Message,
		"spec.routeRefs asks for weights in routes that the spec names, which router nginx does not offer")
}
