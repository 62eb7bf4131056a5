package annotated_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/annotated"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

func asking(annotations map[string]string, ports ...int32) annotated.Asking {
	template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}
	for _, p := range ports {
		c := &template.Spec.Containers[0]
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: p})
	}
	return annotated.Asking{
		Target:      workload.Target{Kind: v1beta1.KindDeployment, Namespace: "shop", Name: "cart", UID: "u1", Template: template},
		Annotations: annotations, Provider: "gatewayapi",
	}
}

func profile(t *testing.T, text string) *v1beta1.CanaryProfile {
	t.Helper()
	p := &v1beta1.CanaryProfile{ObjectMeta: metav1.ObjectMeta{Name: "careful"}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &p.Spec))
	return p
}

// specOf is a spec without what is absent from it.
func specOf(t *testing.T, canary *v1beta1.Canary) string {
	t.Helper()
	raw, err := json.Marshal(canary.Spec)
	require.NoError(t, err)
	text, err := yaml.JSONToYAML(raw)
	require.NoError(t, err)
	return string(text)
}

const careful = `
canary:
  provider: istio
  annotations: {weir.dev/runbook-url: "https://runbooks.example.com"}
  service: {hosts: ["$(name).example.com"], gateways: [infra/public]}
  analysis:
    interval: 30s
    stepWeight: 10
    maxWeight: 50
    metrics:
    - {name: request-success-rate, comparison: {}}
    - {name: queue, templateRef: {name: queue}, templateVariables: {queue: "$(namespace)-$(name)"}, thresholdRange: {max: 5}}
    webhooks:
    - name: load
      type: rollout
      url: "http://loadtester.weir-system/"
      metadata: {cmd: "hey http://$(service)-canary.$(namespace):$(port)/"}
`

func TestAProfileAndPlaceholders(t *testing.T) {
	canary, err := annotated.Canary(asking(map[string]string{"weir.dev/canary": "true"}, 9898), profile(t, careful))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"weir.dev/runbook-url": "https://runbooks.example.com", "weir.dev/profile": "careful"},
		canary.Annotations)
	assert.Equal(t, "cart", canary.Name)
	assert.True(t, metav1.IsControlledBy(canary, &metav1.ObjectMeta{UID: "u1"}))
	assert.YAMLEq(t, `
targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}
provider: istio
service: {port: 9898, hosts: [cart.example.com], gateways: [infra/public]}
analysis:
  interval: 30s
  stepWeight: 10
  maxWeight: 50
  metrics:
  - {name: request-success-rate, comparison: {}}
  - {name: queue, templateRef: {name: queue}, templateVariables: {queue: shop-cart}, thresholdRange: {max: 5}}
  webhooks:
  - {name: load, type: rollout, url: "http://loadtester.weir-system/", metadata: {cmd: "hey http://cart-canary.shop:9898/"}}
`, specOf(t, canary))
}

func TestAnnotationsWinOverTheProfile(t *testing.T) {
	canary, err := annotated.Canary(asking(map[string]string{
		"weir.dev/canary": "true", "weir.dev/port": "80", "weir.dev/provider": "gatewayapi",
		"weir.dev/hosts":    "a.example.com, *.b.example.com",
		"weir.dev/gateways": "infra/public, inner", "weir.dev/step-weights": "1, 5,20%, 60", "weir.dev/interval": "10s",
		"weir.dev/threshold": "3", "weir.dev/success-rate": "99.5", "weir.dev/latency": "500", "weir.dev/ingress": "web",
		"weir.dev/metrics-server": "http://prometheus:9090", "weir.dev/skip-analysis": "false",
		"deployment.kubernetes.io/revision": "3",
	}, 9898), profile(t, careful))
	require.NoError(t, err)
	assert.YAMLEq(t, `
targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}
ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}
provider: gatewayapi
metricsServer: http://prometheus:9090
service: {port: 80, hosts: [a.example.com, "*.b.example.com"], gatewayRefs: [{name: public, namespace: infra}, {name: inner}]}
analysis:
  interval: 10s
  threshold: 3
  stepWeights: [1, 5, 20, 60]
  maxWeight: 60
  metrics:
  - {name: request-success-rate, thresholdRange: {min: 99.5}}
  - {name: queue, templateRef: {name: queue}, templateVariables: {queue: shop-cart}, thresholdRange: {max: 5}}
  - {name: request-duration, thresholdRange: {max: 500}}
  webhooks:
  - {name: load, type: rollout, url: "http://loadtester.weir-system/", metadata: {cmd: "hey http://cart-canary.shop:80/"}}
`, specOf(t, canary))
}

