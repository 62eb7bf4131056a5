package gate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

// callOf is a call of a webhook with all that a call can say.
func callOf(url string) gate.Call {
	step := int32(0)
	return gate.Call{
		Webhook: v1beta1.CanaryWebhook{
			Name: "load-test", Type: v1beta1.WebhookRollout, URL: url, Timeout: "5s",
			Metadata: map[string]string{"cmd": "hey -z 1m http://podinfo-canary.shop:9898/"},
		},
		Payload: gate.Payload{
			Name: "podinfo", Namespace: "shop", Phase: "Progressing", Checksum: "7c9f8d6b5c",
			RunID: "7c9f8d6b5c-1795462800", Step: &step, Weight: 5,
			IdempotencyKey: "shop/podinfo/7c9f8d6b5c-1795462800/0/3/rollout/load-test",
		},
	}
}

// hearer is a server that keeps what it was sent.
type hearer struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func hear(t *testing.T, answer http.HandlerFunc) *hearer {
	t.Helper()
	h := &hearer{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		h.mu.Lock()
		h.requests, h.bodies = append(h.requests, r), append(h.bodies, string(body))
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// heard is what the server was sent until now.
func (h *hearer) heard() ([]*http.Request, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests), slices.Clone(h.bodies)
}

// first is the first request and its body.
func (h *hearer) first() (*http.Request, string) {
	requests, bodies := h.heard()
	return requests[0], bodies[0]
}

// answering gives one status after the other, and the last for ever. 0 resets the connection.
func answering(codes ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		code := codes[0]
		if len(codes) > 1 {
			codes = codes[1:]
		}
		if code == 0 {
			reset(w, r)
			return
		}
		w.Header().Set("Connection", "close") // on one that is kept, net/http would repeat a call by itself
		w.WriteHeader(code)
	}
}

// TestPayload compares what is sent with what is documented.
func TestPayload(t *testing.T) {
	event := callOf("")
	event.Webhook.Metadata = nil
	event.Payload = gate.Payload{
		Name: "podinfo", Namespace: "shop", Phase: "Failed", Checksum: "7c9f8d6b5c", Metadata: map[string]string{
			"eventMessage": "revision 7c9f8d6b5c of podinfo rolled back at weight 20: CheckFailed: " +
				"webhook/load-test: status 500: too slow",
			"eventReason": "RolledBack", "eventType": "Warning", "timestamp": "1795463100000",
		},
		IdempotencyKey: "shop/podinfo/notify/7c9f8d6b5c-1795462800/ended",
	}
	documented, err := os.ReadFile("../../docs/webhooks.md")
	require.NoError(t, err)
	for file, call := range map[string]gate.Call{"payload.json": callOf(""), "event.json": event} {
		t.Run(file, func(t *testing.T) {
			h := hear(t, answering(http.StatusOK))
			call.Webhook.URL = h.URL
			_, err := gate.New(nil).Do(t.Context(), call)
			require.NoError(t, err)
			want, err := os.ReadFile("testdata/" + file)
			require.NoError(t, err)
			var got bytes.Buffer
			_, body := h.first()
			require.NoError(t, json.Indent(&got, []byte(body), "", "  "))
			assert.Equal(t, strings.TrimSpace(string(want)), got.String())
			assert.Contains(t, string(documented), got.String(), "docs/webhooks.md shows another payload")
		})
	}
}

// TestMetadata: what the caller adds wins over what the webhook has, and neither is changed.
func TestMetadata(t *testing.T) {
	h := hear(t, answering(http.StatusOK))
	call := callOf(h.URL)
	call.Webhook.Metadata = map[string]string{"a": "webhook", "b": "webhook"}
	call.Payload.Metadata = map[string]string{"b": "call", "c": "call"}
	_, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	var got gate.Payload
	_, body := h.first()
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	assert.Equal(t, map[string]string{"a": "webhook", "b": "call", "c": "call"}, got.Metadata)
	assert.Len(t, call.Webhook.Metadata, 2)
	assert.Len(t, call.Payload.Metadata, 2)
}

func TestRequest(t *testing.T) {
	h := hear(t, answering(http.StatusOK))
	call := callOf(strings.Replace(h.URL, "http://", "http://ann:pass%20word@", 1) + "/gate/check?strict=1")
	_, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	r, _ := h.first()
	assert.Equal(t, http.MethodPost, r.Method)
	assert.Equal(t, "/gate/check?strict=1", r.RequestURI)
	assert.Equal(t, strings.TrimPrefix(h.URL, "http://"), r.Host)
	assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
	assert.Equal(t, "weir", r.Header.Get("User-Agent"))
	assert.Equal(t, call.Payload.IdempotencyKey, r.Header.Get("Idempotency-Key"))
	assert.Empty(t, r.Header.Get("X-Weir-Signature-256"), "nothing to sign with")
	user, password, _ := r.BasicAuth()
	assert.Equal(t, "ann pass word", user+" "+password)

	call.Payload.IdempotencyKey = ""
	_, err = gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	requests, _ := h.heard()
	assert.NotContains(t, requests[1].Header, "Idempotency-Key")
}

