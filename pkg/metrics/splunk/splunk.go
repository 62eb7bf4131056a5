// Package splunk has Splunk Observability Cloud compute a SignalFlow program over a window.
package splunk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// Config says where Splunk is and who asks.
type Config struct {
	// Site whose address is that of the API of a realm, https://api.REALM.signalfx.com, as Flagger has it, or
	// that of its streams.
	metrics.Site
	Token string
}

// Provider is one organization at Splunk.
type Provider struct{ server *metrics.Server }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	// Programs run where the streams are.
	c.Address = strings.Replace(c.Address, "://api.", "://stream.", 1)
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "Splunk", Credentials: http.Header{"X-Sf-Token": {c.Token}},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server}, nil
}

// Query gives the last value of each time series that the program publishes. The window has a stop, so the
// computation ends by itself; it ends as well when the context does, because nobody reads it any more.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	from, to := q.Span()
	body, err := p.server.Ask(ctx, metrics.Request{
		Method: http.MethodPost, Body: q.Expr, ContentType: "text/plain", Accept: "text/event-stream", Words: words,
		URL: p.server.At("v2/signalflow/execute", url.Values{
			"start": {strconv.FormatInt(from.UnixMilli(), 10)},
			"stop":  {strconv.FormatInt(to.UnixMilli(), 10)},
			// Not to wait for what comes late.
			"immediate": {"true"},
		}),
	})
	if err != nil {
		return nil, err
	}
	c := computation{server: p.server, names: map[string]string{}, last: map[string]float64{}}
	for event := range events(string(body)) {
		if err := c.take(event); err != nil {
			return nil, err
		}
	}
	if !c.ended {
		return nil, p.server.Unreadable() // it was cut off
	}
	return metrics.Answer(c.samples())
}

// words are those of a refusal.
func words(body []byte) string {
	var said struct {
		Message string `json:"message"`
		Type    string `json:"errorType"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	if said.Message != "" {
		return said.Message
	}
	return said.Type
}
