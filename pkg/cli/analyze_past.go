package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	providers "weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
)

// mostLooks bounds what is asked of a Prometheus.
const mostLooks = 2000

// pastRun is a canary of the past.
type pastRun struct {
	from, to         time.Time
	canary, primary  string
	weight           int32
	interval, guards time.Duration
}

// analyzePast asks the Prometheus of a Canary what it counted then.
func (c *cli) analyzePast(ctx context.Context, canary *v1beta1.Canary, o analyzeOptions) (*replayed, error) {
	run, err := c.pastOf(canary, o)
	if err != nil {
		return nil, err
	}
	k, err := c.connect()
	if err != nil {
		return nil, err
	}
	then := canary.DeepCopy()
	then.Status.Canary, then.Status.Primary = revisionOf(canary, run.canary), revisionOf(canary, run.primary)
	then.Status.Weight = run.weight
	p := &past{cluster: k, then: then, run: run, options: queryOptions{address: o.address}, judge: analysis.NewReplay(&canary.Spec),
		readings: map[string]map[int64]providers.Reading{}, asked: map[string]asking{}}
	return p.play(ctx)
}

// revisionOf is a revision of the target's, which is not in the status any more.
func revisionOf(canary *v1beta1.Canary, hash string) *v1beta1.RevisionStatus {
	return &v1beta1.RevisionStatus{Hash: hash, ReplicaSet: canary.Spec.TargetRef.Name + "-" + hash}
}

// pastOf finds the run that is meant.
func (c *cli) pastOf(canary *v1beta1.Canary, o analyzeOptions) (pastRun, error) {
	run := pastRun{
		interval: rollout.Duration(canary.Spec.Analysis.Interval, time.Minute), guards: analysis.GuardInterval(&canary.Spec),
		weight: o.weight,
	}
	var err error
	if o.from != "" || o.to != "" {
		run, err = run.between(canary, o)
	} else {
		run, err = run.recorded(canary, o)
	}
	if err != nil {
		return run, err
	}
	run.canary, run.primary = cmp.Or(o.canary, run.canary), cmp.Or(o.primary, run.primary)
	switch length := run.to.Sub(run.from); {
	case run.canary == "" || run.primary == "":
		return run, fmt.Errorf("the revisions of then are not known; give --canary-revision and --primary-revision, the hashes " +
			"in the names of their pods")
	case length <= 0:
		return run, fmt.Errorf("--to must come after --from")
	case length > mostLooks*min(run.interval, cmp.Or(run.guards, run.interval)):
		return run, fmt.Errorf("%s are more than %d looks; give --from and --to that are nearer to each other",
			words.Span(length), mostLooks)
	}
	return run, nil
}

func (r pastRun) between(canary *v1beta1.Canary, o analyzeOptions) (pastRun, error) {
	if o.from == "" || o.to == "" || o.run != "" {
		return r, fmt.Errorf("give --from and --to, or --run")
	}
	var err error
	if r.from, err = instantOf(o.from); err != nil {
		return r, fmt.Errorf("--from: %w", err)
	}
	if r.to, err = instantOf(o.to); err != nil {
		return r, fmt.Errorf("--to: %w", err)
	}
	if st := canary.Status.Canary; st != nil {
		r.canary = st.Hash
	}
	if st := canary.Status.Primary; st != nil {
		r.primary = st.Hash
	}
	return r, nil
}

// recorded is a run of the history. What served beside it is what the last promotion before it left.
func (r pastRun) recorded(canary *v1beta1.Canary, o analyzeOptions) (pastRun, error) {
	history := canary.Status.History
	if len(history) == 0 {
		return r, fmt.Errorf("no run of Canary %s is over; give --from and --to", canary.Name)
	}
	at := 0
	if o.run != "" {
		at = -1
		for i := range history {
			if history[i].ID == o.run {
				at = i
			}
		}
		if at < 0 {
			return r, fmt.Errorf("there is no run %s of Canary %s; `kubectl weir history %s` has those that there are",
				o.run, canary.Name, canary.Name)
		}
	}
	rec := history[at]
	r.from, r.to, r.canary = rec.StartedAt.Time, rec.EndedAt.Time, rec.Revision
	if r.weight == 0 {
		r.weight = rec.MaxWeight
	}
	for _, before := range history[at+1:] {
		if before.Outcome == v1beta1.OutcomePromoted {
			r.primary = before.Revision
			return r, nil
		}
	}
	if st := canary.Status.Primary; st != nil && rec.Outcome != v1beta1.OutcomePromoted {
		r.primary = st.Hash
	}
	return r, nil
}

// past is a canary of the past that is judged anew.
type past struct {
	*cluster
	then    *v1beta1.Canary
	run     pastRun
	options queryOptions
	judge   *analysis.Replay
	asked   map[string]asking
	// readings of each question, by when they were taken.
	readings map[string]map[int64]providers.Reading
}

// play looks at each time that something is due, until the canary would have been rolled back.
func (p *past) play(ctx context.Context) (*replayed, error) {
	r := &replayed{Canary: p.then.Name, Revision: p.run.canary, Primary: p.run.primary, From: p.run.from, To: p.run.to}
	nextRound, nextGuard := p.run.from.Add(p.run.interval), p.run.to.Add(time.Second)
	if p.run.guards > 0 {
		nextGuard = p.run.from.Add(p.run.guards)
	}
	for {
		at := nextRound
		if nextGuard.Before(at) {
			at = nextGuard
		}
		if at.After(p.run.to) {
			return r, nil
		}
		if at.Equal(nextGuard) {
			nextGuard = at.Add(p.run.guards)
			in, err := p.counted(ctx, analysis.Guard(&p.then.Spec), at, p.run.guards)
			if err != nil {
				return nil, err
			}
			if r.add(p.judge.Guard(in)) {
				return r, nil
			}
		}
		if at.Equal(nextRound) {
			nextRound = at.Add(p.run.interval)
			look, err := p.round(ctx, at)
			if err != nil {
				return nil, err
			}
			r.Rounds++
			if r.add(look) {
				return r, nil
			}
		}
	}
}

