package skipper_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/skipper"
)

func header(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

// mark sets an annotation of the user's.
func mark(key, value string) func(*scene) {
	return func(s *scene) { annotate(key, value)(s.users) }
}

func setSpec(field string, value any) func(*scene) {
	return func(s *scene) { s.users.Object["spec"].(map[string]any)[field] = value }
}

// rules replaces the user's by one of a host with these paths.
func rules(host string, paths ...[3]string) func(*scene) {
	var all []any
	for _, p := range paths {
		all = append(all, map[string]any{"path": p[0], "pathType": p[1], "backend": map[string]any{
			"service": map[string]any{"name": p[2], "port": map[string]any{"number": int64(9898)}},
		}})
	}
	rule := map[string]any{"http": map[string]any{"paths": all}}
	if host != "" {
		rule["host"] = host
	}
	return setSpec("rules", []any{rule})
}

const specific = "ImplementationSpecific"

// refusals are users' Ingresses that cannot be divided, with what the sentence has to name.
func refusals() map[string]struct {
	do   func(*scene)
	says []string
} {
	return map[string]struct {
		do   func(*scene)
		says []string
	}{
		"no Ingress": {(*scene).lose, []string{"does not exist", "spec.ingressRef"}},
		"no path to the apex": {
			rules("a.test", [3]string{"/", "Prefix", "cdn"}),
			[]string{"has no path whose backend is Service podinfo;"},
		},
		"the apex as default": {
			setSpec("defaultBackend", map[string]any{"service": map[string]any{"name": "podinfo"}}),
			[]string{"spec.defaultBackend", "path /"},
		},
		"no host": {rules("", [3]string{"/", "Prefix", "podinfo"}), []string{"a rule without a host", "name the host"}},
		"another backend of the same path": {
			rules("a.test", [3]string{"/app/", "Exact", "cdn"}, [3]string{"/app", "Prefix", "podinfo"}),
			[]string{"another backend than Service podinfo for the path /app of host a.test", "give them a path each"},
		},
		"paths that are expressions": {
			rules("a.test", [3]string{"/", specific, "podinfo"}, [3]string{"/static", specific, "cdn"}),
			[]string{"the paths / and /static of host a.test with pathType " + specific, "set pathType to Prefix"},
		},
		"routes of its own": {
			mark("zalando.org/skipper-routes", "a: * -> <shunt>"),
			[]string{"zalando.org/skipper-routes", "Weight(100)"},
		},
		"a share of the whole": {mark(predicate, `Method("GET") && Traffic (0.5)`), []string{predicate, "remove the predicate"}},
		"a segment":            {mark(predicate, `TrafficSegment(0, 0.5)`), []string{predicate, "remove the predicate"}},
		"a condition on the same header": {
			mark(predicate, "Header(`X-Insider`, `no`)"),
			[]string{"a condition on the header x-insider", predicate, "spec.analysis.steps[0].match[0] has another", "remove one"},
		},
		"a condition on the cookie": {
			mark(predicate, `HeaderRegexp("Cookie", "a=b")`),
			[]string{"a condition on the header cookie", "spec.analysis.sessionAffinity", "use the predicate Cookie"},
		},
	}
}

// TestRefuses what cannot be divided, with one sentence that names object, field and way out.
func TestRefuses(t *testing.T) {
	during := rollout.Split{Weight: 30, Match: header("x-insider", v1beta1.StringMatch{Exact: "yes"})}
	for name, c := range refusals() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.app.Canary.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Match: during.Match}}
			s.app.Canary.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "a"}
			before := s.render(t, during)
			c.do(s)
			_, err := skipper.Router{}.Render(s.app, rollout.Split{}, s.found)
			require.ErrorContains(t, err, "rendering Ingress shop/podinfo-canary: Ingress shop/podinfo ")
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
			s.have(before)
			s.takenBack(t, during)
		})
	}
}

// takenBack has the user's Ingress as it cannot be divided in mid-run: no request goes to the canary any more, and
// Read says why.
func (s *scene) takenBack(t *testing.T, during rollout.Split) {
	t.Helper()
	read := skipper.Router{}.Read(s.app, during, s.found)
	assert.Equal(t, during, read.Split, "as long as it stands")
	assert.Contains(t, read.Refused, "Ingress shop/podinfo ")
	assert.False(t, read.Accepted)
	before := s.pair().Object["spec"]
	taken := s.render(t, during)
	s.have(taken)
	require.Equal(t, taken, s.render(t, during))
	assert.Equal(t, before, s.pair().Object["spec"])
	for _, o := range taken {
		assert.Equal(t, "False()", o.Intent.GetAnnotations()[predicate])
	}
	read = skipper.Router{}.Read(s.app, during, s.found)
	assert.Equal(t, rollout.Split{}, read.Split)
	assert.NotEmpty(t, read.Refused)
	_, err := skipper.Router{}.Render(s.app, rollout.Split{}, s.found)
	require.Error(t, err, "the run is over, and there is nothing to take back")
}

