package controller

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

// fairQueue is the order in which Canaries are looked at: those with a run before the others, and of both kinds one of each
// namespace in turn, so that whoever releases hundreds at once delays nobody else. Those without a run come to their turn all
// the same. It is guarded by the queue that it is the order of.
type fairQueue struct {
	// running says that a Canary has a run.
	running func(types.NamespacedName) bool
	// runs and idle are what waits; sinceIdle counts the runs that were taken since the last of the others.
	runs, idle lane
	sinceIdle  int
}

var _ workqueue.Queue[types.NamespacedName] = &fairQueue{}

// runsBetween is how many runs are looked at, at most, before one without a run is.
const runsBetween = 7

func newFairQueue(running func(types.NamespacedName) bool) *fairQueue {
	return &fairQueue{running: running, runs: newLane(), idle: newLane()}
}

// Touch leaves what waits in its place.
func (q *fairQueue) Touch(types.NamespacedName) {}

// Push adds one that does not wait yet.
func (q *fairQueue) Push(key types.NamespacedName) {
	if q.running(key) {
		q.runs.push(key)
	} else {
		q.idle.push(key)
	}
}

// Len is how many wait.
func (q *fairQueue) Len() int { return q.runs.size + q.idle.size }

// Pop takes the next; there must be one.
func (q *fairQueue) Pop() types.NamespacedName {
	if q.idle.size == 0 || q.runs.size > 0 && q.sinceIdle < runsBetween {
		q.sinceIdle++
		return q.runs.pop()
	}
	q.sinceIdle = 0
	return q.idle.pop()
}

// lane gives one of each namespace in turn.
type lane struct {
	waiting map[string]fifo[string]
	// turns are the namespaces of which something waits, the next one first.
	turns fifo[string]
	size  int
}

func newLane() lane { return lane{waiting: map[string]fifo[string]{}} }

func (l *lane) push(key types.NamespacedName) {
	names := l.waiting[key.Namespace]
	if len(names) == 0 {
		l.turns.push(key.Namespace)
	}
	names.push(key.Name)
	l.waiting[key.Namespace] = names
	l.size++
}

func (l *lane) pop() types.NamespacedName {
	namespace := l.turns.pop()
	names := l.waiting[namespace]
	name := names.pop()
	if len(names) > 0 {
		l.waiting[namespace] = names
		l.turns.push(namespace)
	} else {
		delete(l.waiting, namespace)
	}
	l.size--
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// fifo gives what was pushed first.
type fifo[T any] []T

func (f *fifo[T]) push(one T) { *f = append(*f, one) }

func (f *fifo[T]) pop() T {
	first := (*f)[0]
	*f = (*f)[1:]
	return first
}
