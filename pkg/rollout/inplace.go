package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// StatefulSets and DaemonSets are released in place: a pod of the new revision takes the place of an old one. So
// there is never a whole primary beside the canary, and a pod that is ready has its share of the traffic.
//
//	pods      p p p p      p p p C      p p C C        C C C C
//	            idle        25 %         50 %     promoted: its own status says so
//
// What follows from it:
//
//   - The share is that of the pods. The apex is plain while a run is on: held to the primary it would lose, with
//     each step, more of the pods behind it.
//   - A step leaves one pod to the primary. Once the last one is replaced, Kubernetes knows no way back.
//   - To go back, the apex is held to the primary's pods if they are half of all or more. Then the canary's go.
//   - There is no hand-over. When all pods are of the canary's revision, the target's status says so.

// KindOf is the kind of the target.
func KindOf(c *v1beta1.Canary) string {
	if c.Spec.TargetRef.Kind == "" {
		return v1beta1.KindDeployment
	}
	return c.Spec.TargetRef.Kind
}

// size is how many canary pods a step needs.
func (l *look) size(step Step) int32 {
	if l.Target.InPlace {
		return step.inPlace(l.Target.Replicas)
	}
	return step.Size(l.Target.Replicas, l.FollowsPods)
}

// inPlace is how many of so many pods a step replaces: its share, rounded up, at least one and never the last.
// Where there is nothing to analyse, it is none: the promotion replaces all.
func (s Step) inPlace(replicas int32) int32 {
	if replicas < 2 || !s.Split.Reaches() {
		return 0
	}
	n := s.Size(replicas, false)
	return max(1, min(n, replicas-1))
}

// indivisible notices a target of one pod, of which no part can be released.
func (l *look) indivisible(step Step) bool {
	if !l.Target.InPlace || l.Target.Replicas > 1 || !step.Split.Reaches() {
		return false
	}
	l.resize(0)
	l.st.Step.WaitingSince = nil
	l.stall(ReasonIndivisible, "%s has one pod, of which no part can be released; give it a second one, or "+
		"release it without analysis by `kubectl weir promote --full %s`", l.workload(), l.Canary.Name)
	return true
}

// comesOn says that more canary pods are ready than when the status was committed. Pods are replaced one after
// the other; the progress deadline is for each of them.
func (l *look) comesOn() bool {
	return l.Target.InPlace && l.st.Canary != nil && l.Candidate.Ready > l.st.Canary.Ready
}

// replaceAll lets the canary's pods take the place of all that are left. The target's status ends it.
func (l *look) replaceAll(full int32) {
	if l.held() {
		l.freeze()
		l.st.Step.WaitingSince = nil
		return
	}
	l.resize(full)
	if l.Candidate.Ready < full {
		l.awaitPods(full)
		return
	}
	l.st.Step.WaitingSince = nil
	l.after(time.Second)
	l.wait(ReasonReplacing, "waiting until %s reports the rollout complete", l.workload())
}

// freeze replaces no further pod.
func (l *look) freeze() {
	if l.Target.InPlace && l.underTest() && l.st.Canary != nil {
		l.resize(min(l.Candidate.Exists, l.st.Canary.Replicas))
	}
}

// goBack has the pods of a refused canary replaced by the primary's.
func (l *look) goBack() {
	if !l.Primary.Found && l.Target.Complete { // the target was made anew meanwhile, of what was refused
		l.st.Phase, l.st.Primary, l.st.Canary = v1beta1.PhaseInitializing, nil, nil
		l.touch()
		return
	}
	if l.Target.Replicas > 0 && (!l.Primary.Found || l.Candidate.Owner == OwnerTarget) {
		l.after(idleLook) // there is nothing to go back to; in a moment it is seen what serves
	}
	if l.st.Canary == nil {
		return
	}
	if l.Candidate.Exists > 0 && l.st.Canary.Replicas > 0 && !l.drains() {
		return
	}
	l.st.Canary.Replicas = 0
	if l.Candidate.Exists > 0 && !l.Target.OneWay {
		l.after(idleLook)
	}
}

// drains says that the pods of a canary which has no share any more may go. If the primary's pods can take all of
// the traffic, they take it first.
func (l *look) drains() bool {
	if !takesAll(l.Snapshot) || drained(l.Snapshot) {
		return true
	}
	l.after(settlesIn(l.Snapshot))
	return false
}

