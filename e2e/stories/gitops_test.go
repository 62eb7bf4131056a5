package stories

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// gitopsAnalysis has one step, at which a run stands long enough to count what is written meanwhile.
const gitopsAnalysis = `    interval: 20s
    threshold: 2
    stepWeights: [50]
    metrics:
    - name: request-success-rate
      interval: 10s
      thresholdRange: {min: 99}
`

// gitopsServerSide: the user's manifests are applied every two seconds by server-side apply, with force. First a
// tool that cannot be told to ignore fields, and leaves the route alone; then one that can.
func gitopsServerSide(s *story) {
	r := s.gitops(forced("HTTPRoute"))
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	written, _ := r.standing("forced, at rest")
	assert.Empty(s.t, written)

	r.push(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(standingAt(50))
	written, rounds := r.standing("forced, at a step")
	// Each time the tool takes the pin off the Service. Weir puts it back, and then the books about its owner.
	assert.LessOrEqual(s.t, written["Service"], 3*(rounds+1))
	delete(written, "Service")
	assert.Empty(s.t, written)
	s.ownsOneField()
	s.ended(1, v1beta1.OutcomePromoted)

	r.use(ignoring)
	written, _ = r.standing("ignoring, at rest")
	assert.Empty(s.t, written)
	r.push(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.await(standingAt(50))
	written, _ = r.standing("ignoring, at a step")
	assert.Empty(s.t, written)
	s.ownsOneField()
	r.returns(s.ended(2, v1beta1.OutcomeRolledBack))
	r.clean("--server-side", "--force-conflicts", "--field-manager=kustomize-controller")
	r.leave()
}

// gitopsClientSide: the same by three-way merges, which leave alone what is not in Git.
func gitopsClientSide(s *story) {
	r := s.gitops(clientSide)
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	written, _ := r.standing("at rest")
	assert.Empty(s.t, written)

	r.push(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(standingAt(50))
	written, _ = r.standing("at a step")
	assert.Empty(s.t, written)
	s.ownsOneField()
	s.ended(1, v1beta1.OutcomePromoted)

	r.push(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	s.await(standingAt(50))
	written, _ = r.standing("at a step of a bad version")
	assert.Empty(s.t, written)
	r.returns(s.ended(2, v1beta1.OutcomeRolledBack))
	r.clean()
	r.leave()
}

// standingAt wants a run that judges the canary, after its traffic has settled.
func standingAt(weight int32) func(*v1beta1.Canary) bool {
	return func(c *v1beta1.Canary) bool {
		said := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionProgressing)
		return stage.AtWeight(weight)(c) && said != nil && said.Reason == "Analysing"
	}
}

// returns reverts the bad version in Git.
func (r *repository) returns(c *v1beta1.Canary) {
	r.t.Helper()
	assert.Equal(r.t, "CheckFailed", c.Status.History[0].Reason)
	generation := c.Generation
	r.push(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	c = r.await(stage.InPhase(v1beta1.PhaseSucceeded))
	assert.Equal(r.t, generation, c.Generation, "nobody changes the Canary's spec")
	require.Eventually(r.t, func() bool { return r.apex().Spec.Selector["pod-template-hash"] == "" },
		patience, 100*time.Millisecond, "the bad version is gone, and the Service is not pinned any more")
	written, _ := r.standing("after the return")
	assert.Empty(r.t, written)
	r.ownsOneField()
}

// clean checks that what is in Git, the route aside, is what there is.
func (r *repository) clean(how ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := r.file(without(r.objects, "HTTPRoute"))
	assert.NoError(r.t, err)
	r.kubectl(append(append([]string{"diff"}, how...), "-f", file)...) // fails where there is a difference
}

// leave takes the Canary out of Git and deletes it, as a tool does that prunes.
func (r *repository) leave() {
	r.t.Helper()
	r.drop("Canary")
	r.remove()
	r.vanilla()
	r.clean()
}

// gitopsRouteForced: a tool that forces the rules of the user's route, too. Nothing is lost, and nothing goes on.
func gitopsRouteForced(s *story) {
	r := s.gitops(forced("HTTPRoute"))
	s.await(stage.InPhase(v1beta1.PhaseInitialized))
	r.use(forced())
	written, rounds := r.standing("route forced, at rest")
	assert.GreaterOrEqual(s.t, written["HTTPRoute"], rounds, "each puts its rules back")
	r.push(stage.Version{Label: "two", Image: sandbox.PodinfoNextImage})
	s.await(stage.AtWeight(50))
	begun := time.Now()
	time.Sleep(40 * time.Second) // the step, its interval and the settle time are 25 seconds
	r.standing("route forced, at a step")
	c := s.await(func(*v1beta1.Canary) bool { return true })
	assert.True(s.t, stage.AtWeight(50)(c), "the run stands: %s", stage.Standing(c))
	assert.Empty(s.t, c.Status.Checks, "nothing is judged")
	s.t.Logf("at weight 50, %s: %s", stage.Standing(c), load.Summarise(s.requests.Answers(), begun))

	r.use(forced("HTTPRoute"))
	s.ended(1, v1beta1.OutcomePromoted)
}