// TestDivides what is like a refused Ingress, and can be divided.
func TestDivides(t *testing.T) {
	for name, do := range map[string]func(*scene){
		"expressions of the apex's alone": rules("a.test", [3]string{"/", specific, "podinfo"}, [3]string{"/b", specific, "podinfo"}),
		"an expression beside a prefix":   rules("a.test", [3]string{"/", specific, "podinfo"}, [3]string{"/static", "Prefix", "cdn"}),
		"prefixes by annotation": func(s *scene) {
			rules("a.test", [3]string{"/", specific, "podinfo"}, [3]string{"/static", specific, "cdn"})(s)
			mark("zalando.org/skipper-ingress-path-mode", "path-prefix")(s)
		},
		"one path twice":              rules("a.test", [3]string{"/", "Exact", "podinfo"}, [3]string{"/", "Prefix", "podinfo"}),
		"no routes of its own":        mark("zalando.org/skipper-routes", " "),
		"a condition on others":       mark(predicate, `Header("x-insider-too", "x-insider")`),
		"a cookie by its predicate":   mark(predicate, `Cookie("a", "b")`),
		"a default backend of theirs": setSpec("defaultBackend", map[string]any{"service": map[string]any{"name": "cdn"}}),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			do(s)
			split := rollout.Split{Weight: 30, Match: header("x-insider", v1beta1.StringMatch{Exact: "yes"})}
			s.have(s.render(t, split))
			require.Equal(t, rollout.Route{Found: true, Accepted: true, Split: split}, skipper.Router{}.Read(s.app, split, s.found))
			for _, o := range s.render(t, split) {
				require.NotContains(t, o.Intent.Object["spec"], "defaultBackend")
			}
		})
	}
}

// TestReadOfOthers has somebody else's hand in Weir's Ingresses.
func TestReadOfOthers(t *testing.T) {
	ten := rollout.Split{Weight: 10}
	read := func(do func(*unstructured.Unstructured)) rollout.Route {
		s := newScene(t)
		s.have(s.render(t, ten))
		do(s.pair())
		return skipper.Router{}.Read(s.app, ten, s.found)
	}
	for _, c := range []struct {
		weights, predicates string
		weight              int32
	}{
		{`{"podinfo-canary":30,"podinfo-primary":30}`, "Weight(1)", 50},
		{`{"podinfo-canary":1,"podinfo-primary":2}`, "Weight(1)", 100}, // not Weir's: it could be anything
		{`{"podinfo-canary":10}`, "Weight(1)", 100},
		{`{"podinfo-canary":10,"podinfo-primary":-5}`, "Weight(1)", 100},
		{`[]`, "Weight(1)", 50},
		{`{"podinfo-canary":100,"podinfo-primary":0}`, "Traffic(0.07) && Weight(1)", 7},
		{`{"podinfo-canary":100,"podinfo-primary":0}`, "Traffic(some) && Weight(1)", 100},
		{`{"podinfo-canary":10,"podinfo-primary":90}`, `Weight(1) && Method("GET")`, 10},
		{`{"podinfo-canary":10,"podinfo-primary":90}`, "Weight(10)", 100},
		{`{"podinfo-canary":10,"podinfo-primary":90}`, "False() && Weight(1)", 0},
		{`{"podinfo-canary":10,"podinfo-primary":90}`, "False()", 0},
	} {
		route := read(func(i *unstructured.Unstructured) {
			annotate(weights, c.weights)(i)
			annotate(predicate, c.predicates)(i)
		})
		require.Equal(t, rollout.Split{Weight: c.weight}, route.Split, "%+v", c)
	}
	for _, c := range []struct {
		do   func(*unstructured.Unstructured)
		says string
	}{
		{annotate("zalando.org/skipper-routes", "a: * -> <shunt>"), "the annotation zalando.org/skipper-routes, "},
		{func(i *unstructured.Unstructured) {
			i.Object["spec"].(map[string]any)["defaultBackend"] = map[string]any{}
		}, "spec.defaultBackend, "},
	} {
		route := read(c.do)
		require.False(t, route.Accepted)
		require.Contains(t, route.Refused, "Ingress shop/podinfo-canary has got "+c.says)
	}
}

// TestOfOthers has Ingresses of the pair's and a way's name that are not Weir's.
func TestOfOthers(t *testing.T) {
	s := newScene(t)
	require.Equal(t, rollout.Route{}, skipper.Router{}.Read(s.app, rollout.Split{}, s.found))
	for i, name := range map[int]string{1: "podinfo-canary", 9: "podinfo-canary-match-8"} {
		s := newScene(t)
		other := s.users.DeepCopy()
		other.SetName(name)
		s.found[skipper.Router{}.Refs(s.app)[i]] = other
		_, err := skipper.Router{}.Render(s.app, rollout.Split{}, s.found)
		require.ErrorContains(t, err, "rendering Ingress shop/"+name+": there is an Ingress of that name")
		require.ErrorContains(t, err, "delete or rename it")
		require.Equal(t, rollout.Route{}, skipper.Router{}.Read(s.app, rollout.Split{}, s.found))
		released, err := skipper.Router{}.Release(s.app, s.found)
		require.NoError(t, err)
		require.Empty(t, released)
	}
	s.app.Canary.Spec.IngressRef = nil
	require.Empty(t, skipper.Router{}.Refs(s.app))
	require.Equal(t, rollout.Route{}, skipper.Router{}.Read(s.app, rollout.Split{}, s.found))
}

