package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
)

// patience is how long one question may take, all in all.
const patience = 15 * time.Second

// asker puts the questions that are due to their providers, a bounded number at a time, and keeps the
// answers of each Canary's present round until the decision that they lead to is committed.
type asker struct {
	kube    kubernetes.Interface
	caches  *caches
	options Options
	metrics *Metrics
	wake    func(types.NamespacedName)
	slots   chan struct{}
	pending sync.WaitGroup

	mu        sync.Mutex
	ctx       context.Context //nolint:containedctx // the life of the pool, set once by start
	rounds    map[types.NamespacedName]*askedRound
	providers map[string]metrics.Provider
	// readings are the last of each comparison, by its metric, and guards those that watch.
	readings map[types.NamespacedName]map[string]builtin.Reading
	guards   map[types.NamespacedName]*guard
}

type askedRound struct {
	id      rollout.RoundID
	asked   map[string]bool
	answers []rollout.Answer
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

func newAsker(kube kubernetes.Interface, caches *caches, options Options, m *Metrics, wake func(types.NamespacedName)) *asker {
	return &asker{
		kube: kube, caches: caches, options: options, metrics: m, wake: wake,
		slots:  make(chan struct{}, max(1, options.MetricWorkers)),
		rounds: map[types.NamespacedName]*askedRound{}, providers: map[string]metrics.Provider{},
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
	delete(a.rounds, key)
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
	if len(questions) == 0 {
		delete(a.rounds, key)
		return nil
	}
	r := a.rounds[key]
	if r == nil || r.id != questions[0].Round || r.old(a.options.Now(), len(questions)) {
		r = &askedRound{id: questions[0].Round, asked: map[string]bool{}}
		a.rounds[key] = r
	}
	for _, q := range questions {
		if r.asked[q.Metric.Name] || a.ctx == nil {
			continue
		}
		r.asked[q.Metric.Name] = true
		vars := varsOf(canary, o, q.Window, q.Metric.TemplateVariables)
		a.pending.Add(1)
		go a.ask(a.ctx, key, canary, q, vars)
	}
	return append([]rollout.Answer(nil), r.answers...)
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
	answer, ok := a.slot(ctx, func(ctx context.Context) rollout.Answer {
		if q.Metric.Comparison == nil {
			return rollout.Answer{Round: q.Round, Check: a.check(ctx, canary, q, vars)}
		}
		was, every := stateOf(canary, q.Metric.Name), rollout.Duration(canary.Spec.Analysis.Interval, time.Minute)
		return a.compare(ctx, canary, comparison{q.Metric, q.Round, every, trafficSince(canary), was}, vars)
	})
	if !ok {
		return
	}
	a.mu.Lock()
	if r := a.rounds[key]; r != nil && r.id == q.Round {
		r.answers = append(r.answers, answer)
	}
	a.mu.Unlock()
	a.wake(key)
}

// slot asks as soon as there is room, and for no longer than patience. It is false when the pool ends before.
func (a *asker) slot(ctx context.Context, ask func(context.Context) rollout.Answer) (rollout.Answer, bool) {
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return rollout.Answer{}, false
	}
	defer func() { <-a.slots }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := time.Now()
	answer := ask(ctx)
	a.metrics.asked(time.Since(start), answer.Check.Verdict)
	return answer, true
}

// check asks for one metric and judges the answer.
func (a *asker) check(ctx context.Context, canary *v1beta1.Canary, q rollout.Question, vars both) v1beta1.CheckStatus {
	in := analysis.Input{At: a.options.Now(), Weight: canary.Status.Weight}
	if since := trafficSince(canary); !since.IsZero() {
		in.Elapsed = in.At.Sub(since)
	}
	in.Query, in.Answer = a.answer(ctx, canary, q, vars.canary, in.At)
	if in.Err == nil && analysis.Baseline(q.Metric) {
		_, in.Baseline = a.answer(ctx, canary, q, vars.primary, in.At)
	}
	return analysis.Judge(q.Metric, in)
}

// answer asks about one revision.
func (a *asker) answer(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, vars metrics.Vars, at time.Time,
) (string, analysis.Answer) {
	provider, forget, query, err := a.prepare(ctx, canary, q, vars)
	if err != nil {
		return "", analysis.Answer{Err: err}
	}
	samples, err := provider.Query(ctx, metrics.Query{Expr: query, Window: q.Window, At: at})
	if err != nil {
		forget() // credentials may have been rotated; the next round reads them again
		return query, analysis.Answer{Err: err}
	}
	var said analysis.Answer
	for _, s := range samples {
		said.Values = append(said.Values, s.Value)
	}
	return query, said
}

// prepare finds the provider of a metric and renders its query.
func (a *asker) prepare(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, vars metrics.Vars,
) (metrics.Provider, func(), string, error) {
	spec := builtinProvider(canary)
	namespace, version := canary.Namespace, ""
	var query string
	var err error
	if q.Metric.TemplateRef == nil {
		query, err = builtin.Query(q.Metric.Name, vars)
	} else {
		t, problem := a.caches.template(canary, q.Metric.TemplateRef)
		if problem != nil {
			return nil, nil, "", errors.New(problem.Message)
		}
		spec, namespace, version = t.Provider, t.secrets, t.version
		query, err = metrics.Render(t.Query, vars)
	}
	if err != nil {
		return nil, nil, "", err
	}
	provider, forget, err := a.provider(ctx, spec, namespace, version)
	return provider, forget, query, err
}

// builtinProvider is who is asked for the metrics that need no template.
func builtinProvider(canary *v1beta1.Canary) v1beta1.MetricProvider {
	return v1beta1.MetricProvider{Type: "prometheus", Address: canary.Spec.MetricsServer}
}

// provider keeps one client a template and address.
func (a *asker) provider(
	ctx context.Context, spec v1beta1.MetricProvider, namespace, version string,
) (metrics.Provider, func(), error) {
	id := strings.Join([]string{spec.Type, spec.Address, namespace, version}, "|")
	forget := func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.providers, id)
	}
	a.mu.Lock()
	known := a.providers[id]
	a.mu.Unlock()
	if known != nil {
		return known, forget, nil
	}
	var secret map[string][]byte
	if spec.SecretRef != nil {
		s, err := a.kube.CoreV1().Secrets(namespace).Get(ctx, spec.SecretRef.Name, metav1.GetOptions{})
		if err != nil {
			return nil, nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, spec.SecretRef.Name, err)
		}
		secret = s.Data
	}
	made, err := builtin.New(spec, secret, a.options.MetricsServer)
	if err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.providers[id] = made
	return made, forget, nil
}
