package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/shared"
	"weir.dev/weir/pkg/rollout"
)

// asking is an asker with providers in memory, one for each metrics server, and the Canaries that it woke.
type asking struct {
	*asker
	t       *testing.T
	kube    *kubefake.Clientset
	numbers *prometheus.Registry
	mu      sync.Mutex
	woken   map[string]int
}

func newAsking(ctx context.Context, t *testing.T, workers int, now func() time.Time) *asking {
	t.Helper()
	a := &asking{t: t, kube: kubefake.NewClientset(), numbers: prometheus.NewRegistry(), woken: map[string]int{}}
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{Kube: a.kube}, Options{Informers: Informers(nil, "")}, watchable{}, none, kube.NewFreshness())
	require.NoError(t, err)
	options := Options{MetricWorkers: workers, Now: now}
	writer := kube.NewWriter(a.kube, nil, nil, kube.NewFreshness(), nil)
	a.asker = newAsker(a.kube, writer, cs, options, NewMetrics(a.numbers), func(key types.NamespacedName) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.woken[key.Name]++
	})
	a.start(ctx)
	return a
}

func (a *asking) wokenTimes(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.woken[name]
}

// serve has a metrics server answer as the function does.
func (a *asking) serve(server string, answer provider) {
	a.answered(server, answer)
}

// answered has a provider answer for a metrics server.
func (a *asking) answered(server string, by metrics.Provider) {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	c.Spec.MetricsServer = server
	a.source(a.sources.builtin(c), by)
}

// source has a provider answer for a source.
func (a *asking) source(s *source, answer metrics.Provider) {
	a.sources.keep(s.id(), &client{
		Source: shared.Source{Provider: answer, Type: s.spec.Type, ID: s.id(), Server: s.server()}, read: time.Now(), used: time.Now(),
	})
}

type provider func(context.Context) (float64, error)

func (p provider) Query(ctx context.Context, _ metrics.Query) ([]metrics.Sample, error) {
	value, err := p(ctx)
	return []metrics.Sample{{Value: value}}, err
}

func fine(context.Context) (float64, error) { return 100, nil }

func hangs(ctx context.Context) (float64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// look asks what is due for a Canary in a round, as the controller does.
func (a *asking) look(name, server string, round int32, metric ...v1beta1.CanaryMetric) []v1beta1.Verdict {
	a.t.Helper()
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	c.Spec.MetricsServer, c.Status.Canary = server, &v1beta1.RevisionStatus{Hash: "abc", ReplicaSet: name + "-abc"}
	if len(metric) == 0 {
		metric = []v1beta1.CanaryMetric{{Name: v1beta1.RequestSuccessRate}}
	}
	var due []rollout.Question
	for _, m := range metric {
		m.ThresholdRange = &v1beta1.ThresholdRange{Min: new(99.0)}
		due = append(due, rollout.Question{Round: rollout.RoundID{Run: "r", Round: round}, Metric: m, Window: time.Minute})
	}
	var verdicts []v1beta1.Verdict
	for _, answer := range a.answers(keyOf(c), c, &observation{}, due) {
		assert.Equal(a.t, round, answer.Round.Round, "an answer of another round")
		verdicts = append(verdicts, answer.Check.Verdict)
	}
	return verdicts
}

// asks runs a test in a bubble where time is free.
func asks(t *testing.T, workers int, test func(*asking)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		a := newAsking(ctx, t, workers, time.Now)
		test(a)
		cancel()
		a.wait()
	})
}

func TestAnAnswerWakes(t *testing.T) {
	asks(t, 1, func(a *asking) {
		asked := 0
		a.serve("good", func(context.Context) (float64, error) { asked++; return 100, nil })
		assert.Empty(t, a.look("app", "good", 1), "nobody waits for the answer")
		synctest.Wait()
		assert.Equal(t, 1, a.wokenTimes("app"))
		for range 2 { // until the decision is committed
			assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look("app", "good", 1))
		}
		synctest.Wait()
		assert.Equal(t, 1, asked, "a question is asked once a round")
		time.Sleep(time.Minute)
		assert.Empty(t, a.look("app", "good", 2))
		synctest.Wait()
		assert.Equal(t, 2, asked)
	})
}

