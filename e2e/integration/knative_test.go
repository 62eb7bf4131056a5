package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/workload"
)

const (
	knativeYAML = `apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: app, namespace: %[1]s}
spec:
  template: {spec: {containers: [{image: "app:%[2]s"}]}}
`
	knativeCanaryYAML = `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: %[1]s}
spec:
  provider: {type: prometheus, address: %[2]s}
  query: sum(rate(revision_request_count{revision_name="{{ hash }}"}[{{ interval }}]))
---
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, namespace: %[1]s}
spec:
  provider: knative
  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: app}
  service: {port: 80, settle: 200ms}
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics: [{name: errors, templateRef: {name: errors}, thresholdRange: {min: 99}}]
`
)

func manageKnative(metrics string) func(*application) {
	return func(a *application) {
		a.t.Helper()
		manifest := fmt.Appendf(nil, knativeCanaryYAML, a.namespace, a.metrics.URL+metrics)
		require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, manifest))
	}
}

// knativeService is the target.
func (a *application) knativeService() *unstructured.Unstructured {
	a.t.Helper()
	services := a.dynamic.Resource(workload.KnativeServices()).Namespace(a.namespace)
	found, err := services.Get(a.t.Context(), "app", metav1.GetOptions{})
	require.NoError(a.t, err)
	return found
}

// traffic is what the target says of it.
func (a *application) traffic() []any {
	a.t.Helper()
	traffic, _, err := unstructured.NestedSlice(a.knativeService().Object, "spec", "traffic")
	require.NoError(a.t, err)
	return traffic
}

// patch changes the target as a person does.
func (a *application) patch(patch string) {
	a.t.Helper()
	_, err := a.dynamic.Resource(workload.KnativeServices()).Namespace(a.namespace).
		Patch(a.t.Context(), "app", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "person"})
	require.NoError(a.t, err)
}

func byName(number int, percent int64) any {
	return object{"revisionName": fmt.Sprintf("app-%05d", number), "latestRevision": false, "percent": percent}
}

func byLatest() any { return object{"latestRevision": true, "percent": int64(100)} }

// object is one as JSON has it.
type object = map[string]any

// to is what is sent where, by the number of a Revision. With perhaps in it, somebody may have been too quick for it.
type to = map[string]int64

const perhaps = "perhaps"

// knativeStories are lives of a Knative Service.
func knativeStories(s *player.Knative) []story {
	sent := func(a *application, want ...to) { a.t.Helper(); sentTo(s, a, want) }
	after := func(metrics string, more func(*application)) func(*application) {
		return func(a *application) { manageKnative(metrics)(a); more(a) }
	}
	return []story{
		{"promoted", knativeYAML, "", manageKnative("/good"), promote, func(a *application) {
			a.ended(v1beta1.OutcomePromoted)
			sent(a, to{"1": 100}, to{"1": 80, "2": 20}, to{"1": 40, "2": 60}, to{"2": 100})
			assert.Equal(a.t, []any{byName(2, 100)}, a.traffic(), "a third revision gets nothing by itself")
			a.noServices()
		}},
		{"rolled back", knativeYAML, "", after("/bad", adopt), func(a *application) {
			a.release("2")
			a.awaitPhase(v1beta1.PhaseFailed)
			a.sends(byName(1, 100))
		}, func(a *application) {
			a.ended(v1beta1.OutcomeRolledBack)
			sent(a, to{"1": 100}, to{"1": 80, "2": 20}, to{"1": 100})
		}},
		{"superseded", knativeYAML, "", after("/good", progress), func(a *application) {
			a.release("3")
			a.await("the end of the second run", func() bool {
				return len(a.last().History) == 2 && a.last().Phase == v1beta1.PhaseSucceeded
			})
		}, func(a *application) {
			a.ended(v1beta1.OutcomePromoted)
			sent(a, to{"1": 100}, to{"1": 80, "2": 20}, to{"1": 40, "2": 60, perhaps: 1}, to{"1": 100, perhaps: 1},
				to{"1": 80, "3": 20}, to{"1": 40, "3": 60}, to{"3": 100})
		}},
		{"deleted in a run", knativeYAML, "", after("/good", progress), deleteInMidRun, func(a *application) {
			assert.Equal(a.t, []any{byName(1, 100)}, a.traffic(), "what is not proven gets nothing")
			a.notWeirs()
			sent(a, to{"1": 100}, to{"1": 80, "2": 20}, to{"1": 40, "2": 60, perhaps: 1}, to{"1": 100})
		}},
		{"deleted at rest", knativeYAML, "", after("/good", promote), deleteInMidRun, func(a *application) {
			assert.Equal(a.t, []any{byLatest()}, a.traffic())
			a.notWeirs()
			sent(a, to{"1": 100}, to{"1": 80, "2": 20}, to{"1": 40, "2": 60}, to{"2": 100})
		}},
	}
}