func (p *past) round(ctx context.Context, at time.Time) (analysis.Look, error) {
	var asked []analysis.Asked
	for _, m := range p.then.Spec.Analysis.Metrics {
		one := analysis.Asked{Metric: m}
		var err error
		if m.Comparison != nil {
			one.Counted, err = p.counted(ctx, m, at, p.run.interval)
		} else {
			one.Input, err = p.answered(ctx, m, at)
		}
		if err != nil {
			return analysis.Look{}, err
		}
		asked = append(asked, one)
	}
	return p.judge.Round(at, asked), nil
}

// asking is a metric with all that is known of it.
type asking struct {
	*question
	canary, primary metrics.Vars
}

// ask finds the provider of a metric once; the guard's is that of errors.
func (p *past) ask(ctx context.Context, m v1beta1.CanaryMetric) (asking, error) {
	if known, ok := p.asked[m.Name]; ok {
		return known, nil
	}
	name := m.Name
	if name == rollout.GuardCheck {
		name = v1beta1.RequestSuccessRate
	}
	a := asking{}
	var err error
	if a.question, err = p.question(ctx, p.then, name, p.options); err != nil {
		return a, err
	}
	a.metric = m
	if a.canary, err = p.vars(ctx, p.then, metrics.Canary, a.question); err != nil {
		return a, err
	}
	a.primary, err = p.vars(ctx, p.then, metrics.Primary, a.question)
	p.asked[m.Name] = a
	return a, err
}

// answered is what a query would have given then.
func (p *past) answered(ctx context.Context, m v1beta1.CanaryMetric, at time.Time) (analysis.Input, error) {
	in := analysis.Input{At: at, Weight: p.run.weight, Elapsed: at.Sub(p.run.from)}
	q, err := p.ask(ctx, m)
	if errors.Is(err, errByJob) {
		in.Err = metrics.NoDataf("a Job answered it, which cannot be run in the past")
		return in, nil
	}
	if err != nil {
		return in, err
	}
	one := func(v metrics.Vars) (query string, answer analysis.Answer) {
		if query, answer.Err = q.render(v); answer.Err != nil {
			return query, answer
		}
		samples, err := q.provider.Query(ctx, metrics.Query{Expr: query, Window: q.window, At: at})
		answer.Err = err
		for _, s := range samples {
			answer.Values = append(answer.Values, s.Value)
		}
		return query, answer
	}
	in.Query, in.Answer = one(q.canary)
	if in.Err == nil && analysis.Baseline(m) {
		_, in.Baseline = one(q.primary)
	}
	return in, nil
}

// counted is what was counted since the last look.
func (p *past) counted(ctx context.Context, m v1beta1.CanaryMetric, at time.Time, every time.Duration) (analysis.Counted, error) {
	in := analysis.Counted{At: at, Weight: p.run.weight}
	q, err := p.ask(ctx, m)
	if err != nil {
		return in, err
	}
	in.Err = p.count(ctx, q, every, &in)
	return in, nil
}

func (p *past) count(ctx context.Context, q asking, every time.Duration, in *analysis.Counted) error {
	var err error
	if in.Query, err = q.counts(q.canary, q.primary); err != nil {
		return err
	}
	was := p.judge.State(q.metric.Name)
	before, err := p.read(ctx, q, in.Query, analysis.Since(was, p.run.from))
	if err != nil {
		return err
	}
	after, err := p.read(ctx, q, in.Query, in.At)
	if err != nil {
		return err
	}
	if analysis.New(was) {
		in.Past = p.before(ctx, q, in.Query, every)
	}
	in.Window, err = providers.Window(before, after)
	return err
}

// before are windows before the first, which tell of bursts.
func (p *past) before(ctx context.Context, q asking, query string, every time.Duration) []evidence.Window {
	var windows []evidence.Window
	for i := analysis.PastWindows; i > 0; i-- {
		from, err := p.read(ctx, q, query, p.run.from.Add(-time.Duration(i)*every))
		if err != nil {
			return nil
		}
		to, err := p.read(ctx, q, query, p.run.from.Add(-time.Duration(i-1)*every))
		if err != nil {
			return nil
		}
		if w, err := providers.Window(from, to); err == nil {
			windows = append(windows, w)
		}
	}
	return windows
}

// read asks once for each instant.
func (p *past) read(ctx context.Context, q asking, query string, at time.Time) (providers.Reading, error) {
	if known, ok := p.readings[query][at.UnixMilli()]; ok {
		return known, nil
	}
	samples, err := q.provider.Query(ctx, metrics.Query{Expr: query, At: at})
	if err != nil && !errors.Is(err, metrics.NoData) {
		return providers.Reading{}, err
	}
	if p.readings[query] == nil {
		p.readings[query] = map[int64]providers.Reading{}
	}
	p.readings[query][at.UnixMilli()] = providers.ReadingOf(at, samples)
	return p.readings[query][at.UnixMilli()], nil
}