func TestSecret(t *testing.T) {
	h := hear(t, answering(http.StatusOK))
	call := callOf(strings.Replace(h.URL, "http://", "http://ann:password@", 1))
	call.Payload.Name = "it's <Jefe>"
	call.Secret = map[string][]byte{
		"token": []byte("t-1\n"), "hmacKey": []byte("Jefe\r\n"), "x-api-key": []byte("k 1\n"), "X_Other.Key": nil,
		"User-Agent": []byte("weir at night"),
	}
	_, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	r, body := h.first()
	assert.Equal(t, "Bearer t-1", r.Header.Get("Authorization"), "the token goes before the URL's password")
	assert.Equal(t, "k 1", r.Header.Get("X-Api-Key"))
	assert.Equal(t, []string{""}, r.Header["X_other.key"])
	assert.Equal(t, "weir at night", r.Header.Get("User-Agent"))
	assert.NotContains(t, r.Header, "Hmackey")
	assert.True(t, genuine(r, []byte(body), []byte("Jefe")))
}

func TestAnswers(t *testing.T) {
	for code, want := range map[int]string{
		200: "status 200: OK", 201: "status 201: Created", 202: "status 202: Accepted", 204: "status 204: No Content",
		226: "status 226: IM Used", 299: "status 299",
		301: "status 301: redirects are not followed", 307: "status 307: redirects are not followed",
		400: "status 400: Bad Request", 403: "status 403: Forbidden", 404: "status 404: Not Found",
		429: "status 429: Too Many Requests", 499: "status 499", 500: "status 500: Internal Server Error",
		503: "status 503: Service Unavailable", 599: "status 599",
	} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			h := hear(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(code)
			})
			got, err := gate.New(nil).Do(t.Context(), callOf(h.URL))
			require.NoError(t, err)
			assert.Equal(t, gate.Answer{Agreed: code < 300, Code: code, Message: want}, got)
			requests, _ := h.heard()
			assert.Len(t, requests, 1)
		})
	}
}

// TestWords reads what servers say beside their status.
func TestWords(t *testing.T) {
	long := strings.Repeat("é", 127) // 254 bytes
	for name, c := range map[string]struct{ body, want string }{
		"one line":        {"not before noon\n", "not before noon"},
		"several":         {"  no:\n\n\ttests  fail\r\n", "no: tests fail"},
		"JSON":            {`{"error": "closed"}`, `{"error": "closed"}`},
		"JSON for people": {`{"code": 7, "message": "not \u003cbefore\u003e\nnoon", "by": "ann"}`, "not <before> noon"},
		"cut afterwards":  {`{"message": "no", "output": "` + strings.Repeat("a", 1<<20), "no"},
		"cut before":      {`{"output": "` + strings.Repeat("a", 1<<20), `{"output": "` + strings.Repeat("a", 241) + "…"},
		"no words":        {`{"message": {"code": 7}}`, `{"message": {"code": 7}}`},
		"no message":      {`{"message": ""}`, `{"message": ""}`},
		"a list":          {`[{"message": "no"}]`, `[{"message": "no"}]`},
		"nothing":         {"", "Forbidden"},
		"only space":      {" \n\t\v\u00a0\u2028", "Forbidden"},
		"control":         {"\x1b[31mno\x1b[0m\x00\x07\x7f\u202e", "[31mno[0m"},
		"not UTF-8":       {"n\xc3\xb6\xff\xfe not \xc3", "nö not"},
		"just as long":    {long + "ab", long + "ab"},
		"one byte longer": {long + "abc", strings.Repeat("é", 126) + "…"},
		"huge":            {strings.Repeat("no ", 1<<20), strings.Repeat("no ", 84) + "n…"},
		"one huge word":   {strings.Repeat("a", 8<<20), strings.Repeat("a", 253) + "…"},
		"cut in a rune":   {strings.Repeat(" ", 4095) + "é", "Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hear(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, c.body) // nobody reads all of the huge ones
			})
			got, err := gate.New(nil).Do(t.Context(), callOf(h.URL))
			require.NoError(t, err)
			assert.Equal(t, "status 403: "+c.want, got.Message)
			assert.LessOrEqual(t, len(got.Message), len("status 403: ")+256)
		})
	}
}

// TestConcurrently lets many use one client.
func TestConcurrently(t *testing.T) {
	h := hear(t, answering(http.StatusOK))
	client := gate.New(nil)
	var callers sync.WaitGroup
	for i := range 24 {
		callers.Go(func() {
			call := callOf(h.URL)
			call.Webhook.DisableTLS = i%2 == 0
			call.Payload.Weight = int32(i)
			got, err := client.Do(t.Context(), call)
			if assert.NoError(t, err) {
				assert.True(t, got.Agreed)
			}
		})
	}
	callers.Wait()
	requests, _ := h.heard()
	assert.Len(t, requests, 24)
}
