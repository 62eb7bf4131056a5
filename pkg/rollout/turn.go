package rollout

import (
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// queueSettle is how long a run waits for its turn at least. Who queued at the same moment is known by then, to everybody in
// the same order, so two that look at the same time do not both take the last place.
const queueSettle = 2 * time.Second

// queue puts the run that has just begun into its profile's queue, if there is one. One that took the place of another
// keeps that one's place: in the queue, or among those whose turn it is.
func (l *look) queue() {
	if l.Turn != nil && l.inherited == nil {
		l.st.Run.Queue = &v1beta1.QueueStatus{Since: l.now(), Position: max(1, l.Turn.Position)}
	}
	if l.inherited != nil {
		l.st.Run.Queue = l.inherited.Queue
	}
}

// itsTurn says that the run need not wait for others, or not any more.
func (l *look) itsTurn() bool {
	q := l.st.Run.Queue
	if q == nil {
		return true
	}
	settles := q.Since.Add(queueSettle).Sub(l.Now)
	if l.Turn == nil || l.Turn.Granted && settles <= 0 {
		l.st.Run.Queue = nil
		return true
	}
	if at := l.Turn.Position; at > 0 && at != q.Position && (at <= 3 || at <= q.Position/2 || at > q.Position) {
		q.Position = at
	}
	if settles > 0 {
		l.after(settles)
	}
	l.wait(ReasonQueued, "waits for its turn at place %d: %s; `kubectl weir promote %s` lets it begin", q.Position, l.Turn.Limit,
		l.Canary.Name)
	return false
}
