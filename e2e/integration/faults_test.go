package integration

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/sandbox/image"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// fault is one story of a run around which something fails.
type fault struct {
	name string
	live func(*testing.T, *cluster)
}

// TestFaults lets runs meet what fails around them: the API server, the other operator, the nodes, and
// Prometheus. The outcome is the same as without, no step is skipped or repeated, and no weight rises without
// evidence.
func TestFaults(t *testing.T) {
	c := start(t)
	c.compile(t)
	// The longest come last: of parallel tests Go begins with those.
	for _, f := range slices.Concat(nodes(), storms(), watches(), monitoring(), replicated(), outages()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.live(t, c)
		})
	}
}

// compile makes the operator's program, for tests that run it in a process of its own.
func (c *cluster) compile(t *testing.T) {
	t.Helper()
	tree, err := sandbox.Tree(t.Context())
	require.NoError(t, err)
	c.program = filepath.Join(t.TempDir(), "weir")
	require.NoError(t, image.Compile(t.Context(), tree, "./cmd/weir", c.program))
}

// proven checks that each weight rose on checks that had passed, and that were asked when the weight before
// had been in force for its time.
func (a *application) proven() {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var at int32
	var since time.Time
	for i := range a.statuses {
		st := &a.statuses[i]
		if st.WeightSince == nil || st.Weight == at {
			continue
		}
		if at > 0 && st.Weight > at {
			require.NotEmpty(a.t, st.Checks, "weight %d", st.Weight)
			for _, check := range st.Checks {
				if check.Name == rollout.GuardCheck {
					continue // it speaks against a canary, or not at all
				}
				assert.Equal(a.t, v1beta1.VerdictPassed, check.Verdict, "weight %d", st.Weight)
				// The time of a check is cut to seconds.
				assert.False(a.t, check.At.Add(time.Second).Before(since.Add(interval)), "check %s was asked early", check.Name)
			}
		}
		at, since = st.Weight, st.WeightSince.Time
	}
}

// because checks the reason and the sentence of the last run's outcome.
func (a *application) because(reason, sentence string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	require.NotEmpty(a.t, a.last().History)
	assert.Equal(a.t, reason, a.last().History[0].Reason)
	assert.Contains(a.t, a.last().History[0].Message, sentence)
}

// told checks that an event comes of the Canary, and gives its note. It is told once, whoever told it.
func (a *application) told(reason string) string {
	a.t.Helper()
	var notes []string
	a.await("event "+reason, func() bool {
		list, err := a.kube.EventsV1().Events(a.namespace).List(a.t.Context(), metav1.ListOptions{})
		require.NoError(a.t, err)
		notes = nil
		for i := range list.Items {
			if e := &list.Items[i]; e.Reason == reason && e.Regarding.Kind == "Canary" {
				notes = append(notes, e.Note)
			}
		}
		return len(notes) > 0
	})
	assert.Len(a.t, notes, 1, "the events %s", reason)
	return notes[0]
}

// toldEnd checks that the end of the last run was told, with its reason.
func (a *application) toldEnd() {
	a.t.Helper()
	a.mu.Lock()
	require.NotEmpty(a.t, a.last().History)
	end := a.last().History[0]
	a.mu.Unlock()
	assert.Contains(a.t, a.told(string(end.Outcome)), end.Message)
}

// checkPromotedWell is checkPromoted with the evidence and the message.
func checkPromotedWell(a *application) {
	a.t.Helper()
	checkPromoted(a)
	a.proven()
	a.because("Passed", "every step passed")
}

// checkRolledBackWell is checkRolledBack with the message.
func checkRolledBackWell(a *application) {
	a.t.Helper()
	checkRolledBack(a)
	a.because("CheckFailed", "request-success-rate: 50 is below the minimum 99")
}

// promotion is the story of a good version, and rollback that of a bad one, each with an adoption before it.
func promotion() story {
	return story{"promotion", "", "/good", adopt, func(a *application) {
		a.release("2")
		a.awaitPhase(v1beta1.PhaseSucceeded)
	}, checkPromotedWell}
}

func rollback() story { return story{"rollback", "", "/bad", adopt, rollBack, checkRolledBackWell} }
