package gatewayapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gatewayapi"
)

type texts = map[string]v1beta1.StringMatch

func byHeader(headers texts) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: headers}}
}

func byParam(params texts) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{QueryParams: params}}
}

// many are n conditions.
func many(n int) texts {
	all := texts{}
	for i := range n {
		all[fmt.Sprintf("x-%d", i)] = v1beta1.StringMatch{Exact: "1"}
	}
	return all
}

// sticky has session affinity, and a canary under test.
func sticky(t *testing.T) router.App {
	t.Helper()
	c := bare(t)
	c.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "c"}
	c.Status.Canary = &v1beta1.RevisionStatus{Hash: "5f64"}
	return appOf(c)
}

func TestMatchesInWordsOfTheGatewayAPI(t *testing.T) {
	app := appOf(bare(t))
	for _, c := range []struct {
		says       v1beta1.StringMatch
		kind, text string
	}{
		{v1beta1.StringMatch{Exact: "a.b"}, "Exact", "a.b"},
		{v1beta1.StringMatch{Prefix: "a.b"}, "RegularExpression", `^a\.b.*$`},
		{v1beta1.StringMatch{Regex: "a.b|c"}, "RegularExpression", "^(a.b|c)$"},
	} {
		have := routeTo(t, "podinfo=1")
		intent := renderSplit(t, app, rollout.Split{Match: byHeader(texts{"x-a": c.says})}, have)
		require.Len(t, rules(intent), 2)
		require.Equal(t, map[string]any{
			"name": "weir-canary-1",
			"matches": []any{map[string]any{
				"path":    map[string]any{"type": "Exact", "value": "/0"},
				"headers": []any{map[string]any{"name": "x-a", "type": c.kind, "value": c.text}},
			}},
			"backendRefs": []any{map[string]any{"name": "podinfo-canary", "port": int64(80), "weight": int64(1)}},
		}, rules(intent)[1])
	}
}

// A route may say already what a match asks for.
func TestMatchThatIsThereAlready(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo=1")
	own := map[string]any{"name": "X-Insider", "value": "yes"}
	matchOf(have, 0)["headers"] = []any{own}
	intent := renderSplit(t, app, rollout.Split{Match: byHeader(texts{"x-insider": {Exact: "yes"}, "x-b": {Exact: "1"}})}, have)
	require.Equal(t, []any{own, map[string]any{"name": "x-b", "type": "Exact", "value": "1"}}, matchOf(intent, 1)["headers"])
}

// A match that says already all that is asked for would win over one like it that stands behind it.
func TestMatchThatSaysAllAlready(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "legacy=1", "podinfo=3 legacy=1", "podinfo=1")
	matchOf(have, 1)["method"] = "GET"
	both := matchOf(have, 2)
	rules(have)[2].(map[string]any)["matches"] = []any{both, map[string]any{"method": "GET"}, map[string]any{"method": "POST"}}
	split := rollout.Split{Weight: 10, Match: []v1beta1.RequestMatch{{Method: "GET"}}}
	intent := renderSplit(t, app, split, have)
	var names []any
	for _, rule := range rules(intent) {
		names = append(names, rule.(map[string]any)["name"])
	}
	require.Equal(t, []any{nil, "weir-canary-1", nil, "weir-canary-2", nil, "weir-canary-3"}, names)
	require.Equal(t, rules(have)[1].(map[string]any)["matches"], rules(intent)[1].(map[string]any)["matches"])
	require.Equal(t, []any{map[string]any{"method": "GET"}}, rules(intent)[3].(map[string]any)["matches"])
	narrower := map[string]any{"path": both["path"], "method": "GET"}
	require.Equal(t, []any{narrower}, rules(intent)[5].(map[string]any)["matches"], "of POST, nothing is GET")
	stored := asStored(have, intent)
	accept(stored)
	read := gatewayapi.Router{}.Read(app, split, foundOf(app, stored))
	require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, read)
	require.Equal(t, rules(have), rules(release(t, app, stored)))
}

func matchOf(r *unstructured.Unstructured, rule int) map[string]any {
	return rules(r)[rule].(map[string]any)["matches"].([]any)[0].(map[string]any)
}

