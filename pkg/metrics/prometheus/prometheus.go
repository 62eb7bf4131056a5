// Package prometheus asks a Prometheus, or whatever speaks its HTTP API, by instant query.
package prometheus

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"golang.org/x/net/http/httpguts"

	"weir.dev/weir/pkg/metrics"
)

// timeout of one query where its context sets none that is shorter.
const timeout = 10 * time.Second

// Config says where the server is and who asks.
type Config struct {
	// Address of the server; it may carry a path.
	Address string
	// Token, or else Username and Password, where the server wants them. Those in the address do as well.
	Username, Password, Token string
	// Headers are sent with every query.
	Headers map[string]string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
}

// Provider is one server.
type Provider struct {
	api     promv1.API
	trouble trouble
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	address, err := url.Parse(c.Address)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, metrics.Rejectedf("the address of Prometheus must be an http or https URL; " +
			"set spec.provider.address, spec.metricsServer or --metrics-server")
	}
	if address.User != nil && c.Username == "" {
		c.Username = address.User.Username()
		c.Password, _ = address.User.Password()
	}
	address.User = nil
	header, secrets, err := headerOf(c)
	if err != nil {
		return nil, err
	}
	// What is told of the address is its host alone.
	trouble := trouble{server: "Prometheus at " + address.Host, secrets: secrets}
	plain, err := api.NewClient(api.Config{Address: address.String()})
	if err != nil {
		return nil, metrics.Rejectedf("%s cannot be used: its address is not understood", trouble.server)
	}
	asks := &client{Client: plain, http: httpClient(c.InsecureSkipVerify), header: header, trouble: trouble}
	return &Provider{api: promv1.NewAPI(asks), trouble: trouble}, nil
}

// headerOf is what is sent with every query, and which of it nobody should read.
func headerOf(c Config) (http.Header, []string, error) {
	header, secrets := http.Header{}, []string{c.Token, c.Password}
	for k, v := range c.Headers {
		header.Set(k, v)
		secrets = append(secrets, v)
	}
	req := http.Request{Header: header}
	switch {
	case c.Token != "":
		header.Set("Authorization", "Bearer "+c.Token)
	case c.Username != "":
		req.SetBasicAuth(c.Username, c.Password)
	}
	_, encoded, _ := strings.Cut(header.Get("Authorization"), " ")
	secrets = append(secrets, encoded)
	for k := range header {
		if !httpguts.ValidHeaderFieldName(k) || !httpguts.ValidHeaderFieldValue(header.Get(k)) {
			return nil, nil, metrics.Rejectedf("the header %q for Prometheus has a name or a value that HTTP does not allow", k)
		}
	}
	return header, secrets, nil
}

// Query asks for the value of an expression at one time.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, _, _, err := p.api.Query(ctx, q.Expr, q.At, promv1.WithTimeout(timeout))
	if err != nil {
		return nil, p.trouble.of(err)
	}
	switch v := value.(type) {
	case nil:
		return nil, p.trouble.unreadable()
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
