package kuma_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/kuma"
)

func byHeader(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

func onPath(kind gatewayv1.PathMatchType, value string) gatewayv1.HTTPRouteMatch {
	return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
}

func matchesOf(rule any) []any { return rule.(map[string]any)["matches"].([]any) }

// What is read is what was rendered, whichever split is the committed one.
func TestReadBack(t *testing.T) {
	insiders := byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})
	testers := byHeader("x-tester", v1beta1.StringMatch{Prefix: "y"})
	var splits []rollout.Split
	for _, match := range [][]v1beta1.RequestMatch{nil, insiders, testers} {
		for _, weight := range []int32{0, 1, 33, 99, 100} {
			for _, mirror := range []int32{0, 1, 100} {
				splits = append(splits, rollout.Split{Weight: weight, Mirror: mirror, Match: match})
			}
		}
	}
	for _, s := range []*scene{newScene(t), bare(t)} {
		for _, split := range splits {
			s.have(s.render(t, split))
			require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, s.read(split))
			for _, other := range splits {
				read := s.read(other)
				require.Equal(t, split.Equal(other), read.Split.Equal(other), "%+v in force, %+v committed", split, other)
				require.Equal(t, len(split.Match) > 0, len(read.Split.Match) > 0)
			}
		}
	}
}

// The first version of a route has no zone. Kuma's control plane says its own as it is written, and takes the next
// version for one that holds for the mesh.
func TestZone(t *testing.T) {
	s := bare(t)
	ten := rollout.Split{Weight: 10}
	first := s.render(t, ten)
	require.Equal(t, map[string]any{"kuma.io/display-name": "podinfo", "k8s.kuma.io/namespace": "shop"}, target(first)["labels"])
	s.have(first, "kuma.io/zone", "east", "kuma.io/policy-role", "consumer")
	require.Equal(t, rollout.Route{Found: true, Split: ten}, s.read(ten), "the next look writes the zone")

	second := s.render(t, ten)
	require.Len(t, target(second)["labels"], 3)
	for _, b := range backends(own(second)) {
		require.Equal(t, "east", b.(map[string]any)["labels"].(map[string]any)["kuma.io/zone"])
	}
	s.have(second, "kuma.io/zone", "east", "kuma.io/policy-role", "producer")
	require.Equal(t, rollout.Route{Found: true, Split: ten, Accepted: true}, s.read(ten))
	require.Equal(t, second, s.render(t, ten))
	s.have(second, "kuma.io/zone", "east", "kuma.io/policy-role", "system")
	require.True(t, s.read(ten).Accepted)

	s.have(second, "kuma.io/zone", "east", "kuma.io/policy-role", "consumer")
	read := s.read(ten)
	require.False(t, read.Accepted)
	require.Contains(t, read.Refused, "MeshHTTPRoute shop/podinfo is one for the pods of its namespace alone, as Kuma says by its "+
		"label kuma.io/policy-role=consumer; Weir needs Kuma 3")
}

func TestMesh(t *testing.T) {
	s := newScene(t)
	require.Equal(t, "retail", s.render(t, rollout.Split{}).GetLabels()["kuma.io/mesh"])
	require.NotContains(t, s.app.Labels, "kuma.io/mesh", "they are of every object")
	s.app.Labels = nil
	require.Equal(t, map[string]string{"kuma.io/mesh": "retail"}, s.render(t, rollout.Split{}).GetLabels())
	s.app.Canary.Labels = nil
	require.NotContains(t, s.render(t, rollout.Split{}).GetLabels(), "kuma.io/mesh")
}

// A route is for one port, by the name that its Service has for it.
func TestSection(t *testing.T) {
	s := bare(t)
	s.app.Canary.Spec.Service.PortName = "main"
	section := func() any { return target(s.render(t, rollout.Split{Weight: 1}))["sectionName"] }
	require.Equal(t, "web", section())
	s.serve("", "http")
	require.Equal(t, "9898", section())
	delete(s.found, kuma.Router{}.Refs(s.app)[0])
	require.Equal(t, "main", section())
	s.app.Canary.Spec.Service.PortName = ""
	require.Equal(t, "9898", section())
}

