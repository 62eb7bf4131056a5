package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// event is something that can happen in any phase.
type event string

// What people, clusters and bad luck do. The walks must see each of them in each phase.
const (
	changesTemplate event = "new template"
	revertsTemplate event = "old template"
	scales          event = "scaled"
	scalesToZero    event = "scaled to zero"
	resumesTarget   event = "resumed by hand"
	deletesTarget   event = "target deleted"
	breaksCanary    event = "pods broken"
	flakes          event = "pods not ready"
	failsChecks     event = "checks fail"
	alarms          event = "guard alarms"
	losesData       event = "no data"
	losesAnswers    event = "no answers"
	refusesRoute    event = "route refused"
	spoilsSpec      event = "bad spec"
	closesGates     event = "gates closed"
	losesGates      event = "gates unreachable"
	asksRollback    event = "rollback asked"
	suspends        event = "suspended"
	unsuspends      event = "let go on"
	changesConfig   event = "config changed"
	dies            event = "operator dies"
	conflicts       event = "conflict"
	deletes         event = "deleted"
)

// commandEvent is the event of a command.
func commandEvent(verb string) event { return event("command " + verb) }

func events() []event {
	all := []event{changesTemplate, revertsTemplate, scales, scalesToZero, resumesTarget, deletesTarget, breaksCanary, flakes,
		failsChecks, alarms, losesData, losesAnswers, refusesRoute, spoilsSpec, closesGates, losesGates, asksRollback, suspends,
		unsuspends, changesConfig, dies, conflicts, deletes}
	for _, verb := range v1beta1.Verbs() {
		all = append(all, commandEvent(verb))
	}
	return all
}

func phases() []v1beta1.Phase {
	return []v1beta1.Phase{v1beta1.PhaseInitializing, v1beta1.PhaseInitialized, v1beta1.PhaseWaiting, v1beta1.PhaseProgressing,
		v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting, v1beta1.PhaseFinalising, v1beta1.PhaseSucceeded,
		v1beta1.PhaseFailed, v1beta1.PhaseTerminating}
}

// reach counts what walks have come by.
type reach struct {
	phases   map[v1beta1.Phase]int
	outcomes map[v1beta1.Outcome]int
	matrix   map[v1beta1.Phase]map[event]int
}

func newReach() *reach {
	r := &reach{phases: map[v1beta1.Phase]int{}, outcomes: map[v1beta1.Outcome]int{}, matrix: map[v1beta1.Phase]map[event]int{}}
	for _, p := range phases() {
		r.matrix[p] = map[event]int{}
	}
	return r
}

func (r *reach) add(o *reach) {
	for p, n := range o.phases {
		r.phases[p] += n
	}
	for k, n := range o.outcomes {
		r.outcomes[k] += n
	}
	for p, row := range o.matrix {
		for e, n := range row {
			r.matrix[p][e] += n
		}
	}
}

// holes are the outcomes never reached, and the events that never happened in a phase.
func (r *reach) holes() []string {
	var holes []string
	for _, o := range []v1beta1.Outcome{
		v1beta1.OutcomePromoted, v1beta1.OutcomeRolledBack, v1beta1.OutcomeSuperseded, v1beta1.OutcomeAborted,
	} {
		if r.outcomes[o] == 0 {
			holes = append(holes, "no run ended "+string(o))
		}
	}
	for _, p := range phases() {
		for _, e := range events() {
			if r.matrix[p][e] == 0 {
				holes = append(holes, fmt.Sprintf("%s in %s", e, p))
			}
		}
	}
	return holes
}

// String is the matrix.
func (r *reach) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "outcomes %v\n%-20s", r.outcomes, "")
	for _, p := range phases() {
		fmt.Fprintf(&b, " %12.12s", p)
	}
	for _, e := range events() {
		fmt.Fprintf(&b, "\n%-20s", e)
		for _, p := range phases() {
			fmt.Fprintf(&b, " %12d", r.matrix[p][e])
		}
	}
	return b.String()
}

// outcomes counts the history, in which one walk may find a run twice.
func (k *walker) outcomes() {
	for _, h := range k.canary.Status.History {
		k.reach.outcomes[h.Outcome]++
	}
}

// happens counts an event in the phase that it meets.
func (k *walker) happens(e event) {
	phase := k.canary.Status.Phase
	if phase == "" {
		phase = v1beta1.PhaseInitializing
	}
	k.reach.matrix[phase][e]++
	if k.told {
		k.trace = append(k.trace, k.now.Format("15:04:05")+" * "+string(e))
	}
}

