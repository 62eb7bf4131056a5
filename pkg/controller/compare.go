package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
)

// comparison is a metric that counts, and where it stands.
type comparison struct {
	metric v1beta1.CanaryMetric
	round  rollout.RoundID
	// every is how often it is asked.
	every time.Duration
	// since is when the traffic of the step came in force, and was what the last look left.
	since time.Time
	was   *v1beta1.MetricState
}

// stateOf is what is remembered of a metric in the run that is on.
func stateOf(canary *v1beta1.Canary, metric string) *v1beta1.MetricState {
	if canary.Status.Run != nil {
		for i, m := range canary.Status.Run.Metrics {
			if m.Name == metric {
				return &canary.Status.Run.Metrics[i]
			}
		}
	}
	return nil
}

// trafficSince is when the traffic of the step came in force; zero where there is none.
func trafficSince(canary *v1beta1.Canary) time.Time {
	if step := canary.Status.Step; step != nil && step.TrafficSince != nil {
		return step.TrafficSince.Time
	}
	return time.Time{}
}

// compare counts what came since the last look, and judges by all that was counted in the run.
func (a *asker) compare(ctx context.Context, canary *v1beta1.Canary, c comparison, vars both) rollout.Answer {
	in := analysis.Counted{At: a.options.Now(), Weight: canary.Status.Weight}
	var from *source
	if from, in.Query, in.Err = a.prepareCounts(canary, c.metric, vars); in.Err == nil {
		in.Err = a.count(ctx, canary, c, from, &in)
	}
	check, state := analysis.Compare(c.metric, c.was, c.round.Step, in)
	return rollout.Answer{Round: c.round, Check: check, State: &state}
}

// prepareCounts finds who counts for a comparison, and what is asked of it.
func (a *asker) prepareCounts(canary *v1beta1.Canary, m v1beta1.CanaryMetric, vars both) (*source, string, error) {
	kind := analysis.KindOf(m)
	if kind == evidence.Split && len(canary.Status.Match) > 0 {
		return nil, "", metrics.NoDataf("requests go to the canary by what they are, and not by weight")
	}
	if m.TemplateRef == nil {
		query, err := builtin.Counts(kind, vars.canary, vars.primary)
		return a.sources.builtin(canary), query, err
	}
	t, problem := a.caches.template(canary, m.TemplateRef)
	if problem != nil {
		return nil, "", errors.New(problem.Message)
	}
	query, err := builtin.TemplateCounts(kind, &t.MetricTemplateSpec, vars.canary, vars.primary)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", t.called, err)
	}
	return a.sources.of(t), query, nil
}

// count reads the counters now, and as they were when the window began. That reading is at hand, but after a restart and
// after a change of the weight.
func (a *asker) count(ctx context.Context, canary *v1beta1.Canary, c comparison, from *source, in *analysis.Counted) error {
	read := func(at time.Time) (builtin.Reading, error) {
		samples, err := from.Query(ctx, metrics.Query{Expr: in.Query, At: at})
		if err != nil && !errors.Is(err, metrics.NoData) {
			return builtin.Reading{}, err
		}
		return builtin.ReadingOf(at, samples), nil
	}
	key, since := keyOf(canary), analysis.Since(c.was, c.since)
	a.mu.Lock()
	before, known := a.readings[key][c.metric.Name]
	a.mu.Unlock()
	var err error
	if !known || before.At.UnixMilli() != since.UnixMilli() {
		if before, err = read(since); err != nil {
			return err
		}
	}
	after, err := read(in.At)
	if err != nil {
		return err
	}
	a.keep(key, c.metric.Name, after)
	if analysis.New(c.was) {
		in.Past = past(before, c.every, read)
	}
	in.Window, err = builtin.Window(before, after)
	return err
}

// past are windows before the first one. Where they cannot be had, it goes without.
func past(first builtin.Reading, every time.Duration, read func(time.Time) (builtin.Reading, error)) []evidence.Window {
	readings := []builtin.Reading{first}
	for i := range analysis.PastWindows {
		r, err := read(first.At.Add(-time.Duration(i+1) * every))
		if err != nil {
			break
		}
		readings = append(readings, r)
	}
	var windows []evidence.Window
	for i := len(readings) - 1; i > 0; i-- {
		if w, err := builtin.Window(readings[i], readings[i-1]); err == nil {
			windows = append(windows, w)
		}
	}
	return windows
}

// keep remembers the reading that the next window begins with.
func (a *asker) keep(key types.NamespacedName, metric string, r builtin.Reading) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readings[key] == nil {
		a.readings[key] = map[string]builtin.Reading{}
	}
	a.readings[key][metric] = r
}

// guard watches one Canary.
type guard struct {
	watch  rollout.Watch
	cancel context.CancelFunc
	// answer is the latest, and state what is counted so far.
	answer *rollout.Answer
	state  *v1beta1.MetricState
}

// watch begins to watch, or ends it where nothing is asked for, and gives the latest answer of this run. It never waits.
func (a *asker) watch(key types.NamespacedName, canary *v1beta1.Canary, o *observation, w *rollout.Watch) *rollout.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.guards[key]
	if w == nil || a.ctx == nil || canary.Spec.MetricsServer == "" && a.options.MetricsServer == "" {
		a.unwatch(key)
		return nil
	}
	if g != nil && g.watch == *w {
		return g.answer
	}
	next := &guard{watch: *w, state: stateOf(canary, rollout.GuardCheck)}
	if g != nil && g.watch.Round.Run == w.Round.Run {
		next.answer, next.state = g.answer, g.state // more than what is committed
	}
	a.unwatch(key)
	ctx, cancel := context.WithCancel(a.ctx)
	next.cancel = cancel
	a.guards[key] = next
	vars := varsOf(canary, o, w.Interval, nil)
	a.pending.Add(1)
	go a.guard(ctx, key, canary, next, vars)
	return next.answer
}

// unwatch ends a watch; the caller holds the lock.
func (a *asker) unwatch(key types.NamespacedName) {
	if g := a.guards[key]; g != nil {
		g.cancel()
		delete(a.guards, key)
	}
}

// guard looks at every interval, until it is ended or has seen enough.
func (a *asker) guard(ctx context.Context, key types.NamespacedName, canary *v1beta1.Canary, g *guard, vars both) {
	defer a.pending.Done()
	metric, was := analysis.Guard(&canary.Spec), g.state
	for {
		select {
		case <-time.After(g.watch.Interval):
		case <-ctx.Done():
			return
		}
		answer, ok := a.slot(ctx, a.serverOf(canary, metric), func(ctx context.Context) rollout.Answer {
			return a.compare(ctx, canary, comparison{metric, g.watch.Round, g.watch.Interval, g.watch.Since, was}, vars)
		})
		if !ok || ctx.Err() != nil {
			return
		}
		was = answer.State
		a.mu.Lock()
		g.answer, g.state = &answer, answer.State
		a.mu.Unlock()
		if answer.Check.Verdict == v1beta1.VerdictFailed {
			a.wake(key)
			return
		}
	}
}
