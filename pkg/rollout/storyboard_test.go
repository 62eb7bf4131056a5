package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestStoryboards plays the runbooks of testdata. Each file is one story in one world.
//
//	new kind=StatefulSet …       a target that is released in place; paused=false is somebody who takes it over
//	new weights=(10,50) interval=10s threshold=2 replicas=4 pods   a target that is rolled out; the lines
//	                             below, if any, are merged into the spec; with pods, traffic follows the pods
//	adopt                        play until the Canary is adopted, without output
//	set template=v2 replicas=8 paused=false found=false refused="…" problem=… verdict=Failed alarm=true proven=true broken=v2
//	set split=60                 somebody else changes the route
//	set receivers=(slack,info,pager,error)   who is told by alerts; set deaf=slack, hears=slack: who cannot be reached, and can
//	set policy=true              the API server pauses what is Weir's in the request that changes its template
//	set turn=4, turn=granted, turn=free   the place in a profile's queue; that it may begin; that there is no queue
//	set ready=-1                 one canary pod is not ready
//	play [max=40]                look, let the controllers work, wait, until nothing changes; every write
//	look                         one look
//	crash at=3                   the operator dies at the third write of the next look
//	conflict                     the next commit conflicts
//	pass 30s                     time goes by
//	command abort id=1 actor=jane reason=why gate=night full    a person's command
//	spec                         the lines below are merged into the spec
//	delete                       the Canary is deleted
//	status                       the committed status
//
// Rewrite the expectations with `go test ./pkg/rollout -run Storyboards -rewrite`.
func TestStoryboards(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *toy
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				w = newToy(t)
				w.arrange(t, d)
				return ""
			}
			return w.play(t, d)
		})
	})
}

func (w *toy) arrange(t *testing.T, d *datadriven.TestData) {
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "weights":
			w.canary.Spec.Analysis.StepWeights = nil
			for _, v := range arg.Vals {
				n, err := strconv.Atoi(v)
				require.NoError(t, err)
				w.canary.Spec.Analysis.StepWeights = append(w.canary.Spec.Analysis.StepWeights, int32(n))
			}
		case "interval":
			w.canary.Spec.Analysis.Interval = arg.Vals[0]
		case "threshold":
			w.canary.Spec.Analysis.Threshold = int32(number(t, arg.Vals[0]))
		case "deadline":
			n := int32(number(t, arg.Vals[0]))
			w.canary.Spec.ProgressDeadlineSeconds = &n
		case "replicas":
			w.target.replicas = int32(number(t, arg.Vals[0]))
			if set := w.sets["app-v1"]; set != nil {
				set.desired = w.target.replicas
			}
			w.controllers()
		case "pods":
			w.followsPods = true
		case "kind":
			w.canary.Spec.TargetRef.Kind = arg.Vals[0]
			w.sets = map[string]*toySet{}
			w.inPlace = newToyPods(w.target.replicas, arg.Vals[0] == v1beta1.KindDaemonSet)
		default:
			t.Fatalf("new: unknown argument %s", arg.Key)
		}
	}
	w.spec(t, d)
}

// spec merges the lines of a command into the spec.
func (w *toy) spec(t *testing.T, d *datadriven.TestData) {
	if d.Input == "" {
		return
	}
	if strings.Contains(d.Input, "analysis:") {
		w.canary.Spec.Analysis = v1beta1.CanaryAnalysis{}
	}
	require.NoError(t, yaml.UnmarshalStrict([]byte(d.Input), &w.canary.Spec))
	w.edit(func(*v1beta1.CanarySpec) {})
}

// commandOf writes a command: `command abort id=1 actor=jane reason="…" gate=night full=true`.
func (w *toy) commandOf(d *datadriven.TestData) {
	c := &Command{}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "id":
			c.ID = arg.Vals[0]
		case "actor":
			c.Actor = arg.Vals[0]
		case "reason":
			c.Reason = arg.Vals[0]
		case "gate":
			c.Gate = arg.Vals[0]
		case "full":
			c.Full = true
		case "unreadable":
			c.Unreadable = arg.Vals[0]
		default:
			c.Verb = arg.Key
		}
	}
	w.command = c
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

