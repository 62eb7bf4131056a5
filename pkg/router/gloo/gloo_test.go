package gloo_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/router/gloo"
)

func byHeader(name string, text v1beta1.StringMatch) []v1beta1.RequestMatch {
	return []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{name: text}}}
}

func onPath(kind gatewayv1.PathMatchType, value string) gatewayv1.HTTPRouteMatch {
	return gatewayv1.HTTPRouteMatch{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}
}

// What is read is what was rendered, whichever split is the committed one.
func TestReadBack(t *testing.T) {
	var splits []rollout.Split
	for _, match := range [][]v1beta1.RequestMatch{nil, byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})} {
		for _, weight := range []int32{0, 1, 33, 99, 100} {
			for _, mirror := range []int32{0, 1, 100} {
				splits = append(splits, rollout.Split{Weight: weight, Mirror: mirror, Match: match})
			}
		}
	}
	for _, c := range []*v1beta1.Canary{canary(t), bare(t)} {
		for _, split := range splits {
			found := foundOf(t, c, render(t, c, split))
			require.Equal(t, rollout.Route{Found: true, Split: split, Accepted: true}, gloo.Router{}.Read(appOf(c), split, found))
			for _, other := range splits {
				read := gloo.Router{}.Read(appOf(c), other, found)
				require.Equal(t, split.Equal(other), read.Split.Equal(other), "%+v in force, %+v committed", split, other)
				require.Equal(t, len(split.Match) > 0, len(read.Split.Match) > 0)
			}
		}
	}
}

// A path of a route's own is in the way of that of the route which delegates, so both do not stand in one route.
func TestPathsStandApart(t *testing.T) {
	c := bare(t)
	byParam := gatewayv1.HTTPRouteMatch{QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "v", Value: "2"}}}
	c.Spec.Service.Match = []gatewayv1.HTTPRouteMatch{
		onPath(gatewayv1.PathMatchExact, "/a"), byParam, onPath(gatewayv1.PathMatchRegularExpression, "/b.*"),
		onPath(gatewayv1.PathMatchPathPrefix, "/c/"),
	}
	all := routes(table(render(t, c, rollout.Split{Match: byHeader("x", v1beta1.StringMatch{Exact: "1"})})))
	require.Len(t, all, 4)
	exact := func(path string) map[string]any { return map[string]any{"exact": path} }
	paths := []any{
		exact("/a"), map[string]any{"regex": "/b.*"}, exact("/c"), map[string]any{"prefix": "/c/"},
	}
	param := []any{map[string]any{"queryParameters": []any{map[string]any{"name": "v", "value": "2"}}}}
	for i, want := range [][]any{paths, param, paths, param} {
		route := all[i].(map[string]any)
		require.Equal(t, i < 2, isAdded(route), "what goes to the canary by a match is first")
		require.Equal(t, i%2 == 1, route["inheritablePathMatchers"])
		require.Equal(t, true, route["inheritableMatchers"])
		require.Len(t, route["matchers"], len(want))
		for j, m := range route["matchers"].([]any) {
			if i < 2 {
				require.Equal(t, []any{map[string]any{"name": "x", "value": "1"}}, m.(map[string]any)["headers"])
				delete(m.(map[string]any), "headers")
			}
			require.Equal(t, want[j], m)
		}
	}
	c.Spec.Service.Match = append(c.Spec.Service.Match, onPath(gatewayv1.PathMatchPathPrefix, "/"))
	all = routes(table(render(t, c, rollout.Split{})))
	require.Len(t, all, 1)
	require.NotContains(t, all[0], "matchers", "one of them is for everything")
}

