package integration

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
)

// interval of the Canary under test.
const interval = time.Second

// errKilled is what a writer gets that is dead.
var errKilled = errors.New("the operator was killed")

// killer counts writes, and kills the operator at one of them.
type killer struct {
	mu     sync.Mutex
	armed  bool
	writes []string
	at     int // counted from 1; 0 kills nobody
	when   kube.When
	dead   chan struct{}
}

func newKiller(at int, when kube.When) *killer {
	return &killer{at: at, when: when, dead: make(chan struct{})}
}

// tap lets nothing out any more once the operator is dead.
func (k *killer) tap(when kube.When, what string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.dead:
		return errKilled
	default:
	}
	if !k.armed {
		return nil
	}
	if when == kube.Before {
		k.writes = append(k.writes, what)
	}
	if k.at == len(k.writes) && k.when == when {
		close(k.dead)
		return errKilled
	}
	return nil
}

func (k *killer) arm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed = true
}

// story is one life of an application, and what must come of it whenever the operator is killed.
type story struct {
	name string
	// manifests of the application, where they are not the usual ones.
	manifests string
	// metrics are the path of the usual Canary's; where it is empty, the prelude makes another Canary.
	metrics string
	// prelude is lived without a death: another story has those writes. It may be nil.
	prelude func(*application)
	// user does what a person does.
	user func(*application)
	// check looks at what was seen.
	check func(*application)
}

var stories = []story{
	{"promotion", "", "/good", nil, promote, checkPromoted},
	{"rollback", "", "/bad", adopt, rollBack, checkRolledBack},
	{"deletion", "", "/good", progress, deleteInMidRun, checkDeleted},
	{"return", "", "/good", promote, returnToOld, checkReturned},
	{"gates", "", "", manageGated, promote, checkGated},
	{"pods", "", "", managePods, promote, checkPods},
	{"Ingress", "", "", manageIngress, promote, checkIngress},
	{"route by name", "", "", manageNamed, promote, checkNamed},
	{"StatefulSet promoted", statefulSetYAML, "", manageStatefulSet("/good"), promote, checkPromotedInPlace},
	{"StatefulSet rolled back", statefulSetYAML, "", manageStatefulSet("/bad"), failAndReturn, checkReturnedInPlace},
	{"DaemonSet promoted", daemonSetYAML, "", manageDaemonSet("/good"), promote, checkPromotedInPlace},
	{"DaemonSet rolled back", daemonSetYAML, "", manageDaemonSet("/bad"), failAndReturn, checkReturnedInPlace},
}

// TestKilledAtEveryWrite counts the writes of a story, and then lives it once for every write, and
// each side of it, at which the operator can die. A second operator takes over.
func TestKilledAtEveryWrite(t *testing.T) {
	c := start(t)
	c.joinNodes(t, inPlacePods)
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			writes := c.live(t, s, newKiller(0, kube.Before))
			for i, what := range writes {
				t.Logf("write %d: %s", i+1, what)
			}
			require.Greater(t, len(writes), 3)
			for at := 1; at <= len(writes); at++ {
				for _, when := range s.whens() {
					t.Run(fmt.Sprintf("%s write %d", when, at), func(t *testing.T) {
						t.Parallel()
						c.live(t, s, newKiller(at, when))
					})
				}
			}
		})
	}
}

// whens are the sides of a write at which the operator dies. Before one is as after the one before it, as far as the
// cluster goes; so the long stories are lived for one side only.
func (s story) whens() []kube.When {
	if s.metrics == "" {
		return []kube.When{kube.After}
	}
	return []kube.When{kube.Before, kube.After}
}

// live lives a story, and gives the writes up to the operator's death.
func (c *cluster) live(t *testing.T, s story, k *killer) []string {
	t.Helper()
	manifests := s.manifests
	if manifests == "" {
		manifests = applicationYAML
	}
	a := c.applicationOf(t, manifests)
	first := c.operate(t, a.namespace, k.tap)
	var second *operator
	relief := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(relief)
		select {
		case <-k.dead:
			first.end()
			second = c.operate(t, a.namespace, nil)
		case <-over:
		}
	}()
	if s.metrics != "" {
		a.manage(s.metrics)
	}
	if s.prelude != nil {
		s.prelude(a)
	}
	k.arm()
	s.user(a)
	s.check(a)
	close(over)
	<-relief
	first.end()
	if second != nil {
		second.end()
	}
	return k.writes
}

func adopt(a *application) { a.awaitPhase(v1beta1.PhaseInitialized) }

