package traffic_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/loadtest/traffic"
)

func words(t *testing.T, command string) []string {
	t.Helper()
	all, err := shellwords.Parse(command)
	require.NoError(t, err)
	return all
}

// TestHey: commands as they are in people's manifests.
func TestHey(t *testing.T) {
	const url = "http://podinfo-canary.test:9898/"
	plain := http.Header{"Content-Type": {"text/html"}}
	for command, want := range map[string]traffic.HTTP{
		"-z 1m -q 10 -c 2 " + url: {Method: "GET", URL: url, Header: plain, Pace: traffic.Pace{
			Rate: 20, Concurrency: 2, Duration: time.Minute, Timeout: 20 * time.Second}},
		url: {Method: "GET", URL: url, Header: plain, Pace: traffic.Pace{
			Concurrency: 50, Requests: 200, Timeout: 20 * time.Second}},
		"-n 10 -c 5 -t 3 -disable-keepalive -disable-redirects -disable-compression -h2 -host a.example.com " + url: {
			Method: "GET", URL: url, HTTP2: true, NoKeepAlive: true, NoRedirects: true, NoCompression: true,
			Header: http.Header{"Content-Type": {"text/html"}, "Host": {"a.example.com"}},
			Pace:   traffic.Pace{Concurrency: 5, Requests: 10, Timeout: 3 * time.Second}},
		"-z 30s -q 0.5 -c 2 -m post -d '{test: 2}' -T application/json -H 'X-A: b: c' -A text/html -a me:pass " + url: {
			Method: "POST", URL: url, Body: []byte("{test: 2}"),
			Header: http.Header{"Content-Type": {"application/json"}, "X-A": {"b: c"}, "Accept": {"text/html"},
				"Authorization": {"Basic bWU6cGFzcw=="}},
			Pace: traffic.Pace{Rate: 1, Concurrency: 2, Duration: 30 * time.Second, Timeout: 20 * time.Second}},
	} {
		got, err := traffic.Hey(words(t, command), limits())
		require.NoError(t, err, command)
		assert.Equal(t, want.Rate, got.Rate, command)
		assert.Equal(t, want.Concurrency, got.Concurrency, command)
		assert.Equal(t, want.Duration, got.Duration, command)
		assert.Equal(t, want.Requests, got.Requests, command)
		assert.Equal(t, want.Timeout, got.Timeout, command)
		want.Pace, want.Insecure = got.Pace, true
		if want.Body == nil {
			want.Body = []byte{}
		}
		assert.Equal(t, want, *got, command)
	}
	for command, want := range map[string]string{
		"-o csv " + url:            "not defined: -o; to run hey itself, use an image that has it, and --allow-command=hey",
		"-z soon " + url:           `invalid value "soon" for flag -z`,
		"-z 1m":                    "followed by 0 words, and not by one URL",
		url + " -z 1m":             "followed by 3 words",
		"-H nothing " + url:        "what follows -H is no header",
		"-a me " + url:             "no name with a password",
		"-z 2h " + url:             "duration 2h0m0s is above 1m0s, the longest that a task takes here",
		"-z 1m -q 600 -c 2 " + url: "rate 1200 is above 1000 requests a second, the most that is sent here: lower it, or raise",
		"-z 1m -c 51 " + url:       "concurrency 51 is above 50",
		"-t 0 " + url:              "timeout 0s is not between",
		"-z 1m podinfo-canary":     "the url is no http or https URL",
		"-m 'A B' " + url:          `method "A B" is none of HTTP`,
		"-H 'A B: c' " + url:       `header "A B" is none that HTTP allows`,
	} {
		_, err := traffic.Hey(words(t, command), limits())
		assert.ErrorContains(t, err, want, command)
	}
}

func TestGhz(t *testing.T) {
	pace := traffic.Pace{Rate: 10, Concurrency: 2, Duration: time.Minute, Timeout: 20 * time.Second}
	once := traffic.Pace{Concurrency: 50, Requests: 200, Timeout: 20 * time.Second}
	for command, want := range map[string]traffic.GRPC{
		"-z 1m -q 10 -c 2 --insecure podinfo.test:9898": {Call: traffic.HealthCheck, Pace: pace},
		"--insecure --proto=/tmp/ghz/health.proto --call=grpc.health.v1.Health/Check podinfo.test:9898": {
			Call: traffic.HealthCheck, Pace: once},
		`--skipTLS --call shop.Orders.List -d '{"a": 1}' -m '{"x-who": "me"}' -r 10 -c 2 --duration 1m podinfo.test:9898`: {
			Call: "shop.Orders/List", Data: `{"a": 1}`, Metadata: map[string]string{"x-who": "me"}, TLS: true, Insecure: true,
			Pace: pace},
	} {
		got, err := traffic.Ghz(words(t, command), limits())
		require.NoError(t, err, command)
		want.Address = "podinfo.test:9898"
		if want.Metadata == nil {
			want.Metadata = map[string]string{}
		}
		assert.Equal(t, want.Rate, got.Rate, command)
		assert.Equal(t, want.Duration, got.Duration, command)
		assert.Equal(t, want.Requests, got.Requests, command)
		want.Pace = got.Pace
		assert.Equal(t, want, *got, command)
	}
	for command, want := range map[string]string{
		"--import-paths=a podinfo.test:9898": "unknown flag: --import-paths; to run ghz itself",
		"--insecure":                         "0 words beside its flags",
		"--insecure podinfo.test":            `address "podinfo.test" is no host with a port`,
		"--call Check podinfo.test:9898":     `call "Check" is no service with a method`,
		"-m nothing podinfo.test:9898":       "no object of strings in JSON",
	} {
		_, err := traffic.Ghz(words(t, command), limits())
		assert.ErrorContains(t, err, want, command)
	}
}

func TestMetadata(t *testing.T) {
	got, err := traffic.HTTPOf(map[string]string{"url": "http://a.test/", "type": "http"}, limits(), "type")
	require.NoError(t, err)
	assert.Equal(t, 10.0, got.Rate)
	assert.Equal(t, 2, got.Concurrency)
	assert.Equal(t, time.Minute, got.Duration)
	for _, c := range []struct{ key, value, want string }{
		{"rate", "many", `metadata rate: "many" is no number of requests a second`},
		{"rate", "NaN", "rate NaN is no number of requests a second"},
		{"rate", "-1", "rate -1 is no number"},
		{"concurrency", "1.5", `metadata concurrency: "1.5" is no whole number`},
		{"concurrency", "0", "concurrency 0 is less than 1"},
		{"duration", "1", `metadata duration: "1" is no duration, as in 1m`},
		{"duration", "-1s", "neither duration nor requests can be less than 0"},
		{"duration", "0s", "a load has an end"},
		{"http2", "maybe", `metadata http2: "maybe" is no true or false`},
		{"headers", "Accept", "metadata headers: a line is no name with a value"},
		{"durations", "1m", "metadata durations: a task of type http knows only url, method, rate"},
		{"url", "file:///etc", "the url is no http or https URL"},
	} {
		metadata := map[string]string{"url": "http://a.test/"}
		metadata[c.key] = c.value
		_, err := traffic.HTTPOf(metadata, limits())
		assert.ErrorContains(t, err, c.want, c.key)
	}
	_, err = traffic.GRPCOf(map[string]string{"address": "a.test:1", "url": "http://a.test/"}, limits())
	assert.ErrorContains(t, err, "metadata url: a task of type grpc knows only address, call")
}
