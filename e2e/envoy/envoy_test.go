package envoy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/envoy"
)

const config = `{"virtual_hosts": [
  {"domains": ["other.test"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "ns/other/80/1"}}]},
  {"domains": ["a.test"], "routes": [
    {"match": {"path": "/exact"}, "direct_response": {"status": 503}},
    {"match": {"prefix": "/api/", "headers": [{"name": "X-A", "string_match": {"exact": "1"}}],
      "query_parameters": [{"name": "v", "string_match": {"prefix": "2"}}]},
     "route": {"cluster": "ns/canary/80/1", "prefix_rewrite": "/v1/"}},
    {"match": {"safe_regex": {"regex": "/b|/c"},
      "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "G.T"}}}]},
     "route": {"weighted_clusters": {"clusters": [{"name": "ns/a/80/1", "weight": 90}, {"name": "ns/b/80/1", "weight": 10}]},
       "request_mirror_policies": [{"cluster": "ns/b/80/1", "runtime_fraction": {"default_value": {"numerator": 7}}}]}},
    {"match": {"prefix": "/odd"}, "surprise": true}
  ]}
]}`

func TestAsk(t *testing.T) {
	one := map[string]string{"x-a": "1"}
	for name, c := range map[string]struct {
		ask    envoy.Request
		shares envoy.Shares
		path   string
	}{
		"all conditions": {
			envoy.Request{Host: "a.test", Path: "/api/x?v=21", Headers: one}, envoy.Shares{"canary": 100}, "/v1/x?v=21",
		},
		"a response of its own":   {envoy.Request{Host: "a.test", Path: "/exact"}, nil, "/exact"},
		"a longer path":           {envoy.Request{Host: "a.test", Path: "/exactly"}, nil, ""},
		"another host":            {envoy.Request{Host: "other.test", Path: "/exact"}, envoy.Shares{"other": 100}, "/exact"},
		"a host that is not":      {envoy.Request{Host: "b.test", Path: "/"}, nil, ""},
		"a header that is not":    {envoy.Request{Host: "a.test", Path: "/api/x?v=21"}, nil, ""},
		"another value":           {envoy.Request{Host: "a.test", Path: "/api/x?v=12", Headers: one}, nil, ""},
		"an expression":           {envoy.Request{Host: "a.test", Path: "/c", Method: "GET"}, envoy.Shares{"a": 90, "b": 10}, "/c"},
		"a part of an expression": {envoy.Request{Host: "a.test", Path: "/cc", Method: "GET"}, nil, ""},
	} {
		got, err := envoy.Ask([]byte(config), c.ask)
		if c.path == "" && c.ask.Host == "a.test" {
			require.ErrorContains(t, err, "surprise", name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.shares, got.Shares, name)
		require.Equal(t, c.path, got.Path, name)
	}
	got, err := envoy.Ask([]byte(config), envoy.Request{Host: "a.test", Path: "/b", Method: "GET"})
	require.NoError(t, err)
	require.Equal(t, envoy.Shares{"b": 7}, got.Copies)
	_, err = envoy.Ask([]byte("{"), envoy.Request{})
	require.Error(t, err)
}
