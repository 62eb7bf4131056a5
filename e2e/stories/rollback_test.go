package stories

import (
	"time"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// rollback: a release that answers with errors.
func rollback(s *story) {
	s.adopt()
	before, restarts := s.pods()
	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c := s.ended(1, v1beta1.OutcomeRolledBack)
	run := c.Status.History[0]
	assert.Equal(s.t, "CheckFailed", run.Reason)
	assert.Contains(s.t, run.Message, "request-success-rate")
	assert.Equal(s.t, int32(10), run.MaxWeight, "it was seen at the smallest weight")
	assert.Contains(s.t, s.told("RolledBack"), "request-success-rate")
	after, restartsNow := s.pods()
	primary := c.Status.Primary.Hash
	assert.Equal(s.t, before[primary], after[primary], "the primary's pods are the same")
	assert.Equal(s.t, restarts, restartsNow)

	// Nobody meets the bad version once the route has settled.
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Canary == nil || c.Status.Canary.Replicas == 0 })
	settled := time.Now()
	time.Sleep(2 * time.Second)
	sum := load.Summarise(s.requests.Answers(), settled)
	assert.Zero(s.t, sum.Failed, sum)
	assert.Zero(s.t, sum.ByRevision[run.Revision], sum)
	s.quickness(run)

	// The way out is any other template: here the one that serves.
	s.release(stage.Version{Label: "one"})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.remove()
	s.vanilla()
}

// quickness says how long the bad version was met after the outcome; what it should be is no test's matter on
// a machine that is shared.
func (s *story) quickness(run v1beta1.RunRecord) {
	var last time.Time
	for _, a := range s.requests.Answers() {
		if load.Revision(a.Pod) == run.Revision && a.At.After(last) {
			last = a.At
		}
	}
	s.t.Logf("the last answer of the bad version came %s after the outcome", last.Sub(run.EndedAt.Time).Round(10*time.Millisecond))
}

// crashing: the canary's container ends as soon as it starts.
func crashing(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "crash", Args: []string{"--no-such-flag"}})
	s.broken("CrashLoopBackOff")
}

// noImage: the image cannot be had.
func noImage(s *story) {
	s.adopt()
	s.release(stage.Version{Label: "none", Image: "nowhere.invalid/podinfo:1", Pull: "IfNotPresent"})
	s.broken("ImagePullBackOff")
}

// broken checks that a run ends long before its progress deadline, with pod and reason told, and that the
// version never got a request.
func (s *story) broken(reason string) {
	c := s.ended(1, v1beta1.OutcomeRolledBack)
	run := c.Status.History[0]
	assert.Equal(s.t, reason, run.Reason)
	assert.Zero(s.t, run.MaxWeight)
	told := s.told("RolledBack")
	assert.Contains(s.t, told, reason)
	assert.Contains(s.t, told, "pod podinfo-"+run.Revision)
	s.t.Logf("rolled back %s after detection: %s", run.EndedAt.Sub(run.StartedAt.Time), told)
	assert.Zero(s.t, load.Summarise(s.requests.Answers(), time.Time{}).ByRevision[run.Revision])
}