// TestLinks: those of a workload are its Canary's, and win over the profile's.
func TestLinks(t *testing.T) {
	annotations := map[string]string{
		"weir.dev/canary": "true", "weir.dev/runbook-url": "https://wiki.example.com/cart",
		"weir.dev/dashboard-url": "http://grafana/d/1?var-app=cart",
	}
	want := map[string]string{
		"weir.dev/runbook-url": "https://wiki.example.com/cart", "weir.dev/dashboard-url": "http://grafana/d/1?var-app=cart",
	}
	canary, err := annotated.Canary(asking(annotations, 9898), nil)
	require.NoError(t, err)
	assert.Equal(t, want, canary.Annotations)
	p := profile(t, careful)
	canary, err = annotated.Canary(asking(annotations, 9898), p)
	require.NoError(t, err)
	want["weir.dev/profile"] = "careful"
	assert.Equal(t, want, canary.Annotations)
	assert.Equal(t, "https://runbooks.example.com", p.Spec.Canary.Annotations["weir.dev/runbook-url"], "the profile is as it was")
}

func TestWithoutAProfile(t *testing.T) {
	a := asking(map[string]string{"weir.dev/canary": "true", "weir.dev/gateways": "public"}, 9898)
	a.Provider = "istio:v1"
	canary, err := annotated.Canary(a, nil)
	require.NoError(t, err)
	assert.YAMLEq(t, `
targetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}
service: {port: 9898, gateways: [public]}
analysis: {stepWeights: [5, 20, 50]}
`, specOf(t, canary))
	assert.Empty(t, canary.Annotations)
}

func TestThePort(t *testing.T) {
	annotations := map[string]string{"weir.dev/canary": "true"}
	a := asking(annotations, 8080, 9090)
	a.Service = &corev1.Service{}
	a.Service.Spec.Ports = []corev1.ServicePort{{Port: 80}, {Port: 53, Protocol: corev1.ProtocolUDP}}
	canary, err := annotated.Canary(a, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 80, canary.Spec.Service.Port)

	_, err = annotated.Canary(asking(annotations, 8080, 9090), nil)
	require.EqualError(t, err, "the pod template, where there is no Service cart, has 2 ports; say by the annotation "+
		"weir.dev/port which one traffic comes in by")
	a.Service.Spec.Ports = nil
	_, err = annotated.Canary(a, nil)
	require.EqualError(t, err, "Service cart has 0 ports; say by the annotation weir.dev/port which one traffic comes in by")
}

// TestWrongValues: everything that is wrong is told at once, and there is no Canary.
func TestWrongValues(t *testing.T) {
	for annotation, c := range map[string]struct{ value, says string }{
		"weir.dev/port":           {"http", `the annotation weir.dev/port is "http"; it must be a port number, for example 9898`},
		"weir.dev/hosts":          {"a_b", `is "a_b"; it must be host names`},
		"weir.dev/gateways":       {"a/b/c", `it must be names of Gateways`},
		"weir.dev/ingress":        {"", `it must be the name of an Ingress`},
		"weir.dev/step-weights":   {"50,20", `is "50,20"; it must be percentages that rise, for example 5,20,50`},
		"weir.dev/interval":       {"1", `it must be a duration of at least 1s`},
		"weir.dev/threshold":      {"0", `it must be a number of failed rounds from 1 to 1000`},
		"weir.dev/success-rate":   {"NaN", `it must be the least percentage of requests that succeed`},
		"weir.dev/latency":        {"1s", `it must be the longest 99th percentile`},
		"weir.dev/provider":       {"", `it must be the name of a provider`},
		"weir.dev/metrics-server": {"prometheus:9090", `it must be the URL of a Prometheus`},
		"weir.dev/skip-analysis":  {"yes\n- x: y", `is "yes\n- x: y"; it must be "true" or "false"`},
		"weir.dev/runbook-url":    {"HTTP://", `is "HTTP://"; it must be an http or https URL`},
		"weir.dev/dashboard-url":  {"javascript:alert(1)", `it must be an http or https URL`},
		"weir.dev/command":        {"promote", `the annotation weir.dev/command is not known`}, // it is the Canary's, once
		"weir.dev/step-weight":    {"5", `the annotation weir.dev/step-weight is not known; there are weir.dev/canary, weir.dev/`},
	} {
		t.Run(annotation, func(t *testing.T) {
			canary, err := annotated.Canary(asking(map[string]string{"weir.dev/canary": "true", annotation: c.value}, 80), nil)
			require.ErrorContains(t, err, c.says)
			assert.Nil(t, canary)
		})
	}
	_, err := annotated.Canary(asking(map[string]string{"weir.dev/threshold": "x", "weir.dev/interval": "y"}), nil)
	require.ErrorContains(t, err, "weir.dev/interval")
	require.ErrorContains(t, err, "weir.dev/threshold")
	require.ErrorContains(t, err, "has 0 ports")
}

