package stories

import (
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// comparisons judge by nothing but the primary.
const comparisons = `    interval: 20s
    threshold: 1
    stepWeights: [10, 50]
    metrics:
    - name: request-success-rate
      comparison: {}
    - name: request-duration
      comparison: {}
`

// compared: a tenth of all requests fails, whichever version answers. A good release is promoted all the same; one that
// fails more often goes home by the guard, and one that is slower after a few.
func compared(s *story) {
	failing := load.Start(s.t.Context(), load.Config{
		URL: s.Stage.Sandbox.TraefikURL, Host: s.Host, Path: "/status/500", Rate: rate / 10,
	})
	s.adoptWith(comparisons)

	s.release(stage.Version{Label: "two"})
	c := s.await(func(c *v1beta1.Canary) bool { return stage.AtWeight(50)(c) && checkOf(c, rollout.GuardCheck) != nil })
	for _, name := range []string{rollout.GuardCheck, v1beta1.RequestSuccessRate, v1beta1.RequestDuration} {
		check := checkOf(c, name)
		require.NotNil(s.t, check, name)
		assert.Equal(s.t, v1beta1.VerdictPassed, check.Verdict, check.Message)
		require.NotNil(s.t, check.Evidence, name)
		s.t.Logf("%s: %s", name, check.Message)
	}
	counted := checkOf(c, v1beta1.RequestSuccessRate).Evidence
	assert.InDelta(s.t, 0.09, float64(counted.Primary.Bad)/float64(counted.Primary.Requests), 0.02)
	assert.InDelta(s.t, 0.1, float64(counted.Canary.Requests)/float64(counted.Canary.Requests+counted.Primary.Requests), 0.03)
	s.ended(1, v1beta1.OutcomePromoted)
	failing.Stop() // from here on, nothing fails that does not fail by the version

	s.manage(strings.Replace(comparisons, "interval: 20s", "interval: 5m", 1)) // the guard does not wait for a round
	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	began := s.await(stage.AtWeight(10)).Status.Step.TrafficSince
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	run := c.Status.History[0]
	assert.Equal(s.t, "CheckFailed", run.Reason)
	assert.True(s.t, strings.HasPrefix(run.Message, "guard: "), run.Message)
	assert.Equal(s.t, int32(10), run.MaxWeight, "before the first round of checks")
	if began != nil {
		s.t.Logf("it was met for %s: %s", run.EndedAt.Sub(began.Time).Round(time.Second), run.Message)
	}

	s.manage(comparisons)
	s.release(stage.Version{Label: "slow", Args: []string{
		"--random-delay", "--random-delay-unit=ms", "--random-delay-min=150", "--random-delay-max=300",
	}})
	c = s.ended(3, v1beta1.OutcomeRolledBack)
	run = c.Status.History[0]
	assert.Equal(s.t, "CheckFailed", run.Reason)
	assert.True(s.t, strings.HasPrefix(run.Message, "request-duration: "), run.Message)
	s.t.Logf("it took %s: %s", run.EndedAt.Sub(run.StartedAt.Time).Round(time.Second), run.Message)
	s.release(stage.Version{Label: "two"}) // the one that serves
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.remove()
	s.vanilla()
}

// checkOf is the latest answer of a check.
func checkOf(c *v1beta1.Canary, name string) *v1beta1.CheckStatus {
	for i := range c.Status.Checks {
		if c.Status.Checks[i].Name == name {
			return &c.Status.Checks[i]
		}
	}
	return nil
}
