package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolswatch "k8s.io/client-go/tools/watch"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// mark is one status of a Canary.
type mark struct {
	// Seen is when the watch of the harness brought it, by the clock of this machine, which is the operator's, too.
	Seen   time.Time
	Phase  v1beta1.Phase
	Weight int32
	// WeightSince is when the operator last decided on the split.
	WeightSince time.Time
	// Run is the ID of the run that is on; empty for none.
	Run string
	// Step is the one that the run is at, -1 for none. Begun is when it came to it, and Traffic when its split came in
	// force, by the operator's own word; Round counts its rounds of checks that did not end it.
	Step           int32
	Begun, Traffic time.Time
	Round          int32
	// Last is the run that ended last, and Outcome, Reason and Message what came of it.
	Last            string
	Outcome         v1beta1.Outcome
	Reason, Message string
}

func markOf(c *v1beta1.Canary, seen time.Time) mark {
	st := &c.Status
	m := mark{Seen: seen, Phase: st.Phase, Weight: st.Weight, Step: -1, WeightSince: timeOf(st.WeightSince)}
	if st.Run != nil {
		m.Run = st.Run.ID
	}
	if s := st.Step; s != nil {
		m.Step, m.Begun, m.Round, m.Traffic = s.Index, s.StartedAt.Time, s.Round, timeOf(s.TrafficSince)
	}
	if len(st.History) > 0 {
		last := st.History[0]
		m.Last, m.Outcome, m.Reason, m.Message = last.ID, last.Outcome, last.Reason, last.Message
	}
	return m
}

func timeOf(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// journal keeps every status that Canaries get, one after the other.
type journal struct {
	mu     sync.Mutex
	marks  map[types.NamespacedName][]mark
	broken error
	// tend is done while somebody waits.
	tend func(context.Context) error
}

// keep begins a journal, which is kept until the context ends. Nothing of before is in it.
func (m *measurement) keep(ctx context.Context) (*journal, error) {
	canaries := m.weir.WeirV1beta1().Canaries("")
	now, err := canaries.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("beginning to watch Canaries: %w", err)
	}
	// One that is cut off goes on where it was, or says that it cannot, so no status is missing.
	watcher, err := toolswatch.NewRetryWatcherWithContext(ctx, now.ResourceVersion, watchFunc(canaries.Watch))
	if err != nil {
		return nil, fmt.Errorf("beginning to watch Canaries: %w", err)
	}
	j := &journal{marks: map[types.NamespacedName][]mark{}, tend: m.crew.tend}
	go func() {
		for e := range watcher.ResultChan() {
			j.note(e, time.Now())
		}
	}()
	return j, nil
}

type watchFunc func(context.Context, metav1.ListOptions) (watch.Interface, error)

// WatchWithContext begins a watch.
func (w watchFunc) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return w(ctx, options)
}

func (j *journal) note(e watch.Event, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch c, ok := e.Object.(*v1beta1.Canary); {
	case e.Type == watch.Error:
		j.broken = fmt.Errorf("the watch of Canaries broke: %w", apierrors.FromObject(e.Object))
	case e.Type == watch.Modified && ok:
		key := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
		j.marks[key] = append(j.marks[key], markOf(c, at))
	}
}

// of are the marks of a Canary so far.
func (j *journal) of(key types.NamespacedName) []mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.marks[key] // what is there is not written any more
}

// forget begins the journal anew.
func (j *journal) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.marks)
}

// await waits until so many of the Canaries are as wanted, by their marks.
func (j *journal) await(ctx context.Context, f *fleet, which []int, what string, need int, is func([]mark) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s did not come within %s", what, patience))
	defer cancel()
	for told := time.Now(); ; {
		n := count(which, func(i int) bool { return is(j.of(f.app(i))) })
		if n >= need {
			return nil
		}
		j.mu.Lock()
		broken := j.broken
		j.mu.Unlock()
		if broken != nil {
			return broken
		}
		if time.Since(told) > 30*time.Second {
			f.say("%s: %d of %d", what, n, need)
			told = time.Now()
		}
		if err := errors.Join(j.tend(ctx), sleep(ctx, 100*time.Millisecond)); err != nil {
			return fmt.Errorf("waiting for %s: %d of %d: %w", what, n, need, err)
		}
	}
}
