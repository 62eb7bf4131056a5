package nginx_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router/nginx"
)

// TestRenderRefuses what cannot be divided, with one sentence that names object, field and way out.
func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*scene)
		says []string
	}{
		{"no Ingress", (*scene).lose, []string{"Ingress shop/podinfo does not exist", "spec.ingressRef"}},
		{"no path to the apex", func(s *scene) {
			setSpec(s, "rules", rawRules(s)[1:2])
		}, []string{"Ingress shop/podinfo has no path whose backend is Service podinfo;", "spec.rules"}},
		{"a backend of kind resource alone", func(s *scene) {
			paths := rulesOf(s.users)[0]["http"].(map[string]any)
			paths["paths"] = paths["paths"].([]any)[2:]
			setSpec(s, "rules", rawRules(s)[:1])
		}, []string{"Ingress shop/podinfo", "StorageBucket assets", "kind resource"}},
		{"the apex as default", func(s *scene) {
			setSpec(s, "defaultBackend", map[string]any{"service": map[string]any{"name": "podinfo"}})
		}, []string{"Ingress shop/podinfo", "spec.defaultBackend", "path /"}},
		{"a canary of another", mark("canary", "true"), []string{"Ingress shop/podinfo", "annotation " + prefix + "canary;"}},
		{"TLS that is passed on", mark("ssl-passthrough", "true"), []string{prefix + "ssl-passthrough", "remove it"}},
		{"users who stay", mark("affinity", "cookie"), []string{prefix + "affinity,", prefix + "affinity-canary-behavior to legacy"}},
		{"an Ingress of the canary's name", func(s *scene) {
			other := s.users.DeepCopy()
			other.SetName("podinfo-canary")
			s.have(other)
		}, []string{"rendering Ingress shop/podinfo-canary: there is an Ingress of that name", "delete or rename it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			c.do(s)
			_, err := nginx.Router{}.Render(s.app, rollout.Split{}, s.found)
			require.Error(t, err)
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
		})
	}
	s := newScene(t)
	mark("affinity", "cookie")(s)
	mark("affinity-canary-behavior", "legacy")(s)
	s.render(t, rollout.Split{})
}

