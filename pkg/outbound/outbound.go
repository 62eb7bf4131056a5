// Package outbound is what is alike in calling an HTTP server of somebody else's. What goes wrong on the way is told by
// its kind, in the same words each time, and what nobody may read is kept out of all that is said of a call.
package outbound

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// SignatureHeader carries the signature of a body.
	SignatureHeader = "X-Weir-Signature-256"
	// longestHeader is how much of the header of an answer is read.
	longestHeader = 64 << 10
)

// NewClient makes a client that follows no redirect, bounds what it reads of headers and calls nothing out of its reach.
// Without a proxy, it goes by those of the environment; what a proxy calls is the proxy's business.
func NewClient(config *tls.Config, proxy *url.URL, reach *Reach) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = reach.DialContext
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	transport.TLSClientConfig = config
	transport.Protocols = &http.Protocols{}
	transport.Protocols.SetHTTP1(true)  // HTTP/2 has no use for one small request, and hides why a server refuses
	transport.DisableCompression = true // a short answer must not become a long one
	transport.MaxResponseHeaderBytes = longestHeader
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
		if res.StatusCode != http.StatusOK {
			return proxyError(res.StatusCode)
		}
		return nil
	}
	return &http.Client{
		Transport: transport,
		// Where a redirect leads to is not who the secrets are for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RetryAfter is how long the server wants to be left alone: by its header, which may name a time that is over. It is
// zero where the server says nothing.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	said := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(said, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(said); err == nil {
		return at.Sub(now)
	}
	return 0
}

// Signature lets who has the same key see that a body comes from here and is whole.
func Signature(key string, body []byte) string {
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write(body)
	return "sha256=" + hex.EncodeToString(sum.Sum(nil))
}