// An expression is for all of a text.
func TestTexts(t *testing.T) {
	for _, c := range []struct {
		text                v1beta1.StringMatch
		value, match, other string
	}{
		{v1beta1.StringMatch{Exact: "a.b"}, "a.b", "", ""},
		{v1beta1.StringMatch{Prefix: "2.(x"}, `2\.\(x.*`, "2.(xy", "12.(x"},
		{v1beta1.StringMatch{Regex: "eu|us"}, "eu|us", "us", "eus"},
	} {
		added := routes(table(render(t, bare(t), rollout.Split{Match: byHeader("X-V", c.text)})))[0].(map[string]any)
		header := added["matchers"].([]any)[0].(map[string]any)["headers"].([]any)[0].(map[string]any)
		require.Equal(t, "X-V", header["name"])
		require.Equal(t, c.value, header["value"])
		require.Equal(t, c.match != "", header["regex"] == true)
		if c.match != "" {
			require.Regexp(t, regexp.MustCompile("^(?:"+c.value+")$"), c.match)
			require.NotRegexp(t, regexp.MustCompile("^(?:"+c.value+")$"), c.other)
		}
	}
}

// The Upstreams are like the user's, without what is true of the apex's pods alone.
func TestUpstreams(t *testing.T) {
	c := canary(t)
	objects := render(t, c, rollout.Split{})
	require.Len(t, objects, 3, "that of the apex is the user's")
	require.Equal(t, map[string]any{
		"circuitBreakers": map[string]any{"maxConnections": int64(1000)},
		"kube":            map[string]any{"serviceName": "podinfo-canary", "serviceNamespace": "shop", "servicePort": int64(9898)},
	}, objects[1].Intent.Object["spec"])
	for protocol, http2 := range map[string]bool{"http": false, "grpc": true, "grpc-web": true, "http2": true, "h2c": true} {
		c := bare(t)
		c.Spec.Service.PortName = protocol
		for _, o := range render(t, c, rollout.Split{})[:3] {
			require.Equal(t, http2, spec(o.Intent)["useHttp2"] == true, protocol)
		}
	}
}

