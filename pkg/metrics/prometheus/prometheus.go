// Package prometheus asks a Prometheus, or whatever speaks its HTTP API, by instant query.
package prometheus

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"weir.dev/weir/pkg/metrics"
)

// timeout of one query where its context sets none that is shorter.
const timeout = 10 * time.Second

// Config says where the server is and who asks.
type Config struct {
	metrics.Site
	// Name of what answers as a Prometheus does, for people. Empty is Prometheus itself.
	Name string
	// Token, or else Username and Password, where the server wants them. Those in the address do as well.
	Username, Password, Token string
	// Authorize gives the header Authorization of each query instead, by credentials from CredentialsFrom, as in
	// metrics.ServerConfig.
	Authorize       func(context.Context) (string, error)
	CredentialsFrom string
}

// Provider is one server.
type Provider struct {
	api    promv1.API
	server *metrics.Server
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	server := metrics.ServerConfig{
		Site: c.Site, Name: c.Name, Secrets: []string{c.Token, c.Password},
		Authorize: c.Authorize, CredentialsFrom: c.CredentialsFrom,
	}
	if c.Name == "" {
		server.Name, server.AddressFields = "Prometheus", "spec.provider.address, spec.metricsServer or --metrics-server"
		server.CredentialsFrom = "the Secret of spec.provider.secretRef or spec.metricsServerSecretRef"
	}
	switch {
	case c.Token != "":
		server.Credentials = metrics.Bearer(c.Token)
	case c.Username != "":
		server.Credentials = metrics.BasicAuth(c.Username, c.Password)
	}
	asked, err := metrics.NewServer(server)
	if err != nil {
		return nil, err
	}
	plain, err := api.NewClient(api.Config{Address: asked.At("", nil).String()})
	if err != nil {
		return nil, metrics.Rejectedf("the address of %s is not understood", server.Name)
	}
	return &Provider{api: promv1.NewAPI(&client{Client: plain, server: asked}), server: asked}, nil
}

// Query asks for the value of an expression at one time.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, _, _, err := p.api.Query(ctx, q.Expr, q.At, promv1.WithTimeout(timeout))
	if err != nil {
		return nil, p.trouble(err)
	}
	switch v := value.(type) {
	case nil:
		return nil, p.server.Unreadable()
	case model.Vector:
		samples := make([]metrics.Sample, 0, len(v))
		for _, s := range v {
			if s.Histogram != nil {
				return nil, notANumber("histogram")
			}
			samples = append(samples, metrics.Sample{
				Series: s.Metric.String(), Labels: labelsOf(s.Metric), Value: float64(s.Value),
			})
		}
		return metrics.Answer(samples)
	case *model.Scalar:
		return metrics.Answer([]metrics.Sample{{Value: float64(v.Value)}})
	default:
		return nil, notANumber(fmt.Sprint(value.Type()))
	}
}

func labelsOf(m model.Metric) map[string]string {
	labels := make(map[string]string, len(m))
	for k, v := range m {
		labels[string(k)] = string(v)
	}
	return labels
}

func notANumber(kind string) error {
	return metrics.Rejectedf("the query gives a %s where a number is needed; "+
		"write an expression that gives an instant vector", kind)
}
