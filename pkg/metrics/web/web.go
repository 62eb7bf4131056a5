// Package web asks any HTTP server that answers in JSON, and has an expression in CEL take the number out of the
// answer.
package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// Config says where the server is, who asks, how, and what of the answer counts.
type Config struct {
	metrics.Site
	// Token, or else Username and Password, where the server wants them.
	Username, Password, Token string
	// Method is GET, also where it is empty, or POST.
	Method string
	// Value is the expression. Its variable is body, the answer's JSON.
	Value string
}

// Provider is one server.
type Provider struct {
	server *metrics.Server
	method string
	json   bool // is what is posted, as no header says otherwise
	value  value
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	if c.Method != "" && c.Method != http.MethodGet && c.Method != http.MethodPost {
		return nil, metrics.Rejectedf("spec.provider.method must be GET or POST")
	}
	value, err := compile(c.Value)
	if err != nil {
		return nil, err
	}
	config := metrics.ServerConfig{Site: c.Site, Name: "the server", Secrets: []string{c.Token, c.Password}}
	switch {
	case c.Token != "":
		config.Credentials = metrics.Bearer(c.Token)
	case c.Username != "":
		config.Credentials = metrics.BasicAuth(c.Username, c.Password)
	}
	server, err := metrics.NewServer(config)
	if err != nil {
		return nil, err
	}
	isType := func(name string) bool { return http.CanonicalHeaderKey(name) == "Content-Type" }
	typed := false
	for name := range c.Headers {
		typed = typed || isType(name)
	}
	return &Provider{server, c.Method, !typed, value}, nil
}

// Query sends the query: to GET it is what stands behind the address, to POST it is the body. What a server says of
// a query that it refuses is not told: it may be any server, and who reads a Canary's status need not be who may
// ask it.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	request := metrics.Request{Method: http.MethodPost, URL: p.server.At("", nil), Body: q.Expr}
	if p.json {
		request.ContentType = "application/json"
	}
	if p.method != http.MethodPost {
		below, err := p.below(q.Expr)
		if err != nil {
			return nil, err
		}
		request = metrics.Request{URL: below}
	}
	answer, err := p.server.Ask(ctx, request)
	if err != nil {
		return nil, err
	}
	var body any
	if err := p.server.Decode(answer, &body); err != nil {
		return nil, err
	}
	samples, err := p.value.of(body)
	if err != nil {
		return nil, err
	}
	return metrics.Answer(samples)
}

// below is the URL of a query. It cannot lead away from the address, because who writes a Canary's variables need
// not be who knows the Secret.
func (p *Provider) below(expr string) (*url.URL, error) {
	wrong := metrics.Rejectedf("the query must be what follows spec.provider.address, for example score?app=podinfo; " +
		"write urlquery before a variable that may hold any character")
	ref, err := url.Parse(strings.TrimSpace(expr))
	if err != nil || ref.Scheme != "" || ref.Host != "" || ref.User != nil || ref.Opaque != "" {
		return nil, wrong
	}
	away := func(segment string) bool { return segment == ".." }
	if slices.ContainsFunc(strings.Split(ref.Path, "/"), away) {
		return nil, wrong
	}
	parameters, err := url.ParseQuery(ref.RawQuery)
	if err != nil {
		return nil, wrong
	}
	return p.server.At(ref.EscapedPath(), parameters), nil
}
