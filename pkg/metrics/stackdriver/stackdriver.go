// Package stackdriver asks Google Cloud Monitoring, which was called Stackdriver, in PromQL. It answers as a
// Prometheus does; its own query language is one that Google has given up.
package stackdriver

import (
	"context"
	"regexp"
	"strings"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/prometheus"
)

const (
	// Address is Google's.
	Address = "https://monitoring.googleapis.com"
	// scope is all that a token is for.
	scope = "https://www.googleapis.com/auth/monitoring.read"
)

// projectID is also one of an organization's domain, as in example.org:shop.
var projectID = regexp.MustCompile(`^[a-z0-9.:-]+$`)

// Config says which project is asked and who asks.
type Config struct {
	metrics.Site
	Project string
	// ServiceAccountKey is the JSON key of a service account. Empty are the credentials that Weir runs with.
	ServiceAccountKey string
}

// Provider is one project at Google.
type Provider struct{ asked *prometheus.Provider }

var _ metrics.Provider = (*Provider)(nil)

// New makes a provider. It asks nothing yet.
func New(c Config) (*Provider, error) {
	if !projectID.MatchString(c.Project) || strings.Contains(c.Project, "..") {
		return nil, metrics.Rejectedf("the project must be the ID of one at Google; correct project in the Secret")
	}
	if c.Address == "" {
		c.Address = Address
	}
	who, from := ambient(), "which service account Weir runs as, or add serviceAccountKey to the Secret"
	if c.ServiceAccountKey != "" {
		var err error
		if who, err = accountOf(c.ServiceAccountKey, c.Reach); err != nil {
			return nil, err
		}
		from = "serviceAccountKey in the Secret"
	}
	// https://docs.cloud.google.com/stackdriver/docs/managed-prometheus/query-api-ui
	c.Address = strings.TrimSuffix(c.Address, "/") + "/v1/projects/" + c.Project + "/location/global/prometheus"
	asked, err := prometheus.New(prometheus.Config{
		Site: c.Site, Name: "Google Cloud Monitoring", Authorize: who.authorize, CredentialsFrom: from,
	})
	if err != nil {
		return nil, err
	}
	return &Provider{asked}, nil
}

// Query asks for the value of an expression at one time.
func (p *Provider) Query(ctx context.Context, q metrics.Query) ([]metrics.Sample, error) {
	return p.asked.Query(ctx, q)
}