// takesAll says that the primary's pods can take all of the traffic for a while: at least half of the target's are
// the primary's, and ready. An apex that knows pods on its caller's node alone is never held to them: on the other
// nodes it would have none.
func takesAll(s *Snapshot) bool {
	return !s.Services.Local && s.Primary.Ready > 0 && 2*s.Primary.Ready >= s.Target.Replicas
}

// doneByWeir says that what the target runs is the canary as far as Weir has brought it.
func (l *look) doneByWeir() bool {
	return l.Target.InPlace && l.Target.Paused && l.isCandidate() && l.Candidate.Owner == OwnerCanary
}

// inPlaceWorld is what must hold where pods are replaced. A plan that says nothing lets pods be what they are, and
// no further one is replaced.
func inPlaceWorld(s *Snapshot, d *Decision) {
	st := &d.Status
	d.Pins = inPlacePins(s, st)
	if d.Retiring.State == ReplicaSetPresent {
		d.Retiring = ReplicaSetPlan{}
	}
	absent := ReplicaSetPlan{State: ReplicaSetAbsent}
	switch st.Phase {
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion, v1beta1.PhasePromoting:
		d.Candidate.Replicas = 0
		if d.Candidate.State == ReplicaSetPresent {
			d.Candidate.Replicas = replaceable(s, st)
		}
	case v1beta1.PhaseFailed:
		d.Candidate = ReplicaSetPlan{}
		if st.Canary != nil && st.Canary.Replicas == 0 && s.Candidate.Exists+s.Target.Strays > 0 {
			d.Candidate = absent
		}
	case v1beta1.PhaseWaiting, v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		// A template that came while a promotion ended, and was rolled out by the target's own controller.
		if st.Retiring == nil && s.Candidate.Exists+s.Target.Strays > 0 {
			d.Candidate = absent
		}
	case v1beta1.PhaseTerminating:
		if s.Target.Paused {
			d.Pause = PauseSet // nothing more is replaced meanwhile
		}
	}
}

// replaceable is how many pods are to be of the canary's revision now. More of them are committed to first: were an
// operator to die in between, the next one would put the old pods back. At a step the last one stays the primary's,
// also if the target was made smaller.
func replaceable(s *Snapshot, st *v1beta1.CanaryStatus) int32 {
	n := min(st.Canary.Replicas, s.Canary.Status.Canary.Replicas)
	if st.Phase == v1beta1.PhasePromoting {
		return n
	}
	return max(0, min(n, s.Target.Replicas-1))
}

// inPlacePins leave the apex to all pods, but for the way back.
func inPlacePins(s *Snapshot, st *v1beta1.CanaryStatus) Pins {
	if st.Primary == nil || st.Phase == v1beta1.PhaseInitializing {
		return Pins{}
	}
	primary, apex := st.Primary.Hash, ""
	if takesAll(s) {
		apex = st.Primary.Hash
	}
	switch {
	case st.Retiring != nil:
		return Pins{Apex: apex, Primary: primary, Canary: st.Retiring.Hash}
	case st.Phase == v1beta1.PhaseFailed && st.Canary != nil && (st.Canary.Replicas > 0 || s.Candidate.Exists > 0):
		return Pins{Apex: apex, Primary: primary, Canary: st.Canary.Hash}
	case st.Phase == v1beta1.PhaseFailed, st.Phase == v1beta1.PhaseWaiting, st.Canary == nil:
		return Pins{}
	case s.Target.Strays > 0 && st.Weight == 0:
		// Pods that an earlier run was refused with are replaced first, and get nothing until then.
		return Pins{Apex: apex, Primary: primary, Canary: st.Canary.Hash}
	default:
		return Pins{Primary: primary, Canary: st.Canary.Hash}
	}
}

// InPlaceRoute is the split that the apex makes, by the revision that it is held to; empty where it is held to none.
func InPlaceRoute(s *Snapshot, pin string) Route {
	st := &s.Canary.Status
	r := Route{Found: true, Accepted: true}
	switch {
	case st.Primary != nil && pin == st.Primary.Hash:
	case s.Candidate.Exists+s.Retiring.Exists+s.Target.Strays == 0:
	case st.Run != nil && st.Retiring == nil:
		r.Split.Weight = st.Weight // the share of the pods is what that stands for
	default:
		r.Split.Weight = max(1, st.Weight)
	}
	return r
}

