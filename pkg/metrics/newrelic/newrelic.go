// Package newrelic asks New Relic in NRQL, by the API that query keys are for.
package newrelic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// Address is that of New Relic in the United States.
const Address = "https://insights-api.newrelic.com"

var (
	account = regexp.MustCompile(`^[0-9]+$`)
	// quoted is what stands in quotes, in NRQL.
	quoted = regexp.MustCompile("'[^']*'|`[^`]*`|\"[^\"]*\"")
	timed  = regexp.MustCompile(`(?i)\b(SINCE|UNTIL)\b`)
)

// Config says where New Relic is and who asks.
type Config struct {
	metrics.Site
	AccountID, QueryKey string
}

// Provider is one account at New Relic.
type Provider struct {
	server  *metrics.Server
	account string
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	if c.Address == "" {
		c.Address = Address
	}
	if !account.MatchString(c.AccountID) {
		return nil, metrics.Rejectedf("the account ID of New Relic must be a number; correct newrelic_account_id in the Secret")
	}
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "New Relic", Credentials: http.Header{"X-Query-Key": {c.QueryKey}},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server, c.AccountID}, nil
}

// Query gives the value of each function in SELECT, for each facet if there are any.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	nrql := strings.Join(strings.Fields(q.Expr), " ")
	if !timed.MatchString(quoted.ReplaceAllString(nrql, "")) {
		from, to := q.Span()
		nrql += " SINCE " + strconv.FormatInt(from.UnixMilli(), 10) + " UNTIL " + strconv.FormatInt(to.UnixMilli(), 10)
	}
	body, err := p.server.Ask(ctx, metrics.Request{
		URL: p.server.At("v1/accounts/"+p.account+"/query", url.Values{"nrql": {nrql}}), Words: words,
	})
	if err != nil {
		return nil, err
	}
	var a answer
	if err := p.server.Decode(body, &a); err != nil {
		return nil, err
	}
	samples, err := a.samples(p.server)
	if err != nil {
		return nil, err
	}
	return metrics.Answer(samples)
}

// words are those of a refusal.
func words(body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	return said.Error
}
