package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	namedYAML = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: site, namespace: %s}
spec:
  parentRefs: [{name: gateway}]
  rules:
  - name: web
    backendRefs: [{name: app, port: 80, weight: 2}, {name: legacy, port: 80}]
  - name: api
    matches: [{path: {value: /api}}]
    backendRefs: [{name: app, port: 80}]
`
	namedSpec = `
  provider: gatewayapi
  service: {port: 80, settle: 200ms}
  routeRefs:
  - {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, name: site, rules: [web]}
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`
)

// site is the user's route.
func (a *application) site() *unstructured.Unstructured {
	a.t.Helper()
	found, err := a.dynamic.Resource(player.HTTPRoutes()).Namespace(a.namespace).Get(a.t.Context(), "site", metav1.GetOptions{})
	require.NoError(a.t, err)
	return found
}

// siteWeights are those of the rule that is named, by backend.
func (a *application) siteWeights() map[string]int64 {
	a.t.Helper()
	rules, _, _ := unstructured.NestedSlice(a.site().Object, "spec", "rules")
	weights := map[string]int64{}
	for _, b := range rules[0].(map[string]any)["backendRefs"].([]any) {
		backend := b.(map[string]any)
		weights[backend["name"].(string)] = backend["weight"].(int64)
	}
	return weights
}

func (a *application) applySite() {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, fmt.Appendf(nil, namedYAML, a.namespace)))
}

func manageNamed(a *application) {
	a.applySite()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, []byte(specOf(a, namedSpec))))
	adopt(a)
}

// checkNamed looks at a promotion by way of a route that the Canary names.
func checkNamed(a *application) {
	checkPods(a)
	a.checkSite()
}

// checkSite wants the route as the user has written it.
func (a *application) checkSite() {
	a.t.Helper()
	site := a.site()
	assert.Equal(a.t, map[string]int64{"app": 2, "legacy": 1}, a.siteWeights())
	assert.Empty(a.t, site.GetAnnotations())
	for _, m := range site.GetManagedFields() {
		assert.NotEqual(a.t, v1beta1.FieldManager, m.Manager, "no field is Weir's")
	}
}

// TestNamedRoute has a tool apply the user's route again and again in the middle of a run.
func TestNamedRoute(t *testing.T) {
	a := start(t).application(t)
	op := a.operate(t, a.namespace, nil)
	defer op.end()
	a.applySite()
	require.NoError(t, sandbox.Apply(t.Context(), a.config, []byte(specOf(a, namedSpec)+"    manual: true\n")))
	adopt(a)
	before := a.site().Object["spec"]
	a.checkSite()
	a.release("2")
	a.awaitPhase(v1beta1.PhaseWaitingPromotion)
	during := map[string]int64{"app": 80, "app-canary": 120, "legacy": 100}
	for range 5 {
		require.Eventually(t, func() bool { return assert.ObjectsAreEqual(during, a.siteWeights()) }, time.Minute, 20*time.Millisecond)
		a.applySite()
	}
	require.Eventually(t, func() bool { return assert.ObjectsAreEqual(during, a.siteWeights()) }, time.Minute, 20*time.Millisecond)
	time.Sleep(2 * time.Second)
	settled := a.site()
	time.Sleep(2 * time.Second)
	assert.Equal(t, settled.GetGeneration(), a.site().GetGeneration(), "nobody answers anybody")

	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
	a.checkSite()
	assert.Equal(t, before, a.site().Object["spec"], "as it was found")
}