// sentTo waits until traffic is where it is to end, and wants it to have come there in that order.
func sentTo(s *player.Knative, a *application, want []to) {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		went := s.Went(a.namespace)
		return assert.ObjectsAreEqual(want[len(want)-1], went[len(went)-1])
	}, time.Minute, 20*time.Millisecond)
	went := onceBack(s.Went(a.namespace))
	var expected []to
	for _, w := range want {
		optional := w[perhaps] > 0
		delete(w, perhaps)
		if at := len(expected); !optional || at < len(went) && assert.ObjectsAreEqual(w, went[at]) {
			expected = append(expected, w)
		}
	}
	assert.Equal(a.t, expected, went, "what was sent where")
}

// onceBack leaves out that a step was taken back and come to again: an operator that died had written it and committed
// to the one before.
func onceBack(went []map[string]int64) []map[string]int64 {
	for i := range went {
		if i+4 <= len(went) && assert.ObjectsAreEqual(went[i:i+2], went[i+2:i+4]) {
			return slices.Delete(went, i, i+2)
		}
	}
	return went
}

// sends waits until the target says so of its traffic.
func (a *application) sends(want ...any) {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return assert.ObjectsAreEqual(want, a.traffic()) }, time.Minute, 20*time.Millisecond,
		"%v", want)
}

// noServices says that Weir has made no Service beside Knative's own.
func (a *application) noServices() {
	a.t.Helper()
	list, err := a.kube.CoreV1().Services(a.namespace).List(a.t.Context(), metav1.ListOptions{})
	require.NoError(a.t, err)
	assert.Empty(a.t, list.Items)
}

// notWeirs says that no field of the target is Weir's.
func (a *application) notWeirs() {
	a.t.Helper()
	svc := a.knativeService()
	assert.Empty(a.t, svc.GetAnnotations())
	for _, m := range svc.GetManagedFields() {
		assert.NotEqual(a.t, v1beta1.FieldManager, m.Manager)
	}
}

// serveKnative serves Knative's kinds, and plays its controllers until the test ends.
func (c *cluster) serveKnative(t *testing.T) *player.Knative {
	t.Helper()
	definitions, err := sandbox.KnativeDefinitions(t.Context())
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), c.config, definitions))
	ctx, cancel := context.WithCancel(context.Background())
	s := player.StartKnative(ctx, c.dynamic)
	t.Cleanup(func() {
		cancel()
		require.NoError(t, s.Wait())
	})
	return s
}

// TestKnative lives each life, and again with the operator dying at each of its writes.
func TestKnative(t *testing.T) {
	c := start(t)
	s := c.serveKnative(t)
	for _, story := range knativeStories(s) {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			writes := c.live(t, story, newKiller(0, kube.Before))
			for i, what := range writes {
				t.Logf("write %d: %s", i+1, what)
			}
			require.Greater(t, len(writes), 3)
			for at := 1; at <= len(writes); at++ {
				t.Run(fmt.Sprintf("killed after write %d", at), func(t *testing.T) {
					t.Parallel()
					c.live(t, story, newKiller(at, kube.After))
				})
			}
		})
	}
	t.Run("a person's hand", func(t *testing.T) { t.Parallel(); c.testKnativeHand(t, s) })
	t.Run("broken", func(t *testing.T) { t.Parallel(); c.testKnativeBroken(t, s) })
	t.Run("refused", func(t *testing.T) { t.Parallel(); c.testKnativeRefused(t) })
}