// TestWaysAreShut has a split with fewer ways than there are, and a spec that knows none any more.
func TestWaysAreShut(t *testing.T) {
	s := newScene(t)
	first := v1beta1.StringMatch{Exact: "1"}
	two := rollout.Split{Match: append(header("x-a", first), header("x-b", first)...)}
	s.have(s.render(t, two))
	one := rollout.Split{Match: two.Match[1:]}
	require.NotEqual(t, one, skipper.Router{}.Read(s.app, one, s.found).Split)
	objects := s.render(t, one)
	require.Len(t, objects, 3)
	require.Equal(t, `HeaderRegexp("x-b", "^1$") && Weight(2) && Method("GET")`, objects[1].Intent.GetAnnotations()[predicate])
	require.Equal(t, "False()", objects[2].Intent.GetAnnotations()[predicate])
	s.have(objects)
	require.Equal(t, rollout.Route{Found: true, Accepted: true, Split: one}, skipper.Router{}.Read(s.app, one, s.found))
	s.have(s.render(t, rollout.Split{}))
	require.Equal(t, rollout.Route{Found: true, Accepted: true}, skipper.Router{}.Read(s.app, one, s.found))
}

// TestMatches says each condition as Skipper understands it, or refuses it by name.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		match   v1beta1.RequestMatch
		says    string
		refused string
	}{
		{match: header("X-Insider", v1beta1.StringMatch{Exact: `a.b"\`})[0], says: `HeaderRegexp("x-insider", "^a\\.b\"\\\\$")`},
		{match: header("x-v", v1beta1.StringMatch{Prefix: "2.(x"})[0], says: `HeaderRegexp("x-v", "^2\\.\\(x")`},
		{match: header("x-v", v1beta1.StringMatch{Regex: "eu|us-[0-9]+"})[0], says: `HeaderRegexp("x-v", "^(?:eu|us-[0-9]+)$")`},
		{
			match: v1beta1.RequestMatch{Headers: map[string]v1beta1.StringMatch{"X-A": {Exact: "1"}, "x-a": {Prefix: "2"}}},
			says:  `HeaderRegexp("x-a", "^1$") && HeaderRegexp("x-a", "^2")`,
		},
		{
			match: v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{"Beta": {Exact: "ü"}}},
			says:  `QueryParam("Beta", "^ü$")`,
		},
		{
			match:   header("x-v", v1beta1.StringMatch{Regex: "a)|(b"})[0],
			refused: "the expression of header x-v is none of the syntax RE2",
		},
		{
			match:   v1beta1.RequestMatch{QueryParams: map[string]v1beta1.StringMatch{"q": {Regex: "(?=a)"}}},
			refused: "the expression of query parameter q is none of the syntax RE2",
		},
		{match: header("Host", v1beta1.StringMatch{Exact: "a"})[0], refused: "no header host"},
	} {
		s := newScene(t)
		s.app.Canary.Spec.Analysis.Steps = []v1beta1.CanaryStep{{}, {Match: []v1beta1.RequestMatch{c.match}}}
		problems := skipper.Router{}.Validate(s.app.Canary)
		if c.refused != "" {
			require.Len(t, problems, 1, "%+v", c.match)
			require.Equal(t, "MatchNotServed", problems[0].Reason)
			require.Contains(t, problems[0].Message, "spec.analysis.steps[1].match[0] cannot be said by predicates: ")
			require.Contains(t, problems[0].Message, c.refused)
			continue
		}
		require.Empty(t, problems, "%+v", c.match)
		ways := s.render(t, rollout.Split{Match: []v1beta1.RequestMatch{c.match}})[1:]
		require.Len(t, ways, 1)
		require.Equal(t, c.says+` && Weight(2) && Method("GET")`, ways[0].Intent.GetAnnotations()[predicate])
	}
}

func TestValidate(t *testing.T) {
	s := newScene(t)
	c := s.app.Canary
	require.Empty(t, skipper.Router{}.Validate(c))
	c.Spec.Analysis.Mirror = true
	c.Spec.IngressRef = nil
	var said []string
	for _, p := range (skipper.Router{}).Validate(c) {
		said = append(said, p.Reason+": "+p.Message)
	}
	require.Len(t, said, 2, "%s", strings.Join(said, "\n"))
	require.Contains(t, said[0], "FieldNotServed: spec.analysis.mirror asks for mirroring")
	require.Regexp(t, regexp.MustCompile("^IngressMissing: router skipper .* spec.ingressRef names none"), said[1])
}
