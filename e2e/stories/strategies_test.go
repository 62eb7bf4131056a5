package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// successRate judges by what the gateway counts.
const successRate = `    metrics:
    - name: request-success-rate
      interval: 10s
      thresholdRange: {min: 99}
`

// command gives a person's command, and waits until it is carried out.
func (s *story) command(c v1beta1.Command) v1beta1.CommandStatus {
	s.t.Helper()
	c.ID, c.Actor = fmt.Sprint(time.Now().UnixNano()), "jane"
	raw, err := json.Marshal(c)
	require.NoError(s.t, err)
	s.kubectl("annotate", "--overwrite", "canary", s.Name, v1beta1.CommandAnnotation+"="+string(raw))
	canary := s.await(func(can *v1beta1.Canary) bool {
		return can.Status.LastCommand != nil && can.Status.LastCommand.ID == c.ID
	})
	require.True(s.t, canary.Status.LastCommand.Accepted, canary.Status.LastCommand.Result)
	return *canary.Status.LastCommand
}

// share is how many of the requests of the last while a revision answered, in percent.
func (s *story) share(requests *load.Load, revision string, while time.Duration) int {
	s.t.Helper()
	from := time.Now()
	time.Sleep(while)
	sum := load.Summarise(requests.Answers(), from)
	require.NotZero(s.t, sum.Total)
	return 100 * sum.ByRevision[revision] / sum.Total
}

// settled waits until traffic has followed the last change of the route.
func settled() { time.Sleep(6 * time.Second) }

// abTesting: requests with a header go to the canary, and no others, for as many rounds as asked for.
func abTesting(s *story) {
	s.adoptWith(`    interval: 5s
    iterations: 4
    match:
    - headers: {x-tester: {exact: "yes"}}
` + successRate)
	testers := load.Start(s.t.Context(), load.Config{
		URL: s.Stage.Sandbox.TraefikURL, Host: s.Host, Path: "/", Rate: 20, Header: http.Header{"X-Tester": {"yes"}},
	})
	s.release(stage.Version{Label: "two"})
	c := s.await(func(c *v1beta1.Canary) bool { return len(c.Status.Match) > 0 })
	settled()
	assert.Equal(s.t, 100, s.share(testers, c.Status.Canary.Hash, 3*time.Second), "who matches meets the canary")
	assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, 3*time.Second), "who does not match does not")
	c = s.ended(1, v1beta1.OutcomePromoted)
	assert.Zero(s.t, load.Summarise(testers.Stop(), time.Time{}).Lost)
	s.remove()
	s.vanilla()
	assert.NotEmpty(s.t, c.Status.History)
}

// blueGreen: the canary is there whole, reachable by its own Service, and gets no traffic until a person says so.
// It bakes with all of it, and the old pods stay another while, in which going back is one change of the route.
func blueGreen(s *story) {
	s.adoptWith(`    interval: 3s
    iterations: 2
    manual: true
  promotionDelay: 6s
  scaleDownDelay: 15s
`)
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	assert.Equal(s.t, "two", s.preview(), "the canary's Service shows the canary")
	assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, 3*time.Second))
	pods, _ := s.pods()
	assert.Len(s.t, pods[c.Status.Canary.Hash], 3, "it is there whole")
	s.command(v1beta1.Command{Verb: v1beta1.VerbPromote, Reason: "looks good"})
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Weight == 100 })
	settled()
	assert.Equal(s.t, 100, s.share(s.requests, c.Status.Canary.Hash, 2*time.Second))

	// Somebody thinks better of it while the old pods are still there.
	s.command(v1beta1.Command{Verb: v1beta1.VerbAbort, Reason: "not so good after all"})
	c = s.ended(1, v1beta1.OutcomeAborted)
	assert.Contains(s.t, c.Status.History[0].Message, "not so good after all")
	settled()
	assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, 2*time.Second))

	s.command(v1beta1.Command{Verb: v1beta1.VerbRetry})
	s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	s.command(v1beta1.Command{Verb: v1beta1.VerbPromote})
	s.ended(2, v1beta1.OutcomePromoted)
	s.remove()
	s.vanilla()
}

