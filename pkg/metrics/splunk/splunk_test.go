package splunk_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/metricstest"
	"weir.dev/weir/pkg/metrics/splunk"
)

// The messages of https://dev.splunk.com/observability/docs/signalflow/messages/stream_messages_specification/.
const (
	start = `event: control-message
data: {
data:   "event" : "STREAM_START",
data:   "timestampMs" : 1461353198000
data: }

event: control-message
data: {"event":"JOB_START","handle":"ChkVxy0AEAA","timestampMs":1461353198001}

event: metadata
data: {"tsId":"A","properties":{"sf_key":["pod","sf_originatingMetric"],"pod":"a","sf_streamLabel":"errors"}}

event: metadata
data: {"tsId":"B","properties":{"sf_key":[],"sf_streamLabel":"errors"}}

event: message
data: {"logicalTimestampMs":1461353198000,"message":{"messageCode":"JOB_RUNNING_RESOLUTION"}}

`
	end = `event: control-message
data: {"event":"END_OF_CHANNEL","timestampMs":1461353199000}

`
	failure = `event: error
data: {"errors":[{"code":"ANALYTICS_PROGRAM_NAME_ERROR","context":{"name":"dat"}}]}

`
	aborted = `event: control-message
data: {"event":"CHANNEL_ABORT","timestampMs":1,"abortInfo":{"sf_job_abortState":"internal","sf_job_abortReason":"out of memory"}}

`
)

func points(data string) string {
	return "event: data\ndata: {\"logicalTimestampMs\":1461353198000,\"maxDelay\":0,\"data\":[" + data + "]}\n\n"
}

func stream(parts ...string) metricstest.Exchange {
	streaming := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, strings.Join(parts, ""))
	})
	return metricstest.Exchange{Expr: "data('errors').publish()", Server: streaming}
}

func refusal(status int, words string) http.Handler {
	body, err := json.Marshal(map[string]any{"code": status, "message": words, "errorType": "ANALYTICS_PROGRAM_SYNTAX_ERROR"})
	if err != nil {
		panic(err)
	}
	return metricstest.Answer(status, string(body))
}

func TestConformance(t *testing.T) {
	metricstest.Run(t, metricstest.Suite{
		New: func(address string) (metrics.Provider, error) {
			return splunk.New(splunk.Config{Site: metrics.Site{Address: address}, Token: "secret-token"})
		},
		Secrets: []string{"secret-token"},
		Value:   stream(start, points(`{"tsId":"A","value":7}`), points(`{"tsId":"A","value":42.0}`), points(""), end),
		Several: stream(start, points(`{"tsId":"A","value":1},{"tsId":"B","value":3}`), points(`{"tsId":"B","value":2}`), end),
		NoData: map[string]metricstest.Exchange{
			"no points": stream(start, end),
			"null":      stream(start, points(`{"tsId":"A","value":null}`), end),
			"empty":     stream(start, points(""), end),
		},
		Rejected: map[string]metricstest.Exchange{
			"bad program": {Expr: "dat(", Server: refusal(http.StatusBadRequest, "Syntax error")},
			"without a message": {Expr: "dat(", Server: metricstest.Answer(http.StatusBadRequest,
				`{"errorType":"ANALYTICS_PROGRAM_NAME_ERROR"}`)},
			"fails on the way": stream(start, failure),
			"not an API":       {Expr: "x", Server: http.NotFoundHandler()},
		},
		Refusal: func(words string) http.Handler { return refusal(http.StatusBadRequest, words) },
	})
}

func ask(t *testing.T, handler http.Handler) ([]metrics.Sample, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	p, err := splunk.New(splunk.Config{Site: metrics.Site{Address: server.URL}, Token: "secret-token"})
	require.NoError(t, err)
	return p.Query(t.Context(), metrics.Query{Expr: "data('errors').publish()", Window: time.Minute, At: time.Unix(1700000000, 0)})
}

func TestRequest(t *testing.T) {
	samples, err := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/v2/signalflow/execute?immediate=true&start=1699999940000&stop=1700000000000", r.RequestURI)
		assert.Equal(t, "secret-token", r.Header.Get("X-SF-Token"))
		assert.Equal(t, "text/plain", r.Header.Get("Content-Type"))
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "data('errors').publish()", string(body))
		stream(start, points(`{"tsId":"A","value":1},{"tsId":"B","value":2}`), end).Server.ServeHTTP(w, r)
	}))
	require.NoError(t, err)
	require.Equal(t, []metrics.Sample{{Series: `errors{"pod":"a"}`, Value: 1}, {Series: "errors", Value: 2}}, samples)
}

func TestStreamsThatDoNotEnd(t *testing.T) {
	value := points(`{"tsId":"A","value":42}`)
	for name, c := range map[string]struct {
		parts []string
		says  string
	}{
		"cut off between events": {[]string{start, value}, "cannot be read"},
		"cut off in the end":     {[]string{start, value, strings.TrimSuffix(end, "\n")}, "cannot be read"},
		"given up":               {[]string{start, value, aborted}, "out of memory"},
		"no JSON":                {[]string{start, "event: data\ndata: x\n\n", end}, "cannot be read"},
		"no number":              {[]string{start, points(`{"tsId":"A","value":"up"}`), end}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, stream(c.parts...).Server)
			require.ErrorIs(t, err, metrics.Transport)
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err := ask(t, stream(start, failure).Server)
	require.ErrorContains(t, err, `ANALYTICS_PROGRAM_NAME_ERROR {"name":"dat"}`)
}

// TestAddressOfTheStreams: Flagger's templates name the API of a realm, and programs run beside it.
func TestAddressOfTheStreams(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody is asked
	for address, want := range map[string]string{
		"https://api.us0.signalfx.invalid":    "stream.us0.signalfx.invalid",
		"https://stream.us0.signalfx.invalid": "stream.us0.signalfx.invalid",
		"https://splunk.api.invalid":          "splunk.api.invalid",
	} {
		p, err := splunk.New(splunk.Config{Site: metrics.Site{Address: address}, Token: "secret-token"})
		require.NoError(t, err)
		_, err = p.Query(ctx, metrics.Query{Expr: "x"})
		require.ErrorContains(t, err, "Splunk at "+want+" ")
	}
}