// What is the user's is not written over, and what is not right with it is said with a way out.
func TestRenderRefuses(t *testing.T) {
	strange := func(at int) func(*v1beta1.Canary, router.Found) {
		return func(c *v1beta1.Canary, found router.Found) {
			o := table(render(t, bare(t), rollout.Split{})).DeepCopy()
			o.SetLabels(nil)
			o.SetOwnerReferences(nil)
			o.SetName(refs(c)[at].Name)
			if at < 3 {
				o.SetKind("Upstream")
			}
			found[refs(c)[at]] = o
		}
	}
	users := func(field string, value any) func(*v1beta1.Canary, router.Found) {
		return func(c *v1beta1.Canary, found router.Found) {
			spec(found[refs(c)[0]])["kube"].(map[string]any)[field] = value
		}
	}
	without := func(c *v1beta1.Canary, found router.Found) {
		c.Spec.UpstreamRef = nil
		strange(0)(c, found)
	}
	const elsewhere = "Upstream gloo-system/shop-podinfo-9898 does not lead by spec.kube to port 9898 of Service shop/podinfo; " +
		"correct it, or name another in spec.upstreamRef"
	for name, c := range map[string]struct {
		do   func(*v1beta1.Canary, router.Found)
		says string
	}{
		"no Upstream": {
			func(c *v1beta1.Canary, found router.Found) { delete(found, refs(c)[0]) },
			"Upstream gloo-system/shop-podinfo-9898 does not exist; make it, or correct spec.upstreamRef",
		},
		"of another Service":   {users("serviceName", "legacy"), elsewhere},
		"in another namespace": {users("serviceNamespace", "default"), elsewhere},
		"at another port":      {users("servicePort", int64(80)), elsewhere},
		"the apex's name is taken": {
			without, "there is an Upstream shop/podinfo which Weir did not make for this Canary; name it in spec.upstreamRef",
		},
		"the canary's name is taken": {strange(2), "there is an Upstream shop/podinfo-canary which Weir did not make for this " +
			"Canary; delete or rename it, or make this Canary anew with another spec.service.name"},
		"a RouteTable": {strange(3), "RouteTable shop/podinfo is not Weir's, and provider gloo makes its own; say in spec.service"},
	} {
		t.Run(name, func(t *testing.T) {
			can := canary(t)
			found := foundOf(t, can, nil)
			c.do(can, found)
			_, err := gloo.Router{}.Render(appOf(can), rollout.Split{}, found)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestUpstreamLost has the user's Upstream change in mid-run. Traffic is still taken back, and Read says what is wrong.
func TestUpstreamLost(t *testing.T) {
	during := rollout.Split{Weight: 30, Match: byHeader("x-insider", v1beta1.StringMatch{Exact: "yes"})}
	c := canary(t)
	found := foundOf(t, c, render(t, c, during))
	delete(found, refs(c)[0])
	read := gloo.Router{}.Read(appOf(c), during, found)
	require.Equal(t, during, read.Split)
	require.False(t, read.Accepted)
	require.Contains(t, read.Refused, "Upstream gloo-system/shop-podinfo-9898 does not exist")

	objects, err := gloo.Router{}.Render(appOf(c), rollout.Split{}, found)
	require.NoError(t, err)
	require.Len(t, objects, 1, "the Upstreams stay as they are")
	require.Len(t, routes(objects[0].Intent), 1)
	found[objects[0].Ref] = objects[0].Intent
	require.Equal(t, rollout.Split{}, gloo.Router{}.Read(appOf(c), during, found).Split)
}

// TestReadStatus: of what Gloo says, a rejection alone counts. It does not say of which version it speaks.
func TestReadStatus(t *testing.T) {
	c := bare(t)
	ten := rollout.Split{Weight: 10}
	found := foundOf(t, c, render(t, c, ten))
	for _, s := range []struct {
		state   any
		refused string
	}{
		{"Accepted", ""}, {"Pending", ""}, {"Warning", ""}, {int64(1), ""},
		{"Rejected", "RouteTable shop/podinfo is rejected by Gloo in namespace gloo-system: no such thing"},
		{int64(2), "RouteTable shop/podinfo is rejected by Gloo in namespace gloo-system: no such thing"},
	} {
		found[refs(c)[3]].Object["status"] = map[string]any{"statuses": map[string]any{
			"other-gloo":  map[string]any{"state": "Accepted"},
			"gloo-system": map[string]any{"state": s.state, "reason": "no such thing", "reportedBy": "gloo"},
		}}
		require.Equal(t, rollout.Route{Found: true, Split: ten, Accepted: s.refused == "", Refused: s.refused},
			gloo.Router{}.Read(appOf(c), ten, found))
	}
}

// What others add beside Weir's fields is theirs, and no reason to wait.
func TestReadBesideOthers(t *testing.T) {
	c := canary(t)
	ten := rollout.Split{Weight: 10}
	found := foundOf(t, c, render(t, c, ten))
	spec(found[refs(c)[3]])["weight"] = int64(3)
	require.True(t, gloo.Router{}.Read(appOf(c), ten, found).Accepted)
	released, err := gloo.Router{}.Release(appOf(c), found)
	require.NoError(t, err)
	require.Equal(t, int64(3), spec(released[0].Object)["weight"])

	c.Status.Canary.Hash = "66fd"
	read := gloo.Router{}.Read(appOf(c), ten, found)
	require.False(t, read.Accepted, "the cookie is that of the canary before")
	require.NotEmpty(t, read.Split.Match, "and still leads there")
	delete(found, refs(c)[1])
	require.False(t, gloo.Router{}.Read(appOf(canary(t)), ten, found).Accepted, "an Upstream is missing")
	require.Equal(t, rollout.Route{}, gloo.Router{}.Read(appOf(c), ten, router.Found{}))
}

func TestReadOddMirrors(t *testing.T) {
	c := bare(t)
	for _, m := range []struct {
		percentage any
		read       int32
	}{{nil, 1}, {0.5, 1}, {12.3, 13}, {int64(40), 40}} {
		objects := render(t, c, rollout.Split{Mirror: 40})
		own(table(objects))["options"].(map[string]any)["shadowing"].(map[string]any)["percentage"] = m.percentage
		read := gloo.Router{}.Read(appOf(c), rollout.Split{}, foundOf(t, c, objects))
		require.Equal(t, m.read, read.Split.Mirror, "%v", m.percentage)
		require.Equal(t, m.read == 40, read.Accepted)
	}
}

// What Gloo would ignore, or do otherwise than asked, is refused by name.
func TestValidate(t *testing.T) {
	require.Empty(t, gloo.Router{}.Validate(canary(t)))
	for says, ask := range map[string]func(*v1beta1.CanarySpec){
		"spec.service.retries.attempts is 0, which Gloo takes for 1; remove the retries": func(s *v1beta1.CanarySpec) {
			s.Service.Retries.Attempts = 0
		},
		"spec.service.retries has no retryOn, and Gloo retries nothing without; set it, as in 5xx,reset": func(s *v1beta1.CanarySpec) {
			s.Service.Retries.RetryOn = ""
		},
		"spec.service.retries.retryRemoteLocalities asks for what router gloo does not offer; remove the field": func(
			s *v1beta1.CanarySpec,
		) {
			s.Service.Retries.RetryRemoteLocalities = new(false)
		},
		"spec.service.headers.request changes the header host, which Gloo does not do by headers; set " +
			"spec.service.rewrite.authority instead": func(s *v1beta1.CanarySpec) {
			s.Service.Headers.Request.Remove = []string{"Host"}
		},
		"spec.service.headers.response sets or removes Set-Cookie, by which spec.analysis.sessionAffinity keeps users with " +
			"the canary; remove one of the two": func(s *v1beta1.CanarySpec) {
			s.Service.Headers.Response.Set = map[string]string{"set-cookie": "a=b"}
		},
		"spec.service.appProtocol says that the port speaks https, and Gloo has to be told how; name an Upstream with " +
			"spec.sslConfig in spec.upstreamRef": func(s *v1beta1.CanarySpec) {
			s.Service.AppProtocol, s.UpstreamRef = new("HTTPS"), nil
		},
		"spec.service.portName says that the port speaks udp, for which a RouteTable has no routes; set spec.provider to " +
			"kubernetes": func(s *v1beta1.CanarySpec) { s.Service.PortName = "udp" },
		"spec.upstreamRef names Upstream podinfo-canary, which is Weir's to make; name another": func(s *v1beta1.CanarySpec) {
			s.UpstreamRef = &v1beta1.UpstreamRef{Name: "podinfo-canary"}
		},
	} {
		c := canary(t)
		ask(&c.Spec)
		problems := gloo.Router{}.Validate(c)
		require.Len(t, problems, 1, says)
		require.Equal(t, says, problems[0].Message)
		require.Equal(t, "FieldNotServed", problems[0].Reason)
	}
	c := canary(t)
	c.Spec.Service.AppProtocol = new("https")
	require.Empty(t, gloo.Router{}.Validate(c), "the Upstream says how")
}

// A time is written in seconds, whatever it was given in.
func TestTimes(t *testing.T) {
	for given, written := range map[v1beta1.MeshDuration]string{"1500ms": "1.5s", "1h30m": "5400s", "2s": "2s", "1ms": "0.001s"} {
		c := canary(t)
		c.Spec.Service.Timeout, c.Spec.Service.Retries.PerTryTimeout = string(given), given
		options := own(table(render(t, c, rollout.Split{})))["options"].(map[string]any)
		require.Equal(t, written, options["timeout"])
		require.Equal(t, written, options["retries"].(map[string]any)["perTryTimeout"])
		c.Spec.Service.CorsPolicy.MaxAge = given
		age := own(table(render(t, c, rollout.Split{})))["options"].(map[string]any)["cors"].(map[string]any)["maxAge"]
		whole, _, _ := strings.Cut(strings.TrimSuffix(written, "s"), ".")
		require.Equal(t, whole, age)
	}
}

// A release that is repeated finds nothing to do.
func TestReleaseNothing(t *testing.T) {
	c := bare(t)
	released, err := gloo.Router{}.Release(appOf(c), router.Found{})
	require.NoError(t, err)
	require.Empty(t, released)
	found := foundOf(t, c, render(t, c, rollout.Split{Weight: 10}))
	released, err = gloo.Router{}.Release(appOf(c), found)
	require.NoError(t, err)
	for _, r := range released {
		if found[r.Ref] = r.Object; r.Object == nil {
			delete(found, r.Ref)
		}
	}
	released, err = gloo.Router{}.Release(appOf(c), found)
	require.NoError(t, err)
	require.Empty(t, released)
	require.Equal(t, rollout.Route{}, gloo.Router{}.Read(appOf(c), rollout.Split{}, found))
}
