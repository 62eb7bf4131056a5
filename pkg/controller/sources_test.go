package controller

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// guarded is a Prometheus that wants a token, and what it is asked with.
type guarded struct {
	*httptest.Server
	mu    sync.Mutex
	takes map[string]bool
	last  string
	asked int
}

func startGuarded(t *testing.T, takes ...string) *guarded {
	g := &guarded{}
	g.accept(takes...)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked++
		g.last = r.Header.Get("Authorization")
		if !g.takes[g.last] {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"100"]}]}}`,
			time.Now().Unix())
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *guarded) accept(tokens ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.takes = map[string]bool{}
	for _, token := range tokens {
		g.takes["Bearer "+token] = true
	}
}

func (g *guarded) seen() (token string, asked int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last, g.asked
}

// rotating is an asker with a template whose Secret has a token, and a clock that is turned by hand.
type rotating struct {
	*asking
	server *guarded
	metric v1beta1.CanaryMetric
	round  int32
	now    atomic.Pointer[time.Time]
}

func startRotating(t *testing.T, takes ...string) *rotating {
	r := &rotating{server: startGuarded(t, takes...)}
	r.now.Store(new(time.Now()))
	r.asking = newAsking(t.Context(), t, 1, func() time.Time { return *r.now.Load() })
	template := &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rate"}}
	template.Spec.Query = "up"
	template.Spec.Provider = v1beta1.MetricProvider{
		Type: "prometheus", Address: r.server.URL, SecretRef: &v1beta1.ProviderSecretRef{Name: "token"},
	}
	require.NoError(t, r.caches.weir.Weir().V1beta1().MetricTemplates().Informer().GetIndexer().Add(template))
	r.metric = v1beta1.CanaryMetric{Name: "rate", TemplateRef: &v1beta1.TemplateRef{Name: "rate"}}
	require.NoError(t, r.kube.Tracker().Add(secretWith("1", "old")))
	return r
}

func secretWith(version, token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "token", ResourceVersion: version},
		Data:       map[string][]byte{"token": []byte(token)},
	}
}

func (r *rotating) rotate(version, token string) {
	r.t.Helper()
	_, err := r.asking.kube.CoreV1().Secrets("shop").Update(r.t.Context(), secretWith(version, token), metav1.UpdateOptions{})
	require.NoError(r.t, err)
}

// check is one round, at a time of its own.
func (r *rotating) check(after time.Duration) v1beta1.Verdict {
	r.t.Helper()
	r.now.Store(new(r.now.Load().Add(after)))
	r.round++
	r.look("app", "", r.round, r.metric)
	r.wait()
	verdicts := r.look("app", "", r.round, r.metric)
	require.Len(r.t, verdicts, 1)
	return verdicts[0]
}

// reads is how often the Secret was read.
func (r *rotating) reads() int {
	n := 0
	for _, action := range r.asking.kube.Actions() {
		if action.Matches("get", "secrets") {
			n++
		}
	}
	return n
}

// TestRotatedCredentials are used by the very round that finds the old ones refused.
func TestRotatedCredentials(t *testing.T) {
	r := startRotating(t, "old")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(0))
	r.server.accept("new")
	r.rotate("2", "new")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(10*time.Second))
	_, asked := r.server.seen()
	assert.Equal(t, 3, asked, "refused, and asked again")

	r.server.accept("newer")
	assert.Equal(t, v1beta1.VerdictErrored, r.check(10*time.Second), "the Secret is behind")
	_, asked = r.server.seen()
	assert.Equal(t, 4, asked, "the same credentials are not tried twice")
	r.rotate("3", "newer")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(10*time.Second))
}

// TestRotatedAndStillTaken: the old credentials are used for as long as was promised, and no longer.
func TestRotatedAndStillTaken(t *testing.T) {
	r := startRotating(t, "old", "new")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(0))
	r.rotate("2", "new")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(freshSecret-time.Second))
	token, _ := r.server.seen()
	assert.Equal(t, "Bearer old", token)
	assert.Equal(t, 1, r.reads())
	assert.Equal(t, v1beta1.VerdictPassed, r.check(time.Second))
	token, _ = r.server.seen()
	assert.Equal(t, "Bearer new", token)
	assert.Equal(t, 2, r.reads())
}

// TestASecretThatCannotBeRead: an API server that fails takes nothing away; a Secret that is gone does.
func TestASecretThatCannotBeRead(t *testing.T) {
	r := startRotating(t, "old")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(0))
	trouble := errors.New("no answer")
	r.asking.kube.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return trouble != nil, nil, trouble
	})
	assert.Equal(t, v1beta1.VerdictPassed, r.check(freshSecret))
	trouble = error(apierrors.NewNotFound(corev1.Resource("secrets"), "token"))
	assert.Equal(t, v1beta1.VerdictErrored, r.check(freshSecret))
	trouble = nil
	assert.Equal(t, v1beta1.VerdictPassed, r.check(time.Second))
}

// TestTheCanarysOwnPrometheus is asked with the Canary's own credentials, by checks, comparisons and the guard.
func TestTheCanarysOwnPrometheus(t *testing.T) {
	r := startRotating(t, "old")
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	c.Spec.MetricsServer, c.Spec.MetricsServerSecretRef = r.server.URL, &v1beta1.LocalSecretRef{Name: "token"}
	c.Status.Primary = &v1beta1.RevisionStatus{Hash: "old", ReplicaSet: "app-old"}
	c.Status.Canary = &v1beta1.RevisionStatus{Hash: "new", ReplicaSet: "app-new"}
	c.Status.Run = &v1beta1.RunStatus{ID: "r"}
	c.Status.Step = &v1beta1.StepStatus{TrafficSince: new(metav1.NewMicroTime(r.now.Load().Add(-time.Minute)))}
	o := &observation{}
	check := v1beta1.CanaryMetric{Name: v1beta1.RequestSuccessRate, ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)}}
	compared := v1beta1.CanaryMetric{Name: v1beta1.RequestDuration, Comparison: &v1beta1.Comparison{}}
	for _, metric := range []v1beta1.CanaryMetric{check, compared} {
		_, before := r.server.seen()
		q := rollout.Question{Round: rollout.RoundID{Run: metric.Name}, Metric: metric, Window: time.Minute}
		r.answers(keyOf(c), c, o, []rollout.Question{q})
		r.wait()
		token, asked := r.server.seen()
		assert.Equal(t, "Bearer old", token)
		assert.Greater(t, asked, before, metric.Name)
	}
	_, before := r.server.seen()
	watch := watchOf(c)
	watch.Interval = time.Millisecond
	r.watch(keyOf(c), c, o, watch)
	require.Eventually(t, func() bool { _, asked := r.server.seen(); return asked > before }, 10*time.Second, time.Millisecond)
	r.forget(keyOf(c))
	r.wait()
	token, _ := r.server.seen()
	assert.Equal(t, "Bearer old", token)
}

// TestIdleClientsGo: a template that changes leaves no clients behind.
func TestIdleClientsGo(t *testing.T) {
	r := startRotating(t, "old")
	assert.Equal(t, v1beta1.VerdictPassed, r.check(0))
	for range 3 {
		r.check(idleClient / 2)
	}
	assert.Len(t, r.sources.clients, 1)
	template := &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "rate", ResourceVersion: "2"}}
	found, _ := r.caches.template(asksBy("shop", "app", *r.metric.TemplateRef), r.metric.TemplateRef)
	template.Spec = found.MetricTemplateSpec
	require.NoError(t, r.caches.weir.Weir().V1beta1().MetricTemplates().Informer().GetIndexer().Update(template))
	r.check(time.Second)
	assert.Len(t, r.sources.clients, 2)
	r.check(idleClient)
	r.check(time.Second)
	assert.Len(t, r.sources.clients, 1)
}
