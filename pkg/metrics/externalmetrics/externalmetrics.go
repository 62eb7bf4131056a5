// Package externalmetrics asks the external metrics API of a Kubernetes API server, which autoscalers ask too.
package externalmetrics

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

const (
	api = "apis/external.metrics.k8s.io/v1beta1"
	// inCluster is the API server of the cluster that Weir runs in.
	inCluster = "https://kubernetes.default.svc"
)

// Config says where the API server is and who asks. Who that is comes with the template: asked as Weir, it would answer
// whoever writes one what Weir may read.
type Config struct {
	// Site without an address is the cluster that Weir runs in.
	metrics.Site
	Token string
}

// Provider is one API server.
type Provider struct{ server *metrics.Server }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	c.Address = cmp.Or(c.Address, inCluster)
	config := metrics.ServerConfig{Site: c.Site, Name: "the external metrics API"}
	if c.Token != "" {
		config.Credentials = metrics.Bearer(c.Token)
	}
	server, err := metrics.NewServer(config)
	if err != nil {
		return nil, err
	}
	return &Provider{server}, nil
}

// answer is an ExternalMetricValueList of k8s.io/metrics/pkg/apis/external_metrics/v1beta1.
type answer struct {
	Kind  string `json:"kind"`
	Items []struct {
		Name   string            `json:"metricName"`
		Labels map[string]string `json:"metricLabels"`
		// Value is a quantity, as a string or a number.
		Value json.RawMessage `json:"value"`
	} `json:"items"`
}

// Query gives the values of a metric, as in NAMESPACE/METRIC?labelSelector=SELECTOR.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	path, selector, err := parse(q.Expr)
	if err != nil {
		return nil, err
	}
	body, err := p.server.Ask(ctx, metrics.Request{URL: p.server.At(path, selector), Words: words})
	if err != nil {
		return nil, err
	}
	var a answer
	if err := p.server.Decode(body, &a); err != nil {
		return nil, err
	}
	if a.Kind != "ExternalMetricValueList" {
		return nil, p.server.Unreadable()
	}
	var samples []metrics.Sample
	for _, item := range a.Items {
		value, err := v1beta1.ParseQuantity(strings.Trim(string(item.Value), `"`))
		if err != nil {
			return nil, p.server.Unreadable()
		}
		labels, err := json.Marshal(item.Labels)
		if err != nil || len(item.Labels) == 0 {
			labels = nil
		}
		samples = append(samples, metrics.Sample{Series: item.Name + string(labels), Value: value.AsApproximateFloat64()})
	}
	return metrics.Answer(samples)
}

// parse gives the path and the selector of a query. As with Flagger, a metric without a namespace is of the
// namespace default.
func parse(expr string) (string, url.Values, error) {
	wrong := metrics.Rejectedf("the query must be NAMESPACE/METRIC, with ?labelSelector=SELECTOR behind it " +
		"where the metric has several values")
	path, query, _ := strings.Cut(strings.TrimSpace(expr), "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		return "", nil, wrong
	}
	parts := strings.Split(path, "/")
	if len(parts) == 1 || len(parts) == 2 && parts[0] == "" {
		parts = []string{"default", parts[len(parts)-1]}
	}
	if len(parts) != 2 {
		return "", nil, wrong
	}
	for i, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", nil, wrong
		}
		parts[i] = url.PathEscape(part)
	}
	fields, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, wrong
	}
	for name := range fields {
		if name != "labelSelector" {
			return "", nil, wrong
		}
	}
	return api + "/namespaces/" + parts[0] + "/" + parts[1], fields, nil
}

// words are those of a refusal, which is a Status.
func words(body []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // what is no JSON has no words
	return said.Message
}
