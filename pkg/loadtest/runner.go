package loadtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"weir.dev/weir/pkg/loadtest/traffic"
)

// longestLine is how much of the last line of an output goes into a message, in bytes.
const longestLine = 512

// runner runs tasks, no more than a number at the same time, and none twice at the same time.
type runner struct {
	most    int
	timeout time.Duration
	log     *slog.Logger
	numbers *numbers
	// ctx ends all tasks.
	ctx  context.Context
	stop context.CancelCauseFunc
	all  sync.WaitGroup

	mu      sync.Mutex
	running map[[sha256.Size]byte]*running
}

// running is a task that is under way.
type running struct {
	*task
	since time.Time
	sent  atomic.Int64
	// done is closed when outcome is there.
	done    chan struct{}
	outcome outcome
}

func newRunner(most int, timeout time.Duration, log *slog.Logger, n *numbers) *runner {
	ctx, stop := context.WithCancelCause(context.Background())
	return &runner{
		most: most, timeout: timeout, log: log, numbers: n, ctx: ctx, stop: stop, running: map[[sha256.Size]byte]*running{},
	}
}

// do begins a task, unless the same one is under way, and waits for it if it is to be waited for. Who waits no longer
// does not end it.
func (r *runner) do(ctx context.Context, t *task) answer {
	current, begun, err := r.begin(t)
	if err != nil {
		return answerOf(err)
	}
	if !t.wait {
		a := answer{code: http.StatusAccepted, Message: t.what + " has begun"}
		if !begun {
			a.Message = fmt.Sprintf("%s has been on for %s", t.what, time.Since(current.since).Round(time.Second))
		}
		return a
	}
	select {
	case <-ctx.Done():
		return answerOf(refuse(unavailable, "%s has not ended yet", t.what))
	case <-current.done:
	}
	o := current.outcome
	a := answer{code: http.StatusOK, Message: o.words, Report: o.report, Output: o.output}
	if !o.ok {
		a.code = http.StatusInternalServerError
		if last := lastLine(o.output); last != "" {
			a.Message += ": " + shortened(last, longestLine)
		}
	}
	return a
}

func (r *runner) begin(t *task) (current *running, begun bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return nil, false, refuse(unavailable, "the load tester is stopping")
	}
	if current := r.running[t.key]; current != nil {
		return current, false, nil
	}
	if len(r.running) >= r.most {
		return nil, false, refuse(tooMany, "%d tasks are under way, and no more may be: try again, or raise --max-tasks",
			r.most)
	}
	current = &running{task: t, since: time.Now(), done: make(chan struct{})}
	r.running[t.key] = current
	r.all.Go(func() { r.run(current) })
	return current, true, nil
}

// run takes a task to its end.
func (r *runner) run(current *running) {
	log := r.log.With("namespace", current.namespace, "canary", current.canary, "type", current.kind)
	log.Info("a task has begun", "what", current.what)
	late := fmt.Errorf("it was not through after %s", r.timeout)
	ctx, cancel := context.WithTimeoutCause(r.ctx, r.timeout, late)
	defer cancel()
	o := current.task.run(ctx, func(a traffic.Answer) {
		current.sent.Add(1)
		r.numbers.answered(current.protocol(), a)
	})
	result := "ok"
	switch {
	case errors.Is(context.Cause(ctx), errStopping):
		result = "stopped"
	case !o.ok:
		result = "failed"
	}
	r.numbers.ended(current.task, result)
	attributes := []any{"result", result, "words", o.words}
	if current.logOutput {
		attributes = append(attributes, "output", o.output)
	}
	log.Info("a task has ended", attributes...)
	r.mu.Lock()
	delete(r.running, current.key)
	r.mu.Unlock()
	current.outcome = o
	close(current.done)
}

// errStopping is why tasks end when this process does.
var errStopping = errors.New("the load tester is stopping")

// end ends all tasks, and waits until they have ended.
func (r *runner) end() {
	r.mu.Lock()
	r.stop(errStopping)
	r.mu.Unlock()
	r.all.Wait()
}

// each shows the tasks that are under way.
func (r *runner) each(show func(*running)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, current := range r.running {
		show(current)
	}
}
