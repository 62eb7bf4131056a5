// Package datadog asks Datadog for the points of a metric query. Datadog's generated client has thousands of
// types for the one request that this takes.
package datadog

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/metrics"
)

const (
	// Address is that of Datadog's first site.
	Address = "https://api.datadoghq.com"
	// shortestSpan is asked for at least, so that a finished bucket is in it whatever its length.
	shortestSpan = 10 * time.Minute
)

// Config says where Datadog is and who asks.
type Config struct {
	metrics.Site
	APIKey, ApplicationKey string
}

// Provider is one organisation of Datadog's.
type Provider struct{ server *metrics.Server }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	if c.Address == "" {
		c.Address = Address
	}
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "Datadog",
		Credentials: http.Header{"Dd-Api-Key": {c.APIKey}, "Dd-Application-Key": {c.ApplicationKey}},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server}, nil
}

// answer is what https://docs.datadoghq.com/api/latest/metrics/query-timeseries-points/ says.
type answer struct {
	Status string   `json:"status"`
	Error  string   `json:"error"`
	Series []series `json:"series"`
}

type series struct {
	Expression string `json:"expression"`
	Metric     string `json:"metric"`
	Scope      string `json:"scope"`
	// Interval is the length of a bucket, in seconds.
	Interval float64 `json:"interval"`
	// Points are the begin of a bucket, in milliseconds, and its value, which may be null.
	Points [][]*float64 `json:"pointlist"`
}

// Query gives the last finished point of each series that ends within the window. The bucket that is still
// filled when the question is put has a part of the requests and none of the late ones.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	from, to := q.Span()
	begin := to.Add(-max(2*to.Sub(from), shortestSpan))
	body, err := p.server.Ask(ctx, metrics.Request{Words: words, URL: p.server.At("api/v1/query", url.Values{
		"from":  {strconv.FormatInt(begin.Unix(), 10)},
		"to":    {strconv.FormatInt(to.Unix(), 10)},
		"query": {strings.TrimSpace(q.Expr)},
	})})
	if err != nil {
		return nil, err
	}
	var a answer
	if err := p.server.Decode(body, &a); err != nil {
		return nil, err
	}
	switch {
	case a.Status == "error" || a.Error != "":
		return nil, p.server.Rejects(a.Error)
	case a.Status != "ok":
		return nil, p.server.Unreadable()
	}
	var samples []metrics.Sample
	for _, s := range a.Series {
		value, ok := s.last(from, to)
		if ok {
			samples = append(samples, metrics.Sample{Series: s.name(), Value: value})
		}
	}
	return metrics.Answer(samples)
}

// last is the value of the last bucket that was full at the end of the window and was not before its begin.
// A bucket longer than the window may be as old as it is long.
func (s series) last(from, to time.Time) (float64, bool) {
	length := time.Duration(s.Interval * float64(time.Second))
	oldest := to.Add(-max(to.Sub(from), length))
	for i := len(s.Points) - 1; i >= 0; i-- {
		point := s.Points[i]
		if len(point) != 2 || point[0] == nil || point[1] == nil {
			continue
		}
		if end := time.UnixMilli(int64(*point[0])).Add(length); !end.After(to) && end.After(oldest) {
			return *point[1], true
		}
	}
	return 0, false
}

func (s series) name() string {
	if s.Expression != "" {
		return s.Expression
	}
	return s.Metric + "{" + s.Scope + "}"
}

// words are those of a refusal.
func words(body []byte) string {
	var said struct {
		Errors []string `json:"errors"`
		Error  string   `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	if said.Error != "" {
		return said.Error
	}
	return strings.Join(said.Errors, "; ")
}