func (w *toy) play(t *testing.T, d *datadriven.TestData) string {
	w.log = nil
	switch d.Cmd {
	case "adopt":
		w.playOn(40)
		require.Equal(t, v1beta1.PhaseInitialized, w.canary.Status.Phase)
		return ""
	case "set":
		for _, arg := range d.CmdArgs {
			w.change(t, arg)
		}
		return ""
	case "play":
		limit := 60
		if d.HasArg("max") {
			d.ScanArgs(t, "max", &limit)
		}
		w.playOn(limit)
	case "look":
		decision, err := w.look()
		if err != nil {
			w.log = append(w.log, "error: "+err.Error())
		}
		w.log = append(w.log, fmt.Sprintf("next look in %s", decision.Next))
	case "crash":
		d.ScanArgs(t, "at", &w.crashAt)
		return ""
	case "conflict":
		w.conflict = true
		return ""
	case "pass":
		dur, err := time.ParseDuration(d.CmdArgs[0].Key)
		require.NoError(t, err)
		w.pass(dur)
		return ""
	case "command":
		w.commandOf(d)
		return ""
	case "spec":
		w.spec(t, d)
		return ""
	case "vanish":
		w.vanish()
		return ""
	case "delete":
		w.delete()
		return ""
	case "status":
		return w.statusLines()
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return strings.Join(w.log, "\n") + "\n"
}

func (w *toy) change(t *testing.T, arg datadriven.CmdArg) {
	v := arg.Vals[0]
	switch arg.Key {
	case "template":
		w.apply(v)
	case "replicas":
		w.target.replicas = int32(number(t, v))
	case "paused":
		w.target.paused = v == "true"
		if w.inPlace != nil && !w.target.paused {
			w.inPlace.held, w.inPlace.partition = false, 0
		}
	case "policy":
		w.policy = v == "true"
	case "turn":
		w.place = w.turnOf(t, v)
	case "mended":
		delete(w.broken, v)
	case "found":
		w.target.found = v == "true"
	case "proven":
		w.proven = v == "true"
	case "alarm":
		w.alarm = v == "true"
	case "verdict":
		w.verdict = v1beta1.Verdict(v)
		if v == "none" {
			w.verdict = ""
		}
	case "broken":
		w.broken[v] = "CrashLoopBackOff"
	case "refused":
		w.route.Accepted, w.route.Refused = false, v
	case "split":
		w.route.Split, w.route.Since = Split{Weight: int32(number(t, v))}, w.now
	case "accepted":
		w.route.Accepted, w.route.Refused = true, ""
	case "problem":
		w.problems = nil
		if v != "none" {
			w.problems = []Problem{{Reason: v, Message: "toy problem"}}
		}
	case "gate": // gate=(night,closed)
		w.gates[v] = arg.Vals[1]
	case "receivers":
		for i := 0; i < len(arg.Vals); i += 2 {
			r := Receiver{To: arg.Vals[i], Severity: v1beta1.AlertSeverity(arg.Vals[i+1])}
			w.mail.receivers = append(w.mail.receivers, r)
		}
	case "deaf", "hears":
		w.mail.deaf[v] = arg.Key == "deaf"
	case "config":
		w.config = v
	case "flaked":
		w.set(w.canary.Status.Canary).flaked = int32(number(t, v))
	default:
		t.Fatalf("set: unknown argument %s", arg.Key)
	}
	w.controllers()
}

// playOn looks until the Canary asks for no more looks, or nothing changes over several waits.
func (w *toy) playOn(limit int) {
	quiet := 0
	for range limit {
		before := len(w.log)
		decision, err := w.look()
		if err != nil {
			w.log = append(w.log, "error: "+err.Error())
		}
		w.controllers()
		if w.gone {
			w.log = append(w.log, "gone")
			return
		}
		if len(w.log) > before {
			quiet = 0
			w.stamp(before)
			continue // whatever was written wakes the Canary again
		}
		if decision.Next == 0 {
			return
		}
		if quiet++; quiet > 4 {
			w.log = append(w.log, "…waits")
			return
		}
		w.pass(decision.Next)
	}
	w.log = append(w.log, "…goes on")
}

// stamp puts the time before the lines of one look.
func (w *toy) stamp(from int) {
	since := w.now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).Round(time.Millisecond)
	for i := from; i < len(w.log); i++ {
		w.log[i] = fmt.Sprintf("%8s  %s", since, w.log[i])
	}
}

func (w *toy) statusLines() string {
	var b strings.Builder
	st := w.canary.Status
	fmt.Fprintf(&b, "phase=%s weight=%d failed=%d\n", st.Phase, st.Weight, st.FailedChecks)
	for _, g := range st.Gates {
		fmt.Fprintf(&b, "gate %s %s: %s %s\n", g.Type, g.Name, g.State, g.Message)
	}
	if c := st.LastCommand; c != nil {
		fmt.Fprintf(&b, "command %s accepted=%t: %s\n", c.Verb, c.Accepted, c.Result)
	}
	for _, r := range []struct {
		role string
		rev  *v1beta1.RevisionStatus
	}{{"primary", st.Primary}, {"canary", st.Canary}, {"retiring", st.Retiring}} {
		if r.rev != nil {
			fmt.Fprintf(&b, "%s=%s replicas=%d\n", r.role, r.rev.ReplicaSet, r.rev.Replicas)
		}
	}
	for _, c := range st.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, a := range st.Alerts {
		fmt.Fprintf(&b, "alert %s for %s: %s, step %s, weight %d of %d\n", a.Reason, strings.Join(a.To, ", "), a.Revision,
			a.Step, a.Weight, a.MaxWeight)
	}
	for _, h := range st.History {
		fmt.Fprintf(&b, "run of %s: %s %s at most %d\n", h.Revision, h.Outcome, h.Reason, h.MaxWeight)
	}
	if w.inPlace != nil {
		fmt.Fprintln(&b, w.inPlace)
	}
	for _, s := range w.sorted() {
		fmt.Fprintf(&b, "rs %s owner=%s desired=%d ready=%d\n", s.name, s.owner, s.desired, s.ready)
	}
	fmt.Fprintf(&b, "template=%s paused=%t pins=%s route=%s\n",
		w.target.template, w.target.paused, w.pins, short(w.route.Split))
	return b.String()
}