// What a route cannot hold is refused while nothing is under way, by the field that asks for it.
func TestForeseesWhatCannotBe(t *testing.T) {
	nine := strings.Split(strings.Repeat("podinfo=1 ", 9), " ")[:9]
	insider := texts{"x-insider": {Exact: "yes"}}
	withHeader := func(r *unstructured.Unstructured, name string) {
		matchOf(r, 0)["headers"] = []any{map[string]any{"name": name, "value": "another"}}
	}
	for _, c := range []struct {
		name  string
		lines []string
		shape func(*v1beta1.CanaryAnalysis)
		have  func(*unstructured.Unstructured)
		says  string
	}{
		{"a header that is matched already", nil, func(a *v1beta1.CanaryAnalysis) {
			a.Steps = []v1beta1.CanaryStep{{Weight: new(int32(5))}, {Match: byHeader(insider)}}
		}, func(r *unstructured.Unstructured) { withHeader(r, "X-Insider") },
			"spec.analysis.steps[1] cannot be carried out: its rule 1 matches by header x-insider already"},
		{"cookies that are matched already", nil, func(a *v1beta1.CanaryAnalysis) {
			a.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "c"}
		}, func(r *unstructured.Unstructured) { withHeader(r, "Cookie") },
			"spec.analysis.sessionAffinity cannot be carried out: its rule 1 matches by header cookie already"},
		{"a parameter's name", nil, func(a *v1beta1.CanaryAnalysis) { a.Match = byParam(texts{"a b": {Exact: "1"}}) }, nil,
			`spec.analysis.match cannot be carried out: its rule 1 cannot match by query parameter "a b"`},
		{"a long value", nil, func(a *v1beta1.CanaryAnalysis) {
			a.Match = byParam(texts{"a": {Prefix: strings.Repeat("x", 1022)}})
		}, nil, "more than the 1024 characters"},
		{"many conditions", nil, func(a *v1beta1.CanaryAnalysis) { a.Match = byHeader(many(17)) }, nil,
			"cannot match by 17 conditions on a header"},
		{"many rules", nine, func(a *v1beta1.CanaryAnalysis) { a.Match = byHeader(insider) }, nil,
			"it has 9 rules and needs 9 more"},
		{"many matches", nil, func(a *v1beta1.CanaryAnalysis) {
			a.Match = append(append(byHeader(texts{"a": {Exact: "1"}}), byHeader(texts{"b": {Exact: "1"}})...), byHeader(insider)...)
		}, func(r *unstructured.Unstructured) {
			var all []any
			for i := range 33 {
				all = append(all, map[string]any{"path": map[string]any{"type": "Exact", "value": fmt.Sprint("/", i)}})
			}
			rules(r)[0].(map[string]any)["matches"] = all
		}, "it needs 132 matches"},
		{"a cookie of the route's own", nil, func(a *v1beta1.CanaryAnalysis) {
			a.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "c"}
		}, func(r *unstructured.Unstructured) {
			backends(r, 0)[0].(map[string]any)["filters"] = []any{adds("set-cookie", "mine")}
		}, "its rule 1 has a backend that adds the header Set-Cookie already"},
		{"a method that no rule takes", nil, func(a *v1beta1.CanaryAnalysis) { a.Match = []v1beta1.RequestMatch{{Method: "GET"}} },
			func(r *unstructured.Unstructured) { matchOf(r, 0)["method"] = "POST" },
			"spec.analysis.match cannot be carried out: none of its rules sends requests of method GET to Service podinfo"},
		{"a mirror through Linkerd", nil, func(a *v1beta1.CanaryAnalysis) { a.Mirror = true }, by("linkerd.io/policy-controller"),
			"spec.analysis.mirror cannot be carried out: its parent edge is served by Linkerd, which drops the route"},
		{"a mirror through Traefik", nil, func(a *v1beta1.CanaryAnalysis) { a.Mirror = true }, by(traefik),
			"spec.analysis.mirror cannot be carried out: its parent edge is served by Traefik"},
		{"a step's mirror through Traefik", nil, func(a *v1beta1.CanaryAnalysis) {
			a.Steps = []v1beta1.CanaryStep{{Mirror: true}}
		}, by(traefik), "spec.analysis.steps[0] cannot be carried out: its parent edge is served by Traefik"},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := appOf(bare(t))
			lines := append([]string{"podinfo=1"}, c.lines...)
			if c.lines != nil {
				lines = c.lines
			}
			have := routeTo(t, lines...)
			if c.have != nil {
				c.have(have)
			}
			running := asStored(have, render(t, app, 10, have))
			running.Object["status"] = have.Object["status"]
			c.shape(&app.Canary.Spec.Analysis)
			for _, at := range []*unstructured.Unstructured{have, asStored(have, running)} {
				at.Object["status"] = have.Object["status"]
				setShare(at, 0)
				_, err := gatewayapi.Router{}.Render(app, rollout.Split{}, foundOf(app, at))
				require.ErrorContains(t, err, c.says)
			}
			require.Equal(t, []int64{100, 0}, weights(t, render(t, app, 0, running), 0), "a rollback is not held up")
		})
	}
}

