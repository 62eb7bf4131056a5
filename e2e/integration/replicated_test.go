package integration

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// moment is a point of a life.
type moment struct {
	name  string
	story story
	at    func(*v1beta1.CanaryStatus) bool
}

func phase(p v1beta1.Phase) func(*v1beta1.CanaryStatus) bool {
	return func(st *v1beta1.CanaryStatus) bool { return st.Phase == p }
}

func weight(w int32) func(*v1beta1.CanaryStatus) bool {
	return func(st *v1beta1.CanaryStatus) bool { return st.Weight == w }
}

// replicated are two operators, of which the one that leads ends in each phase of a life.
func replicated() []fault {
	deletion := story{"deletion", "", "/good", progress, deleteInMidRun, checkDeleted}
	var all []fault
	for _, m := range []moment{
		{"Initializing", promotion(), phase(v1beta1.PhaseInitializing)},
		{"Initialized", promotion(), phase(v1beta1.PhaseInitialized)},
		{"Progressing", promotion(), phase(v1beta1.PhaseProgressing)},
		{"weight 20", promotion(), weight(20)},
		{"weight 60", promotion(), weight(60)},
		{"Promoting", promotion(), phase(v1beta1.PhasePromoting)},
		{"weight 100", promotion(), weight(100)},
		{"Finalising", promotion(), phase(v1beta1.PhaseFinalising)},
		{"weight 20 of a bad version", rollback(), weight(20)},
		{"Failed", rollback(), phase(v1beta1.PhaseFailed)},
		{"Terminating", deletion, phase(v1beta1.PhaseTerminating)},
	} {
		all = append(all, fault{"leader killed/in " + m.name, func(t *testing.T, c *cluster) {
			c.succeed(t, m, func(first *replica, _ *ledger) { first.signal(syscall.SIGKILL) })
		}})
	}
	for _, m := range []moment{
		{"weight 20", promotion(), weight(20)},
		{"weight 100", promotion(), weight(100)},
		{"weight 20 of a bad version", rollback(), weight(20)},
	} {
		all = append(all, fault{"leader frozen/in " + m.name, func(t *testing.T, c *cluster) {
			c.succeed(t, m, func(first *replica, l *ledger) { freeze(t, first, l) })
		}})
	}
	half := moment{"", promotion(), weight(60)}
	return append(all, fault{"leader told to end", func(t *testing.T, c *cluster) {
		c.succeed(t, half, func(first *replica, _ *ledger) { first.signal(syscall.SIGTERM) })
	}}, fault{"leader cut off", func(t *testing.T, c *cluster) {
		c.succeed(t, half, func(first *replica, _ *ledger) { first.cutOff() })
	}})
}

// freeze stops an operator until another has begun to write: then both are there.
func freeze(t *testing.T, first *replica, l *ledger) {
	t.Helper()
	first.signal(syscall.SIGSTOP)
	for len(l.by("second")) == 0 && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	first.signal(syscall.SIGCONT)
}

// succeed lives a story, in which the operator that leads ends at a moment, and another goes on.
func (c *cluster) succeed(t *testing.T, m moment, end func(*replica, *ledger)) {
	t.Helper()
	a := c.application(t)
	l := &ledger{}
	first := a.replicate("first", l)
	a.awaitLeader()
	a.replicate("second", l)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if a.passes(m.at) {
			waited := len(l.by("second")) == 0
			assert.True(t, waited, "the second wrote while the first led")
			end(first, l)
		}
	}()
	t.Cleanup(func() { <-over })
	a.manage(m.story.metrics)
	m.story.prelude(a)
	m.story.user(a)
	m.story.check(a)
	a.await("a write of the second", func() bool { return len(l.by("second")) > 0 })
	a.await("the end of the first", first.ended)
	a.toldEnd()
	l.handedOn(t, "first", "second")
}

// passes waits until the Canary has passed a point, and says whether it did so within the test.
func (a *application) passes(at func(*v1beta1.CanaryStatus) bool) bool {
	for a.t.Context().Err() == nil {
		a.mu.Lock()
		passed := slices.ContainsFunc(a.statuses, func(st v1beta1.CanaryStatus) bool { return at(&st) })
		a.mu.Unlock()
		if passed {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

func (a *application) awaitLeader() {
	a.t.Helper()
	a.await("a leader", func() bool {
		lease, err := a.kube.CoordinationV1().Leases(a.namespace).Get(a.t.Context(), "weir", metav1.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != ""
	})
}