// TestTakenBack has the user's Ingress change in mid-run to what cannot be divided. No request goes to the canary
// any more, and Read says why.
func TestTakenBack(t *testing.T) {
	during := rollout.Split{Weight: 30, Match: header("x-insider", v1beta1.StringMatch{Exact: "yes"})}
	for name, do := range map[string]func(*scene){
		"it is gone":         (*scene).lose,
		"it leads elsewhere": func(s *scene) { setSpec(s, "rules", rawRules(s)[1:2]) },
		"it keeps users":     mark("affinity", "cookie"),
		"TLS is passed on":   mark("ssl-passthrough", "true"),
		"the apex is by default": func(s *scene) {
			setSpec(s, "defaultBackend", map[string]any{"service": map[string]any{"name": "podinfo"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			before := s.render(t, during)
			s.have(before)
			do(s)
			read := nginx.Router{}.Read(s.app, during, s.found)
			assert.Equal(t, during, read.Split, "as long as it stands")
			assert.Contains(t, read.Refused, "Ingress shop/podinfo ")
			assert.False(t, read.Accepted)

			taken := s.render(t, during)
			assert.Equal(t, before.Object["spec"], taken.Object["spec"])
			assert.Equal(t, "0", taken.GetAnnotations()[prefix+"canary-weight"])
			assert.NotContains(t, taken.GetAnnotations(), prefix+"canary-by-header")
			s.have(taken)
			read = nginx.Router{}.Read(s.app, during, s.found)
			assert.Equal(t, rollout.Split{}, read.Split)
			assert.NotEmpty(t, read.Refused)
			_, err := nginx.Router{}.Render(s.app, rollout.Split{}, s.found)
			require.Error(t, err, "the run is over, and there is nothing to take back")
		})
	}
}

// TestReadOfOthers has somebody else's hand in the canary's Ingress.
func TestReadOfOthers(t *testing.T) {
	s := newScene(t)
	require.Equal(t, rollout.Route{}, nginx.Router{}.Read(s.app, rollout.Split{}, s.found))
	ten := rollout.Split{Weight: 10}
	stranger := s.render(t, ten)
	for _, key := range []string{"canary-by-cookie", "canary-weight-total"} {
		have := stranger.DeepCopy()
		annotate(key, "1000")(have)
		s.have(have)
		read := nginx.Router{}.Read(s.app, ten, s.found)
		require.False(t, read.Accepted)
		require.NotEmpty(t, read.Split.Match, "nobody knows what gets there")
		require.Contains(t, read.Refused, "annotation "+prefix+key+",")
	}
	plain := stranger.DeepCopy()
	annotate("canary", "false")(plain)
	s.have(plain)
	require.Equal(t, rollout.Route{Found: true, Split: rollout.Split{Weight: 100}}, nginx.Router{}.Read(s.app, ten, s.found),
		"it could get everything")

	plain.SetOwnerReferences(nil)
	plain.SetLabels(nil)
	require.Equal(t, rollout.Route{}, nginx.Router{}.Read(s.app, ten, s.found), "it is not Weir's")
	released, err := nginx.Router{}.Release(s.app, s.found)
	require.NoError(t, err)
	require.Empty(t, released)

	s.app.Canary.Spec.IngressRef = nil
	require.Empty(t, nginx.Router{}.Refs(s.app))
	require.Equal(t, rollout.Route{}, nginx.Router{}.Read(s.app, ten, s.found))
}

// TestPrefix has a controller with annotations of its own; those of another stay what they are.
func TestPrefix(t *testing.T) {
	s := newScene(t)
	r := nginx.Router{Prefix: "example.org"}
	mark("canary-weight", "7")(s)
	objects, err := r.Render(s.app, rollout.Split{Weight: 30}, s.found)
	require.NoError(t, err)
	annotations := objects[0].Intent.GetAnnotations()
	require.Equal(t, "true", annotations["example.org/canary"])
	require.Equal(t, "30", annotations["example.org/canary-weight"])
	require.Equal(t, "7", annotations[prefix+"canary-weight"])
	s.have(objects[0].Intent)
	require.Equal(t, int32(30), r.Read(s.app, rollout.Split{}, s.found).Split.Weight)
}

// TestMatches says each condition by the characters that ingress-nginx takes, or refuses it by name.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name             string
		text             v1beta1.StringMatch
		value, pattern   string
		matches, differs string
		refused          string
	}{
		{name: "X-Insider", text: v1beta1.StringMatch{Exact: "always"}, value: "always"},
		{name: "x-v", text: v1beta1.StringMatch{Exact: "v1.2/a:b~c_d-e"}, value: "v1.2/a:b~c_d-e"},
		{name: "x-v", text: v1beta1.StringMatch{Exact: "a; b"}, pattern: `^a\x3b\x20b$`, matches: "a; b", differs: "a; bc"},
		{name: "x-v", text: v1beta1.StringMatch{Prefix: "2.(x"}, pattern: `^2\x2e\x28x`, matches: "2.(xy", differs: "22(x"},
		{name: "x-v", text: v1beta1.StringMatch{Regex: "eu|us-[0-9]+"}, pattern: "^(eu|us-[0-9]+)$", matches: "us-12", differs: "eu-1"},
		{name: "x-v", text: v1beta1.StringMatch{Regex: "a,b"}, refused: `x-v has one; write it by its number, as in \x2c`},
		{
			name: "Cookie", text: v1beta1.StringMatch{Regex: `(.*; )?a=(1|\;|\\)(;.*)?`},
			pattern: `^((.*\x3b )?a=(1|\x3b|\\)(\x3b.*)?)$`, matches: "b=2; a=1; c=3", differs: "b=a=1",
		},
		{name: "x-v", text: v1beta1.StringMatch{Exact: "grün"}, refused: "not ASCII"},
		{name: "x.v", text: v1beta1.StringMatch{Exact: "a"}, refused: "takes no header x.v"},
	} {
		s := newScene(t)
		match := header(c.name, c.text)
		s.app.Canary.Spec.Analysis.Steps = []v1beta1.CanaryStep{{}, {Match: match}}
		problems := nginx.Router{}.Validate(s.app.Canary)
		if c.refused != "" {
			require.Len(t, problems, 1, "%+v", c.text)
			require.Equal(t, "MatchNotServed", problems[0].Reason)
			require.Contains(t, problems[0].Message, "spec.analysis.steps[1].match ")
			require.Contains(t, problems[0].Message, c.refused)
			continue
		}
		require.Empty(t, problems, "%+v", c.text)
		annotations := s.render(t, rollout.Split{Match: match}).GetAnnotations()
		require.Equal(t, c.name, annotations[prefix+"canary-by-header"])
		require.Equal(t, c.value, annotations[prefix+"canary-by-header-value"])
		require.Equal(t, c.pattern, annotations[prefix+"canary-by-header-pattern"])
		if c.pattern != "" {
			require.Regexp(t, regexp.MustCompile(c.pattern), c.matches)
			require.NotRegexp(t, regexp.MustCompile(c.pattern), c.differs)
		}
	}
}

func TestValidate(t *testing.T) {
	s := newScene(t)
	c := s.app.Canary
	require.Empty(t, nginx.Router{}.Validate(c))
	c.Spec.Analysis.Match = append(header("x-a", v1beta1.StringMatch{Exact: "1"}), header("x-b", v1beta1.StringMatch{Exact: "1"})...)
	c.Spec.IngressRef = nil
	var said []string
	for _, p := range (nginx.Router{}).Validate(c) {
		said = append(said, p.Reason+": "+p.Message)
	}
	require.Len(t, said, 2, "%s", strings.Join(said, "\n"))
	require.Contains(t, said[0], "FieldNotServed: spec.analysis.match asks for matching by more than one condition")
	require.Contains(t, said[1], "IngressMissing: ")
}

func setSpec(s *scene, field string, value any) {
	s.users.Object["spec"].(map[string]any)[field] = value
}

func rawRules(s *scene) []any { return s.users.Object["spec"].(map[string]any)["rules"].([]any) }

func mark(key, value string) func(*scene) {
	set := annotate(key, value)
	return func(s *scene) { set(s.users) }
}
