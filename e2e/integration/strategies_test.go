package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

// The specs of other strategies; what they have in common is in specOf.
const (
	gatedSpec = `
  analysis:
    interval: 1s
    threshold: 3
    steps:
    - {match: [{headers: {x-tester: {exact: "yes"}}}]}
    - {weight: 60, pause: {duration: 1s}}
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
    webhooks:
    - {name: night, type: confirm-rollout, url: %[1]s/once/confirm-rollout}
    - {name: smoke, type: pre-rollout, url: %[1]s/once/pre-rollout}
    - {name: load, type: rollout, url: %[1]s/open/rollout}
    - {name: traffic, type: confirm-traffic-increase, url: %[1]s/once/confirm-traffic-increase}
    - {name: boss, type: confirm-promotion, url: %[1]s/once/confirm-promotion}
    - {name: after, type: post-rollout, url: %[1]s/open/post-rollout}
    - {name: back, type: rollback, url: %[1]s/closed/rollback}
    - {name: tell, type: event, url: %[1]s/open/event}
`
	podsSpec = `
  provider: kubernetes
  analysis:
    interval: 1s
    stepWeights: [50]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`
)

// specOf is a Canary with the rest of its spec.
func specOf(a *application, rest string) string {
	gateways := "\n    gatewayRefs: [{name: gateway}]"
	if strings.Contains(rest, "\n  provider: ") {
		gateways = ""
	}
	return fmt.Sprintf(`apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, namespace: %s}
spec:
  targetRef: {name: app}
  metricsServer: %s/good
  service:
    port: 80
    settle: 200ms%s`, a.namespace, a.metrics.URL, gateways) + rest
}

// gates is a server of webhooks. It knows which were called, and complains of one that is called twice at once.
type gates struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	busy  map[string]bool
	calls map[string][]gate.Payload
}

// openGates serves webhooks until the test ends. A path under /once refuses the first call of each step, one under
// /open agrees, one under /closed never does.
func openGates(t *testing.T) *gates {
	g := &gates{t: t, busy: map[string]bool{}, calls: map[string][]gate.Payload{}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.answer))
	t.Cleanup(g.Close)
	return g
}

func (g *gates) answer(w http.ResponseWriter, r *http.Request) {
	_, path, _ := strings.Cut(r.URL.Path[1:], "/")
	var p gate.Payload
	if !assert.NoError(g.t, json.NewDecoder(r.Body).Decode(&p)) {
		return
	}
	g.mu.Lock()
	if path != "event" {
		assert.False(g.t, g.busy[path], "%s is called twice at the same time", path)
	}
	first := true
	for _, before := range g.calls[path] {
		first = first && (before.RunID != p.RunID || before.Step != nil && p.Step != nil && *before.Step != *p.Step)
	}
	g.busy[path] = true
	g.calls[path] = append(g.calls[path], p)
	g.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // long enough to be met by a second call
	g.mu.Lock()
	g.busy[path] = false
	g.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/closed/") || strings.HasPrefix(r.URL.Path, "/once/") && first {
		http.Error(w, "not yet", http.StatusForbidden)
	}
}

func (g *gates) of(path string) []gate.Payload {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[path]
}

// manageGated is a Canary with a webhook of each type, whose gates refuse at first.
func manageGated(a *application) {
	g := openGates(a.t)
	a.gates = g
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, []byte(specOf(a, fmt.Sprintf(gatedSpec, g.URL)))))
	adopt(a)
}

func managePods(a *application) {
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, []byte(specOf(a, podsSpec))))
	adopt(a)
}

