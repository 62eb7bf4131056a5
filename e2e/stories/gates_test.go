package stories

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

// gatehouse is a server of webhooks that the operator's pod can reach.
type gatehouse struct {
	*httptest.Server
	mu     sync.Mutex
	closed map[string]bool
	calls  map[string][]gate.Payload
}

// listens gives a listener where the cluster sees this machine.
func (s *story) listens() net.Listener {
	s.t.Helper()
	gateway, err := url.Parse(s.Stage.Sandbox.TraefikURL)
	require.NoError(s.t, err)
	way, err := (&net.Dialer{}).DialContext(s.t.Context(), "udp", net.JoinHostPort(gateway.Hostname(), "80"))
	require.NoError(s.t, err)
	host, _, err := net.SplitHostPort(way.LocalAddr().String())
	require.NoError(s.t, err)
	require.NoError(s.t, way.Close())
	listener, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", net.JoinHostPort(host, "0"))
	require.NoError(s.t, err)
	return listener
}

// gatehouse begins to serve.
func (s *story) gatehouse(closed ...string) *gatehouse {
	s.t.Helper()
	g := &gatehouse{closed: map[string]bool{}, calls: map[string][]gate.Payload{}}
	for _, name := range closed {
		g.closed[name] = true
	}
	server := &http.Server{Handler: http.HandlerFunc(g.answer), ReadHeaderTimeout: patience}
	g.Server = &httptest.Server{Listener: s.listens(), Config: server}
	g.Start()
	s.t.Cleanup(g.Close)
	return g
}

func (g *gatehouse) answer(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	var p gate.Payload
	_ = json.NewDecoder(r.Body).Decode(&p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls[name] = append(g.calls[name], p)
	if g.closed[name] {
		http.Error(w, "not yet", http.StatusForbidden)
	}
}

func (g *gatehouse) open(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed[name] = false
}

func (g *gatehouse) of(name string) []gate.Payload {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[name]
}

// webhooks is one webhook of each type, by the name of its type.
func (g *gatehouse) webhooks(types ...string) string {
	text := "    webhooks:\n"
	for _, kind := range types {
		text += fmt.Sprintf("    - {name: %[1]s, type: %[1]s, url: %[2]s/%[1]s}\n", kind, g.URL)
	}
	return text
}

// everyGate: one webhook of each type. Those that hold a run are closed at first, and opened one by one.
func everyGate(s *story) {
	holding := []string{"confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion"}
	g := s.gatehouse(append(holding, "rollback")...)
	s.adoptWith("    interval: 2s\n    threshold: 100\n    stepWeights: [20, 60]\n" + successRate +
		g.webhooks(append(holding, "rollout", "rollback", "post-rollout", "event")...))
	s.release(stage.Version{Label: "two"})
	closed := func(name string) func(c *v1beta1.Canary) bool {
		return func(c *v1beta1.Canary) bool {
			for _, gate := range c.Status.Gates {
				if gate.Name == name && (gate.State == v1beta1.GateClosed || gate.State == v1beta1.GateFailed) &&
					strings.Contains(gate.Message, "not yet") {
					return true
				}
			}
			return false
		}
	}
	c := s.await(closed("confirm-rollout"))
	assert.Equal(s.t, v1beta1.PhaseWaiting, c.Status.Phase)
	assert.Contains(s.t, stage.Standing(c), "waiting for confirm-rollout (status 403: not yet) to agree")
	g.open("confirm-rollout")
	s.await(closed("confirm-traffic-increase"))
	g.open("confirm-traffic-increase")
	c = s.await(closed("pre-rollout"))
	assert.Zero(s.t, c.Status.Weight, "it gets no traffic before")
	g.open("pre-rollout")
	s.await(stage.AtWeight(60))
	c = s.await(closed("confirm-promotion"))
	assert.Equal(s.t, v1beta1.PhaseWaitingPromotion, c.Status.Phase)
	assert.Equal(s.t, int32(60), c.Status.Weight)
	g.open("confirm-promotion")
	c = s.ended(1, v1beta1.OutcomePromoted)
	s.await(func(*v1beta1.Canary) bool { return len(g.of("post-rollout")) > 0 })
	run := c.Status.History[0]
	for _, kind := range append(holding, "rollout", "rollback", "post-rollout") {
		require.NotEmpty(s.t, g.of(kind), kind)
		assert.Equal(s.t, run.ID, g.of(kind)[0].RunID, kind)
		assert.Equal(s.t, run.Revision, g.of(kind)[0].Checksum, kind)
	}
	require.NotEmpty(s.t, g.of("event"))
	s.remove()
	s.vanilla()
}

// closedGate: a gate that is closed does not keep a bad version where it is; and a webhook of type rollback ends a
// run while nothing else speaks against it.
func closedGate(s *story) {
	g := s.gatehouse("confirm-promotion", "rollback")
	s.adoptWith("    interval: 2s\n    threshold: 2\n    stepWeights: [20]\n" + successRate +
		g.webhooks("confirm-promotion", "rollback"))
	s.release(stage.Version{Label: "two"})
	s.await(stage.InPhase(v1beta1.PhaseWaitingPromotion))
	g.open("rollback")
	c := s.ended(1, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "RollbackGate", c.Status.History[0].Reason)

	g.mu.Lock()
	g.closed["rollback"] = true
	g.mu.Unlock()
	s.release(stage.Version{Label: "bad", Args: []string{"--random-error"}, OpenPort: true})
	c = s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, "CheckFailed", c.Status.History[0].Reason)
	s.release(stage.Version{Label: "one"})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))
	s.remove()
	s.vanilla()
}
