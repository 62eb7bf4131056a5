package apisix_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/apisix"
)

// setRule changes a field of one of the user's rules.
func setRule(at int, field string, value any) func(*scene) {
	return func(s *scene) { rules(s.users)[at][field] = value }
}

func backend(service string, more ...any) map[string]any {
	b := map[string]any{"serviceName": service, "servicePort": int64(80)}
	if len(more) > 0 {
		b["weight"] = more[0]
	}
	return b
}

// refusals are what cannot be divided, and a part of what is said of it.
func refusals() map[string]struct {
	do   func(*scene)
	says string
} {
	type refusal = struct {
		do   func(*scene)
		says string
	}
	return map[string]refusal{
		"no ApisixRoute": {(*scene).lose, "ApisixRoute shop/podinfo does not exist; make it, or correct spec.routeRef"},
		"no rule that leads to the apex": {
			func(s *scene) { spec(s.users)["http"] = spec(s.users)["http"].([]any)[1:2] },
			"ApisixRoute shop/podinfo has no rule in spec.http that leads to Service podinfo; add it to a rule's backends",
		},
		"connections": {
			func(s *scene) {
				spec(s.users)["stream"] = []any{map[string]any{"name": "tcp", "backend": backend("podinfo")}}
			},
			"ApisixRoute shop/podinfo leads to Service podinfo by rule tcp of spec.stream",
		},
		"a backend that is Weir's": {
			setRule(0, "backends", []any{backend("podinfo", int64(1)), backend("podinfo-canary", int64(1))}),
			"rule web of ApisixRoute shop/podinfo has Service podinfo-canary beside podinfo in its backends",
		},
		"the apex twice": {
			setRule(0, "backends", []any{backend("podinfo", int64(1)), backend("podinfo", int64(1))}),
			"rule web of ApisixRoute shop/podinfo has Service podinfo twice in its backends; leave one of them",
		},
		"a backend without a weight": {
			setRule(0, "backends", []any{backend("podinfo", int64(1)), backend("legacy")}),
			"rule web of ApisixRoute shop/podinfo has several backends, and legacy has no weight from 0 to 10000; set one",
		},
		"a weight that cannot be multiplied": {
			setRule(0, "upstreams", []any{map[string]any{"name": "abroad", "weight": int64(10001)}}),
			"has several backends, and podinfo has no weight",
		},
		"a plugin that chooses": {
			setRule(0, "plugins", []any{map[string]any{"name": "traffic-split", "enable": true}}),
			"rule web of ApisixRoute shop/podinfo has the plugin traffic-split",
		},
		"a name of Weir's": {setRule(0, "name", "weir-canary-7"), "has a name that Weir gives to rules of its own"},
		"a rule between": {
			func(s *scene) {
				assets := rules(s.users)[1]
				assets["priority"] = int64(2)
				assets["match"].(map[string]any)["paths"] = []any{"/assets", "/*"}
			},
			"rules web and assets of ApisixRoute shop/podinfo may match the same requests, and the canary's rules come " +
				"between them; set the priority of assets to 3 or more, or below 0",
		},
	}
}

// TestRenderRefuses what cannot be divided, with one sentence that names object, field and way out.
func TestRenderRefuses(t *testing.T) {
	for name, c := range refusals() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c.do(s)
			_, err := apisix.Router{}.Render(s.app, rollout.Split{}, s.found)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "rendering ApisixRoute shop/podinfo-canary: ")
		})
	}
	s := newScene(t)
	s.have(s.render(t, rollout.Split{}))
	s.second().SetOwnerReferences(nil)
	s.second().SetLabels(nil)
	_, err := apisix.Router{}.Render(s.app, rollout.Split{}, s.found)
	require.ErrorContains(t, err, "there is an ApisixRoute of that name which Weir did not make for this Canary")
	require.Equal(t, rollout.Route{}, apisix.Router{}.Read(s.app, rollout.Split{}, s.found), "it is not Weir's")
}

