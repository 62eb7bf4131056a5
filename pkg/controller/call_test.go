package controller

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// However many gates hang, a webhook that may ask for a rollback is called.
func TestARollbackWaitsForNoGate(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			<-done
		}
	}))
	woken := make(chan types.NamespacedName, 1)
	c := newCaller(nil, Options{MetricWorkers: 1, Now: time.Now}, NewMetrics(prometheus.NewRegistry()),
		func(key types.NamespacedName) { woken <- key })
	ctx, cancel := context.WithCancel(t.Context())
	c.start(ctx)
	t.Cleanup(func() { cancel(); close(done); c.wait(); server.Close() })

	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "app"}}
	call := func(kind, path string) rollout.Call {
		return rollout.Call{
			ID:      rollout.CallID{RoundID: rollout.RoundID{Run: "v2-1"}, Type: kind, Webhook: kind},
			Webhook: v1beta1.CanaryWebhook{Name: kind, Type: kind, URL: server.URL + path},
		}
	}
	calls := []rollout.Call{
		call(v1beta1.WebhookConfirmPromotion, "/hangs"), call(v1beta1.WebhookRollout, "/hangs"),
		call(v1beta1.WebhookRollback, "/agrees"),
	}
	require.Empty(t, c.replies(keyOf(canary), canary, calls), "nobody waits for an answer")
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		require.Fail(t, "the webhook was not called")
	}
	replies := c.replies(keyOf(canary), canary, calls)
	require.Len(t, replies, 1)
	require.Equal(t, v1beta1.WebhookRollback, replies[0].ID.Type)
	require.True(t, replies[0].Agreed)
}

// However many who are told of events hang, a gate is asked.
func TestAGateWaitsForNoEvent(t *testing.T) {
	done, told := make(chan struct{}), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			told <- struct{}{}
			<-done
		}
	}))
	woken := make(chan types.NamespacedName, 1)
	c := newCaller(nil, Options{MetricWorkers: 1, Now: time.Now}, NewMetrics(prometheus.NewRegistry()),
		func(key types.NamespacedName) { woken <- key })
	ctx, cancel := context.WithCancel(t.Context())
	c.start(ctx)
	t.Cleanup(func() { cancel(); close(done); c.wait(); server.Close() })

	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "app"}}
	canary.Spec.Analysis.Webhooks = []v1beta1.CanaryWebhook{{Name: "log", Type: v1beta1.WebhookEvent, URL: server.URL + "/hangs"}}
	c.tell(canary, &canary.Status, rollout.Notice{ID: "n", Reason: rollout.ReasonPromoting})
	<-told
	c.replies(keyOf(canary), canary, []rollout.Call{{
		ID:      rollout.CallID{RoundID: rollout.RoundID{Run: "v2-1"}, Type: v1beta1.WebhookConfirmRollout, Webhook: "gate"},
		Webhook: v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.WebhookConfirmRollout, URL: server.URL + "/agrees"},
	}})
	select {
	case <-woken:
	case <-time.After(5 * time.Second):
		require.Fail(t, "the gate was not asked")
	}
}

// However many webhooks of one server hang, those of another are called.
func TestAServerThatHangsHoldsUpNoOther(t *testing.T) {
	done := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	agrees := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	woken := make(chan types.NamespacedName, 8)
	c := newCaller(nil, Options{MetricWorkers: 2, Now: time.Now}, NewMetrics(prometheus.NewRegistry()),
		func(key types.NamespacedName) { woken <- key })
	ctx, cancel := context.WithCancel(t.Context())
	c.start(ctx)
	t.Cleanup(func() { cancel(); close(done); c.wait(); hangs.Close(); agrees.Close() })

	asks := func(name, url string) {
		canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
		c.replies(keyOf(canary), canary, []rollout.Call{{
			ID:      rollout.CallID{RoundID: rollout.RoundID{Run: "v2-1"}, Type: v1beta1.WebhookConfirmRollout, Webhook: "gate"},
			Webhook: v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.WebhookConfirmRollout, URL: url},
		}})
	}
	for _, tenant := range []string{"a", "b", "c", "d"} {
		asks(tenant, hangs.URL)
	}
	asks("fine", agrees.URL)
	select {
	case key := <-woken:
		require.Equal(t, "fine", key.Name)
	case <-time.After(5 * time.Second):
		require.Fail(t, "the gate was not asked")
	}
}
