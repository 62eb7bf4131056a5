package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestSimulation walks at random through toy worlds and checks the invariants after every write. A walk
// that fails names its seed; `go test ./pkg/rollout -run Simulation -seed N` plays that one alone.
func TestSimulation(t *testing.T) {
	if *onlySeed != 0 {
		walk(t, *onlySeed)
		return
	}
	walks := *walks
	if testing.Short() {
		walks = 300
	}
	const shards = 4
	reached := make([]map[v1beta1.Outcome]int, shards)
	t.Run("walks", func(t *testing.T) {
		for shard := range uint64(shards) {
			reached[shard] = map[v1beta1.Outcome]int{}
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard + 1; seed <= walks && !t.Failed(); seed += shards {
					for outcome, n := range walk(t, seed) {
						reached[shard][outcome] += n
					}
				}
			})
		}
	})
	for _, o := range []v1beta1.Outcome{
		v1beta1.OutcomePromoted, v1beta1.OutcomeRolledBack, v1beta1.OutcomeSuperseded, v1beta1.OutcomeAborted,
	} {
		total := 0
		for _, r := range reached {
			total += r[o]
		}
		require.NotZero(t, total, "no walk ended %s: the walks do not reach what they are for", o)
		t.Logf("%d runs ended %s", total, o)
	}
}

var walks = flag.Uint64("walks", 2000, "walks to play")
var onlySeed = flag.Uint64("seed", 0, "play only the walk of this seed")
var lines = flag.Int("lines", 60, "lines of a failed walk to print")

type walker struct {
	*toy
	rnd      *rand.Rand
	seed     uint64
	template int
	// analysed are the templates that were ever at the last step with every check passed.
	refused map[string]bool
	trace   []string
}

func walk(t *testing.T, seed uint64) map[v1beta1.Outcome]int {
	k := &walker{toy: newToy(t), rnd: rand.New(rand.NewPCG(seed, 7)), seed: seed, template: 1, refused: map[string]bool{}}
	k.check = k.invariants
	if k.rnd.IntN(4) == 0 {
		k.canary.Spec.Analysis.StepWeights = []int32{100}
	}
	for range 100 {
		k.disturb()
		k.turn()
	}
	k.calm()
	outcomes := map[v1beta1.Outcome]int{}
	for _, h := range k.canary.Status.History {
		outcomes[h.Outcome]++
	}
	k.deleteAndEnd()
	for _, h := range k.canary.Status.History {
		if h.Outcome == v1beta1.OutcomeAborted {
			outcomes[h.Outcome]++
		}
	}
	return outcomes
}

// turn is one look, with what may go wrong in it, and what the cluster does after it.
func (k *walker) turn() {
	stale := k.snapshot()
	if k.rnd.IntN(12) == 0 { // the caches are behind what others did
		k.disturbTarget()
		d := Decide(stale)
		_ = k.act(stale, d)
	}
	if k.rnd.IntN(8) == 0 {
		k.crashAt = 1 + k.rnd.IntN(5)
	}
	if k.rnd.IntN(15) == 0 {
		k.conflict = true
	}
	before := k.canary.Status
	d, _ := k.look()
	k.crashAt = 0
	k.trace = append(k.trace, fmt.Sprintf("%s %s w=%d next=%s",
		k.now.Format("15:04:05"), k.canary.Status.Phase, k.canary.Status.Weight, d.Next))
	k.monotone(before, k.canary.Status)
	if !terminal(d.Status) && d.Next <= 0 {
		k.fail("the next look is absent in phase %s", d.Status.Phase)
	}
	if k.rnd.IntN(5) > 0 {
		k.controllers()
	}
	k.pass(time.Duration(k.rnd.IntN(7000)) * time.Millisecond)
}

func terminal(st v1beta1.CanaryStatus) bool {
	switch st.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		return true
	}
	return false
}

