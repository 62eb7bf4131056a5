package rollout

import (
	"fmt"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	// idleLook is the longest wait in a phase that is on its way. The cluster's watches wake the
	// Canary long before; this bounds the harm of a lost one.
	idleLook = 30 * time.Second
	// soonestLook is the shortest wait, so that a decision can never spin.
	soonestLook = 50 * time.Millisecond
	// defaultScaleDownDelay is how long a rolled back canary keeps its pods, for a person to look at.
	defaultScaleDownDelay = 30 * time.Second
	// defaultProgressDeadline applies where the API server did not fill the default in.
	defaultProgressDeadline = 600 * time.Second
)

// look is one decision in the making.
type look struct {
	*Snapshot
	// st is the status that will be committed.
	st *v1beta1.CanaryStatus
	d  *Decision
	// waiting says in words what the phase waits for.
	waiting waiting
	// inherited is the run whose place in a queue the one that begins now takes.
	inherited *v1beta1.RunStatus
}

// waiting is why a phase stands where it stands.
type waiting struct {
	reason, message string
	// stalled says that nothing goes on until a person does something.
	stalled bool
}

// Decide says what must hold until the next look. It depends on the snapshot alone and changes
// nothing in it.
func Decide(s *Snapshot) Decision {
	d := Decision{Status: *s.Canary.Status.DeepCopy()}
	l := &look{Snapshot: s, st: &d.Status, d: &d}
	if d.Status.Phase == "" {
		d.Status.Phase = v1beta1.PhaseInitializing
	}
	l.postReplies()
	l.config()
	l.decide()
	world(s, &d)
	if d.Status.Phase == v1beta1.PhaseTerminating {
		l.terminatingWorld()
	}
	l.concludeStatus()
	d.Next = l.next()
	return d
}

// decide is the table of contents: the rules that stand before the phase, then the phases.
func (l *look) decide() {
	switch {
	case l.deleted():
	case l.commanded():
		l.after(soonestLook) // the rules below have not had their say
	case l.rollbackAsked():
	case l.outOfBand():
	case l.primaryMoved():
	case l.suspended():
	case l.superseded():
	case l.guarded():
	case l.broken():
	case l.lostPods():
	default:
		l.phase()
	}
}

func (l *look) phase() {
	switch l.st.Phase {
	case v1beta1.PhaseInitializing:
		l.initializing()
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded:
		l.idle()
	case v1beta1.PhaseWaiting:
		l.waitingToStart()
	case v1beta1.PhaseProgressing, v1beta1.PhaseWaitingPromotion:
		l.progressing()
	case v1beta1.PhasePromoting:
		l.promoting()
	case v1beta1.PhaseFinalising:
		l.finalising()
	case v1beta1.PhaseFailed:
		l.failed()
	}
}

// wait says what the phase waits for.
func (l *look) wait(reason, format string, args ...any) {
	l.waiting = waiting{reason: reason, message: fmt.Sprintf(format, args...)}
}

// stall says what a person must do before anything goes on.
func (l *look) stall(reason, format string, args ...any) {
	l.waiting = waiting{reason: reason, message: fmt.Sprintf(format, args...), stalled: true}
}

// after asks for the next look no later than in so long.
func (l *look) after(in time.Duration) {
	if l.d.Next == 0 || in < l.d.Next {
		l.d.Next = in
	}
}

// next bounds the time until the next look: never at once, and never absent while a phase is on its
// way. An idle Canary is woken by its watches alone.
func (l *look) next() time.Duration {
	terminal := l.st.Retiring == nil && l.st.Canary == nil &&
		(l.st.Phase == v1beta1.PhaseInitialized || l.st.Phase == v1beta1.PhaseSucceeded)
	rolledBack := l.st.Phase == v1beta1.PhaseFailed && l.st.Retiring == nil &&
		(l.st.Canary == nil || l.st.Canary.Replicas == 0)
	if (terminal || rolledBack) && l.d.Next == 0 && !postPending(l.Canary, l.st) {
		return 0
	}
	if l.d.Next == 0 || l.d.Next > idleLook {
		return idleLook
	}
	return max(l.d.Next, soonestLook)
}

// setSplit moves the split.
func (l *look) setSplit(s Split) {
	if !SplitOf(l.st).Equal(s) {
		l.st.Weight, l.st.MirrorWeight, l.st.Match = s.Weight, s.Mirror, s.Match
		l.touch()
	}
	if l.st.Run != nil {
		l.st.Run.MaxWeight = max(l.st.Run.MaxWeight, s.Weight)
	}
}

// touch starts the settle time anew: the split, or what stands behind it, changes now.
func (l *look) touch() {
	now := l.now()
	l.st.WeightSince = &now
}

func (l *look) now() metav1.MicroTime { return metav1.NewMicroTime(l.Now) }

// concludeStatus fills in what every status carries, and keeps the committed one where nothing that
// matters has changed, so that nothing is written.
func (l *look) concludeStatus() {
	l.st.ObservedGeneration = l.Canary.Generation
	l.waitsForPeople()
	l.conditions()
	l.post()
	if reflect.DeepEqual(l.st, &l.Canary.Status) { // what is unchanged is a copy, to the last bit
		return
	}
	counts := func(r *v1beta1.RevisionStatus, rs ReplicaSet) {
		if r != nil && rs.Found && r.ReplicaSet == rs.Name {
			r.Ready = rs.Ready
		}
	}
	counts(l.st.Primary, l.Primary)
	counts(l.st.Canary, l.Candidate)
	counts(l.st.Retiring, l.Retiring)
}