// checkGated looks at what the webhooks were told, and that the run went through what it was to go through.
func checkGated(a *application) {
	a.ended(v1beta1.OutcomePromoted)
	a.await("the post-rollout webhook's answer", func() bool {
		for _, g := range a.last().Gates {
			if g.Name == "after" {
				return g.State == v1beta1.GateOpen
			}
		}
		return false
	})
	run := a.history()[0].ID
	for _, kind := range []string{
		"confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout", "rollback",
	} {
		calls := a.gates.of(kind)
		require.NotEmpty(a.t, calls, kind)
		for _, p := range calls {
			assert.Equal(a.t, run, p.RunID, kind)
			assert.NotEmpty(a.t, p.IdempotencyKey, kind)
			assert.Equal(a.t, a.namespace, p.Namespace, kind)
		}
	}
	for _, kind := range []string{"confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion"} {
		assert.GreaterOrEqual(a.t, len(a.gates.of(kind)), 2, "%s refused at first, and was asked again", kind)
	}
	assert.Equal(a.t, string(v1beta1.PhaseSucceeded), a.gates.of("post-rollout")[0].Phase)
	a.idle("app:2")
}

func (a *application) history() []v1beta1.RunRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last().History
}

// checkPods looks at a promotion in which the apex Service was the split.
func checkPods(a *application) {
	a.ended(v1beta1.OutcomePromoted)
	pods := a.podsSeen()
	assert.Len(a.t, pods, 2*replicas, "no pod is made twice")
	a.idle("app:2")
}

// command writes a person's command, and waits until it is carried out or refused.
func (a *application) command(c v1beta1.Command) v1beta1.CommandStatus {
	a.t.Helper()
	a.commands++
	c.ID, c.Actor = fmt.Sprint(a.commands), "jane"
	raw, err := json.Marshal(c)
	require.NoError(a.t, err)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		v1beta1.CommandAnnotation: string(raw)}}})
	require.NoError(a.t, err)
	canaries := a.weir.WeirV1beta1().Canaries(a.namespace)
	_, err = canaries.Patch(a.t.Context(), "app", types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(a.t, err)
	var done v1beta1.CommandStatus
	a.await("command "+c.Verb, func() bool {
		if last := a.last().LastCommand; last != nil && last.ID == c.ID {
			done = *last
			return true
		}
		return false
	})
	return done
}

// TestCommands gives each command to a run, and the bad ones, too.
func TestCommands(t *testing.T) {
	c := start(t)
	a := c.application(t)
	o := c.operate(t, a.namespace, nil)
	defer o.end()
	a.manage("/good")
	adopt(a)
	verb := func(v string) v1beta1.Command { return v1beta1.Command{Verb: v, Reason: "a test"} }
	refused := a.command(verb(v1beta1.VerbAbort))
	assert.False(t, refused.Accepted)
	assert.Equal(t, "no run is on", refused.Result)
	assert.False(t, a.command(verb("jump")).Accepted, "no such verb")

	a.release("2")
	a.await("a weight", func() bool { return a.last().Weight == 20 })
	assert.True(t, a.command(verb(v1beta1.VerbPause)).Accepted)
	a.await("three rounds of checks", func() bool { return a.last().Step.Round >= 3 })
	a.mu.Lock()
	assert.Equal(t, int32(20), a.last().Weight, "it is judged, and does not go on")
	assert.Equal(t, "jane", a.last().Run.Paused.Actor)
	a.mu.Unlock()
	assert.True(t, a.command(verb(v1beta1.VerbSkipStep)).Accepted)
	assert.True(t, a.command(verb(v1beta1.VerbResume)).Accepted)
	a.await("the next step", func() bool { return a.last().Weight == 60 })
	aborted := a.command(verb(v1beta1.VerbAbort))
	assert.True(t, aborted.Accepted)
	a.awaitPhase(v1beta1.PhaseFailed)
	assert.Equal(t, v1beta1.OutcomeAborted, a.history()[0].Outcome)
	assert.Equal(t, "by jane: a test", a.history()[0].Message)
	assert.Len(t, a.history()[0].Commands, 4)

	assert.True(t, a.command(verb(v1beta1.VerbRetry)).Accepted)
	full := verb(v1beta1.VerbPromote)
	full.Full = true
	assert.True(t, a.command(full).Accepted)
	a.awaitPhase(v1beta1.PhaseSucceeded)
	assert.Equal(t, v1beta1.OutcomePromoted, a.history()[0].Outcome)
	a.idle("app:2")
}