// TestWrongValuesAreToldAlike: the same annotations are told of in the same words, which is how they are told once.
func TestWrongValuesAreToldAlike(t *testing.T) {
	said := map[string]bool{}
	for range 50 {
		_, err := annotated.Canary(asking(map[string]string{"weir.dev/a": "", "weir.dev/b": "", "weir.dev/c": ""}, 80), nil)
		require.Error(t, err)
		said[err.Error()] = true
	}
	assert.Len(t, said, 1)
}

// TestARangeTakesThePlaceOfAComparison, with all that goes with one: the API server would not take both.
func TestARangeTakesThePlaceOfAComparison(t *testing.T) {
	p := profile(t, `{canary: {analysis: {stepWeights: [10], metrics: [{name: request-success-rate, comparison: {}, weight: 2}]}}}`)
	canary, err := annotated.Canary(asking(map[string]string{"weir.dev/success-rate": "98"}, 80), p)
	require.NoError(t, err)
	assert.Equal(t, []v1beta1.CanaryMetric{{
		Name: "request-success-rate", ThresholdRange: &v1beta1.ThresholdRange{Min: new(98.0)},
	}}, canary.Spec.Analysis.Metrics)
}

func TestLocks(t *testing.T) {
	p := profile(t, `{locks: [analysis.steps, service], canary: {analysis: {steps: [{weight: 10}]}}}`)
	for annotation, value := range map[string]string{"weir.dev/step-weights": "5", "weir.dev/hosts": "a.example.com"} {
		_, err := annotated.Canary(asking(map[string]string{annotation: value}, 80), p)
		require.ErrorContains(t, err, "which the CanaryProfile careful locks; remove it", annotation)
	}
	_, err := annotated.Canary(asking(map[string]string{"weir.dev/interval": "5s"}, 80), p)
	require.NoError(t, err)
}

func TestAsks(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false} {
		asks, err := annotated.Asks(map[string]string{v1beta1.AnnotationCanary: value})
		require.NoError(t, err)
		assert.Equal(t, want, asks)
	}
	asks, err := annotated.Asks(nil)
	require.NoError(t, err)
	assert.False(t, asks)
	_, err = annotated.Asks(map[string]string{v1beta1.AnnotationCanary: "True"})
	require.EqualError(t, err, `the annotation weir.dev/canary is "True"; it must be "true" or "false"`)
}

