package controller

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubefake "k8s.io/client-go/kubernetes/fake"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/rollout"
)

// asking is an asker with providers in memory, one for each metrics server, and the Canaries that it woke.
type asking struct {
	*asker
	t     *testing.T
	mu    sync.Mutex
	woken map[string]int
}

func newAsking(ctx context.Context, t *testing.T, workers int) *asking {
	t.Helper()
	a := &asking{t: t, woken: map[string]int{}}
	kubeClient := kubefake.NewClientset()
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{Kube: kubeClient}, Options{Informers: Informers(nil, "")}, nil, none, kube.NewFreshness())
	require.NoError(t, err)
	options := Options{MetricWorkers: workers, Now: time.Now}
	a.asker = newAsker(kubeClient, cs, options, NewMetrics(prometheus.NewRegistry()), func(key types.NamespacedName) {
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
	a.mu.Lock()
	defer a.mu.Unlock()
	a.providers["prometheus|"+server+"|shop|"] = answer
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
		a := newAsking(ctx, t, workers)
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
		assert.Empty(t, a.look("app", "good", 2))
		synctest.Wait()
		assert.Equal(t, 2, asked)
	})
}

func TestAHangingProviderDelaysNobodyElse(t *testing.T) {
	asks(t, 2, func(a *asking) {
		a.serve("hangs", hangs)
		a.serve("good", fine)
		a.look("stuck", "hangs", 1)
		synctest.Wait()
		a.look("app", "good", 1)
		synctest.Wait()
		assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look("app", "good", 1))
		assert.Zero(t, a.wokenTimes("stuck"))
		time.Sleep(patience)
		synctest.Wait()
		assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictErrored}, a.look("stuck", "hangs", 1), "patience ends")
	})
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

// TestASecretIsReadAgain rotates a token, which is noticed by the error that the old one gets.
func TestASecretIsReadAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"100"]}]}}`,
			time.Now().Unix())
	}))
	t.Cleanup(server.Close)
	a := newAsking(t.Context(), t, 1)
	template := &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rate"}}
	template.Spec.Query = "up"
	template.Spec.Provider = v1beta1.MetricProvider{
		Type: "prometheus", Address: server.URL, SecretRef: &v1beta1.LocalSecretRef{Name: "token"},
	}
	require.NoError(t, a.caches.weir.Weir().V1beta1().MetricTemplates().Informer().GetIndexer().Add(template))
	rate := v1beta1.CanaryMetric{Name: "rate", TemplateRef: &v1beta1.TemplateRef{Name: "rate"}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "token"}}
	secret.Data = map[string][]byte{"token": []byte("old")}
	require.NoError(t, a.kube.(*kubefake.Clientset).Tracker().Add(secret))

	a.look("app", "", 1, rate)
	a.wait()
	assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictErrored}, a.look("app", "", 1, rate))
	secret.Data["token"] = []byte("new")
	_, err := a.kube.CoreV1().Secrets("shop").Update(t.Context(), secret, metav1.UpdateOptions{})
	require.NoError(t, err)
	a.look("app", "", 2, rate)
	a.wait()
	assert.Equal(t, []v1beta1.Verdict{v1beta1.VerdictPassed}, a.look("app", "", 2, rate))
}
