package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/alerttest"
	"weir.dev/weir/pkg/alert/webhook"
)

// Write the golden files anew with `go test ./pkg/alert/webhook -run Conformance -rewrite`.
var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func TestConformance(t *testing.T) {
	alerttest.Run(t, alerttest.Suite{
		New: func(site alert.Site) (alert.Channel, error) {
			return webhook.New(webhook.Config{Site: site, Token: "token-for-the-webhook", HMACKey: "key-for-the-webhook"})
		},
		Secrets:  []string{"token-for-the-webhook", "key-for-the-webhook"},
		Accepts:  alerttest.Answer(http.StatusOK, ""),
		Rejected: map[string]http.Handler{"not this kind": alerttest.Answer(http.StatusUnsupportedMediaType, "")},
		Refusal:  func(words string) http.Handler { return alerttest.Answer(http.StatusBadRequest, words) },
		Limits: func(t *testing.T, body []byte) {
			assert.LessOrEqual(t, len(body), 1<<20)
			var e struct {
				Data struct{ Images, Links, Digest []any }
			}
			require.NoError(t, json.Unmarshal(body, &e))
			assert.LessOrEqual(t, len(e.Data.Digest), 100)
		},
		Rewrite: *rewrite,
	})
}

// TestSignature checks the signature as docs/alerts.md says it.
func TestSignature(t *testing.T) {
	var signed, bare http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		signed, bare = r.Header, signed
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	for _, key := range []string{"", "key"} {
		c, err := webhook.New(webhook.Config{Site: alert.Site{Address: server.URL}, HMACKey: key})
		require.NoError(t, err)
		require.NoError(t, c.Send(t.Context(), alert.Message{ID: "1", Text: "a"}))
	}
	sum := hmac.New(sha256.New, []byte("key"))
	sum.Write(body)
	require.Equal(t, "sha256="+hex.EncodeToString(sum.Sum(nil)), signed.Get("X-Weir-Signature-256"))
	require.Empty(t, bare.Get("X-Weir-Signature-256"))
	require.Empty(t, bare.Get("Authorization"))
}