func adds(header, value string) map[string]any {
	return map[string]any{"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{
		"add": []any{map[string]any{"name": header, "value": value}},
	}}
}

const traefik = "traefik.io/gateway-controller"

// setShare gives a weight to all pairs.
func setShare(r *unstructured.Unstructured, weight int64) {
	for i := range rules(r) {
		if p, c := pairOf(r, i); p != nil && c != nil {
			p["weight"], c["weight"] = 100-weight, weight
		}
	}
}

// Even where nobody has foreseen it, nothing is mirrored through a Gateway that fails requests for it.
func TestNeverMirrorsThroughTraefik(t *testing.T) {
	app := appOf(bare(t))
	have := routeTo(t, "podinfo=1")
	by(traefik)(have)
	_, err := gatewayapi.Router{}.Render(app, rollout.Split{Mirror: 10}, foundOf(app, have))
	require.ErrorContains(t, err, "Traefik")
}

func TestMirrors(t *testing.T) {
	app := appOf(bare(t))
	own := map[string]any{"type": "RequestMirror", "requestMirror": map[string]any{
		"backendRef": map[string]any{"name": "recorder", "port": int64(80)},
	}}
	have := routeTo(t, "podinfo=1", "legacy=1", "podinfo=0 legacy=1")
	rules(have)[0].(map[string]any)["filters"] = []any{own}
	for percent, want := range map[int32]any{100: nil, 7: int64(7)} {
		intent := renderSplit(t, app, rollout.Split{Mirror: percent}, have)
		filters := rules(intent)[0].(map[string]any)["filters"].([]any)
		require.Len(t, filters, 2)
		require.Equal(t, own, filters[0], "the user's own stays")
		mirror := filters[1].(map[string]any)["requestMirror"].(map[string]any)
		require.Equal(t, "podinfo-canary", mirror["backendRef"].(map[string]any)["name"])
		require.Equal(t, want, mirror["percent"])
		for _, other := range rules(intent)[1:] {
			require.NotContains(t, other, "filters", "nothing of it goes to the application")
		}
		stored := asStored(have, intent)
		require.Equal(t, percent, gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, stored)).Split.Mirror)
		require.Equal(t, rules(have), rules(release(t, app, stored)))
	}
}

// A user who has what Weir would know for its own is told, before anything is touched.
func TestRefusesWhatLooksLikeItsOwn(t *testing.T) {
	app := appOf(bare(t))
	named := routeTo(t, "legacy=1", "podinfo=1")
	rules(named)[0].(map[string]any)["name"] = "weir-canary-3"
	_, err := gatewayapi.Router{}.Render(app, rollout.Split{}, foundOf(app, named))
	require.ErrorContains(t, err, "its rule 1 has the name weir-canary-3")

	mirroring := routeTo(t, "legacy=1", "podinfo=1")
	rules(mirroring)[1].(map[string]any)["filters"] = []any{map[string]any{
		"type": "RequestMirror", "requestMirror": map[string]any{
			"backendRef": map[string]any{"name": "podinfo-canary", "port": int64(80)},
			"fraction":   map[string]any{"numerator": int64(1), "denominator": int64(1000)},
		},
	}}
	_, err = gatewayapi.Router{}.Render(app, rollout.Split{}, foundOf(app, mirroring))
	require.ErrorContains(t, err, "its rule 2 mirrors requests to Service podinfo-canary already")
}

