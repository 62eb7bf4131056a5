package traefik

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Validate refuses what the features do not hold, and protocols that are not carried by HTTP.
func (r Router) Validate(c *v1beta1.Canary) []rollout.Problem {
	problems := r.Features().Refuse(r.Name(), c)
	switch field, protocol := router.Protocol(&c.Spec.Service); protocol {
	case "tls", "udp":
		problems = append(problems, rollout.Problem{Reason: rollout.ReasonFieldNotServed, Message: fmt.Sprintf("%s says that the port "+
			"speaks %s, and a TraefikService carries requests of HTTP alone; set spec.provider to kubernetes", field, protocol)})
	}
	return problems
}
