package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
)

const profileYAML = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata:
  name: %[1]s
spec:
  canary:
    metricsServer: %[2]s
    service:
      settle: 200ms
      gatewayRefs: [{name: gateway}]
    analysis:
      interval: 1s
      stepWeights: [%[3]s]
      metrics:
      - name: request-success-rate
        thresholdRange: {min: 99}
  limits: {maxStep: 40}
  locks: [analysis.metrics]
`

// annotate sets annotations of the Deployment, as kubectl does; an empty value takes one away.
func (a *application) annotate(annotations map[string]string) {
	a.t.Helper()
	values := map[string]any{}
	for k, v := range annotations {
		if values[k] = v; v == "" {
			values[k] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": values}})
	require.NoError(a.t, err)
	_, err = a.kube.AppsV1().Deployments(a.namespace).Patch(a.t.Context(), "app", types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: "kubectl-annotate"})
	require.NoError(a.t, err)
}

func (a *application) profile(weights string) {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config,
		fmt.Appendf(nil, profileYAML, a.namespace, a.metrics.URL+"/good", weights)))
}

// canary is nil where there is none.
func (a *application) canary() *v1beta1.Canary {
	a.t.Helper()
	c, err := a.weir.WeirV1beta1().Canaries(a.namespace).Get(a.t.Context(), "app", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(a.t, err)
	return c
}

// toldOnDeployment says that people were told so on the Deployment.
func (a *application) toldOnDeployment(reason, words string) bool {
	a.t.Helper()
	list, err := a.kube.EventsV1().Events(a.namespace).List(a.t.Context(), metav1.ListOptions{})
	require.NoError(a.t, err)
	for i := range list.Items {
		e := &list.Items[i]
		if e.Reason == reason && e.Regarding.Kind == "Deployment" && strings.Contains(e.Note, words) {
			return true
		}
	}
	return false
}

func (a *application) awaitWeights(weights ...int32) {
	a.t.Helper()
	a.await(fmt.Sprintf("the weights %v", weights), func() bool {
		c := a.canary()
		return c != nil && assert.ObjectsAreEqual(weights, c.Spec.Analysis.StepWeights)
	})
}

const podsProfileYAML = `apiVersion: weir.dev/v1beta1
kind: CanaryProfile
metadata:
  name: %[1]s