// plan chooses what kind of Canary the walk is about.
func (k *walker) plan() {
	a := v1beta1.CanaryAnalysis{Interval: "10s", Threshold: 2, Metrics: []v1beta1.CanaryMetric{{Name: "m"}}}
	match := []v1beta1.RequestMatch{{Headers: map[string]v1beta1.StringMatch{"x-tester": {Exact: "yes"}}}}
	k.followsPods = k.rnd.IntN(6) == 0
	switch n := k.rnd.IntN(8); {
	case n < 2:
		a.StepWeights = []int32{10, 50}
	case n == 2:
		a.StepWeights, a.Mirror = []int32{100}, !k.followsPods
	case n == 3:
		a.Steps = []v1beta1.CanaryStep{
			{Weight: new(int32(0)), Pause: &v1beta1.StepPause{Duration: "5s"}},
			{Weight: new(int32(30)), Pause: &v1beta1.StepPause{}, Replicas: new(intstr.FromInt32(2))},
			{Weight: new(int32(60)), Pause: &v1beta1.StepPause{Duration: "15s"}},
		}
		if !k.followsPods {
			a.Steps[0].Match = match
		}
	case n < 6:
		a.Iterations = new(int32(2))
		if k.rnd.IntN(2) == 0 && !k.followsPods {
			a.Match = match
		}
		a.Mirror = k.rnd.IntN(2) == 0 && !k.followsPods
	case n == 6:
		a.Metrics = nil
	default:
		a.StepWeights, k.canary.Spec.SkipAnalysis = []int32{50}, true
	}
	a.Manual = k.rnd.IntN(6) == 0
	if k.rnd.IntN(2) == 0 {
		a.Webhooks = k.webhooks()
	}
	if k.rnd.IntN(4) == 0 {
		k.canary.Spec.PromotionDelay = "12s"
	}
	if k.rnd.IntN(4) == 0 {
		k.canary.Spec.OnNewRevision = v1beta1.OnNewRevisionQueue
	}
	if k.rnd.IntN(6) == 0 {
		k.canary.Spec.ScaleDownDelay = "5s"
	}
	if k.rnd.IntN(3) == 0 {
		k.canary.Spec.ConfigTracking, k.config = v1beta1.ConfigTrackingRestart, "c0"
	}
	k.canary.Spec.Analysis = a
	if k.rnd.IntN(5) == 0 {
		k.planInPlace()
	}
	if k.rnd.IntN(6) == 0 {
		k.place = &Turn{Position: 2, Limit: "the toy lets one run be on"}
	}
	k.policy = k.inPlace == nil && k.rnd.IntN(3) == 0
}

// planInPlace makes it one of a target whose pods are replaced in place, with a plan that can be carried out there.
func (k *walker) planInPlace() {
	spec := &k.canary.Spec
	spec.TargetRef.Kind = []string{v1beta1.KindStatefulSet, v1beta1.KindDaemonSet}[k.rnd.IntN(2)]
	k.followsPods, k.sets = false, map[string]*toySet{}
	k.inPlace = newToyPods(k.target.replicas, spec.TargetRef.Kind == v1beta1.KindDaemonSet)
	spec.PromotionDelay, spec.ScaleDownDelay, spec.OnNewRevision = "", "", ""
	a := &spec.Analysis
	a.Webhooks = slices.DeleteFunc(a.Webhooks, func(w v1beta1.CanaryWebhook) bool { return w.Type == v1beta1.WebhookPreRollout })
	a.Match, a.Mirror = nil, false
	if a.Iterations != nil {
		a.Iterations, a.StepWeights = nil, []int32{20, 100}
	}
	for i := range a.Steps {
		a.Steps[i].Match, a.Steps[i].Weight = nil, new(max(*a.Steps[i].Weight, 10))
	}
	require.Empty(k.t, PlanProblems(spec))
}

func (k *walker) webhooks() []v1beta1.CanaryWebhook {
	all := []v1beta1.CanaryWebhook{
		{Type: v1beta1.WebhookConfirmRollout}, {Type: v1beta1.WebhookPreRollout}, {Type: v1beta1.WebhookRollout},
		{Type: v1beta1.WebhookConfirmTrafficIncrease}, {Type: v1beta1.WebhookConfirmPromotion},
		{Type: v1beta1.WebhookPostRollout}, {Type: v1beta1.WebhookRollback},
	}
	for i := range all {
		all[i].Name = all[i].Type
		if strings.HasPrefix(all[i].Type, "confirm") && k.rnd.IntN(4) == 0 {
			all[i].GateTimeout, all[i].OnTimeout = "20s", []string{v1beta1.OnTimeoutAbort, v1beta1.OnTimeoutContinue}[k.rnd.IntN(2)]
		}
	}
	return slices.DeleteFunc(all, func(v1beta1.CanaryWebhook) bool { return k.rnd.IntN(2) == 0 })
}

// disturb lets something happen once in a while, and mends what is broken in between.
func (k *walker) disturb() {
	if k.rnd.IntN(3) > 0 {
		k.mend()
		return
	}
	all := events()
	e := all[k.rnd.IntN(len(all))]
	rare := []event{resumesTarget, deletesTarget, deletes, dies, conflicts, spoilsSpec, scalesToZero, suspends}
	if slices.Contains(rare, e) && k.rnd.IntN(3) > 0 {
		return
	}
	k.do(e)
}