// TestRulesBetween has another rule of the user's that may match the same requests, or may not.
func TestRulesBetween(t *testing.T) {
	for name, c := range map[string]struct {
		priority int64
		match    map[string]any
		refused  bool
	}{
		"one as high":            {0, map[string]any{"paths": []any{"/*"}}, true},
		"one as high as a match": {2, map[string]any{"paths": []any{"/*"}}, true},
		"one above all":          {3, map[string]any{"paths": []any{"/*"}}, false},
		"one below all":          {-1, map[string]any{"paths": []any{"/*"}}, false},
		"another path":           {1, map[string]any{"paths": []any{"/assets/*"}}, false},
		"another host":           {1, map[string]any{"paths": []any{"/*"}, "hosts": []any{"example.com"}}, false},
		"any of its hosts":       {1, map[string]any{"paths": []any{"/*"}, "hosts": []any{"*.example.com"}}, true},
		"a host of all":          {1, map[string]any{"paths": []any{"/*"}, "hosts": []any{"PODINFO.example.com"}}, true},
		"any method":             {1, map[string]any{"paths": []any{"/*"}, "methods": []any{"GET"}}, true},
	} {
		s := newScene(t)
		rules(s.users)[1]["priority"], rules(s.users)[1]["match"] = c.priority, c.match
		_, err := apisix.Router{}.Render(s.app, rollout.Split{}, s.found)
		require.Equal(t, c.refused, err != nil, "%s: %v", name, err)
	}
	s := newScene(t)
	rules(s.users)[0]["match"].(map[string]any)["methods"] = []any{"GET"}
	rules(s.users)[1]["match"] = map[string]any{"paths": []any{"/*"}, "methods": []any{"POST"}}
	s.render(t, rollout.Split{})
}

// TestTakenBack has the user's ApisixRoute change in mid-run to what cannot be divided. The second loses its rules, so
// no request goes to the canary any more, and Read says why.
func TestTakenBack(t *testing.T) {
	during := rollout.Split{Weight: 30, Match: header("x-insider", v1beta1.StringMatch{Exact: "yes"})}
	for name, c := range refusals() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.have(s.render(t, during))
			c.do(s)
			read := apisix.Router{}.Read(s.app, during, s.found)
			assert.Equal(t, during.Weight, read.Split.Weight, "as long as it stands")
			assert.NotEmpty(t, read.Split.Match)
			assert.Contains(t, read.Refused, c.says)
			assert.False(t, read.Accepted)

			taken := s.render(t, during)
			require.Len(t, taken, 1)
			assert.Equal(t, map[string]any{"ingressClassName": "apisix", "http": []any{}}, taken[0].Intent.Object["spec"])
			s.have(taken)
			read = apisix.Router{}.Read(s.app, during, s.found)
			assert.Equal(t, rollout.Split{}, read.Split)
			assert.NotEmpty(t, read.Refused)
			_, err := apisix.Router{}.Render(s.app, rollout.Split{}, s.found)
			require.Error(t, err, "the run is over, and there is nothing to take back")
		})
	}
}

// TestReadStatus goes by what the controller says of this very version.
func TestReadStatus(t *testing.T) {
	ten := rollout.Split{Weight: 10}
	s := newScene(t)
	s.have(s.render(t, ten))
	second := s.second()
	for _, c := range []struct {
		condition, status string
		generation        int64
		accepted          bool
		refused           string
	}{
		{"Accepted", "True", 4, true, ""},
		{"Accepted", "True", 3, false, ""},
		{"Accepted", "False", 3, false, ""},
		{"Accepted", "Unknown", 4, false, ""},
		{"Accepted", "False", 4, false, "ApisixRoute shop/podinfo-canary is not served whole: Sync: said so"},
		{"PartiallyInvalid", "True", 4, false, "ApisixRoute shop/podinfo-canary is not served whole: Sync: said so"},
		{"PartiallyInvalid", "False", 4, false, ""},
	} {
		say(second, c.condition, c.status, c.generation)
		read := apisix.Router{}.Read(s.app, ten, s.found)
		require.Equal(t, rollout.Route{Found: true, Split: ten, Accepted: c.accepted, Refused: c.refused}, read, "%+v", c)
	}
	delete(second.Object, "status")
	require.False(t, apisix.Router{}.Read(s.app, ten, s.found).Accepted)
}