spec:
  canary:
    provider: kubernetes
    metricsServer: %[2]s
    service: {settle: 200ms}
    analysis:
      interval: 1s
      stepWeights: [20, 60]
      metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`

// TestGivenBackForGood: what was given back is not taken again by a look at a Canary that the cache still has. So the
// annotation goes while a canary is being removed, a few times: how late the cache learns of things is chance.
func TestGivenBackForGood(t *testing.T) {
	c := start(t)
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			a := c.application(t)
			var mu sync.Mutex
			var after []string // the finalizer
			o := c.operate(t, a.namespace, func(when kube.When, what string) error {
				mu.Lock()
				defer mu.Unlock()
				if len(after) > 0 || when == kube.After && strings.HasPrefix(what, "removing the finalizer") {
					after = append(after, what)
				}
				return nil
			})
			defer o.end()
			require.NoError(t, sandbox.Apply(t.Context(), a.config, fmt.Appendf(nil, podsProfileYAML, a.namespace, a.metrics.URL+"/bad")))
			a.annotate(map[string]string{"weir.dev/canary": "true", "weir.dev/profile": a.namespace})
			adopt(a)
			a.release("2")
			a.awaitPhase(v1beta1.PhaseFailed)
			a.release("1")
			a.awaitPhase(v1beta1.PhaseSucceeded)
			a.annotate(map[string]string{"weir.dev/canary": ""})
			a.await("the Canary to go", func() bool { return a.canary() == nil })
			time.Sleep(300 * time.Millisecond) // longer than the cache is ever behind here
			mu.Lock()
			assert.Len(t, after, 1, "nothing is written any more")
			mu.Unlock()
			assert.NotContains(t, a.service("app").Spec.Selector, "pod-template-hash")
			assert.False(t, a.deployment().Spec.Paused)
		})
	}
}

// TestAnnotations: an annotated Deployment gets its Canary by a profile, is released by it, and is let go when the
// annotation goes.
func TestAnnotations(t *testing.T) {
	c := start(t)
	a := c.application(t)
	o := c.operate(t, a.namespace, nil)
	defer func() { o.end() }()

	a.annotate(map[string]string{"weir.dev/canary": "yes"})
	a.await("a word on the value", func() bool {
		return a.toldOnDeployment("AnnotationInvalid", `the annotation weir.dev/canary is "yes"; it must be "true" or "false"`)
	})
	a.annotate(map[string]string{"weir.dev/canary": "true", "weir.dev/profile": a.namespace})
	a.await("a word on the profile", func() bool { return a.toldOnDeployment("ProfileNotFound", "which does not exist") })
	assert.Nil(t, a.canary())
	a.profile("20, 60")
	adopt(a)
	a.awaitWeights(20, 60)
	made := a.canary()
	assert.True(t, metav1.IsControlledBy(made, a.deployment()))
	assert.True(t, a.toldOnDeployment("CanaryMade", "by CanaryProfile "+a.namespace))
	assert.EqualValues(t, 80, made.Spec.Service.Port, "that of the Service")

	a.release("2")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.ended(v1beta1.OutcomePromoted)
	a.idle("app:2")

	t.Run("follows", func(*testing.T) {
		a.annotate(map[string]string{"weir.dev/step-weights": "10,30"})
		a.awaitWeights(10, 30)
		a.annotate(map[string]string{"weir.dev/step-weights": "30,10"})
		a.await("a word on the weights", func() bool { return a.toldOnDeployment("AnnotationInvalid", "percentages that rise") })
		a.awaitWeights(10, 30)
		a.annotate(map[string]string{"weir.dev/step-weights": "", "weir.dev/success-rate": "90"})
		a.await("a word on the lock", func() bool { return a.toldOnDeployment("AnnotationInvalid", "locks; remove it") })
		a.annotate(map[string]string{"weir.dev/success-rate": ""})
		a.profile("25, 50, 75")
		a.awaitWeights(25, 50, 75)
	})
	t.Run("limits", func(t *testing.T) {
		accepted := func() *metav1.Condition {
			return meta.FindStatusCondition(a.canary().Status.Conditions, v1beta1.ConditionAccepted)
		}
		a.annotate(map[string]string{"weir.dev/step-weights": "50"})
		a.await("the limit", func() bool { return accepted().Reason == "ProfileLimit" })
		assert.Contains(t, accepted().Message, "lets a step add 40 % at most")
		a.annotate(map[string]string{"weir.dev/step-weights": ""})
		a.await("to be accepted", func() bool { return accepted().Status == metav1.ConditionTrue })
	})
	t.Run("what people set", func(t *testing.T) {
		patch := `{"spec": {"promotionDelay": "3s", "analysis": {"threshold": 4,
			"metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 1}}]}}}`
		_, err := a.weir.WeirV1beta1().Canaries(a.namespace).Patch(t.Context(), "app", types.MergePatchType, []byte(patch),
			metav1.PatchOptions{FieldManager: "kubectl-edit"})
		require.NoError(t, err)
		a.await("what is locked to be set back", func() bool {
			return *a.canary().Spec.Analysis.Metrics[0].ThresholdRange.Min == 99
		})
		assert.Equal(t, "3s", a.canary().Spec.PromotionDelay)
		assert.EqualValues(t, 4, a.canary().Spec.Analysis.Threshold)
	})

	o.end() // it goes while nobody looks
	pods := len(a.podsSeen())
	a.annotate(map[string]string{"weir.dev/canary": ""})
	o = c.operate(t, a.namespace, nil)
	a.await("the Canary to go", func() bool { return a.canary() == nil })
	a.await("the Deployment to be let go", func() bool { return !a.deployment().Spec.Paused })
	assert.Len(t, a.podsSeen(), pods, "no pod was touched")
	assert.True(t, a.toldOnDeployment("CanaryRemoved", "the Deployment is let go"))

	a.manage("/good")
	a.annotate(map[string]string{"weir.dev/canary": "true"})
	a.await("a word on a Canary of somebody else's", func() bool {
		return a.toldOnDeployment("CanaryExists", "Canary app was not made for the annotation weir.dev/canary")
	})
	assert.Empty(t, a.canary().OwnerReferences)
}
