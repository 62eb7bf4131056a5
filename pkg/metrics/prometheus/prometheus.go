// Package prometheus asks a Prometheus, or whatever speaks its HTTP API, by instant query.
package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"weir.dev/weir/pkg/metrics"
)

const (
	// timeout of one query where its context sets none that is shorter.
	timeout = 10 * time.Second
	// longestAnswer is how much of an answer is read.
	longestAnswer = 4 << 20
)

// Config says where the server is and who asks.
type Config struct {
	// Address of the server; it may carry a path.
	Address string
	// Username and Password, or Token, where the server wants them.
	Username, Password, Token string
	// Headers are sent with every query.
	Headers map[string]string
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool
}

// Provider is one server.
type Provider struct {
	api promv1.API
	// host is all of the address that people are told.
	host string
}

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	address, err := url.Parse(c.Address)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, metrics.Rejectedf("the address of Prometheus must be an http or https URL; set spec.provider.address, spec.metricsServer or --metrics-server")
	}
	if address.User != nil && c.Username == "" {
		c.Username = address.User.Username()
		c.Password, _ = address.User.Password()
	}
	address.User = nil
	client, err := api.NewClient(api.Config{Address: address.String(), RoundTripper: &caller{config: c, next: transport(c)}})
	if err != nil {
		return nil, metrics.Rejectedf("Prometheus at %s cannot be used: its address is not understood", address.Host)
	}
	return &Provider{api: promv1.NewAPI(client), host: address.Host}, nil
}

func transport(c Config) http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipVerify}, //nolint:gosec // asked for in the spec
	}
}

// caller adds what the server wants to know of who asks, and bounds what it may answer.
type caller struct {
	config Config
	next   http.RoundTripper
}

func (c *caller) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for k, v := range c.config.Headers {
		req.Header.Set(k, v)
	}
	switch {
	case c.config.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.config.Token)
	case c.config.Username != "":
		req.SetBasicAuth(c.config.Username, c.config.Password)
	}
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, longestAnswer), res.Body}
	return res, nil
}

// Query asks for the value of an expression at one time.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, _, _, err := p.api.Query(ctx, q.Expr, q.At, promv1.WithTimeout(timeout))
	if err != nil {
		return nil, p.explain(err)
	}
	switch v := value.(type) {
	case model.Vector:
		samples := make([]metrics.Sample, 0, len(v))
		for _, s := range v {
			samples = append(samples, metrics.Sample{Series: s.Metric.String(), Value: float64(s.Value)})
		}
		return samples, nil
	case *model.Scalar:
		return []metrics.Sample{{Value: float64(v.Value)}}, nil
	default:
		return nil, metrics.Rejectedf("the query gives a %s where a number is needed; write an expression that gives an instant vector", value.Type())
	}
}

// explain sorts an error, and tells of it what is safe to tell: the server's own sentence on a query, and
// never an address with credentials in it.
func (p *Provider) explain(err error) *metrics.Error {
	var said *promv1.Error
	if errors.As(err, &said) {
		switch said.Type {
		case promv1.ErrBadData, promv1.ErrExec:
			return metrics.Rejectedf("Prometheus at %s rejects the query: %s", p.host, said.Msg)
		case promv1.ErrClient:
			if strings.Contains(said.Msg, "401") || strings.Contains(said.Msg, "403") {
				return metrics.Rejectedf("Prometheus at %s refuses the credentials (%s); check the Secret of spec.provider.secretRef", p.host, said.Msg)
			}
			return metrics.Rejectedf("Prometheus at %s refuses the query: %s", p.host, said.Msg)
		case promv1.ErrTimeout, promv1.ErrCanceled:
			return metrics.Transportf("Prometheus at %s did not answer in time", p.host)
		}
		return metrics.Transportf("Prometheus at %s answers with an error: %s", p.host, said.Msg)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return metrics.Transportf("Prometheus at %s did not answer in time", p.host)
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return metrics.Transportf("Prometheus at %s cannot be reached: %s", p.host, network.Err)
	}
	return metrics.Transportf("Prometheus at %s gives an answer that cannot be read", p.host)
}
