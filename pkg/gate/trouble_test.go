package gate_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/gate"
)

// silent is a server that never answers. It says so when it was asked.
func silent(asked func()) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server that has not read all does not see its caller go
		asked()
		<-r.Context().Done()
	}
}

// saying writes on the bare connection, and closes it.
func saying(words string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, words)
	}
}

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// TestNoAnswer wants a sentence with the host for everything that goes wrong on the way.
func TestNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		server http.HandlerFunc
		want   string
	}{
		"never answers":    {silent(func() {}), "HOST did not answer within 200ms"},
		"resets":           {reset, "HOST cannot be reached: read: connection reset by peer"},
		"closes":           {saying(""), "HOST closed the connection without an answer"},
		"closes half-way":  {saying("HTTP/1.1 200 OK\r\nContent-"), "HOST gave no answer that can be read"},
		"speaks no HTTP":   {saying("220 secret.example.com ESMTP\r\n\r\n"), "HOST gave no answer that can be read"},
		"has odd headers":  {saying("HTTP/1.1 200 OK\r\nsecret\r\n\r\n"), "HOST gave no answer that can be read"},
		"has huge headers": {saying("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 1<<20)), "HOST gave no answer that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.server)
			defer server.Close()
			call := callOf(server.URL)
			call.Webhook.Timeout = "200ms"
			if !strings.Contains(c.want, "within") {
				call.Webhook.Timeout = "" // the default
			}
			got, err := gate.New(nil).Do(t.Context(), call)
			require.EqualError(t, err, strings.ReplaceAll(c.want, "HOST", server.Listener.Addr().String()))
			assert.Zero(t, got)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	for url, want := range map[string]string{
		server.URL:                    server.Listener.Addr().String() + " cannot be reached: connect: connection refused",
		"http://gate.invalid:80/a":    "gate.invalid:80 cannot be reached: ",
		"gate:8080":                   "the url of webhook load-test is no http or https URL",
		"http://:8080/":               "the url of webhook load-test is no http or https URL",
		"ftp://gate":                  "the url of webhook load-test is no http or https URL",
		"http://ann:secret@gate:port": "the url of webhook load-test is no http or https URL",
		"":                            "the url of webhook load-test is no http or https URL",
	} {
		_, err := gate.New(nil).Do(t.Context(), callOf(url))
		assert.ErrorContains(t, err, want)
	}
}

// TestContextEnds: no attempt and no pause lasts longer than the context.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := hear(t, silent(cancel))
	call := callOf(h.URL)
	call.Webhook.Retries, call.Webhook.Timeout = 20, "1h"
	_, err := gate.New(nil).Do(ctx, call)
	require.EqualError(t, err, "the call of "+h.Listener.Addr().String()+" was given up")
	requests, _ := h.heard()
	assert.Len(t, requests, 1)

	ctx, cancel = context.WithTimeout(t.Context(), 1)
	defer cancel()
	_, err = gate.New(nil).Do(ctx, call)
	require.EqualError(t, err, h.Listener.Addr().String()+" did not answer in the time that was left")
}

// TestRetries counts attempts, which are the same but for their number.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		codes   []int
		retries int32
		calls   int
		want    string
	}{
		"agrees at once":        {[]int{200}, 5, 1, "status 200: OK"},
		"refuses at once":       {[]int{403}, 5, 1, "status 403: Forbidden"},
		"does not exist":        {[]int{404}, 5, 1, "status 404: Not Found"},
		"redirects":             {[]int{302}, 5, 1, "status 302: redirects are not followed"},
		"no retries":            {[]int{503, 200}, 0, 1, "status 503: Service Unavailable"},
		"starts":                {[]int{0, 502, 200}, 2, 3, "status 200: OK"},
		"is busy":               {[]int{429, 200}, 1, 2, "status 200: OK"},
		"refuses in the end":    {[]int{500, 403}, 3, 2, "status 403: Forbidden"},
		"fails for ever":        {[]int{500}, 2, 3, "status 500: Internal Server Error"},
		"fails in two ways":     {[]int{0, 500}, 1, 2, "status 500: Internal Server Error"},
		"is away in the end":    {[]int{500, 0}, 1, 2, "cannot be reached: read: connection reset by peer"},
		"is away for ever":      {[]int{0}, 2, 3, "cannot be reached: read: connection reset by peer"},
		"less than no attempts": {[]int{500}, -1, 1, "status 500: Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hear(t, answering(c.codes...))
			call := callOf(h.URL)
			call.Webhook.Retries = c.retries
			got, err := gate.New(nil).Do(t.Context(), call)
			said := got.Message
			if err != nil {
				said = err.Error()
			}
			assert.Contains(t, said, c.want)
			requests, bodies := h.heard()
			require.Len(t, requests, c.calls)
			for i, r := range requests {
				assert.Equal(t, bodies[0], bodies[i])
				assert.Equal(t, call.Payload.IdempotencyKey, r.Header.Get("Idempotency-Key"))
			}
		})
	}
}

// TestSlowBody: a status counts at once, whatever becomes of the words.
func TestSlowBody(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		want string
	}{
		"agrees":  {http.StatusOK, "status 200: tests pass"},
		"refuses": {http.StatusForbidden, "status 403: tests pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hear(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, "tests pass\n")
				assert.NoError(t, http.NewResponseController(w).Flush())
				<-r.Context().Done()
			})
			call := callOf(h.URL)
			call.Webhook.Timeout = "1h"
			got, err := gate.New(nil).Do(t.Context(), call)
			require.NoError(t, err)
			assert.Equal(t, gate.Answer{Agreed: c.code == http.StatusOK, Code: c.code, Message: c.want}, got)
		})
	}
}

// TestBrokenBody: neither does it matter whether the words are whole.
func TestBrokenBody(t *testing.T) {
	server := httptest.NewServer(saying("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nnot before n"))
	defer server.Close()
	got, err := gate.New(nil).Do(t.Context(), callOf(server.URL))
	require.NoError(t, err)
	assert.Equal(t, "status 403: not before n", got.Message)
}
