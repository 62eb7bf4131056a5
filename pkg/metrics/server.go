package metrics

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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
	longestAnswer = 4 << 20
)

// Site is what a template says of any server.
type Site struct {
	// Address of the server; it may carry a path, and the username and password of who asks.
	Address string
	// Headers are sent with every request.
	Headers map[string]string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
	// CA are certificates in PEM, one of which has to have signed that of the server. Empty are those of the system.
	CA []byte
	// Reach is where the server may be.
	Reach *outbound.Reach
}

// ServerConfig says where a server is and who asks it.
type ServerConfig struct {
	Site
	// Name of what answers, for people.
	Name string
	// AddressFields say where the address is set, for people. Empty is spec.provider.address.
	AddressFields string
	// Credentials are headers, by their canonical names, that go before those of the site.
	Credentials http.Header
	// Secrets that are sent in another form than in a header, or within one.
	Secrets []string
	// CredentialsFrom says where the credentials come from, for people. Empty is the Secret of the template.
	CredentialsFrom string
	// Authorize gives the header Authorization of one request, where that is another each time. Its errors
	// are *Error.
	Authorize func(context.Context) (string, error)
}

// Server is one HTTP server that answers queries. It bounds what may be answered and follows no redirect,
// and its errors are *Error without a secret in them: they tell the server's own words at most, and of its
// address the host alone.
type Server struct {
	name      string
	from      string // the credentials
	address   *url.URL
	http      *http.Client
	header    http.Header
	secrets   []string
	authorize func(context.Context) (string, error)
}

// NewServer makes a server. It asks nothing yet. Its error is of the kind Rejected.
func NewServer(c ServerConfig) (*Server, error) {
	address, err := url.Parse(c.Address)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		fields := c.AddressFields
		if fields == "" {
			fields = "spec.provider.address"
		}
		return nil, Rejectedf("the address of %s must be an http or https URL; set %s", c.Name, fields)
	}
	client, err := httpClient(c)
	if err != nil {
		return nil, err
	}
	s := &Server{
		name: c.Name + " at " + address.Host, from: c.CredentialsFrom, http: client,
		header: http.Header{}, secrets: append([]string{}, c.Secrets...), authorize: c.Authorize,
	}
	if s.from == "" {
		s.from = "the Secret of spec.provider.secretRef"
	}
	for k, v := range c.Headers {
		s.header.Set(k, v)
	}
	if address.User != nil {
		password, _ := address.User.Password()
		maps.Copy(s.header, BasicAuth(address.User.Username(), password))
		s.secrets = append(s.secrets, password)
	}
	maps.Copy(s.header, c.Credentials)
	address.User = nil
	s.address = address
	for k, all := range s.header {
		for _, v := range all {
			if !httpguts.ValidHeaderFieldName(k) || !httpguts.ValidHeaderFieldValue(v) {
				return nil, Rejectedf("the header %q for %s has a name or a value that HTTP does not allow", k, c.Name)
			}
			// Of "Bearer x", x is the secret as well.
			_, word, _ := strings.Cut(v, " ")
			s.secrets = append(s.secrets, v, word)
		}
	}
	return s, nil
}

func httpClient(c ServerConfig) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = c.Reach.DialContext
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: c.InsecureSkipVerify}
	if len(c.CA) > 0 {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, Rejectedf("ca.crt of the Secret for %s holds no certificate in PEM; correct or remove it", c.Name)
		}
	}
	return &http.Client{
		Transport: transport,
		// Where a redirect leads to is not who the credentials are for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// BasicAuth is the header of a username and a password.
func BasicAuth(username, password string) http.Header {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(username, password)
	return req.Header
}

// Bearer is the header of a token.
func Bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// At is the URL of an escaped path below the server's address, with that query beside the address's own.
func (s *Server) At(path string, query url.Values) *url.URL {
	u := *s.address
	if path != "" {
		u = *s.address.JoinPath(path)
	}
	all := u.Query()
	maps.Copy(all, query)
	u.RawQuery = all.Encode()
	return &u
}

// Request is one question to a server.
type Request struct {
	// Method is GET if empty.
	Method string
	URL    *url.URL
	// Body, and of what type it is. Empty is none.
	Body, ContentType string
	// Accept is the type of the answer. Empty is JSON.
	Accept string
	// Words finds what the server says of a query that it refuses; nothing if that says nothing.
	Words func(body []byte) string
}

// Ask sends a request and gives the body of the answer.
func (s *Server) Ask(ctx context.Context, r Request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL.String(), strings.NewReader(r.Body))
	if err != nil {
		return nil, Rejectedf("%s cannot be asked: the request is none that HTTP allows", s.name)
	}
	req.Header.Set("Accept", r.Accept)
	if r.Accept == "" {
		req.Header.Set("Accept", "application/json")
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	res, body, err := s.Do(ctx, req) //nolint:bodyclose // Do has closed it
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= http.StatusBadRequest {
		words := ""
		if r.Words != nil {
			words = r.Words(body)
		}
		return nil, s.Refused(res.StatusCode, words)
	}
	return body, nil
}

// Do is Ask for clients that make their own requests and read their own answers. An answer has been read
// and its body closed. Its status says that the server answers or, from 400 on, that it does not like what
// it was asked: all other trouble is the error, beside which there is a response if one came.
func (s *Server) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req = req.Clone(ctx)
	for k, v := range s.header {
		req.Header[k] = v
	}
	authorization := ""
	if s.authorize != nil {
		var err error
		if authorization, err = s.authorize(ctx); err != nil {
			return nil, nil, err
		}
		req.Header.Set("Authorization", authorization)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, nil, s.Trouble(err)
	}
	defer res.Body.Close()
	if err := s.status(res.StatusCode); err != nil {
		return res, nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, res.Body, longestAnswer))
	if err != nil {
		return nil, nil, s.Trouble(err)
	}
	if _, token, _ := strings.Cut(authorization, " "); token != "" {
		// It is of this request alone, so nobody else could cut it out.
		body = bytes.ReplaceAll(body, []byte(token), []byte("…"))
	}
	return res, body, nil
}

// Decode reads an answer in JSON.
func (s *Server) Decode(body []byte, into any) error {
	if json.Unmarshal(body, into) != nil || string(bytes.TrimSpace(body)) == "null" {
		return s.Unreadable()
	}
	return nil
}
