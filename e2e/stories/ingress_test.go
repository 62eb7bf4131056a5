package stories

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const ingressYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  ingressClassName: %[4]s
  rules:
  - host: %[3]s
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: %[1]s, port: {name: http}}}}]
`

// ingressPlan is an analysis, and the Ingress that it is for.
const ingressPlan = `    interval: 12s
    threshold: 1
    stepWeights: [10, 50]
` + successRate + `  provider: nginx
  ingressRef: {name: podinfo}
`

// comeByIngress makes an Ingress of the user's, and has guests come by it from where its controller listens. When they
// leave none may have been lost.
func (s *story) comeByIngress(class, url string) (guests *load.Load, leave func()) {
	s.t.Helper()
	host := "ingress." + s.Host
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(),
		fmt.Appendf(nil, ingressYAML, s.Name, s.Namespace, host, class)))
	config := load.Config{URL: url, Host: host, Path: "/", Rate: rate / 2}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	require.NoError(s.t, load.AwaitOK(ctx, config))
	guests = load.Start(s.t.Context(), config)
	return guests, func() { s.count("by the Ingress", guests.Stop()) }
}

// usersIngress is the user's part of his Ingress.
func (s *story) usersIngress() string {
	s.t.Helper()
	return s.kubectl("get", "ingress", s.Name, "-o", "jsonpath={.metadata.generation} {.metadata.annotations} {.spec}")
}

// canaryIngress: an Ingress of the user's is never written, and nobody who comes by it is lost: in adoption,
// promotion, rollback and deletion. The load of every story comes by the user's HTTPRoute meanwhile, which is nobody's
// business, and meets the apex alone.
func canaryIngress(s *story) {
	guests, leave := s.comeByIngress("nginx", s.Stage.Sandbox.TraefikURL)
	defer leave()
	weight := func() string {
		return s.kubectl("get", "ingress", s.Name+"-canary", "-o",
			`jsonpath={.metadata.annotations.nginx\.ingress\.kubernetes\.io/canary-weight}`)
	}
	before := s.usersIngress()
	pods, _ := s.pods()
	s.adoptWith(ingressPlan)
	now, _ := s.pods()
	assert.Equal(s.t, pods, now, "adoption touches no pod")
	assert.Equal(s.t, "0", weight())

	s.release(stage.Version{Label: "two"})
	for _, w := range []int32{10, 50} {
		c := s.await(stage.AtWeight(w))
		settled()
		assert.Equal(s.t, fmt.Sprint(w), weight())
		assert.InDelta(s.t, w, s.share(guests, c.Status.Canary.Hash, 4*time.Second), 4, "by the Ingress")
		assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, time.Second), "the apex is held to the primary")
	}
	c := s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, "0", weight())
	assert.Equal(s.t, 100, s.share(guests, c.Status.Primary.Hash, 2*time.Second))

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, int32(10), c.Status.History[0].MaxWeight, "it was seen at the smallest weight")
	assert.Equal(s.t, "0", weight())
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Canary == nil || c.Status.Canary.Replicas == 0 })
	assert.Equal(s.t, 100, s.share(guests, c.Status.Primary.Hash, 2*time.Second))

	// Deleted in the midst of a run.
	s.release(stage.Version{Label: "three"})
	s.await(stage.AtWeight(10))
	s.remove()
	assert.NotContains(s.t, s.kubectl("get", "ingresses", "-o", "name"), "-canary")
	assert.Equal(s.t, before, s.usersIngress(), "it is as it was found")
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
}
