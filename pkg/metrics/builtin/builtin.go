// Package builtin is the list of providers that Weir brings along, and the queries of the metrics that
// need no template.
package builtin

import (
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/prometheus"
)

// New makes the provider that a MetricTemplate names, with the data of its Secret. Where the template
// has no address, the given one is asked.
func New(p v1beta1.MetricProvider, secret map[string][]byte, address string) (metrics.Provider, error) {
	if p.Address != "" {
		address = p.Address
	}
	switch p.Type {
	case "prometheus":
		return prometheus.New(prometheus.Config{
			Address:  address,
			Username: string(secret["username"]), Password: string(secret["password"]), Token: string(secret["token"]),
			Headers: p.Headers, InsecureSkipVerify: p.InsecureSkipVerify,
		})
	default:
		return nil, metrics.Rejectedf("there is no metric provider of type %q", p.Type)
	}
}