// Kuma takes no notice of a route to a port that it takes for TCP. That is said before a run, and holds no rollback up.
func TestSpeaksHTTP(t *testing.T) {
	for protocol, spec := range map[string]*string{"": new("http"), "tcp": nil, "kubernetes.io/h2c": nil} {
		s := bare(t)
		s.app.Canary.Spec.Service.AppProtocol = spec
		running := s.render(t, rollout.Split{Weight: 10})
		s.serve("web", protocol)
		_, err := kuma.Router{}.Render(s.app, rollout.Split{}, s.found)
		require.ErrorContains(t, err, "rendering MeshHTTPRoute shop/podinfo: appProtocol of port 9898 of Service shop/podinfo is ")
		s.have(running)
		require.NotNil(t, s.render(t, rollout.Split{}), "a rollback")
		require.True(t, s.read(rollout.Split{Weight: 10}).Accepted)
	}
	s := bare(t)
	delete(s.found, kuma.Router{}.Refs(s.app)[0])
	_, err := kuma.Router{}.Render(s.app, rollout.Split{}, s.found)
	require.ErrorContains(t, err, `spec.service.appProtocol is "", and Kuma takes a port for TCP`)
	s.app.Canary.Spec.Service.AppProtocol = new("HTTP2")
	require.NotNil(t, s.render(t, rollout.Split{}))
}

func TestMatches(t *testing.T) {
	s := bare(t)
	service := &s.app.Canary.Spec.Service
	path := func(kind, value string) map[string]any {
		return map[string]any{"path": map[string]any{"type": kind, "value": value}}
	}
	require.Equal(t, []any{path("PathPrefix", "/")}, matchesOf(own(s.render(t, rollout.Split{}))), "a rule needs one")
	service.Match = []gatewayv1.HTTPRouteMatch{
		onPath(gatewayv1.PathMatchExact, "/a"), onPath(gatewayv1.PathMatchRegularExpression, "/b.*"),
		onPath(gatewayv1.PathMatchPathPrefix, "/c/"), onPath(gatewayv1.PathMatchPathPrefix, "/"),
	}
	require.Equal(t, []any{
		path("Exact", "/a"), path("RegularExpression", "/b.*"), path("PathPrefix", "/c"), path("PathPrefix", "/"),
	}, matchesOf(own(s.render(t, rollout.Split{}))))
	split := rollout.Split{Match: []v1beta1.RequestMatch{{
		Headers:     map[string]v1beta1.StringMatch{"X-A": {Prefix: "1."}},
		QueryParams: map[string]v1beta1.StringMatch{"v": {Prefix: "1."}},
	}}}
	narrow := matchesOf(rules(s.render(t, split))[0])
	require.Len(t, narrow, 4)
	require.Equal(t, map[string]any{
		"path":        map[string]any{"type": "Exact", "value": "/a"},
		"headers":     []any{map[string]any{"name": "x-a", "type": "Prefix", "value": "1."}},
		"queryParams": []any{map[string]any{"name": "v", "type": "RegularExpression", "value": `1\..*`}},
	}, narrow[0])
	for i, m := range narrow {
		require.Equal(t, matchesOf(own(s.render(t, split)))[i].(map[string]any)["path"], m.(map[string]any)["path"])
	}
}

