package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"weir.dev/weir/pkg/outbound"
)

const (
	// patience is how long one request may take where its context sets nothing shorter.
	patience = 10 * time.Second
	// longestAnswer is how much of an answer is read.
	longestAnswer = 64 << 10
	// keyLength is how long a part of an address's path is that may be a key by itself, and not just with the others.
	keyLength = 16
)

// Site is what a provider says of any server.
type Site struct {
	// Address of the server.
	Address string
	// Proxy that it is reached through; without it, that is the one of the environment, if any.
	Proxy string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
	// Reach is where it may be.
	Reach *outbound.Reach
}

// ServerConfig says where a server is and who calls it.
type ServerConfig struct {
	Site
	// Name of what is called, for people.
	Name string
	// Header is sent with every message. Its values are secrets.
	Header http.Header
	// Secrets that are sent in another form.
	Secrets []string
	// Words finds what the server says in a refusal, and how long it wants to be left alone where it says so there.
	// Without it, that is all of the body.
	Words func(body []byte) (words string, after time.Duration)
}

// Server is one HTTP server that messages are sent to. It bounds what may be answered and follows no redirect, and its
// errors are *Error without a secret in them: they tell the server's own words at most, and of its address the host.
type Server struct {
	name    string
	address *url.URL
	header  http.Header
	client  *http.Client
	hidden  outbound.Hidden
	words   func([]byte) (string, time.Duration)
}

// NewServer makes a server. It calls nobody yet. Its error is of the kind Rejected.
func NewServer(c ServerConfig) (*Server, error) {
	address, err := url.Parse(strings.TrimSpace(c.Address))
	if err != nil || address.Hostname() == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, Rejectedf("the address of %s must be an http or https URL; "+
			"set the key address of the Secret of spec.secretRef, or spec.address", c.Name)
	}
	var proxy *url.URL
	secrets := append([]string{}, c.Secrets...)
	for part := range strings.SplitSeq(address.Path, "/") {
		if len(part) >= keyLength {
			secrets = append(secrets, part)
		}
	}
	if c.Proxy != "" {
		proxy, err = url.Parse(c.Proxy)
		if err != nil || proxy.Hostname() == "" || !proxied(proxy.Scheme) {
			return nil, Rejectedf("spec.proxy must be an http, https or socks5 URL")
		}
		password, _ := proxy.User.Password()
		secrets = append(secrets, password)
	}
	for _, values := range c.Header {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, Rejectedf("the Secret of spec.secretRef has what HTTP does not allow in a header")
			}
			// Of "Bearer x", x is the secret as well.
			_, word, _ := strings.Cut(v, " ")
			secrets = append(secrets, v, word)
		}
	}
	if c.Words == nil {
		c.Words = func(body []byte) (string, time.Duration) { return string(body), 0 }
	}
	return &Server{
		name: c.Name + " at " + address.Host, address: address, header: c.Header, words: c.Words,
		client: outbound.NewClient(&tls.Config{
			MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipVerify,
		}, proxy, c.Reach),
		hidden: outbound.Hide(address, secrets...),
	}, nil
}

func proxied(scheme string) bool { return scheme == "http" || scheme == "https" || scheme == "socks5" }

// Below is the URL of an escaped path below the server's address, with that query beside the address's own. Where the
// address has that path already, it is not put twice.
func (s *Server) Below(path string, query url.Values) *url.URL {
	u := *s.address
	if path != "" && !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/"+path) {
		u = *s.address.JoinPath(path)
	}
	all := u.Query()
	maps.Copy(all, query)
	u.RawQuery = all.Encode()
	return &u
}

// Request is one message on its way.
type Request struct {
	// URL, the address if it is nil.
	URL *url.URL
	// Body is sent as JSON. ContentType is application/json if it is empty.
	Body        any
	ContentType string
	// Sign gives further headers for the body as it is sent, if it is not nil.
	Sign func(body []byte) http.Header
}

// Post sends a request and gives the answer, which has a status of 2xx.
func (s *Server) Post(ctx context.Context, r Request) ([]byte, error) {
	body, err := Encode(r.Body)
	if err != nil {
		return nil, Rejectedf("the message cannot be written for %s", s.name)
	}
	if r.URL == nil {
		r.URL = s.address
	}
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodPost, r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return nil, Rejectedf("%s cannot be called at such an address", s.name)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	req.Header.Set("User-Agent", "weir")
	maps.Copy(req.Header, s.header)
	if r.Sign != nil {
		maps.Copy(req.Header, r.Sign(body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, s.trouble(ctx, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return answer, nil // it has been taken, whatever became of the rest of the answer
	}
	return nil, s.refusal(res, answer, err != nil || len(answer) == longestAnswer)
}

// Encode writes JSON as it is sent: in one line, with all characters as they are.
func Encode(body any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// trouble sorts what goes wrong on the way.
func (s *Server) trouble(ctx context.Context, err error) *Error {
	said := outbound.Trouble(ctx, s.address.Host, patience, err).Error()
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	if untrusted || errors.Is(err, http.ErrSchemeMismatch) {
		return Rejectedf("%s", said)
	}
	return Transportf("%s", said)
}

// refusal is the error of a status that is no 2xx.
func (s *Server) refusal(res *http.Response, body []byte, partial bool) *Error {
	code := res.StatusCode
	words, after := s.words(body)
	after = max(after, outbound.RetryAfter(res.Header, time.Now()), 0)
	words = s.hidden.Words([]byte(words), partial)
	if words != "" {
		words = ": " + words
	}
	switch {
	case code == http.StatusTooManyRequests:
		return &Error{Transport, s.name + " has had too many messages (HTTP 429)" + words, after}
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		e := Transportf("%s fails (HTTP %d)%s", s.name, code, words)
		e.RetryAfter = after
		return e
	case code >= 300 && code < 400:
		return Rejectedf("%s sends its callers elsewhere (HTTP %d), where Weir does not follow; set the address that it "+
			"sends them to", s.name, code)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return Rejectedf("%s refuses the credentials (HTTP %d)%s; check the Secret of spec.secretRef and the address",
			s.name, code, words)
	case code == http.StatusNotFound, code == http.StatusGone:
		return Rejectedf("%s has nothing there (HTTP %d)%s; check the address and the channel", s.name, code, words)
	}
	return Rejectedf("%s refuses the message (HTTP %d)%s", s.name, code, words)
}

// Refuses is the error of a server that refuses a message in an answer of 2xx, with its own words.
func (s *Server) Refuses(words string) *Error {
	return Rejectedf("%s refuses the message: %s", s.name, s.hidden.Words([]byte(words), false))
}

// Fails is the error of a server that says in an answer of 2xx that it is in trouble.
func (s *Server) Fails(words string) *Error {
	return Transportf("%s fails: %s", s.name, s.hidden.Words([]byte(words), false))
}

// Unreadable is the error of an answer that is not what the server is said to give.
func (s *Server) Unreadable() *Error {
	return Transportf("%s gives an answer that cannot be read", s.name)
}