// testKnativeHand changes spec.traffic by hand, at rest and in a run: shares are put right, and tags stay. Services of
// the same name are left alone.
func (c *cluster) testKnativeHand(t *testing.T, s *player.Knative) {
	a := c.applicationOf(t, knativeYAML)
	op := c.operate(t, a.namespace, nil)
	defer op.end()
	own := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeExternalName, ExternalName: "gateway.knative", SessionAffinity: corev1.ServiceAffinityNone,
	}}
	own, err := c.kube.CoreV1().Services(a.namespace).Create(t.Context(), own, metav1.CreateOptions{})
	require.NoError(t, err)
	manageKnative("/good")(a)
	adopt(a)
	a.patch(`{"spec":{"traffic":[{"latestRevision":true,"percent":100},{"tag":"next","latestRevision":true,"percent":0}]}}`)
	tag := object{"tag": "next", "latestRevision": true, "percent": int64(0)}
	a.sends(byName(1, 100), tag)
	a.release("2")
	a.await("a share", func() bool { return a.last().Weight == 60 })
	a.patch(`{"spec":{"traffic":[{"revisionName":"app-00002","latestRevision":false,"percent":100},
		{"tag":"next","latestRevision":true,"percent":0}]}}`)
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.ended(v1beta1.OutcomePromoted)
	a.sends(byName(2, 100), tag)
	for _, shares := range s.Went(a.namespace) {
		assert.NotContains(t, shares, "3")
	}
	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
	a.sends(byLatest(), tag)
	left, err := c.kube.CoreV1().Services(a.namespace).Get(t.Context(), "app", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, own.ResourceVersion, left.ResourceVersion, "Knative's own Service is nobody else's")
}

// testKnativeBroken releases an image that is not there, and then a good one.
func (c *cluster) testKnativeBroken(t *testing.T, s *player.Knative) {
	a := c.applicationOf(t, knativeYAML)
	op := c.operate(t, a.namespace, nil)
	defer op.end()
	manageKnative("/good")(a)
	adopt(a)
	a.patch(`{"spec":{"template":{"spec":{"containers":[{"image":"broken:2"}]}}}}`)
	a.awaitPhase(v1beta1.PhaseFailed)
	a.mu.Lock()
	record := a.last().History[0]
	a.mu.Unlock()
	assert.Equal(t, "ContainerMissing", record.Reason)
	assert.Equal(t, "its own controller says ContainerMissing: the image is not there", record.Message)
	assert.Equal(t, []string{"broken:2"}, record.Images)
	assert.Zero(t, record.MaxWeight)
	assert.Equal(t, []map[string]int64{{"1": 100}}, s.Went(a.namespace), "it never had anything")
	a.release("3")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.ended(v1beta1.OutcomePromoted)
	last := s.Went(a.namespace)
	assert.Equal(t, map[string]int64{"3": 100}, last[len(last)-1])
}

// testKnativeRefused takes over nothing that it could not give back, and says what it lacks.
func (c *cluster) testKnativeRefused(t *testing.T) {
	a := c.applicationOf(t, knativeYAML)
	op := c.operate(t, a.namespace, nil)
	defer op.end()
	a.patch(`{"spec":{"traffic":[{"tag":"now","latestRevision":true,"percent":100}]}}`)
	manageKnative("/good")(a)
	accepted := func() (reason, message string) {
		for _, condition := range a.last().Conditions {
			if condition.Type == v1beta1.ConditionAccepted {
				return condition.Reason, condition.Message
			}
		}
		return "", ""
	}
	a.await("a refusal", func() bool { reason, _ := accepted(); return reason == "RouteNotUsable" })
	a.mu.Lock()
	_, message := accepted()
	a.mu.Unlock()
	assert.Contains(t, message, "has a tag on spec.traffic[0], which gets traffic")
	a.patch(`{"spec":{"traffic":[{"latestRevision":true,"percent":100}]}}`)
	adopt(a)
	assert.True(t, slices.ContainsFunc(a.traffic(), func(e any) bool { return assert.ObjectsAreEqual(byName(1, 100), e) }))
}