// disturb is what people, autoscalers and bad luck do.
func (k *walker) disturb() {
	switch k.rnd.IntN(30) {
	case 0, 1:
		k.disturbTarget()
	case 2:
		k.target.replicas = int32(1 + k.rnd.IntN(12))
	case 3:
		verdicts := []v1beta1.Verdict{"", v1beta1.VerdictPassed, v1beta1.VerdictPassed, v1beta1.VerdictPassed,
			v1beta1.VerdictFailed, v1beta1.VerdictNoData, v1beta1.VerdictErrored}
		k.verdict = verdicts[k.rnd.IntN(len(verdicts))]
	case 4:
		if s := k.set(k.canary.Status.Canary); s != nil && s.owner == OwnerCanary {
			s.flaked = int32(k.rnd.IntN(3))
		}
	case 5:
		if k.rnd.IntN(4) == 0 && k.target.found {
			k.target.paused = false
		}
	case 6:
		k.broken[fmt.Sprintf("v%d", k.template+1)] = "CrashLoopBackOff"
	case 7:
		if k.route.Found {
			k.route.Accepted = k.rnd.IntN(2) == 0
		}
	default:
		if k.route.Found && k.rnd.IntN(3) == 0 {
			k.route.Accepted = true
		}
		for _, s := range k.sets {
			if k.rnd.IntN(4) == 0 {
				s.flaked = 0
			}
		}
	}
}

func (k *walker) disturbTarget() {
	switch {
	case k.rnd.IntN(3) > 0:
		k.template++
		k.target.template = fmt.Sprintf("v%d", k.template)
	case k.template > 1:
		k.target.template = fmt.Sprintf("v%d", 1+k.rnd.IntN(k.template))
	}
}

// invariants are those that hold after every single write.
func (k *walker) invariants(what string) {
	k.trace = append(k.trace, k.now.Format("15:04:05")+"   "+what)
	st := k.canary.Status
	candidate := k.set(st.Canary)
	switch {
	case strings.HasPrefix(what, "route "):
		w := k.route.Split.Weight
		if w < 0 || w > 100 {
			k.fail("weight %d", w)
		}
		if w > st.Weight && w > 0 && (candidate == nil || candidate.ready < 1) {
			k.fail("weight %d to a canary without ready pods", w)
		}
	case strings.HasPrefix(what, "scale ") && k.shrunk, strings.HasPrefix(what, "delete "):
		// A canary that has all of the traffic follows the target down before it is handed over.
		follows := candidate != nil && k.route.Split.Weight == 100 && candidate.desired >= k.target.replicas
		if k.mayReceive() && !follows {
			k.fail("%q while traffic may still go to the canary", what)
		}
	case strings.HasPrefix(what, "hand over"):
		if k.route.Split.Weight != 100 || len(k.trail) > 0 && k.trail[len(k.trail)-1].until.After(k.now) {
			k.fail("handed over at weight %d, or before it settled", k.route.Split.Weight)
		}
		if candidate.available != k.target.replicas || candidate.desired != k.target.replicas {
			k.fail("handed over unsaturated: %d of %d", candidate.available, k.target.replicas)
		}
		if candidate.template != k.target.template {
			k.fail("handed over %s, the target is at %s", candidate.template, k.target.template)
		}
	case strings.HasPrefix(what, "commit"):
		k.committed(st)
	}
	if primary := k.set(st.Primary); primary != nil && st.Run != nil && st.Phase != v1beta1.PhaseFinalising &&
		!k.complete() && k.target.paused && !k.handed() && primary.owner == OwnerTarget &&
		primary.desired < k.target.replicas && primary.desired == 0 {
		k.fail("the primary has no pods in mid-run")
	}
}

func (k *walker) handed() bool {
	c := k.set(k.canary.Status.Canary)
	return c != nil && c.owner == OwnerTarget
}

func (k *walker) committed(st v1beta1.CanaryStatus) {
	withoutWeight := []v1beta1.Phase{v1beta1.PhaseFailed, v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded}
	if st.Weight > 0 && slices.Contains(withoutWeight, st.Phase) {
		k.fail("weight %d in phase %s", st.Weight, st.Phase)
	}
	// What takes traffic from the canary is committed before it is carried out.
	if k.route.Found && k.route.Split.Weight < st.Weight {
		k.fail("committed weight %d over a route at %d", st.Weight, k.route.Split.Weight)
	}
	if st.Phase == v1beta1.PhaseFailed && st.Canary != nil {
		k.refused[st.Canary.Hash] = true
	}
	if len(st.History) > 10 {
		k.fail("%d runs in the history", len(st.History))
	}
}

