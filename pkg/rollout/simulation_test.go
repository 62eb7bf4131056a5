package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestSimulation walks at random through toy worlds and checks the invariants after every write. A walk
// that fails names its seed; `go test ./pkg/rollout -run Simulation -seed N` plays that one alone. With another
// -stream the same seeds make other walks.
func TestSimulation(t *testing.T) {
	if *onlySeed != 0 {
		walk(t, *onlySeed, true)
		return
	}
	walks := *walks
	if testing.Short() {
		walks = 2000
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // a walk lives for a moment, and leaves much behind
	const shards = 4
	reached := make([]*reach, shards)
	t.Run("walks", func(t *testing.T) {
		for shard := range uint64(shards) {
			reached[shard] = newReach()
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard + 1; seed <= walks && !t.Failed(); seed += shards {
					reached[shard].add(walk(t, seed, false))
				}
			})
		}
	})
	all := newReach()
	for _, r := range reached {
		all.add(r)
	}
	t.Logf("%d walks in stream %d\n%s", walks, *stream, all)
	require.Empty(t, all.holes(), "the walks do not reach what they are for")
}

var walks = flag.Uint64("walks", 100_000, "walks to play")
var stream = flag.Uint64("stream", 7, "stream of draws that the walks are made of")
var onlySeed = flag.Uint64("seed", 0, "play only the walk of this seed")
var lines = flag.Int("lines", 60, "lines of a failed walk to print")

// walker is a toy world that things happen to.
type walker struct {
	*toy
	rnd      *rand.Rand
	seed     uint64
	template int
	commands int
	reach    *reach
	// lost says that the target was deleted once.
	lost  bool
	trace []string
}

// untold ends a walk that failed and was not told; it is walked again then, told.
type untold struct{}

// walk plays one seed to its end. A walk is told only where it fails: the words are most of the work.
func walk(t *testing.T, seed uint64, told bool) (r *reach) {
	k := &walker{toy: newToy(t), rnd: rand.New(rand.NewPCG(seed, *stream)), seed: seed, template: 1, reach: newReach()}
	k.told, k.check, k.complain = told, k.invariants, k.fail
	k.mail.receivers = []Receiver{{To: "slack", Severity: v1beta1.SeverityInfo}, {To: "pager", Severity: v1beta1.SeverityError}}
	defer func() {
		switch p := recover(); p.(type) {
		case nil:
		case untold:
			walk(t, seed, true)
			t.Fatalf("seed %d failed, and not again", seed)
		default:
			panic(p)
		}
	}()
	k.plan()
	turns := 40
	if k.rnd.IntN(20) == 0 { // some do not get beyond their adoption
		turns = k.rnd.IntN(6)
	}
	for range turns {
		k.disturb()
		k.turn()
	}
	if k.rnd.IntN(20) > 0 { // now and then it is deleted in the middle of it all
		k.calm()
	}
	k.outcomes()
	k.deleteAndEnd()
	k.outcomes()
	return k.reach
}

// turn is one look, with what may go wrong in it, and what the cluster does after it.
func (k *walker) turn() {
	if k.rnd.IntN(12) == 0 { // the caches are behind what others did
		stale := k.snapshot()
		k.newTemplate()
		d := Decide(stale)
		_ = k.act(stale, d)
		k.writeTrace()
	}
	if k.rnd.IntN(8) == 0 {
		k.happens(dies)
		k.crashAt = 1 + k.rnd.IntN(5)
	}
	if k.rnd.IntN(15) == 0 {
		k.happens(conflicts)
		k.conflict = true
	}
	if k.place != nil && k.rnd.IntN(4) == 0 {
		k.place = &Turn{Position: int32(1 + k.rnd.IntN(9)), Granted: k.rnd.IntN(2) == 0, Limit: k.place.Limit}
	}
	if k.rnd.IntN(10) == 0 {
		k.mail.deaf["slack"] = !k.mail.deaf["slack"]
	}
	before := k.canary.Status
	d, _ := k.look()
	k.crashAt = 0
	k.writeTrace()
	if k.told {
		k.trace = append(k.trace, fmt.Sprintf("%s %s w=%d next=%s", k.now.Format("15:04:05"),
			k.canary.Status.Phase, k.canary.Status.Weight, d.Next))
	}
	k.monotone(&before, &k.canary.Status)
	if !terminal(d.Status.Phase) && d.Next <= 0 {
		k.fail("the next look is absent in phase %s", d.Status.Phase)
	}
	if k.rnd.IntN(5) > 0 {
		k.controllers()
	}
	k.pass(time.Duration(k.rnd.IntN(8)) * time.Second)
}