func TestAHangingProviderDelaysNobodyElse(t *testing.T) {
	asks(t, 1, func(a *asking) {
		a.serve("hangs", hangs)
		a.serve("good", fine)
		for i := range 10 {
			a.look(fmt.Sprintf("stuck-%d", i), "hangs", 1)
		}
		synctest.Wait()
		began := time.Now()
		a.look("app", "good", 1)
		synctest.Wait()
		assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look("app", "good", 1))
		assert.Zero(t, time.Since(began))
		time.Sleep(patience + time.Second)
		synctest.Wait()
		a.mu.Lock()
		assert.Equal(t, map[string]int{"app": 1}, withoutStuck(a.woken))
		assert.Len(t, a.woken, 2, "patience ends for one of them, and the next is asked")
		a.mu.Unlock()
	})
}

func withoutStuck(woken map[string]int) map[string]int {
	others := maps.Clone(woken)
	maps.DeleteFunc(others, func(name string, _ int) bool { return strings.HasPrefix(name, "stuck") })
	return others
}

// TestAThousandCanariesAskOnce: what they ask by one template is the same, unless it names them.
func TestAThousandCanariesAskOnce(t *testing.T) {
	asks(t, 16, func(a *asking) {
		ref := v1beta1.TemplateRef{Kind: v1beta1.KindClusterMetricTemplate, Name: "rate"}
		template := clusterTemplate("rate")
		template.Spec.Provider.SecretRef = nil
		require.NoError(t, a.caches.weir.Weir().V1beta1().ClusterMetricTemplates().Informer().GetIndexer().Add(template))
		found, _ := a.caches.template(&v1beta1.Canary{}, &ref)
		var asked atomic.Int64
		a.source(a.sources.of(found), provider(func(context.Context) (float64, error) {
			asked.Add(1)
			time.Sleep(50 * time.Millisecond)
			return 100, nil
		}))
		rate := v1beta1.CanaryMetric{Name: "rate", TemplateRef: &ref}
		for i := range 1000 {
			a.look(fmt.Sprintf("app-%d", i), "", 1, rate)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.EqualValues(t, 1, asked.Load())
		for i := range 1000 {
			require.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look(fmt.Sprintf("app-%d", i), "", 1, rate))
		}
		assert.InDelta(t, 1, a.number("weir_check_cache_total", shared.Miss), 0)
		assert.InDelta(t, 999, a.number("weir_check_cache_total", shared.Joined), 0)
		assert.InDelta(t, 0, a.number("weir_provider_in_flight", "prometheus"), 0)
		assert.InDelta(t, 1, a.number("weir_provider_duration_seconds", "prometheus", "ok"), 0)
	})
}

// number is the value of one of the operator's metrics, by its labels' values; of a histogram, how many there are.
func (a *asking) number(name string, labels ...string) float64 {
	families, err := a.numbers.Gather()
	require.NoError(a.t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if family.GetName() == name && slices.Equal(values, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return -1
}

func TestThePoolIsBounded(t *testing.T) {
	asks(t, 3, func(a *asking) {
		running, most := 0, 0
		a.serve("slow", func(context.Context) (float64, error) {
			a.mu.Lock()
			running++
			most = max(most, running)
			a.mu.Unlock()
			time.Sleep(time.Second)
			a.mu.Lock()
			running--
			a.mu.Unlock()
			return 100, nil
		})
		for i := range 10 {
			a.look(fmt.Sprintf("app-%d", i), "slow", 1)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, 3, most)
		for i := range 10 {
			assert.Equal(t, 1, a.wokenTimes(fmt.Sprintf("app-%d", i)))
		}
	})
}

func TestAnswersOfAnOldRoundAreDropped(t *testing.T) {
	asks(t, 2, func(a *asking) {
		a.serve("slow", func(context.Context) (float64, error) { time.Sleep(time.Second); return 0, nil })
		a.serve("good", fine)
		a.look("app", "slow", 1)
		a.look("app", "good", 2)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look("app", "good", 2))

		a.look("gone", "slow", 1)
		a.forget(types.NamespacedName{Namespace: "shop", Name: "gone"})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Empty(t, a.look("gone", "slow", 1), "of a Canary that was deleted and made anew")
	})
}