func TestCookie(t *testing.T) {
	app := sticky(t)
	for says, spec := range map[string]v1beta1.SessionAffinity{
		"c=5f64; Path=/": {},
		"c=5f64; Path=/shop; Max-Age=60; Domain=example.com; HttpOnly; Secure; Partitioned; SameSite=None": {
			MaxAge: 60, Domain: "example.com", Path: "/shop", HTTPOnly: true, Secure: true, Partitioned: true, SameSite: "None",
		},
	} {
		spec.CookieName = "c"
		app.Canary.Spec.Analysis.SessionAffinity = &spec
		intent := render(t, app, 10, routeTo(t, "podinfo=1"))
		_, canary := pairOf(intent, 0)
		require.Equal(t, []any{adds("Set-Cookie", says)}, canary["filters"])
	}
	app.Canary.Status.Canary = nil
	require.Len(t, rules(render(t, app, 10, routeTo(t, "podinfo=1"))), 1, "there is no canary to keep anybody with")
}

// A filter of the same kind can be there but once, so the cookie goes into the user's, and out of it again.
func TestCookieBesideTheUsersHeaders(t *testing.T) {
	app := sticky(t)
	have := routeTo(t, "podinfo=1")
	first := map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{"remove": []any{"x-a"}}}
	for _, own := range []map[string]any{
		adds("x-b", "1"),
		{"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{"remove": []any{"x-b"}}},
	} {
		backends(have, 0)[0].(map[string]any)["filters"] = []any{first, own}
		stored := asStored(have, render(t, app, 10, have))
		p, c := pairOf(stored, 0)
		require.Equal(t, []any{first, own}, p["filters"])
		require.Len(t, c["filters"], 2)
		require.Contains(t, fmt.Sprint(c["filters"]), "c=5f64")
		require.Equal(t, rollout.Split{Weight: 10}, gatewayapi.Router{}.Read(app, rollout.Split{}, foundOf(app, stored)).Split)
		require.Equal(t, rules(have), rules(release(t, app, stored)))
		require.Equal(t, rules(stored), rules(render(t, app, 10, stored)))
	}
}

func TestReadMatch(t *testing.T) {
	app := sticky(t)
	insiders, testers := byHeader(texts{"x-insider": {Exact: "yes"}}), byHeader(texts{"x-tester": {Exact: "yes"}})
	have := routeTo(t, "podinfo=1", "legacy=1")
	accept(have)
	read := func(r *unstructured.Unstructured, committed []v1beta1.RequestMatch) rollout.Route {
		return gatewayapi.Router{}.Read(app, rollout.Split{Match: committed}, foundOf(app, r))
	}
	stored := asStored(have, renderSplit(t, app, rollout.Split{Match: insiders}, have))
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Match: insiders}, Accepted: true}, read(stored, insiders))
	for _, other := range [][]v1beta1.RequestMatch{nil, testers} {
		require.NotEmpty(t, read(stored, other).Split.Match)
		require.NotEqual(t, other, read(stored, other).Split.Match)
		require.False(t, read(stored, other).Accepted)
	}
	plain := asStored(have, render(t, app, 0, have))
	require.Equal(t, rollout.Route{Found: true, Accepted: true}, read(plain, insiders), "none is in force")

	// Somebody has changed the pair alone: the requests still go where they ought to.
	setShare(stored, 20)
	odd := read(stored, insiders)
	require.False(t, odd.Accepted, "at this weight there ought to be a cookie")
	require.NotEmpty(t, odd.Split.Match)
	// The cookie of a canary before, where nobody gets anything by weight.
	cookies := asStored(have, render(t, app, 10, have))
	setShare(cookies, 0)
	require.NotEmpty(t, read(cookies, nil).Split.Match, "requests with the cookie still go to the canary")
}
