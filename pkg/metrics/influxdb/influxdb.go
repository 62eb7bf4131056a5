// Package influxdb asks an InfluxDB in Flux.
package influxdb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"

	"weir.dev/weir/pkg/metrics"
)

// Config says where InfluxDB is and who asks.
type Config struct {
	metrics.Site
	// Organization, by its name or ID. It may be empty where the token is of one alone.
	Organization string
	Token        string
}

// Provider is one organization of an InfluxDB.
type Provider struct {
	server       *metrics.Server
	organization string
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "InfluxDB", Credentials: http.Header{"Authorization": {"Token " + c.Token}},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server, c.Organization}, nil
}

// question is a request as in https://docs.influxdata.com/influxdb/v2/api/#operation/PostQuery.
type question struct {
	Query   string  `json:"query"`
	Type    string  `json:"type"`
	Dialect dialect `json:"dialect"`
}

type dialect struct {
	Annotations []string `json:"annotations"`
	Header      bool     `json:"header"`
}

// Query gives the last value of each table of the result.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	body, err := json.Marshal(question{q.Expr, "flux", dialect{[]string{"datatype", "group", "default"}, true}})
	if err != nil {
		return nil, metrics.Rejectedf("the query cannot be written as JSON")
	}
	parameters := url.Values{}
	if p.organization != "" {
		parameters.Set("org", p.organization)
	}
	answer, err := p.server.Ask(ctx, metrics.Request{
		Method: http.MethodPost, URL: p.server.At("api/v2/query", parameters),
		Body: string(body), ContentType: "application/json", Accept: "application/csv", Words: words,
	})
	if err != nil {
		return nil, err
	}
	samples, err := p.read(answer)
	if err != nil {
		return nil, err
	}
	return metrics.Answer(samples)
}

// words are those of a refusal: of version 2, or of version 1.
func words(body []byte) string {
	var said struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	return cmp.Or(said.Message, said.Error)
}

// records parts an answer. It is no answer at all if it is cut off within a line; an empty result is an empty
// line.
func (p *Provider) records(answer []byte) ([][]string, error) {
	if len(answer) == 0 || answer[len(answer)-1] != '\n' {
		return nil, p.server.Unreadable()
	}
	reader := csv.NewReader(bytes.NewReader(answer))
	reader.FieldsPerRecord = -1 // each table has its own columns
	records, err := reader.ReadAll()
	if err != nil {
		return nil, p.server.Unreadable()
	}
	return records, nil
}