func promote(a *application) {
	adopt(a)
	a.release("2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
}

func checkPromoted(a *application) {
	a.walked(0, 20, 60, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	pods := a.podsSeen()
	assert.Len(a.t, pods, 2*replicas, "no pod is made twice")
	for _, pod := range pods {
		assert.Equal(a.t, pod.image == "app:1", pod.deleted, "the old pods go, and the pods that were judged stay")
	}
	a.idle("app:2")
}

func rollBack(a *application) {
	a.release("2")
	a.awaitPhase(v1beta1.PhaseFailed)
	a.await("the route back at the primary", func() bool { return a.weights[len(a.weights)-1] == 0 })
}

func checkRolledBack(a *application) {
	a.walked(0, 20, 0)
	a.ended(v1beta1.OutcomeRolledBack)
	pods := a.podsSeen()
	assert.Len(a.t, pods, replicas+1, "no pod is made twice")
	for _, pod := range pods {
		assert.False(a.t, pod.image == "app:1" && pod.deleted, "the primary's pods stay")
	}
}

func progress(a *application) {
	adopt(a)
	a.release("2")
	a.await("weight 60", func() bool { return a.last().Weight == 60 })
}

func deleteInMidRun(a *application) {
	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
}

func checkDeleted(a *application) {
	for _, pod := range a.podsSeen() {
		assert.False(a.t, pod.image == "app:1" && pod.deleted, "the primary's pods stay")
	}
	d := a.deployment()
	assert.True(a.t, d.Spec.Paused, "the template was never proven")
	assert.NotContains(a.t, a.service("app").Spec.Selector, "pod-template-hash")
	assert.Nil(a.t, a.service("app-primary"))
	assert.Nil(a.t, a.service("app-canary"))
	for image, rs := range a.replicaSets() {
		if image == "app:2" {
			assert.Zero(a.t, *rs.Spec.Replicas, "the canary has no pods")
		}
	}
}

// returnToOld goes back to the version before: its ReplicaSet is there still, and is borrowed.
func returnToOld(a *application) {
	a.release("1")
	a.await("the second run's end", func() bool { return len(a.last().History) == 2 && a.last().Phase == v1beta1.PhaseSucceeded })
}

func checkReturned(a *application) {
	a.walked(0, 20, 60, 100, 0, 20, 60, 100, 0)
	a.ended(v1beta1.OutcomePromoted)
	assert.Len(a.t, a.replicaSets(), 2, "the old ReplicaSet was borrowed")
	a.idle("app:1")
}

// walked checks what the gateway and the status went through, and that no step was cut short.
func (a *application) walked(want ...int64) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	assert.Equal(a.t, want, a.weights, "the weights of the route")
	type point struct {
		weight int64
		since  time.Time
	}
	var walk []point
	for i := range a.statuses {
		st := &a.statuses[i]
		if st.WeightSince == nil || len(walk) > 0 && walk[len(walk)-1].weight == int64(st.Weight) {
			continue
		}
		walk = append(walk, point{int64(st.Weight), st.WeightSince.Time})
	}
	var weights []int64
	for i, p := range walk {
		weights = append(weights, p.weight)
		if i > 0 && walk[i-1].weight > 0 && walk[i-1].weight < 100 {
			assert.GreaterOrEqual(a.t, p.since.Sub(walk[i-1].since), interval, "the time at weight %d", walk[i-1].weight)
		}
	}
	assert.Equal(a.t, want, weights, "the weights of the status")
}

// ended checks the outcome of the last run, and that no run was counted twice.
func (a *application) ended(outcome v1beta1.Outcome) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	history := a.last().History
	require.NotEmpty(a.t, history)
	assert.Equal(a.t, outcome, history[0].Outcome, history[0].Message)
	ids := map[string]bool{}
	for i := range history {
		assert.False(a.t, ids[history[i].ID], "run %s is told twice", history[i].ID)
		ids[history[i].ID] = true
	}
}

// idle checks that the Deployment is what a user expects who knows nothing of Weir, but for the one field.
func (a *application) idle(image string) {
	a.t.Helper()
	if a.rests {
		a.awaitRest()
	}
	d := a.deployment()
	assert.Equal(a.t, !a.rests, d.Spec.Paused)
	assert.Equal(a.t, int32(replicas), d.Status.UpdatedReplicas)
	assert.Equal(a.t, int32(replicas), d.Status.AvailableReplicas)
	for _, name := range []string{"app", "app-primary", "app-canary"} {
		assert.NotContains(a.t, a.service(name).Spec.Selector, "pod-template-hash", name)
	}
	sets := a.replicaSets()
	require.Len(a.t, sets, 2)
	for of, rs := range sets {
		assert.True(a.t, metav1.IsControlledBy(rs, d), of)
		if of == image {
			assert.Equal(a.t, int32(replicas), *rs.Spec.Replicas)
		} else {
			assert.Zero(a.t, *rs.Spec.Replicas)
		}
	}
}
