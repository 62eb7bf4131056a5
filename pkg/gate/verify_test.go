package gate_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/gate"
)

// genuine tells whether a call comes from who has the key.
func genuine(r *http.Request, body, key []byte) bool {
	sum := hmac.New(sha256.New, key)
	sum.Write(body)
	want := "sha256=" + hex.EncodeToString(sum.Sum(nil))
	return hmac.Equal([]byte(want), []byte(r.Header.Get("X-Weir-Signature-256")))
}

// TestSignature verifies a call in the ways that are documented.
func TestSignature(t *testing.T) {
	h := hear(t, answering(http.StatusOK))
	call := callOf(h.URL)
	call.Payload.Name = "it's <Jefe>"
	call.Secret = map[string][]byte{"hmacKey": []byte("what do ya want\n")}
	_, err := gate.New(nil).Do(t.Context(), call)
	require.NoError(t, err)
	r, body := h.first()
	assert.True(t, genuine(r, []byte(body), []byte("what do ya want")))
	assert.False(t, genuine(r, []byte(body), []byte("what do ya want\n")))
	assert.False(t, genuine(r, []byte(body+" "), []byte("what do ya want")))
	assert.True(t, gate.Genuine(r.Header, []byte(body), "what do ya want\n"))
	assert.False(t, gate.Genuine(r.Header, []byte(body+" "), "what do ya want"))
	assert.False(t, gate.Genuine(r.Header, []byte(body), "what do I want"))
	assert.False(t, gate.Genuine(http.Header{}, []byte(body), ""))

	documented, err := os.ReadFile("../../docs/webhooks.md")
	require.NoError(t, err)
	source, err := os.ReadFile("verify_test.go")
	require.NoError(t, err)
	_, function, _ := strings.Cut(string(source), "\n)\n\n")
	function, _, _ = strings.Cut(function, "\n}\n")
	require.Contains(t, function, "func genuine(")
	assert.Contains(t, string(documented), function+"\n}\n")

	const command = `printf '%s' "$body" | openssl dgst -sha256 -hmac "$key" -r`
	assert.Contains(t, string(documented), command)
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("without openssl its command is not tried")
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Env = append(os.Environ(), "body="+body, "key=what do ya want")
	out, err := shell.Output()
	require.NoError(t, err)
	assert.Equal(t, r.Header.Get("X-Weir-Signature-256"), "sha256="+strings.Fields(string(out))[0])
}
