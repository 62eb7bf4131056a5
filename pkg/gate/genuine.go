package gate

import (
	"crypto/hmac"
	"net/http"
	"strings"

	"weir.dev/weir/pkg/outbound"
)

// Genuine tells whether a call with this header and body was signed with a key, as it is by a Secret that has the key as
// its hmacKey. A newline at the end of the key does not count. Nobody has an empty key.
func Genuine(header http.Header, body []byte, key string) bool {
	key = strings.TrimRight(key, "\r\n")
	return key != "" && hmac.Equal([]byte(outbound.Signature(key, body)), []byte(header.Get(outbound.SignatureHeader)))
}
