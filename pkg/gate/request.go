package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/outbound"
)

const (
	// defaultTimeout is that of the schema.
	defaultTimeout = 10 * time.Second
	// patience is how long a body is waited for when the status is known: it decides nothing.
	patience = time.Second
	// longestBody is how much of a body is read, and longestRest how much more to keep the connection.
	longestBody, longestRest = 4 << 10, 64 << 10
	// The pauses between attempts grow from the first to the last of these.
	shortestPause, longestPause = 100 * time.Millisecond, 2 * time.Second
)

// The keys of a Secret that are not headers.
const (
	tokenKey = "token"
	hmacKey  = "hmacKey"
)

// request is a call made ready. It is sent once an attempt.
type request struct {
	url     *url.URL
	header  http.Header
	body    []byte
	timeout time.Duration
	hidden  outbound.Hidden
}

func newRequest(call Call) (*request, error) {
	address, err := url.Parse(call.Webhook.URL)
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, fmt.Errorf("the url of webhook %s is no http or https URL", call.Webhook.Name)
	}
	timeout, err := time.ParseDuration(call.Webhook.Timeout)
	if err != nil || timeout <= 0 {
		timeout = defaultTimeout
	}
	payload := call.Payload
	payload.Metadata = map[string]string{}
	maps.Copy(payload.Metadata, call.Webhook.Metadata)
	maps.Copy(payload.Metadata, call.Payload.Metadata)
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("writing the payload: %w", err)
	}
	header, err := headerOf(call, body)
	if err != nil {
		return nil, err
	}
	return &request{
		url: address, header: header, body: body, timeout: timeout, hidden: hiddenOf(address, header, call.Secret),
	}, nil
}

// hiddenOf is what nobody may read of a call.
func hiddenOf(address *url.URL, header http.Header, secret map[string][]byte) outbound.Hidden {
	var all []string
	for key := range secret {
		all = append(all, string(secret[key]), valueOf(secret, key), strings.TrimSpace(string(secret[key])))
	}
	for _, name := range []string{"Authorization", outbound.SignatureHeader} {
		all = append(all, header.Get(name), strings.TrimPrefix(header.Get(name), "sha256="))
	}
	return outbound.Hide(address, all...)
}

// headerOf is what is sent before the body.
func headerOf(call Call, body []byte) (http.Header, error) {
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "weir")
	if key := call.Payload.IdempotencyKey; key != "" {
		header.Set("Idempotency-Key", key)
	}
	secret := secretName(call.Webhook.SecretRef)
	if call.Webhook.SecretRef != nil && len(call.Secret) == 0 {
		return nil, fmt.Errorf("%s is empty", secret)
	}
	from := map[string]string{} // the key that a header comes from
	for _, key := range slices.Sorted(maps.Keys(call.Secret)) {
		value := valueOf(call.Secret, key)
		if value == "" && (key == tokenKey || key == hmacKey) {
			return nil, fmt.Errorf("%s has nothing in its key %s", secret, key)
		}
		name := http.CanonicalHeaderKey(key)
		switch {
		case key == tokenKey:
			name, value = "Authorization", "Bearer "+value
		case key == hmacKey:
			name, value = outbound.SignatureHeader, outbound.Signature(value, body)
		case !httpguts.ValidHeaderFieldName(key), reserved(name):
			return nil, fmt.Errorf("%s has the key %q, which cannot be a header of a call", secret, key)
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("%s has in its key %q what HTTP does not allow in a header", secret, key)
		}
		if other, twice := from[name]; twice {
			return nil, fmt.Errorf("%s sets the header %s by two keys, %q and %q", secret, name, other, key)
		}
		from[name] = key
		header.Set(name, value)
	}
	return header, nil
}

// valueOf leaves off the newline that a file often ends in, and with it the Secret that was made of it.
func valueOf(secret map[string][]byte, key string) string {
	return strings.TrimRight(string(secret[key]), "\r\n")
}

func secretName(ref *v1beta1.LocalSecretRef) string {
	if ref == nil {
		return "the Secret"
	}
	return "Secret " + ref.Name
}

// reserved are the headers that a person may not set: those that say how the body is to be read, which net/http
// writes itself, and those that are promised to whoever is called.
func reserved(name string) bool {
	switch name {
	case "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Idempotency-Key",
		"Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		outbound.SignatureHeader:
		return true
	}
	return false
}

// result is what came of one attempt.
type result struct {
	answer Answer
	err    error
	// again says that another attempt may fare better, and after what the server said of when.
	again bool
	after time.Duration
}

func (r *request) send(ctx context.Context, client *http.Client) result {
	attempt, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodPost, r.url.String(), bytes.NewReader(r.body))
	if err != nil {
		return result{err: fmt.Errorf("%s cannot be called at such a url", r.url.Host)}
	}
	req.Header = r.header.Clone() // its idempotency key lets net/http repeat the call if a kept connection breaks
	res, err := client.Do(req)
	if err != nil {
		return result{err: outbound.Trouble(ctx, r.url.Host, r.timeout, err), again: true}
	}
	defer res.Body.Close()
	code := res.StatusCode
	enough := time.AfterFunc(patience, cancel)
	defer enough.Stop()
	body, err := io.ReadAll(io.LimitReader(res.Body, longestBody))
	partial := err != nil || len(body) == longestBody
	_, _ = io.CopyN(io.Discard, res.Body, longestRest) // so that the connection can be used again
	body, partial = sentence([]byte(r.hidden.In(string(body))), partial)
	return result{
		answer: Answer{Agreed: code >= 200 && code < 300, Code: code, Message: r.hidden.Message(code, body, partial)},
		again:  code >= 500 || code == http.StatusTooManyRequests,
		after:  outbound.RetryAfter(res.Header, time.Now()),
	}
}

// sentence is what an answer has for people: the message of an object in JSON, and else all of it. A partial one goes on.
func sentence(body []byte, partial bool) (words []byte, goesOn bool) {
	object := json.NewDecoder(bytes.NewReader(body))
	if begin, err := object.Token(); err != nil || begin != json.Delim('{') {
		return body, partial
	}
	for object.More() {
		key, err := object.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if object.Decode(&value) != nil {
			break
		}
		var message string
		if key == "message" && json.Unmarshal(value, &message) == nil && message != "" {
			return []byte(message), false
		}
	}
	return body, partial
}

// pause is how long to wait after so many attempts and one more: a little longer each time, and not for all
// callers the same; as long as the server said where it said so, but no longer than an attempt may take.
func pause(made int32, after, timeout time.Duration) time.Duration {
	grown := min(shortestPause<<min(made, 10), longestPause)
	return max(grown/2+rand.N(grown/2), min(after, timeout))
}