// monotone compares two commits: no step is skipped, none repeated, none taken early.
func (k *walker) monotone(a, b v1beta1.CanaryStatus) {
	if a.Run == nil || b.Run == nil || a.Run.ID != b.Run.ID || a.Step == nil || b.Step == nil {
		sameCanary := a.Canary != nil && b.Canary != nil && a.Canary.Hash == b.Canary.Hash
		if a.Phase == v1beta1.PhaseFailed && b.Run != nil && sameCanary {
			k.fail("revision %s was refused and is tried again", a.Canary.Hash)
		}
		return
	}
	if b.Step.Index != a.Step.Index && b.Step.Index != a.Step.Index+1 {
		k.fail("step %d after %d", b.Step.Index, a.Step.Index)
	}
	if b.Step.Index == a.Step.Index+1 {
		if a.Step.JudgedAt == nil || b.Step.StartedAt.Sub(a.Step.JudgedAt.Time) < 10*time.Second-time.Microsecond {
			k.fail("step %d ended early", a.Step.Index)
		}
		if k.verdict != v1beta1.VerdictPassed {
			k.fail("step %d ended with verdict %s", a.Step.Index, k.verdict)
		}
	}
}

// calm lets the world be healthy, and wants the run to end in a bounded number of looks.
func (k *walker) calm() {
	k.verdict, k.conflict, k.crashAt = v1beta1.VerdictPassed, false, 0
	clear(k.broken)
	k.target.paused = k.target.paused || k.canary.Status.Phase != v1beta1.PhaseInitializing
	for range 400 {
		for _, s := range k.sets {
			s.flaked = 0
		}
		if k.route.Found {
			k.route.Accepted = true
		}
		d, err := k.look()
		if err != nil && err.Error() != "the target moved" {
			k.fail("in a calm world: %v", err)
		}
		k.controllers()
		if d.Next == 0 && terminal(k.canary.Status) && k.canary.Status.Retiring == nil {
			k.atRest()
			return
		}
		k.pass(min(d.Next, 3*time.Second))
	}
	k.fail("no end after 400 looks, in phase %s", k.canary.Status.Phase)
}

// atRest is what must hold when nothing goes on.
func (k *walker) atRest() {
	st := k.canary.Status
	if k.mayReceive() {
		k.fail("traffic goes to the canary at rest")
	}
	if st.Phase != v1beta1.PhaseFailed && (k.pins != Pins{}) {
		k.fail("pins %s at rest", k.pins)
	}
	for _, s := range k.sorted() {
		if s.owner == OwnerCanary && (st.Phase != v1beta1.PhaseFailed || s.desired > 0) {
			k.fail("ReplicaSet %s is left over with %d pods in phase %s", s.name, s.desired, st.Phase)
		}
	}
	if !k.target.paused {
		k.fail("the target is not paused at rest")
	}
}

func (k *walker) deleteAndEnd() {
	if k.rnd.IntN(2) == 0 { // in mid-run
		k.disturbTarget()
		for range k.rnd.IntN(20) {
			_, _ = k.look()
			k.controllers()
			k.pass(time.Second)
		}
	}
	now := metav1.NewTime(k.now)
	k.canary.DeletionTimestamp = &now
	if k.rnd.IntN(5) == 0 {
		k.vanish()
	}
	for range 200 {
		k.crashAt = k.rnd.IntN(6)
		_, _ = k.look()
		k.controllers()
		if k.gone {
			for _, s := range k.sets {
				if s.owner == OwnerCanary {
					k.fail("ReplicaSet %s is left behind", s.name)
				}
			}
			if own := k.own(k.target.template); k.pins != (Pins{}) || k.target.paused && own != nil && own.desired > 0 {
				k.fail("pins %s, paused=%t are left behind", k.pins, k.target.paused)
			}
			return
		}
		k.pass(2 * time.Second)
	}
	k.fail("the deletion does not end, in phase %s", k.canary.Status.Phase)
}

func (k *walker) fail(format string, args ...any) {
	k.t.Helper()
	tail := k.trace[max(0, len(k.trace)-*lines):]
	k.t.Fatalf("seed %d: %s\n%s\n%s", k.seed, fmt.Sprintf(format, args...), strings.Join(tail, "\n"), k.statusLines())
}
