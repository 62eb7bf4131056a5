package integration

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/smi"
)

const splitAnalysis = `
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    manual: true
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`

// TestSplit has a cluster that serves two versions of TrafficSplits, neither of them the newest. The operator finds
// out, and shifts traffic by the one that the Canary names, or by the newer one.
func TestSplit(t *testing.T) {
	c := start(t)
	definitions, err := sandbox.SMIDefinitions(t.Context(), "v1alpha1", "v1alpha2")
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), c.config, definitions))
	for provider, version := range map[string]string{"smi": "v1alpha2", "smi:v1alpha1": "v1alpha1"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			a := c.application(t)
			op := a.operate(t, a.namespace, nil)
			defer op.end()
			liveBySplit(a, provider, version)
		})
	}
	t.Run("smi:v1alpha4", func(t *testing.T) {
		t.Parallel()
		a := c.application(t)
		op := a.operate(t, a.namespace, nil)
		defer op.end()
		require.NoError(t, sandbox.Apply(t.Context(), a.config, []byte(specOf(a, "\n  provider: smi:v1alpha4"+splitAnalysis))))
		a.await("the refusal", func() bool {
			said := a.said(v1beta1.ConditionAccepted)
			return said != nil && said.Reason == "VersionNotServed"
		})
		_, err := a.splits("v1alpha2").Get(t.Context(), "app", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "nothing is made")
	})
}

func (a *application) splits(version string) dynamic.ResourceInterface {
	return a.dynamic.Resource(smi.TrafficSplits(version)).Namespace(a.namespace)
}

// liveBySplit goes from adoption to a promotion, with a stranger in between, and to the end.
func liveBySplit(a *application, provider, version string) {
	t := a.t
	require.NoError(t, sandbox.Apply(t.Context(), a.config, []byte(specOf(a, "\n  provider: "+provider+splitAnalysis))))
	adopt(a)
	a.becomes("adopted", 100, 0)
	a.release("2")
	a.awaitPhase(v1beta1.PhaseWaitingPromotion)
	split := a.becomes("the last step", 40, 60)
	for _, m := range split.GetManagedFields() {
		assert.Equal(t, v1beta1.FieldManager, m.Manager)
		assert.Equal(t, "split.smi-spec.io/"+version, m.APIVersion)
	}

	require.NoError(t, unstructured.SetNestedSlice(split.Object, []any{
		map[string]any{"service": "app-canary", "weight": int64(1)},
	}, "spec", "backends"))
	_, err := a.splits("v1alpha1").Update(t.Context(), split, metav1.UpdateOptions{FieldManager: "somebody"})
	require.NoError(t, err)
	a.becomes("put right", 40, 60)
	require.NoError(t, a.splits("v1alpha1").Delete(t.Context(), "app", metav1.DeleteOptions{}))
	a.becomes("made again", 40, 60)

	require.True(t, a.command(v1beta1.Command{Verb: v1beta1.VerbPromote, Reason: "a test"}).Accepted)
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.becomes("promoted", 100, 0)
	checkPods(a)
	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
	_, err = a.splits("v1alpha1").Get(t.Context(), "app", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "it goes with the Canary")
	assert.NotContains(t, a.service("app").Spec.Selector, "pod-template-hash")
}

// becomes waits for weights, whichever version they are read by.
func (a *application) becomes(what string, primary, canary int64) *unstructured.Unstructured {
	a.t.Helper()
	want := []any{
		map[string]any{"service": "app-primary", "weight": primary}, map[string]any{"service": "app-canary", "weight": canary},
	}
	var split *unstructured.Unstructured
	require.Eventually(a.t, func() bool {
		var err error
		if split, err = a.splits("v1alpha1").Get(a.t.Context(), "app", metav1.GetOptions{}); err != nil {
			return false
		}
		backends, _, _ := unstructured.NestedSlice(split.Object, "spec", "backends")
		return assert.ObjectsAreEqual(want, backends)
	}, time.Minute, 50*time.Millisecond, what)
	return split
}
