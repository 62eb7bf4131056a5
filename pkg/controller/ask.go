package controller

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/metrics/shared"
	"weir.dev/weir/pkg/rollout"
)

// patience is how long one query may take, and how long the Secret for it.
const patience = 15 * time.Second

// asker puts the questions that are due to their providers, to each a bounded number at a time, and keeps the
// answers of each Canary's present round until the decision that they lead to is committed.
type asker struct {
	caches  *caches
	options Options
	metrics *Metrics
	sources *sources
	jobs    *jobs
	wake    func(types.NamespacedName)
	pending sync.WaitGroup

	mu     sync.Mutex
	ctx    context.Context //nolint:containedctx // the life of the pool, set once by start
	rounds map[types.NamespacedName]*askedRound
	// readings are the last of each comparison, by its metric, and guards those that watch.
	readings map[types.NamespacedName]map[string]builtin.Reading
	guards   map[types.NamespacedName]*guard
}

type askedRound struct {
	id      rollout.RoundID
	asked   map[string]bool
	answers []rollout.Answer
	// ctx is how long its Jobs are waited for, until end.
	ctx context.Context //nolint:containedctx // the life of the round
	end context.CancelCauseFunc
}

// has says that a metric has been answered.
func (r *askedRound) has(metric string) bool {
	return slices.ContainsFunc(r.answers, func(a rollout.Answer) bool { return a.Check.Name == metric })
}

// old says that a round was answered whole so long ago that its answers say nothing of the canary as it is:
// nothing could be committed since.
func (r *askedRound) old(now time.Time, questions int) bool {
	if len(r.answers) < questions {
		return false
	}
	for _, answer := range r.answers {
		if now.Sub(answer.Check.At.Time) <= 2*patience {
			return false
		}
	}
	return true
}

func newAsker(
	client kubernetes.Interface, writer *kube.Writer, caches *caches, options Options, m *Metrics,
	wake func(types.NamespacedName),
) *asker {
	return &asker{
		caches: caches, options: options, metrics: m, wake: wake, sources: newSources(client, options, m),
		jobs:     &jobs{client, writer, m, time.Minute},
		rounds:   map[types.NamespacedName]*askedRound{},
		readings: map[types.NamespacedName]map[string]builtin.Reading{}, guards: map[types.NamespacedName]*guard{},
	}
}

func (a *asker) start(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ctx = ctx
}

func (a *asker) wait() { a.pending.Wait() }

func (a *asker) forget(key types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(key, true)
	delete(a.readings, key)
	a.unwatch(key)
}

// answers gives what has been answered of the questions, and asks those that have not been asked. It
// never waits.
func (a *asker) answers(
	key types.NamespacedName, canary *v1beta1.Canary, o *observation, questions []rollout.Question,
) []rollout.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.rounds[key]
	switch {
	case a.ctx == nil:
		return nil
	case len(questions) == 0:
		a.leave(key, r != nil && r.id.Over(canary))
		return nil
	case r == nil || r.id != questions[0].Round || r.old(a.options.Now(), len(questions)):
		a.leave(key, true)
		r = a.begin(key, questions[0].Round)
	}
	unfinished := a.unfinished(canary, r, questions)
	for _, q := range questions {
		job := a.jobOf(canary, q.Metric)
		// A Job takes minutes. What others say is asked for after it, so that it is not old by then.
		if r.asked[q.Metric.Name] || unfinished && job == nil {
			continue
		}
		r.asked[q.Metric.Name] = true
		vars := varsOf(canary, o, q.Window, q.Metric.TemplateVariables)
		a.pending.Add(1)
		if job != nil {
			go a.askJob(r.ctx, key, canary, q, job, vars.canary)
		} else {
			go a.ask(a.ctx, key, canary, q, vars)
		}
	}
	return joint(canary.Spec.Analysis.Metrics, r.answers)
}

func (a *asker) begin(key types.NamespacedName, id rollout.RoundID) *askedRound {
	r := &askedRound{id: id, asked: map[string]bool{}}
	r.ctx, r.end = context.WithCancelCause(a.ctx)
	a.rounds[key] = r
	return r
}

// leave forgets what was asked for a Canary. Its Jobs end where the round is over, and else go on, and are found when they
// are asked for again.
func (a *asker) leave(key types.NamespacedName, over bool) {
	r := a.rounds[key]
	if r == nil {
		return
	}
	delete(a.rounds, key)
	if over {
		r.end(errRoundOver)
	}
	r.end(nil)
}

// joint judges together what is so judged, of the answers that there are.
func joint(of []v1beta1.CanaryMetric, answers []rollout.Answer) []rollout.Answer {
	answers = slices.Clone(answers)
	asked := make([]analysis.Compared, 0, len(answers))
	for _, answer := range answers {
		asked = append(asked, analysis.Compared{Check: answer.Check, State: answer.State})
	}
	for i, c := range analysis.Joint(of, asked) {
		answers[i].Check = c.Check
	}
	return answers
}

// both are what is told of canary and primary in a query.
type both struct{ canary, primary metrics.Vars }

