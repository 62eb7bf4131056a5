package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/router/nginx"
)

const (
	ingressYAML = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: %[1]s}
spec:
  rules:
  - host: %[2]s
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]
`
	ingressSpec = `
  provider: nginx
  ingressRef: {name: web}
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`
)

// ingress is nil where there is none.
func (a *application) ingress(name string) *networkingv1.Ingress {
	a.t.Helper()
	found, err := a.kube.NetworkingV1().Ingresses(a.namespace).Get(a.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(a.t, err)
	return found
}

// writeIngress is what the user does.
func (a *application) writeIngress(host string) {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, fmt.Appendf(nil, ingressYAML, a.namespace, host)))
}

func manageIngress(a *application) {
	a.writeIngress("app.test")
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, []byte(specOf(a, ingressSpec))))
	adopt(a)
}

// checkIngress looks at a promotion by way of an Ingress.
func checkIngress(a *application) {
	checkPods(a)
	assert.Equal(a.t, "0", weightOf(a.ingress("web-canary")))
	for _, m := range a.ingress("web").ManagedFields {
		assert.NotEqual(a.t, v1beta1.FieldManager, m.Manager, "the user's is not touched")
	}
}

func weightOf(ingress *networkingv1.Ingress) string {
	return ingress.Annotations[nginx.DefaultPrefix+"/canary-weight"]
}

// TestIngress has the user work on his Ingress in the middle of a run: the canary's, which has another name than
// anything that Weir goes by, follows.
func TestIngress(t *testing.T) {
	a := start(t).application(t)
	op := a.operate(t, a.namespace, nil)
	defer op.end()
	a.writeIngress("app.test")
	spec := specOf(a, ingressSpec)
	require.NoError(t, sandbox.Apply(t.Context(), a.config, []byte(spec+"    manual: true\n")))
	adopt(a)
	assert.Equal(t, "0", weightOf(a.ingress("web-canary")))
	a.release("2")
	a.awaitPhase(v1beta1.PhaseWaitingPromotion)
	becomes := func(what, host, weight string) {
		t.Helper()
		require.Eventually(t, func() bool {
			i := a.ingress("web-canary")
			return i != nil && i.Spec.Rules[0].Host == host && weightOf(i) == weight
		}, time.Minute, 50*time.Millisecond, what)
	}
	becomes("the last step", "app.test", "60")

	a.writeIngress("www.app.test")
	becomes("another host", "www.app.test", "60")

	ingresses := a.kube.NetworkingV1().Ingresses(a.namespace)
	require.NoError(t, ingresses.Delete(t.Context(), "web-canary", metav1.DeleteOptions{}))
	becomes("made again", "www.app.test", "60")

	require.NoError(t, ingresses.Delete(t.Context(), "web", metav1.DeleteOptions{}))
	becomes("taken back", "www.app.test", "0")
	a.await("the reason", func() bool {
		said := a.said(v1beta1.ConditionStalled)
		return said != nil && said.Reason == "RouteNotAccepted"
	})
	a.writeIngress("app.test")
	becomes("given again", "app.test", "60")

	a.deleteCanary()
	a.await("the Canary gone", func() bool { return a.gone })
	assert.Nil(t, a.ingress("web-canary"))
	assert.NotNil(t, a.ingress("web"))
	assert.NotContains(t, a.service("app").Spec.Selector, "pod-template-hash")
}
