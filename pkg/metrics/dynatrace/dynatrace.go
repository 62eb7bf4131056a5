// Package dynatrace asks Dynatrace for the value of a metric selector over a window.
package dynatrace

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// Config says where the environment is and who asks.
type Config struct {
	metrics.Site
	Token string
}

// Provider is one environment of Dynatrace's.
type Provider struct{ server *metrics.Server }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	server, err := metrics.NewServer(metrics.ServerConfig{
		Site: c.Site, Name: "Dynatrace", Credentials: http.Header{"Authorization": {"Api-Token " + c.Token}},
	})
	if err != nil {
		return nil, err
	}
	return &Provider{server}, nil
}

// answer is what https://docs.dynatrace.com/docs/dynatrace-api/environment-api/metric-v2/get-data-points says.
type answer struct {
	Result []struct {
		Metric string `json:"metricId"`
		Data   []struct {
			Dimensions []string   `json:"dimensions"`
			Values     []*float64 `json:"values"`
		} `json:"data"`
	} `json:"result"`
}

// Query gives the one value that each series has over the whole window: the resolution Inf has no slots, of
// which the newest would be unfinished.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	from, to := q.Span()
	body, err := p.server.Ask(ctx, metrics.Request{Words: words, URL: p.server.At("api/v2/metrics/query", url.Values{
		"metricSelector": {strings.TrimSpace(q.Expr)},
		"resolution":     {"Inf"},
		"from":           {strconv.FormatInt(from.UnixMilli(), 10)},
		"to":             {strconv.FormatInt(to.UnixMilli(), 10)},
	})})
	if err != nil {
		return nil, err
	}
	var a answer
	if err := p.server.Decode(body, &a); err != nil {
		return nil, err
	}
	if a.Result == nil {
		return nil, p.server.Unreadable()
	}
	var samples []metrics.Sample
	for _, metric := range a.Result {
		for _, series := range metric.Data {
			if len(series.Values) > 1 {
				return nil, p.server.Unreadable()
			}
			if len(series.Values) == 1 && series.Values[0] != nil {
				name := strings.TrimSpace(metric.Metric + " " + strings.Join(series.Dimensions, ","))
				samples = append(samples, metrics.Sample{Series: name, Value: *series.Values[0]})
			}
		}
	}
	return metrics.Answer(samples)
}

// words are those of a refusal; the violations say where in the selector it is wrong.
func words(body []byte) string {
	var said struct {
		Error struct {
			Message    string `json:"message"`
			Violations []struct {
				Message string `json:"message"`
			} `json:"constraintViolations"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	all := []string{said.Error.Message}
	for _, v := range said.Error.Violations {
		all = append(all, v.Message)
	}
	return strings.Join(all, " ")
}