// preview asks the canary's Service by way of the API server.
func (s *story) preview() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	raw, err := s.Stage.Kube.CoreV1().Services(s.Namespace).ProxyGet("http", s.Name+"-canary", "9898", "/", nil).DoRaw(ctx)
	require.NoError(s.t, err)
	var page struct{ Message string }
	require.NoError(s.t, json.Unmarshal(raw, &page))
	return page.Message
}

// stepsAndCommands: a plan that is written out, with the traffic measured at each of its steps, and a person who takes part.
func stepsAndCommands(s *story) {
	s.adoptWith(`    interval: 3s
    steps:
    - {weight: 10, pause: {}}
    - {weight: 40, pause: {duration: 20s}, replicas: 100%}
    - {weight: 80}
` + successRate)
	s.release(stage.Version{Label: "two"})
	c := s.await(func(c *v1beta1.Canary) bool { return c.Status.Weight == 10 })
	settled()
	near(s, 10, s.share(s.requests, c.Status.Canary.Hash, 5*time.Second))
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Step != nil && c.Status.Step.Round >= 2 })
	assert.Equal(s.t, int32(10), s.await(func(*v1beta1.Canary) bool { return true }).Status.Weight, "it waits for a person")
	s.command(v1beta1.Command{Verb: v1beta1.VerbResume})

	s.await(stage.AtWeight(40))
	pods, _ := s.pods()
	assert.Len(s.t, pods[c.Status.Canary.Hash], 3)
	s.command(v1beta1.Command{Verb: v1beta1.VerbPause, Reason: "lunch"})
	settled()
	near(s, 40, s.share(s.requests, c.Status.Canary.Hash, 5*time.Second))
	s.command(v1beta1.Command{Verb: v1beta1.VerbResume})
	s.command(v1beta1.Command{Verb: v1beta1.VerbSkipStep, Reason: "seen enough"})
	s.await(stage.AtWeight(80))
	c = s.ended(1, v1beta1.OutcomePromoted)
	var verbs []string
	for _, done := range c.Status.History[0].Commands {
		verbs = append(verbs, done.Verb)
	}
	assert.Equal(s.t, []string{"resume", "pause", "resume", "skip-step"}, verbs)
	s.remove()
	s.vanilla()
}

// near allows for what proxies round.
func near(s *story, want, got int) {
	s.t.Helper()
	assert.InDelta(s.t, want, got, 4, "the share of the traffic")
}

// podsAlone: no mesh and no ingress; the route is the user's own, and shows the apex Service to the load.
func podsAlone(s *story) {
	route := s.kubectl("get", "httproute", s.Name, "-o", "jsonpath={.spec}")
	s.adoptWith(`    interval: 15s
    stepWeights: [25, 50]
  provider: kubernetes
`)
	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(25))
	settled()
	assert.InDelta(s.t, 25, s.share(s.requests, c.Status.Canary.Hash, 4*time.Second), 8, "one pod of four")
	s.await(stage.AtWeight(50))
	settled()
	assert.InDelta(s.t, 50, s.share(s.requests, c.Status.Canary.Hash, 4*time.Second), 8, "three pods of six")
	s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, route, s.kubectl("get", "httproute", s.Name, "-o", "jsonpath={.spec}"), "the route is nobody's business")

	// Blue/green: the apex is held to the one, and then to the other.
	s.manage("    interval: 3s\n    iterations: 2\n  provider: kubernetes\n")
	s.release(stage.Version{Label: "three"})
	c = s.await(func(c *v1beta1.Canary) bool { return c.Status.Step != nil && c.Status.Step.Passed >= 1 })
	assert.Zero(s.t, s.share(s.requests, c.Status.Canary.Hash, 2*time.Second))
	s.ended(2, v1beta1.OutcomePromoted)
	s.remove()
	s.vanilla()
}
