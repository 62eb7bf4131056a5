package stories

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// skipperPlan is an analysis, and the Ingress that it is for.
const skipperPlan = `    interval: 12s
    threshold: 1
    stepWeights: [10, 50]
` + successRate + `  provider: skipper
  ingressRef: {name: podinfo}
`

// skipper starts Skipper until the story is told, and gives where it listens.
func (s *story) skipper() string {
	s.t.Helper()
	at, err := s.Stage.Sandbox.StartSkipper(s.t.Context())
	require.NoError(s.t, err)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, s.Stage.Sandbox.StopSkipper(ctx))
	})
	return at
}

// throughSkipper is a whole life behind Skipper: nobody who comes by the user's Ingress is lost, in adoption, promotion
// and rollback, when a version comes before its predecessor is through, when a stranger turns the weights round, and
// when the Canary is deleted in the midst of it.
func throughSkipper(s *story) {
	guests, leave := s.comeByIngress("skipper", s.skipper())
	defer leave()
	before := s.usersIngress()
	pods, _ := s.pods()
	s.adoptWith(skipperPlan)
	now, _ := s.pods()
	assert.Equal(s.t, pods, now, "adoption touches no pod")
	assert.Equal(s.t, weights(0), s.weights())

	s.release(stage.Version{Label: "two"})
	for _, w := range []int32{10, 50} {
		c := s.await(stage.AtWeight(w))
		settled()
		assert.Equal(s.t, weights(w), s.weights())
		s.meet(guests, w, c.Status.Canary.Hash)
		assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, time.Second), "the apex is held to the primary")
	}
	c := s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, weights(0), s.weights())
	s.meet(guests, 100, c.Status.Primary.Hash)

	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, int32(10), c.Status.History[0].MaxWeight, "it was seen at the smallest weight")
	assert.Equal(s.t, weights(0), s.weights())
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Canary == nil || c.Status.Canary.Replicas == 0 })
	s.meet(guests, 100, c.Status.Primary.Hash)

	s.release(stage.Version{Label: "three"})
	s.await(stage.AtWeight(10))
	s.release(stage.Version{Label: "four"})
	c = s.await(func(c *v1beta1.Canary) bool { return stage.AtWeight(10)(c) && len(c.Status.History) == 3 })
	assert.Equal(s.t, v1beta1.OutcomeSuperseded, c.Status.History[0].Outcome)
	s.kubectl("annotate", "--overwrite", "ingress", s.Name+"-canary", weightsKey+"="+weights(90))
	require.Eventually(s.t, func() bool { return s.weights() == weights(10) }, patience, 100*time.Millisecond)
	settled()
	s.meet(guests, 10, c.Status.Canary.Hash)
	c = s.ended(4, v1beta1.OutcomePromoted)
	s.meet(guests, 100, c.Status.Primary.Hash)

	s.release(stage.Version{Label: "five"})
	s.await(stage.AtWeight(10))
	s.remove()
	assert.NotContains(s.t, s.kubectl("get", "ingresses", "-o", "name"), "-canary")
	assert.Equal(s.t, before, s.usersIngress(), "it is as it was found")
	assert.NotContains(s.t, s.apex().Spec.Selector, "pod-template-hash")
	s.meet(guests, 100, c.Status.Primary.Hash)
}

const weightsKey = "zalando.org/backend-weights"

func weights(canary int32) string {
	return fmt.Sprintf(`{"podinfo-canary":%d,"podinfo-primary":%d}`, canary, 100-canary)
}

// weights are those that stand in the canary's Ingress.
func (s *story) weights() string {
	s.t.Helper()
	return s.kubectl("get", "ingress", s.Name+"-canary", "-o", `jsonpath={.metadata.annotations.zalando\.org/backend-weights}`)
}

// meet says that a revision's share of the guests is within what chance allows: five standard deviations.
func (s *story) meet(guests *load.Load, weight int32, revision string) {
	s.t.Helper()
	from := time.Now()
	time.Sleep(4 * time.Second)
	sum := load.Summarise(guests.Answers(), from)
	n, share := float64(sum.Total), float64(weight)/100
	s.t.Logf("%d of %d guests at weight %d", sum.ByRevision[revision], sum.Total, weight)
	assert.Greater(s.t, sum.Total, rate)
	chance := 5 * math.Sqrt(n*share*(1-share))
	assert.InDelta(s.t, n*share, sum.ByRevision[revision], chance, "at weight %d: %v", weight, sum.ByRevision)
}
