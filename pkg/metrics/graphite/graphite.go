// Package graphite asks the render API of a Graphite for the points of a target.
package graphite

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// Config says where Graphite is and who asks.
type Config struct {
	metrics.Site
	// Username and Password where the server wants them.
	Username, Password string
}

// Provider is one Graphite.
type Provider struct{ server *metrics.Server }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	var credentials http.Header
	if c.Username != "" {
		credentials = metrics.BasicAuth(c.Username, c.Password)
	}
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "Graphite", Credentials: credentials, Secrets: []string{c.Password},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server}, nil
}

// series is one of what https://graphite.readthedocs.io/en/latest/render_api.html#json says.
type series struct {
	Target *string `json:"target"`
	// Points are a value, which may be null, and its time.
	Points [][]*float64 `json:"datapoints"`
}

// Query gives the last point of each series that is not null: the newest ones often are, because nothing has
// been written there yet.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	targets, err := targetsOf(q.Expr)
	if err != nil {
		return nil, err
	}
	from, to := q.Span()
	body, err := p.server.Ask(ctx, metrics.Request{Words: words, URL: p.server.At("render", url.Values{
		"target": targets,
		"from":   {strconv.FormatInt(from.Unix(), 10)},
		"until":  {strconv.FormatInt(to.Unix(), 10)},
		"format": {"json"},
	})})
	if err != nil {
		return nil, err
	}
	var all []series
	if err := p.server.Decode(body, &all); err != nil {
		return nil, err
	}
	var samples []metrics.Sample
	for _, s := range all {
		if s.Target == nil {
			return nil, p.server.Unreadable()
		}
		for i := len(s.Points) - 1; i >= 0; i-- {
			if point := s.Points[i]; len(point) > 0 && point[0] != nil {
				samples = append(samples, metrics.Sample{Series: *s.Target, Value: *point[0]})
				break
			}
		}
	}
	return metrics.Answer(samples)
}

// targetsOf reads a target, or what Flagger takes: target=…, which may be there several times.
func targetsOf(expr string) ([]string, error) {
	// A target may be written in lines; Graphite reads one.
	expr = strings.Join(strings.Fields(expr), " ")
	if !strings.HasPrefix(expr, "target=") {
		return []string{expr}, nil
	}
	var targets []string
	for field := range strings.SplitSeq(expr, "&") {
		target, ok := strings.CutPrefix(strings.TrimSpace(field), "target=")
		if !ok {
			name, _, _ := strings.Cut(field, "=")
			return nil, metrics.Rejectedf("the query sets %q; of what Graphite's render API takes it may set target alone, "+
				"because the window says from when until when", metrics.Quote(name))
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// words are those of a refusal, which is text or a web page.
func words(body []byte) string {
	if bytes.ContainsRune(body, '<') {
		return ""
	}
	return string(body)
}