func (k *walker) writeTrace() {
	for _, line := range k.log {
		k.trace = append(k.trace, k.now.Format("15:04:05")+"   "+line)
	}
	k.log = nil
}

func terminal(p v1beta1.Phase) bool {
	switch p {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed:
		return true
	}
	return false
}

// calm lets the world be healthy and everybody agree, and wants the run to end in a bounded number of looks.
func (k *walker) calm() {
	k.verdict, k.alarm, k.conflict, k.crashAt = v1beta1.VerdictPassed, false, false, 0
	k.problems = nil
	clear(k.broken)
	clear(k.gates)
	clear(k.mail.deaf)
	if !k.target.found {
		k.restore()
	}
	if k.target.replicas == 0 || k.inPlace != nil && k.target.replicas == 1 {
		k.target.replicas = 3
	}
	if k.canary.Spec.Suspend {
		k.edit(func(s *v1beta1.CanarySpec) { s.Suspend = false })
	}
	// Whoever resumed it thinks better of it. What Weir itself has let go nobody pauses.
	resumed := k.target.pausedByWeir && !k.target.paused && !k.target.resting
	if resumed && k.canary.Status.Phase != v1beta1.PhaseInitializing {
		k.target.paused, k.target.pausedByWeir = true, false
	}
	if k.place != nil {
		k.place = &Turn{Position: 1, Granted: true, Limit: k.place.Limit}
	}
	for turn := range 400 {
		k.steady()
		if k.route.Found {
			k.route.Accepted = true
		}
		if turn%10 == 9 { // a person who looks after what waits for one
			k.say(Command{Command: v1beta1.Command{Verb: v1beta1.VerbPromote}})
		}
		d, err := k.look()
		if err != nil && err.Error() != "the target moved" {
			k.fail("in a calm world: %v", err)
		}
		k.writeTrace()
		k.controllers()
		if err == nil && d.Next == 0 && terminal(k.canary.Status.Phase) && k.canary.Status.Retiring == nil {
			k.atRest()
			return
		}
		k.pass(min(d.Next, 3*time.Second).Truncate(time.Second) + time.Second)
	}
	k.fail("no end after 400 looks, in phase %s", k.canary.Status.Phase)
}

// steady lets pods that were not ready be so.
func (k *walker) steady() {
	for _, s := range k.sets {
		s.flaked = 0
	}
}

// deleteAndEnd deletes the Canary, in mid-run or at rest, while things go on happening.
func (k *walker) deleteAndEnd() {
	if k.rnd.IntN(2) == 0 { // in mid-run
		k.newTemplate()
		for range k.rnd.IntN(20) {
			_, _ = k.look()
			k.writeTrace()
			k.controllers()
			k.pass(time.Second)
		}
	}
	k.happens(deletes)
	k.delete()
	if k.rnd.IntN(5) == 0 {
		k.vanish()
	}
	for turn := range 400 {
		if turn < 6 && !k.vanished {
			k.disturb()
			k.happens(deletes)
		}
		if turn == 6 { // pods become ready in the end; a hand-over that is through waits for that
			k.steady()
		}
		k.crashAt = k.rnd.IntN(6)
		if k.crashAt > 0 {
			k.happens(dies)
		}
		if k.rnd.IntN(15) == 0 {
			k.happens(conflicts)
			k.conflict = true
		}
		_, _ = k.look()
		k.writeTrace()
		k.controllers()
		if k.route.Found {
			k.route.Accepted = true
		}
		if k.gone {
			k.leftBehind()
			return
		}
		k.pass(2 * time.Second)
	}
	k.fail("the deletion does not end, in phase %s", k.canary.Status.Phase)
}

func (k *walker) fail(format string, args ...any) {
	k.t.Helper()
	if !k.told {
		panic(untold{})
	}
	k.writeTrace()
	tail := k.trace[max(0, len(k.trace)-*lines):]
	k.t.Fatalf("seed %d of stream %d: %s\n%s\n%s",
		k.seed, *stream, fmt.Sprintf(format, args...), strings.Join(tail, "\n"), k.statusLines())
}