// What contradicts itself, or is nothing that Kuma takes, sends nothing to the canary.
func TestContradictionSendsNothing(t *testing.T) {
	s := bare(t)
	service := &s.app.Canary.Spec.Service
	tenant := gatewayv1.HTTPRouteMatch{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Tenant", Value: "blue"}}}
	service.Match = []gatewayv1.HTTPRouteMatch{tenant}
	count := func(m []v1beta1.RequestMatch) int {
		all := rules(s.render(t, rollout.Split{Match: m}))
		if len(all) == 1 {
			return 0
		}
		return len(matchesOf(all[0]))
	}
	green := byHeader("x-tenant", v1beta1.StringMatch{Exact: "green"})
	require.Zero(t, count(green))
	require.Zero(t, count(byHeader("x-zone", v1beta1.StringMatch{Regex: "("})))
	require.Equal(t, 1, count(byHeader("x-tenant", v1beta1.StringMatch{Regex: "b.+"})), "both can be so")
	service.Match = append(service.Match, onPath(gatewayv1.PathMatchExact, "/a"))
	require.Equal(t, 1, count(green))
	service.Match = append(service.Match, onPath(gatewayv1.PathMatchRegularExpression, "("))
	require.Equal(t, 1, count(green), "nothing comes that way")
	twice := append(byHeader("x-a", v1beta1.StringMatch{Exact: "1"}), byHeader("X-A", v1beta1.StringMatch{Exact: "1"})...)
	require.Equal(t, 2, count(twice), "the same requests once")
	service.Match = service.Match[2:]
	require.Empty(t, rules(s.render(t, rollout.Split{Weight: 10})))
}

// Nobody's object is taken over unasked, and what others add to the spec beside Weir's fields is theirs.
func TestForeign(t *testing.T) {
	s := newScene(t)
	mine := s.render(t, rollout.Split{Weight: 10})
	theirs := mine.DeepCopy()
	theirs.SetLabels(map[string]string{})
	theirs.SetOwnerReferences(nil)
	s.have(theirs)
	_, err := kuma.Router{}.Render(s.app, rollout.Split{}, s.found)
	require.ErrorContains(t, err, "MeshHTTPRoute shop/podinfo is not Weir's, and provider kuma makes its own")
	require.Equal(t, rollout.Route{}, s.read(rollout.Split{}))
	released, err := kuma.Router{}.Release(s.app, s.found)
	require.NoError(t, err)
	require.Empty(t, released)

	theirs.SetOwnerReferences([]metav1.OwnerReference{{Kind: "HTTPRoute", Name: "podinfo", UID: "9", Controller: new(true)}})
	s.have(theirs)
	_, err = kuma.Router{}.Render(s.app, rollout.Split{}, s.found)
	require.ErrorContains(t, err, "MeshHTTPRoute shop/podinfo belongs to HTTPRoute podinfo; delete it there")

	mine.Object["spec"].(map[string]any)["more"] = "theirs"
	s.have(mine)
	require.True(t, s.read(rollout.Split{Weight: 10}).Accepted)
	released, err = kuma.Router{}.Release(s.app, s.found)
	require.NoError(t, err)
	require.Equal(t, "theirs", released[0].Object.Object["spec"].(map[string]any)["more"])

	s.app.Canary.Spec.Service.Rewrite.Type = "ReplaceFullPath"
	require.False(t, s.read(rollout.Split{Weight: 10}).Accepted, "the spec has changed")
	rewrite := map[string]any{
		"hostname": "podinfo.internal", "path": map[string]any{"type": "ReplaceFullPath", "replaceFullPath": "/v1"},
	}
	filters := does(own(s.render(t, rollout.Split{})))["filters"]
	require.Contains(t, filters, map[string]any{"type": "URLRewrite", "urlRewrite": rewrite})
}

func TestReadOddMirrors(t *testing.T) {
	s := bare(t)
	for _, m := range []struct {
		percentage any
		read       int32
	}{
		{nil, 100}, {"0.5", 1}, {"12.3", 13}, {"x", 100}, {int64(40), 40}, {int64(0), 1}, {int64(101), 100},
	} {
		route := s.render(t, rollout.Split{Mirror: 40})
		if mirrorOf(own(route))["percentage"] = m.percentage; m.percentage == nil {
			delete(mirrorOf(own(route)), "percentage")
		}
		s.have(route)
		read := s.read(rollout.Split{Mirror: 40})
		require.Equal(t, m.read, read.Split.Mirror, "%v", m.percentage)
		require.Equal(t, m.read == 40, read.Accepted)
	}
}

func TestReadNothing(t *testing.T) {
	s := newScene(t)
	require.Equal(t, rollout.Route{}, s.read(rollout.Split{}))
	released, err := kuma.Router{}.Release(s.app, router.Found{})
	require.NoError(t, err)
	require.Empty(t, released)
	broken := &unstructured.Unstructured{Object: map[string]any{"spec": "none"}}
	broken.SetLabels(s.app.Labels)
	s.have(broken)
	require.Equal(t, rollout.Route{}, s.read(rollout.Split{}))
}