// TestReadOfOthers has somebody else's hand in the second ApisixRoute.
func TestReadOfOthers(t *testing.T) {
	ten := rollout.Split{Weight: 10}
	for name, c := range map[string]struct {
		do   func(*unstructured.Unstructured)
		says string
	}{
		"a rule more": {func(o *unstructured.Unstructured) {
			spec(o)["http"] = append(spec(o)["http"].([]any), map[string]any{"name": "mine", "backends": []any{backend("podinfo-canary")}})
		}, "rule mine"},
		"a rule that looks like Weir's": {func(o *unstructured.Unstructured) {
			spec(o)["http"] = append(spec(o)["http"].([]any), map[string]any{"name": "weir-canary-9"})
		}, "rule weir-canary-9"},
		"a field more": {func(o *unstructured.Unstructured) {
			rules(o)[0]["authentication"] = map[string]any{"enable": true, "type": "keyAuth"}
		}, "the field authentication in rule web"},
		"a field more, deeper": {func(o *unstructured.Unstructured) {
			rules(o)[0]["match"].(map[string]any)["methods"] = []any{"GET"}
		}, "the field match.methods in rule web"},
		"a connection": {func(o *unstructured.Unstructured) {
			spec(o)["stream"] = []any{map[string]any{"name": "tcp", "backend": backend("podinfo-canary")}}
		}, "rules in spec.stream"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.have(s.render(t, ten))
			c.do(s.second())
			require.False(t, apisix.Router{}.Read(s.app, ten, s.found).Accepted, "it may be left of what Weir wrote")
			s.second().SetManagedFields([]metav1.ManagedFieldsEntry{
				{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:http":{}}}`)},
			})
			read := apisix.Router{}.Read(s.app, ten, s.found)
			require.False(t, read.Accepted)
			require.Equal(t, "ApisixRoute shop/podinfo-canary has got "+c.says+" from somebody else, which Weir does not "+
				"write and cannot take away; remove it", read.Refused)
		})
	}
}

// TestUpstreams follow the user's, and leave another's alone.
func TestUpstreams(t *testing.T) {
	s := newScene(t)
	mine := s.render(t, rollout.Split{})
	require.Len(t, mine, 3)
	s.have(mine)
	delete(s.found, s.ref(1))
	for _, o := range s.render(t, rollout.Split{})[:2] {
		require.Equal(t, map[string]any{}, o.Intent.Object["spec"], "what it was made like is gone")
	}
	other := s.found[s.ref(3)]
	other.SetOwnerReferences(nil)
	other.SetLabels(nil)
	require.Len(t, s.render(t, rollout.Split{}), 2, "somebody else's holds as it is")
	released, err := apisix.Router{}.Release(s.app, s.found)
	require.NoError(t, err)
	require.Equal(t, []router.Released{{Ref: s.ref(4)}, {Ref: s.ref(2)}}, released)

	s = newScene(t)
	delete(s.found, s.ref(1))
	require.Len(t, s.render(t, rollout.Split{}), 1, "there is nothing to be like")
}

// TestConditions are looked for anywhere in a text by APISIX, and are to be of the whole of it.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		text                    v1beta1.StringMatch
		op, value, match, other string
	}{
		{v1beta1.StringMatch{Exact: "a.(b"}, "Equal", "a.(b", "", ""},
		{v1beta1.StringMatch{Prefix: "2.(x"}, "RegexMatch", `^2\.\(x`, "2.(xy", "12.(x"},
		{v1beta1.StringMatch{Regex: "eu|us-[0-9]+"}, "RegexMatch", "^(?:eu|us-[0-9]+)$", "us-12", "eu-1"},
	} {
		s := newScene(t)
		objects := s.render(t, rollout.Split{Match: header("X-V", c.text)})
		added := rules(objects[len(objects)-1].Intent)[2]
		require.Equal(t, []any{map[string]any{
			"subject": map[string]any{"scope": "Header", "name": "X-V"}, "op": c.op, "value": c.value,
		}}, added["match"].(map[string]any)["exprs"])
		if c.op == "RegexMatch" {
			require.Regexp(t, regexp.MustCompile(c.value), c.match)
			require.NotRegexp(t, regexp.MustCompile(c.value), c.other)
		}
	}
}

func TestValidate(t *testing.T) {
	s := newScene(t)
	c := s.app.Canary
	require.Empty(t, apisix.Router{}.Validate(c))
	c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{}, {Match: header("x.v", v1beta1.StringMatch{Exact: "1"})}}
	c.Spec.RouteRef = nil
	var said []string
	for _, p := range (apisix.Router{}).Validate(c) {
		said = append(said, p.Reason+": "+p.Message)
	}
	require.Len(t, said, 2)
	require.Contains(t, said[0], "RouteMissing: router apisix shifts the traffic of an ApisixRoute, and spec.routeRef names none")
	require.Equal(t, "MatchNotServed: spec.analysis.steps[1].match[0].headers cannot be said to APISIX: it has no variable "+
		"for a header x.v; use one of letters, digits and hyphens", said[1])

	require.Empty(t, apisix.Router{}.Refs(s.app))
	require.Equal(t, rollout.Route{}, apisix.Router{}.Read(s.app, rollout.Split{}, s.found))
	released, err := apisix.Router{}.Release(s.app, s.found)
	require.NoError(t, err)
	require.Empty(t, released)
}