// mend makes well, by and by, what is not.
func (k *walker) mend() {
	if k.route.Found && k.rnd.IntN(3) == 0 {
		k.route.Accepted = true
	}
	if k.rnd.IntN(4) == 0 {
		k.problems, k.verdict, k.alarm = nil, v1beta1.VerdictPassed, false
		clear(k.gates)
	}
	if k.rnd.IntN(4) == 0 && k.canary.Spec.Suspend {
		k.do(unsuspends)
	}
	if k.rnd.IntN(6) == 0 && k.target.replicas == 0 {
		k.target.replicas = 3
	}
	if !k.target.found && !k.vanished && k.rnd.IntN(4) == 0 {
		k.restore()
	}
	for _, s := range k.sorted() {
		if k.rnd.IntN(4) == 0 {
			s.flaked = 0
		}
	}
}

func (k *walker) do(e event) { //nolint:cyclop // one line an event
	if verb, ok := strings.CutPrefix(string(e), "command "); ok {
		k.commandAtRandom(verb)
		return
	}
	if e == dies || e == conflicts || e == deletes {
		return // they come with the looks
	}
	switch k.happens(e); e {
	case changesTemplate:
		k.newTemplate()
	case revertsTemplate:
		k.apply(fmt.Sprintf("v%d", 1+k.rnd.IntN(k.template)))
	case scales:
		k.target.replicas = int32(1 + k.rnd.IntN(12))
	case scalesToZero:
		k.target.replicas = 0
	case resumesTarget:
		k.target.paused = k.target.paused && !k.target.found
		k.target.resting = k.target.resting && !k.target.found
		if k.inPlace != nil {
			k.inPlace.held, k.inPlace.partition = false, 0
		}
	case deletesTarget:
		k.deleteTarget()
	case breaksCanary:
		k.broken[fmt.Sprintf("v%d", k.template)] = "CrashLoopBackOff"
	case flakes:
		if s := k.set(k.canary.Status.Canary); s != nil && s.owner == OwnerCanary {
			s.flaked = int32(k.rnd.IntN(3))
		}
	case failsChecks:
		k.verdict = v1beta1.VerdictFailed
	case alarms:
		k.alarm = true
	case losesData:
		k.verdict = v1beta1.VerdictNoData
	case losesAnswers:
		k.verdict = ""
	case refusesRoute:
		k.route.Accepted = k.followsPods
	case spoilsSpec:
		k.problems = []Problem{{Reason: "Bad", Message: "toy problem"}}
	case closesGates, losesGates:
		for _, w := range k.canary.Spec.Analysis.Webhooks {
			if w.Type != v1beta1.WebhookRollback {
				k.gates[w.Name] = map[event]string{closesGates: "closed", losesGates: "unreachable"}[e]
			}
		}
	case asksRollback:
		k.gates[v1beta1.WebhookRollback] = "open"
	case suspends, unsuspends:
		k.edit(func(s *v1beta1.CanarySpec) { s.Suspend = e == suspends })
	case changesConfig:
		if k.config != "" {
			k.config = fmt.Sprintf("c%d", k.rnd.IntN(4))
		}
	}
}

func (k *walker) newTemplate() {
	k.template++
	next := fmt.Sprintf("v%d", k.template)
	if k.annotated != "" { // the annotation is Weir's, and stays
		next += "#" + k.annotated
	}
	k.apply(next)
}

// deleteTarget deletes the target, and with it the ReplicaSets that are its own.
func (k *walker) deleteTarget() {
	k.target.found, k.target.resting, k.lost = false, false, true
	for name, s := range k.sets {
		if s.owner == OwnerTarget {
			delete(k.sets, name)
		}
	}
}

// restore makes the target anew, as a person who applies its manifest again.
func (k *walker) restore() {
	k.target.found, k.target.paused, k.target.pausedByWeir, k.target.resting, k.annotated = true, false, false, false, ""
	if k.inPlace != nil { // all of its pods are made of the template that there is
		*k.inPlace = *newToyPods(0, k.inPlace.oneWay)
		k.inPlace.current, k.inPlace.known = k.target.template, map[string]bool{}
	}
	k.controllers()
}

func (k *walker) commandAtRandom(verb string) {
	c := Command{Command: v1beta1.Command{Verb: verb}}
	switch verb {
	case v1beta1.VerbPromote:
		c.Full = k.rnd.IntN(3) == 0
	case v1beta1.VerbApprove:
		c.Gate = v1beta1.ManualGate
		if gates := k.canary.Status.Gates; len(gates) > 0 {
			c.Gate = gates[k.rnd.IntN(len(gates))].Name
		}
	}
	k.say(c)
}

// say writes a command into the annotation.
func (k *walker) say(c Command) {
	k.happens(commandEvent(c.Verb))
	k.commands++
	c.ID = fmt.Sprint(k.commands)
	k.command = &c
}