// PlanProblems are the reasons why the plan of a spec cannot be carried out, which its schema cannot see: what of it
// asks for a canary beside the whole primary, where there is none.
func PlanProblems(spec *v1beta1.CanarySpec) []Problem {
	if !inPlaceKind(spec.TargetRef.Kind) {
		return nil
	}
	for _, f := range besideOnly(spec) {
		if f.asked {
			return []Problem{{Reason: ReasonNotInPlace, Message: fmt.Sprintf("%s asks for a canary beside the whole primary, and the "+
				"pods of a %s are replaced in place; remove it (docs/targets.md)", f.name, spec.TargetRef.Kind)}}
		}
	}
	return nil
}

// inPlaceKind says that targets of a kind are released in place.
func inPlaceKind(kind string) bool {
	return kind == v1beta1.KindStatefulSet || kind == v1beta1.KindDaemonSet
}

// field is one of a spec, and whether it is used.
type field struct {
	name  string
	asked bool
}

// besideOnly are the fields that make sense for a canary beside a whole primary alone.
func besideOnly(spec *v1beta1.CanarySpec) []field {
	a := &spec.Analysis
	fields := []field{
		{"spec.analysis.iterations", a.Iterations != nil},
		{"spec.analysis.match", len(a.Match) > 0},
		{"spec.analysis.mirror", a.Mirror},
		{"spec.promotionDelay", Duration(spec.PromotionDelay, 0) > 0},
		{"spec.scaleDownDelay", Duration(spec.ScaleDownDelay, 0) > 0},
		{"spec.abortScaleDownDelay", Duration(spec.AbortScaleDownDelay, defaultScaleDownDelay) != defaultScaleDownDelay},
		{"spec.onNewRevision: Queue", spec.OnNewRevision == v1beta1.OnNewRevisionQueue},
	}
	for i := range a.Steps {
		s, name := &a.Steps[i], fmt.Sprintf("spec.analysis.steps[%d]", i)
		fields = append(fields,
			field{name + " without a weight above 0", i == 0 && s.Weight == nil || s.Weight != nil && *s.Weight == 0},
			field{name + ".match", len(s.Match) > 0}, field{name + ".mirror", s.Mirror})
	}
	for _, w := range a.Webhooks {
		fields = append(fields, field{"webhook " + w.Name + " of type pre-rollout", w.Type == v1beta1.WebhookPreRollout})
	}
	return fields
}

// The words that differ.

func (l *look) pausing() string {
	if l.Target.InPlace {
		return "holding"
	}
	return "pausing"
}

func (l *look) standstill() string {
	if l.Target.InPlace || l.Target.ByName {
		return "held"
	}
	return "paused"
}

// letGo is how it comes that a target rolls out by itself.
func (l *look) letGo() string {
	if l.Target.InPlace {
		return "taken over by hand, or had no pods,"
	}
	return "resumed by hand"
}

// wayOn is how a target is let go by hand.
func (l *look) wayOn() string {
	switch {
	case l.Target.OneWay:
		return "setting its spec.updateStrategy.type to RollingUpdate"
	case l.Target.InPlace:
		return "setting its spec.updateStrategy.rollingUpdate.partition to 0"
	case l.Target.ByName:
		return "giving all of its spec.traffic to latestRevision: true"
	}
	return fmt.Sprintf("`kubectl rollout resume deployment/%s`", l.targetName())
}

func (l *look) finish() string {
	if l.Target.InPlace {
		return "its pods take the place of all others"
	}
	if l.Target.ByName {
		return "it takes all traffic"
	}
	return "it is brought to full size and takes all traffic"
}

// leftover says what Weir cannot take back.
func (l *look) leftover() string {
	if !l.Target.OneWay || l.Candidate.Exists == 0 {
		return ""
	}
	return fmt.Sprintf("; its pods stay on %d of %d nodes until the old template is put back", l.Candidate.Exists, l.Target.Replicas)
}

// primaryShare is how many pods the primary ought to have.
func (l *look) primaryShare() int32 {
	if l.Target.InPlace {
		return l.Primary.Desired
	}
	return l.Target.Replicas
}
