// Package builtin is the list of providers that Weir brings along, and the queries of the metrics that
// need no template.
package builtin

import (
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/prometheus"
)

// New makes the provider that a MetricTemplate names, with the data of its Secret, nil where it names
// none. Where the template has no address, the given one is asked. Nothing is asked yet. An error is of
// the kind Rejected.
func New(p v1beta1.MetricProvider, secret map[string][]byte, defaultAddress string) (metrics.Provider, error) {
	switch p.Type {
	case "prometheus":
		return newPrometheus(p, secret, defaultAddress)
	default:
		return nil, metrics.Rejectedf("there is no metric provider of type %q", p.Type)
	}
}

func newPrometheus(p v1beta1.MetricProvider, secret map[string][]byte, address string) (metrics.Provider, error) {
	if p.Address != "" {
		address = p.Address
	}
	if p.SecretRef != nil && len(secret["token"]) == 0 && len(secret["username"]) == 0 {
		return nil, metrics.Rejectedf("Secret %s has neither a token nor a username and password", p.SecretRef.Name)
	}
	// A file that a Secret is made from often ends in a newline that is no part of what it holds.
	value := func(key string) string { return strings.TrimRight(string(secret[key]), "\r\n") }
	// A typed nil must not come out as an interface that is not nil.
	provider, err := prometheus.New(prometheus.Config{
		Site:     metrics.Site{Address: address, Headers: p.Headers, InsecureSkipVerify: p.InsecureSkipVerify},
		Username: value("username"), Password: value("password"), Token: value("token"),
	})
	if err != nil {
		return nil, err
	}
	return provider, nil
}