func TestProfile(t *testing.T) {
	named := func(name string, isDefault bool) *v1beta1.CanaryProfile {
		p := &v1beta1.CanaryProfile{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Spec.Default = isDefault
		return p
	}
	careful, quick, other := named("careful", true), named("quick", false), named("other", true)
	of := func(name string) map[string]string { return map[string]string{v1beta1.AnnotationProfile: name} }

	found, err := annotated.Profile(nil, []*v1beta1.CanaryProfile{quick, careful})
	require.NoError(t, err)
	assert.Same(t, careful, found)
	found, err = annotated.Profile(of("quick"), []*v1beta1.CanaryProfile{quick, careful, other})
	require.NoError(t, err)
	assert.Same(t, quick, found)
	found, err = annotated.Profile(nil, []*v1beta1.CanaryProfile{quick})
	require.NoError(t, err)
	assert.Nil(t, found)
	_, err = annotated.Profile(nil, []*v1beta1.CanaryProfile{other, careful})
	require.EqualError(t, err, "the CanaryProfiles careful, other are all the default; name one by the annotation weir.dev/profile")
	_, err = annotated.Profile(of("fast"), []*v1beta1.CanaryProfile{quick, careful})
	require.EqualError(t, err, `the annotation weir.dev/profile names the CanaryProfile "fast", which does not exist; `+
		"there are careful, quick")
	_, err = annotated.Profile(of("fast"), nil)
	require.ErrorContains(t, err, "there is none in this cluster")
}

func TestLimits(t *testing.T) {
	p := profile(t, `{limits: {maxStep: 20, minChecks: 3, requiredMetrics: [request-success-rate], providers: [istio, linkerd]}}`)
	for text, want := range map[string][]string{
		`{provider: "istio:v1", analysis: {stepWeights: [10, 30, 50], metrics: [{name: request-success-rate}]}}`: nil,
		`{analysis: {stepWeights: [10, 50], metrics: [{name: request-success-rate, dryRun: true}]}}`: {
			"spec.analysis goes from 10 % of the traffic to 50 % at step 2; CanaryProfile careful lets a step add 20 % at most",
			"spec.analysis has 2 rounds of checks, and CanaryProfile careful wants 3 before a promotion; add steps",
			"spec.analysis.metrics lacks request-success-rate, which CanaryProfile careful wants to be judged",
			"spec.provider is gatewayapi; CanaryProfile careful allows istio, linkerd",
		},
		`{provider: linkerd, skipAnalysis: true, analysis: {stepWeight: 10, metrics: [{name: request-success-rate}]}}`: {
			"spec.analysis has 0 rounds of checks, and CanaryProfile careful wants 3 before a promotion; add steps",
		},
	} {
		spec := &v1beta1.CanarySpec{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), spec))
		assert.Equal(t, want, annotated.Exceeds(spec, "gatewayapi", p, nobody), text)
	}
	assert.Empty(t, annotated.Exceeds(&v1beta1.CanarySpec{}, "smi", &v1beta1.CanaryProfile{}, nobody))
}

// nobody knows a template.
func nobody(*v1beta1.TemplateRef) string { return "" }

func TestLimitOfMetricProviders(t *testing.T) {
	spec := &v1beta1.CanarySpec{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(`{analysis: {stepWeight: 10, metrics: [
	  {name: request-success-rate, thresholdRange: {min: 99}}, {name: request-duration, comparison: {}},
	  {name: queue, templateRef: {name: datadog}},
	  {name: smoke, templateRef: {kind: ClusterMetricTemplate, name: job}}, {name: gone, templateRef: {name: ""}}]}}`), spec))
	askedOf := func(ref *v1beta1.TemplateRef) string { return ref.Name }
	for allowed, want := range map[string][]string{
		"":                         nil,
		"prometheus, datadog, job": nil,
		"datadog, job": {
			"spec.analysis.metrics[0] is asked of prometheus; CanaryProfile careful allows datadog, job",
			"spec.analysis.metrics[1] is asked of prometheus; CanaryProfile careful allows datadog, job",
		},
		"prometheus": {
			"spec.analysis.metrics[2] is asked of datadog by MetricTemplate datadog; CanaryProfile careful allows prometheus",
			"spec.analysis.metrics[3] is asked of job by ClusterMetricTemplate job; CanaryProfile careful allows prometheus",
		},
	} {
		p := profile(t, "{limits: {metricProviders: ["+allowed+"]}}")
		assert.Equal(t, want, annotated.Exceeds(spec, "gatewayapi", p, askedOf), allowed)
	}
}

func TestControls(t *testing.T) {
	canary, err := annotated.Canary(asking(map[string]string{"weir.dev/canary": "true"}, 80), nil)
	require.NoError(t, err)
	assert.True(t, annotated.Controls(canary))
	canary.OwnerReferences[0].Name = "other"
	assert.False(t, annotated.Controls(canary))
	canary.OwnerReferences = nil
	assert.False(t, annotated.Controls(canary))
}
