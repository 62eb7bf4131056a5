package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// input is a Canary that cannot be carried out as it is written.
type input struct {
	name string
	// change of the Canary's spec, and whatever else is there when it is made.
	change func(*v1beta1.CanarySpec)
	before string
	// condition that says so, with its reason and sentence.
	condition, reason, sentence string
}

var inputs = []input{
	{
		name:      "the target is missing",
		change:    func(s *v1beta1.CanarySpec) { s.TargetRef.Name, s.Service.Name = "ghost", "app" },
		condition: v1beta1.ConditionStalled, reason: "TargetNotFound",
		sentence: "Deployment ghost does not exist in namespace NS; create it, " +
			"or delete this Canary and name another target in a new one",
	}, {
		name:      "the Service is without the port",
		change:    func(s *v1beta1.CanarySpec) { s.Service.Port = 8443 },
		condition: v1beta1.ConditionAccepted, reason: "PortNotFound",
		sentence: "Service app has no port 8443; set spec.service.port to one of its ports",
	}, {
		name:      "the Gateway does not accept the route",
		change:    func(s *v1beta1.CanarySpec) { s.Service.GatewayRefs[0].Name = player.ClosedGateway },
		condition: v1beta1.ConditionStalled, reason: "RouteNotAccepted",
		sentence: "HTTPRoute NS/app is not served whole by closed: NotAllowedByListeners: as the player says",
	}, {
		name:   "the template does not parse",
		change: func(s *v1beta1.CanarySpec) { s.Analysis.Metrics = custom("broken") },
		before: `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: broken, namespace: %[1]s}
spec:
  provider: {type: prometheus}
  query: 'sum(rate(x{pod=~"{{ pods"}[1m]))'
`,
		condition: v1beta1.ConditionAccepted, reason: "TemplateInvalid",
		sentence: "metric custom: MetricTemplate NS/broken: the query is not a template",
	}, {
		name:      "the template is missing",
		change:    func(s *v1beta1.CanarySpec) { s.Analysis.Metrics = custom("ghost") },
		condition: v1beta1.ConditionAccepted, reason: "TemplateNotFound",
		sentence: "metric custom: MetricTemplate NS/ghost does not exist; create it or correct templateRef",
	}, {
		name: "another Canary has the target", change: func(*v1beta1.CanarySpec) {},
		before: `apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: aaa, namespace: %[1]s}
spec:
  targetRef: {name: app}
  service: {port: 80, name: other, gatewayRefs: [{name: gateway}]}
  analysis: {stepWeights: [50]}
`,
		condition: v1beta1.ConditionAccepted, reason: "TargetTaken",
		sentence: "Deployment app is the target of Canary aaa already; delete one of the two",
	}, {
		name:      "there is no Gateway to make a route for",
		change:    func(s *v1beta1.CanarySpec) { s.Service.GatewayRefs = nil },
		condition: v1beta1.ConditionAccepted, reason: "RouteNotUsable",
		sentence: "spec.service.gatewayRefs",
	}, {
		name:      "the Ingress is missing",
		change:    onIngress,
		condition: v1beta1.ConditionAccepted, reason: "RouteNotUsable",
		sentence: "Ingress NS/web does not exist; make it, or correct spec.ingressRef",
	}, {
		name:   "the Ingress leads elsewhere",
		change: onIngress,
		before: `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: %[1]s}
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: other, port: {number: 80}}}}]}}]
`,
		condition: v1beta1.ConditionAccepted, reason: "RouteNotUsable",
		sentence: "Ingress NS/web has no path whose backend is Service app; add one to spec.rules, or correct spec.ingressRef",
	},
}

func onIngress(s *v1beta1.CanarySpec) {
	s.Provider, s.IngressRef, s.Service.GatewayRefs = "nginx", &v1beta1.IngressRef{Name: "web"}, nil
}

func custom(template string) []v1beta1.CanaryMetric {
	least := 1.0
	return []v1beta1.CanaryMetric{{
		Name: "custom", TemplateRef: &v1beta1.TemplateRef{Name: template}, ThresholdRange: &v1beta1.ThresholdRange{Min: &least},
	}}
}

// TestBadInput gives the operator what it cannot work with: it says so in one sentence, and leaves the
// target and its Service as they were.
func TestBadInput(t *testing.T) {
	c := start(t)
	for _, in := range inputs {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			a := c.application(t)
			if in.before != "" {
				require.NoError(t, sandbox.Apply(t.Context(), c.config, fmt.Appendf(nil, in.before, a.namespace)))
			}
			before, served := a.deployment(), a.service("app")
			op := c.operate(t, a.namespace, nil)
			defer op.end()
			a.make(in.change)
			a.await(in.reason, func() bool {
				said := a.said(in.condition)
				return said != nil && said.Reason == in.reason
			})
			a.mu.Lock()
			said := a.said(in.condition)
			assert.Contains(t, said.Message, strings.ReplaceAll(in.sentence, "NS", a.namespace))
			refused := map[bool]metav1.ConditionStatus{true: "False", false: "True"}
			assert.Equal(t, refused[in.condition == v1beta1.ConditionAccepted], said.Status)
			a.mu.Unlock()
			assert.Equal(t, before.Spec, a.deployment().Spec, "the Deployment is as it was")
			assert.Equal(t, served.Spec, a.service("app").Spec, "the Service is as it was")
		})
	}
}

// TestManySeries gives a query's answer that no check can be made of: the release neither fails nor goes on.
func TestManySeries(t *testing.T) {
	c := start(t)
	a := c.application(t)
	op := c.operate(t, a.namespace, nil)
	defer op.end()
	a.manage("/many")
	a.awaitPhase(v1beta1.PhaseInitialized)
	a.release("2")
	a.await("a verdict", func() bool { return len(a.last().Checks) > 0 && a.last().Step.Round >= 2 })
	a.mu.Lock()
	defer a.mu.Unlock()
	check := a.last().Checks[0]
	assert.Equal(t, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(t, check.Message, "2 series")
	said := a.said(v1beta1.ConditionProgressing)
	assert.Equal(t, "CheckErrored", said.Reason)
	assert.Contains(t, said.Message, "request-success-rate: the query gave 2 series")
	assert.Equal(t, v1beta1.PhaseProgressing, a.last().Phase)
	assert.Equal(t, int32(20), a.last().Weight)
	assert.Zero(t, a.last().FailedChecks)
}

// make makes the Canary with a change of its spec.
func (a *application) make(change func(*v1beta1.CanarySpec)) {
	a.t.Helper()
	canary := &v1beta1.Canary{}
	require.NoError(a.t, yaml.Unmarshal(fmt.Appendf(nil, canaryYAML, a.namespace, a.metrics.URL+"/good"), canary))
	change(&canary.Spec)
	_, err := a.weir.WeirV1beta1().Canaries(a.namespace).Create(a.t.Context(), canary, metav1.CreateOptions{})
	require.NoError(a.t, err)
}

// said is a condition of the latest status; the caller holds the lock.
func (a *application) said(condition string) *metav1.Condition {
	return meta.FindStatusCondition(a.last().Conditions, condition)
}