func varsOf(canary *v1beta1.Canary, o *observation, window time.Duration, variables map[string]string) both {
	of := func(revision string) metrics.Vars {
		return metrics.VarsOf(canary, revision, o.names.Apex, window, variables)
	}
	b := both{of(metrics.Canary), of(metrics.Primary)}
	b.canary.PodNames = o.canaryPods
	return b
}

func (a *asker) ask(
	ctx context.Context, key types.NamespacedName, canary *v1beta1.Canary, q rollout.Question, vars both,
) {
	defer a.pending.Done()
	var answer rollout.Answer
	var ok bool
	if q.Metric.Comparison == nil {
		answer, ok = a.checked(ctx, canary, q, vars)
	} else {
		was, every := stateOf(canary, q.Metric.Name), rollout.Duration(canary.Spec.Analysis.Interval, time.Minute)
		answer, ok = a.slot(ctx, a.serverOf(canary, q.Metric), func(ctx context.Context) rollout.Answer {
			return a.compare(ctx, canary, comparison{q.Metric, q.Round, every, trafficSince(canary), was}, vars)
		})
	}
	if ok {
		a.keepAnswer(key, answer)
	}
}

// keepAnswer keeps what was answered in the round that is on, and wakes the Canary.
func (a *asker) keepAnswer(key types.NamespacedName, answer rollout.Answer) {
	a.mu.Lock()
	if r := a.rounds[key]; r != nil && r.id == answer.Round {
		r.answers = append(r.answers, answer)
	}
	a.mu.Unlock()
	a.wake(key)
}

// serverOf is who counts for a comparison. Where its template is gone, nobody is asked.
func (a *asker) serverOf(canary *v1beta1.Canary, m v1beta1.CanaryMetric) string {
	if m.TemplateRef != nil {
		if t, problem := a.caches.template(canary, m.TemplateRef); problem == nil {
			return a.sources.of(t).server()
		}
	}
	return a.sources.builtin(canary).server()
}

// slot asks a server as soon as it may be asked, and for no longer than patience. It is false when the pool ends before.
func (a *asker) slot(ctx context.Context, server string, ask func(context.Context) rollout.Answer) (rollout.Answer, bool) {
	leave, err := a.sources.desk.Enter(ctx, server)
	if err != nil {
		return rollout.Answer{}, false
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := time.Now()
	answer := ask(ctx)
	a.metrics.asked(time.Since(start), answer.Check.Verdict)
	return answer, true
}

// checked asks for one metric. It is false when the pool ends before.
func (a *asker) checked(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, vars both,
) (rollout.Answer, bool) {
	start := time.Now()
	check := a.check(ctx, canary, q, vars)
	a.metrics.asked(time.Since(start), check.Verdict)
	return rollout.Answer{Round: q.Round, Check: check}, ctx.Err() == nil
}

// check asks for one metric and judges the answer.
func (a *asker) check(ctx context.Context, canary *v1beta1.Canary, q rollout.Question, vars both) v1beta1.CheckStatus {
	in := analysis.Input{At: a.options.Now(), Weight: canary.Status.Weight}
	source, query, err := a.prepare(canary, q, vars.canary)
	if err != nil {
		in.Err = err
		return analysis.Judge(q.Metric, in)
	}
	in.Query = query
	in.At, in.Answer = a.answer(ctx, canary, q, source, query)
	if since := trafficSince(canary); !since.IsZero() {
		in.Elapsed = in.At.Sub(since)
	}
	if in.Err == nil && analysis.Baseline(q.Metric) {
		if source, query, err = a.prepare(canary, q, vars.primary); err != nil {
			in.Baseline.Err = err
		} else {
			_, in.Baseline = a.answer(ctx, canary, q, source, query)
		}
	}
	return analysis.Judge(q.Metric, in)
}

// answer asks about one revision, and says which time the answer is about.
func (a *asker) answer(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, from *source, query string,
) (time.Time, analysis.Answer) {
	slot := shared.Slot(min(q.Window, rollout.Duration(canary.Spec.Analysis.Interval, q.Window)))
	answer, err := from.share(ctx, metrics.Query{Expr: query, Window: q.Window}, slot)
	if answer.At.IsZero() {
		answer.At = a.options.Now() // nobody was asked
	}
	if err != nil {
		return answer.At, analysis.Answer{Err: err}
	}
	return answer.At, answerOf(answer.Samples)
}

// answerOf is what was answered, for the verdict and for people.
func answerOf(samples []metrics.Sample) analysis.Answer {
	var said analysis.Answer
	for _, s := range samples {
		said.Values = append(said.Values, s.Value)
		said.Series = append(said.Series, s.Series)
	}
	return said
}

// prepare finds where the answer of a metric comes from, and renders its query.
func (a *asker) prepare(canary *v1beta1.Canary, q rollout.Question, vars metrics.Vars) (*source, string, error) {
	if q.Metric.TemplateRef == nil {
		query, err := builtin.Query(q.Metric.Name, vars)
		return a.sources.builtin(canary), query, err
	}
	t, problem := a.caches.template(canary, q.Metric.TemplateRef)
	if problem != nil {
		return nil, "", errors.New(problem.Message)
	}
	query, err := metrics.Render(t.Query, vars)
	return a.sources.of(t), query, err
}
