package traffic_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/loadtest/traffic"
)

func limits() traffic.Limits {
	return traffic.Limits{Rate: 1000, Concurrency: 50, Duration: time.Minute}
}

func nobody(traffic.Answer) {}

// httpLoad reads metadata that have to be right.
func httpLoad(t *testing.T, metadata map[string]string) *traffic.HTTP {
	t.Helper()
	load, err := traffic.HTTPOf(metadata, limits())
	require.NoError(t, err)
	return load
}

func TestRequestsAreSentAsAsked(t *testing.T) {
	var mu sync.Mutex
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	load := httpLoad(t, map[string]string{
		"url": server.URL + "/echo?a=b", "method": "PUT", "requests": "3", "rate": "100", "body": "some",
		"headers": "Host: shop.example.com\nX-A: 1\nX-A: 2\n",
	})
	report, err := load.Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.EqualValues(t, 3, report.Requests)
	assert.EqualValues(t, 3, report.Succeeded)
	assert.Equal(t, map[string]int64{"200": 3}, report.Answers)
	assert.Equal(t, "PUT", got.Method)
	assert.Equal(t, "/echo?a=b", got.RequestURI)
	assert.Equal(t, "shop.example.com", got.Host)
	assert.Equal(t, []string{"1", "2"}, got.Header.Values("X-A"))
	assert.Equal(t, "weir-loadtester", got.UserAgent())
	assert.Equal(t, "some", string(body))
}

// TestProtocols: HTTP/2 is spoken with TLS and without, and only where it was asked for.
func TestProtocols(t *testing.T) {
	var spoken atomic.Value
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { spoken.Store(r.Proto) })
	plain := httptest.NewUnstartedServer(handler)
	plain.Config.Protocols = &http.Protocols{}
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	secured := httptest.NewUnstartedServer(handler)
	secured.EnableHTTP2 = true
	secured.StartTLS()
	defer secured.Close()
	for _, url := range []string{plain.URL, secured.URL} {
		for http2, want := range map[string]string{"false": "HTTP/1.1", "true": "HTTP/2.0"} {
			load := httpLoad(t, map[string]string{"url": url, "requests": "1", "http2": http2, "insecureSkipVerify": "true"})
			report, err := load.Run(t.Context(), nobody)
			require.NoError(t, err)
			assert.EqualValues(t, 1, report.Succeeded, report)
			assert.Equal(t, want, spoken.Load(), url)
		}
	}
	report, err := httpLoad(t, map[string]string{"url": secured.URL, "requests": "1"}).Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Zero(t, report.Succeeded, "a certificate that nobody vouches for")
	assert.Contains(t, report.Errors[0], "certificate")
	assert.NotContains(t, report.Errors[0], secured.URL)
}

func TestRate(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	defer server.Close()
	var seen int64
	load := httpLoad(t, map[string]string{"url": server.URL, "rate": "50", "duration": "1s"})
	report, err := load.Run(t.Context(), func(a traffic.Answer) {
		seen++
		assert.Equal(t, "200", a.Outcome)
		assert.Positive(t, a.Latency)
	})
	require.NoError(t, err)
	assert.LessOrEqual(t, report.Requests, int64(50), "one each 20 ms, from the start on")
	assert.Greater(t, report.Requests, int64(10), "a machine that does other things as well is late, but not as late")
	assert.Equal(t, report.Requests, served.Load())
	assert.Equal(t, report.Requests, seen)
	assert.InDelta(t, report.Requests, report.AchievedRate, 1, "in one second")
	assert.Regexp(t, `^\d+ requests in 1\.\ds, \d+\S* a second of 50 asked, 100% succeeded, half within \S+ms, 99% within \S+ms`,
		report.String())
}

// TestCount: where requests are counted, a delay is caught up.
func TestCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	report, err := httpLoad(t, map[string]string{"url": server.URL, "rate": "50", "requests": "50"}).Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.EqualValues(t, 50, report.Requests)
	assert.LessOrEqual(t, report.AchievedRate, 50.01, "none is sent before its time")
}

// TestSlowTarget: a rate that cannot be kept is told, and not made up.
func TestSlowTarget(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) }))
	defer server.Close()
	load := httpLoad(t, map[string]string{"url": server.URL, "rate": "100", "concurrency": "2", "duration": "1s"})
	report, err := load.Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.True(t, report.Behind())
	assert.LessOrEqual(t, report.AchievedRate, 22.0, "two at a time, ten times a second")
	assert.Positive(t, report.AchievedRate)
	assert.Greater(t, report.Lateness.P99, 500.0)
	assert.GreaterOrEqual(t, report.Latency.P50, 100.0)
	assert.Contains(t, report.String(), "the rate was not kept")
}

// TestHangingTarget: who answers nothing more is not told of as if the load had ended then.
func TestHangingTarget(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(over)
	load := httpLoad(t, map[string]string{"url": server.URL, "rate": "20", "duration": "1s", "timeout": "500ms"})
	report, err := load.Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Zero(t, report.Succeeded)
	assert.Equal(t, map[string]int64{"none": report.Requests}, report.Answers)
	assert.GreaterOrEqual(t, report.Seconds, 0.99)
	assert.True(t, report.Behind())
}

func TestContextEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	load := httpLoad(t, map[string]string{"url": server.URL, "rate": "0.01", "duration": "50s"})
	report, err := load.Run(ctx, nobody)
	require.NoError(t, err)
	assert.EqualValues(t, 1, report.Requests)
	assert.Less(t, time.Since(start), 10*time.Second, "a pause of minutes is not waited for")
}

func TestFailuresAreCounted(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	report, err := httpLoad(t, map[string]string{"url": server.URL, "rate": "0", "requests": "10"}).Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"200": 5, "503": 5}, report.Answers)
	assert.EqualValues(t, 50, report.SuccessRate())
	assert.Equal(t, []string{"503 Service Unavailable"}, report.Errors)
	assert.Zero(t, report.AskedRate)
	assert.Nil(t, report.Lateness)
}

// TestSecretsOfURLsAreNotTold: errors of net/http begin with the URL.
func TestSecretsOfURLsAreNotTold(t *testing.T) {
	load := httpLoad(t, map[string]string{"url": "http://me:secret@127.0.0.1:1/?token=secret", "requests": "2"})
	report, err := load.Run(t.Context(), nobody)
	require.NoError(t, err)
	require.NotEmpty(t, report.Errors)
	assert.NotContains(t, fmt.Sprint(report, report.Errors, load.Host()), "secret")
	assert.Equal(t, "127.0.0.1:1", load.Host())
}

func TestRedirects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	}))
	defer server.Close()
	for disabled, want := range map[string]string{"true": "302", "false": "200"} {
		load := httpLoad(t, map[string]string{"url": server.URL + "/", "requests": "1", "disableRedirects": disabled})
		report, err := load.Run(t.Context(), nobody)
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{want: 1}, report.Answers)
	}
}
