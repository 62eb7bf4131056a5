package integration

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
)

// nodes are the machines that pods run on, which go in mid-run.
func nodes() []fault {
	return []fault{
		{"nodes go/of the canary, and come back", canaryComesBack},
		{"nodes go/of the canary, for good", canaryGone},
		{"nodes go/of a canary with all traffic", canaryGoneAtFull},
		{"nodes go/of the primary", primaryGone},
		{"nodes go/all of them, and come back", allComeBack},
	}
}

// onNodes begins a run on nodes that can go.
func (c *cluster) onNodes(t *testing.T, change func(*v1beta1.CanarySpec), tap kube.Tap) *application {
	t.Helper()
	a := c.application(t)
	op := c.operate(t, a.namespace, tap)
	t.Cleanup(op.end)
	a.make(change)
	adopt(a)
	a.release("2")
	return a
}

// undecided is a Prometheus that has no number for the last step until it is mended: the step holds, however
// long it takes to send its pods away.
func undecided(t *testing.T) (*monitor, func(*v1beta1.CanarySpec)) {
	t.Helper()
	m := newMonitor(t, vector(`{"metric":{},"value":[1,"NaN"]}`))
	return m, func(s *v1beta1.CanarySpec) { s.MetricsServer = m.server.URL }
}

func (a *application) down(images ...string) {
	a.t.Helper()
	for _, image := range images {
		require.NoError(a.t, a.player.Down(a.t.Context(), a.namespace, image))
	}
}

func (a *application) up(images ...string) {
	a.t.Helper()
	for _, image := range images {
		require.NoError(a.t, a.player.Up(a.t.Context(), a.namespace, image))
	}
}

func (a *application) awaitWeight(w int32) {
	a.t.Helper()
	a.await("weight", func() bool { return a.last().Weight == w && a.weights[len(a.weights)-1] == int64(w) })
}

// awaitTaken returns when the canary without pods has lost its traffic, and it is said why.
func (a *application) awaitTaken() {
	a.t.Helper()
	a.awaitWeight(0)
	a.await("the reason", func() bool { return a.said(v1beta1.ConditionProgressing).Reason == "WaitingForPods" })
	a.mu.Lock()
	defer a.mu.Unlock()
	var said []string
	for i := range a.statuses {
		if cond := meta.FindStatusCondition(a.statuses[i].Conditions, v1beta1.ConditionProgressing); cond != nil {
			said = append(said, cond.Message)
		}
	}
	assert.Contains(a.t, said, "no canary pod is ready; all traffic goes to the primary until one is")
}

// went checks the weights of route and status, without the time at each: a step is cut short when its pods go.
func (a *application) went(want ...int64) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	assert.Equal(a.t, want, a.weights, "the weights of the route")
	var committed []int64
	for i := range a.statuses {
		st := &a.statuses[i]
		if st.WeightSince != nil && (len(committed) == 0 || committed[len(committed)-1] != int64(st.Weight)) {
			committed = append(committed, int64(st.Weight))
		}
	}
	assert.Equal(a.t, want, committed, "the weights of the status")
}

func canaryComesBack(t *testing.T, c *cluster) {
	m, change := undecided(t)
	a := c.onNodes(t, change, nil)
	a.awaitWeight(60)
	a.down("app:2")
	a.awaitTaken()
	m.mend()
	a.up("app:2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.went(0, 20, 60, 0, 60, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	a.because("Passed", "every step passed")
	a.proven()
	a.idle("app:2")
}

func canaryGone(t *testing.T, c *cluster) {
	_, change := undecided(t)
	a := c.onNodes(t, func(s *v1beta1.CanarySpec) {
		change(s)
		s.ProgressDeadlineSeconds = new(int32(4))
	}, nil)
	a.awaitWeight(60)
	a.down("app:2")
	a.awaitTaken()
	a.awaitPhase(v1beta1.PhaseFailed)
	a.went(0, 20, 60, 0)
	a.ended(v1beta1.OutcomeRolledBack)
	a.because("ProgressDeadlineExceeded", "the canary had 0 of 2 pods ready after 4s")
	assert.Contains(t, a.told("RolledBack"), "rolled back at weight 60: ProgressDeadlineExceeded")
	a.mu.Lock()
	defer a.mu.Unlock()
	said := a.said(v1beta1.ConditionStalled)
	assert.Equal(t, metav1.ConditionTrue, said.Status)
	assert.Contains(t, said.Message, "the canary had 0 of 2 pods ready after 4s")
}

func canaryGoneAtFull(t *testing.T, c *cluster) {
	var handOver atomic.Bool
	a := c.onNodes(t, func(*v1beta1.CanarySpec) {}, func(_ kube.When, what string) error {
		if strings.HasPrefix(what, "handing over") && !handOver.Load() {
			return errors.New("the nodes go first")
		}
		return nil
	})
	a.awaitWeight(100)
	a.down("app:2")
	a.awaitTaken()
	handOver.Store(true)
	a.up("app:2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.went(0, 20, 60, 100, 0, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	a.because("Passed", "every step passed")
	a.idle("app:2")
}

// primaryGone: the release may bring what mends it.
func primaryGone(t *testing.T, c *cluster) {
	m, change := undecided(t)
	a := c.onNodes(t, change, nil)
	a.awaitWeight(60)
	a.down("app:1")
	a.await("the condition", func() bool {
		said := a.said(v1beta1.ConditionPrimaryReady)
		return said != nil && said.Status == metav1.ConditionFalse
	})
	a.mu.Lock()
	assert.Contains(t, a.said(v1beta1.ConditionPrimaryReady).Message,
		"which serves, has fewer ready pods than Deployment app asks for")
	a.mu.Unlock()
	m.mend()
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.walked(0, 20, 60, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	a.because("Passed", "every step passed")
	a.proven()
	a.idle("app:2")
}

func allComeBack(t *testing.T, c *cluster) {
	m, change := undecided(t)
	a := c.onNodes(t, change, nil)
	a.awaitWeight(60)
	a.down("app:1", "app:2")
	a.awaitTaken()
	m.mend()
	a.up("app:1", "app:2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.went(0, 20, 60, 0, 60, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	a.proven()
	a.idle("app:2")
}
