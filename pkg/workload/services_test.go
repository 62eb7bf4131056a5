package workload_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

func TestServiceNames(t *testing.T) {
	for service, apexes := range map[string][]string{
		"podinfo": {"podinfo"}, "podinfo-primary": {"podinfo-primary", "podinfo"}, "podinfo-canary": {"podinfo-canary", "podinfo"},
	} {
		assert.Equal(t, apexes, workload.ApexesOf(service))
	}
	assert.Equal(t, workload.Names{Apex: "podinfo", Primary: "podinfo-primary", Canary: "podinfo-canary"},
		workload.ServiceNames(canary()))
	named := canary(func(c *v1beta1.Canary) { c.Spec.Service.Name = "web" })
	assert.Equal(t, workload.Names{Apex: "web", Primary: "web-primary", Canary: "web-canary"},
		workload.ServiceNames(named))
}

// service is one of the user's, its spec in YAML.
func service(t *testing.T, name, spec string) *corev1.Service {
	t.Helper()
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
		Spec:       *read[corev1.ServiceSpec](t, spec),
	}
}

// byWeir makes a Service one that Weir made.
func byWeir(svc *corev1.Service) *corev1.Service {
	svc.OwnerReferences = []metav1.OwnerReference{workload.ControlledByCanary(canary())}
	return svc
}

// TestServicesOfAnApexThatIsTheUsers shows that the ports of primary and canary are those of the apex.
func TestServicesOfAnApexThatIsTheUsers(t *testing.T) {
	with := func(f func(*v1beta1.CanaryService)) *v1beta1.Canary {
		return canary(func(c *v1beta1.Canary) { f(&c.Spec.Service) })
	}
	const grpc = `{name: grpc, port: 9999, targetPort: 9999, protocol: TCP, appProtocol: grpc}`
	pins := rollout.Pins{Apex: "h1", Primary: "h1", Canary: "h2"}
	for name, tt := range map[string]struct {
		canary    *v1beta1.Canary
		apex      string
		wantPorts string
	}{
		"one without a name": {
			canary(), `{selector: {app: podinfo}, ports: [{port: 9898, targetPort: 9898, protocol: TCP}]}`,
			`{ports: [{port: 9898, targetPort: 9898, protocol: TCP}]}`,
		},
		"several, one of them by name": {
			canary(), `{selector: {app: podinfo}, ports: [{name: http, port: 9898, targetPort: web}, ` + grpc + `]}`,
			`{ports: [{name: http, port: 9898, targetPort: web}, ` + grpc + `]}`,
		},
		"of a load balancer, without what is its alone": {
			canary(), `{type: LoadBalancer, clusterIP: 10.96.0.7, externalTrafficPolicy: Local, selector: {app: podinfo},
				ports: [{name: http, port: 9898, nodePort: 30123}]}`,
			`{ports: [{name: http, port: 9898}]}`,
		},
		"of a headless one": {
			canary(), `{clusterIP: None, selector: {app: podinfo}, ports: [{name: http, port: 9898, targetPort: web}]}`,
			`{ports: [{name: http, port: 9898, targetPort: web}]}`,
		},
		"with the port's target of the spec, and its name as it is": {
			with(func(s *v1beta1.CanaryService) {
				s.PortName, s.TargetPort, s.AppProtocol = "other", new(intstr.FromString("web")), new("kubernetes.io/h2c")
			}),
			`{selector: {app: podinfo}, ports: [{name: http, port: 9898, targetPort: 8080}, ` + grpc + `]}`,
			`{ports: [{name: http, port: 9898, targetPort: web, appProtocol: kubernetes.io/h2c}, ` + grpc + `]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			apex := service(t, "podinfo", tt.apex)
			was := apex.DeepCopy()
			plan := workload.Services(tt.canary, workload.OfDeployment(deployment("v1")), apex, pins)
			ports := read[corev1.ServiceSpec](t, tt.wantPorts).Ports
			assert.Nil(t, plan.Apex, "the user's apex is part of the plan")
			assert.Equal(t, planned("podinfo-primary", ports, pinnedTo("h1")), plan.Primary)
			assert.Equal(t, planned("podinfo-canary", ports, pinnedTo("h2")), plan.Canary)
			assert.Equal(t, was, apex, "changed by planning")
		})
	}
}

func pinnedTo(hash string) map[string]string {
	return map[string]string{"app": "podinfo", workload.HashLabel: hash}
}

// planned is a Service as Weir writes it.
func planned(name string, ports []corev1.ServicePort, selector map[string]string) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", Labels: map[string]string{"weir.dev/canary": "podinfo"},
			OwnerReferences: []metav1.OwnerReference{workload.ControlledByCanary(canary())},
		},
		Spec: corev1.ServiceSpec{Ports: ports, Selector: selector},
	}
}

func TestServicesWithoutAnApex(t *testing.T) {
	full := canary(func(c *v1beta1.Canary) {
		c.Spec.Service = v1beta1.CanaryService{
			Name: "web", Port: 80, PortName: "web", TargetPort: new(intstr.FromString("http")), AppProtocol: new("http"),
		}
	})
	const all = `{name: web, port: 80, targetPort: http, protocol: TCP, appProtocol: http}`
	older := byWeir(service(t, "web",
		`{selector: {app: podinfo, pod-template-hash: h0}, ports: [{name: http, port: 9898, nodePort: 30123}]}`))
	for name, tt := range map[string]struct {
		canary *v1beta1.Canary
		apex   *corev1.Service
		want   string // the one port
	}{
		"of a port":                       {canary(), nil, `{name: http, port: 9898, targetPort: 9898, protocol: TCP}`},
		"of all that can be said of one":  {full, nil, all},
		"that Weir made of an older spec": {full, older, all},
	} {
		t.Run(name, func(t *testing.T) {
			ports, names := []corev1.ServicePort{*read[corev1.ServicePort](t, tt.want)}, workload.ServiceNames(tt.canary)
			plain := map[string]string{"app": "podinfo"}
			plan := workload.Services(tt.canary, workload.OfDeployment(deployment("v1")), tt.apex, rollout.Pins{})
			assert.Equal(t, planned(names.Apex, ports, plain), plan.Apex)
			assert.Equal(t, planned(names.Primary, ports, plain), plan.Primary)
			assert.Equal(t, planned(names.Canary, ports, plain), plan.Canary)

			pins := rollout.Pins{Apex: "h1", Primary: "h1", Canary: "h2"}
			plan = workload.Services(tt.canary, workload.OfDeployment(deployment("v1")), tt.apex, pins)
			assert.Equal(t, pinnedTo("h1"), plan.Apex.Spec.Selector)
			assert.Equal(t, pinnedTo("h1"), plan.Primary.Spec.Selector)
			assert.Equal(t, pinnedTo("h2"), plan.Canary.Spec.Selector)
		})
	}
}

func TestServicesTakeASelectorWithoutItsPin(t *testing.T) {
	apex := service(t, "podinfo", `{selector: {tier: web, pod-template-hash: h0}, ports: [{port: 9898}]}`)
	plan := workload.Services(canary(), workload.OfDeployment(deployment("v1")), apex, rollout.Pins{Primary: "h1"})
	assert.Equal(t, map[string]string{"tier": "web", workload.HashLabel: "h1"}, plan.Primary.Spec.Selector)
	assert.Equal(t, map[string]string{"tier": "web"}, plan.Canary.Spec.Selector)
	bare := service(t, "podinfo", `{ports: [{port: 9898}]}`)
	plan = workload.Services(canary(), workload.OfDeployment(deployment("v1")), bare, rollout.Pins{Primary: "h1"})
	assert.Equal(t, map[string]string{workload.HashLabel: "h1"}, plan.Primary.Spec.Selector)
}

func TestServiceProblems(t *testing.T) {
	byLabel := deployment("v1")
	byExpression := deployment("v1", func(d *appsv1.Deployment) {
		exists := metav1.LabelSelectorRequirement{Key: "app", Operator: metav1.LabelSelectorOpExists}
		d.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{exists}}
	})
	users := func(spec string) *corev1.Service { return service(t, "podinfo", spec) }
	good := users(`{selector: {app: podinfo}, ports: [{port: 80}, {port: 9898}]}`)
	pinned := users(`{selector: {app: podinfo, pod-template-hash: h1}, ports: [{port: 9898}]}`)
	primary, second := service(t, "podinfo-primary", `{}`), service(t, "podinfo-canary", `{}`)
	const notOurs = " exists and is not Weir's; delete it, or make this Canary anew with another spec.service.name, " +
		"because Weir makes podinfo-primary and podinfo-canary itself"
	for name, tt := range map[string]struct {
		deploy                *appsv1.Deployment
		apex, primary, canary *corev1.Service
		reason, message       string
	}{
		"none is there":          {byLabel, nil, nil, nil, "", ""},
		"all are there":          {byLabel, good, byWeir(primary.DeepCopy()), byWeir(second.DeepCopy()), "", ""},
		"Weir's own apex":        {byLabel, byWeir(users(`{ports: [{port: 1}]}`)), nil, nil, "", ""},
		"an apex that is pinned": {byLabel, pinned, nil, nil, "", ""},
		"an apex, and no label":  {byExpression, good, nil, nil, "", ""},
		"a primary of another":   {byLabel, good, primary, nil, "ServiceNotOurs", "Service podinfo-primary" + notOurs},
		"a canary of another":    {byLabel, good, nil, second, "ServiceNotOurs", "Service podinfo-canary" + notOurs},
		"neither an apex nor a label": {
			byExpression, nil, nil, nil, "SelectorNotSupported", "Deployment podinfo selects its pods by expressions " +
				"alone, of which Weir can make no Service; create Service podinfo yourself",
		},
		"an apex that selects nothing": {
			byLabel, users(`{ports: [{port: 9898}]}`), nil, nil, "SelectorMissing", "Service podinfo has no selector; " +
				"Weir can split only a Service that selects the pods of Deployment podinfo",
		},
		"an apex that selects others": {
			byLabel, users(`{selector: {app: podinfo, tier: web}, ports: [{port: 9898}]}`), nil, nil, "SelectorMismatch",
			"Service podinfo does not select the pods of Deployment podinfo; correct its selector, or make this Canary " +
				"anew with another spec.service.name",
		},
		"an apex without the port": {
			byLabel, users(`{selector: {app: podinfo}, ports: [{port: 80, targetPort: 9898}]}`), nil, nil, "PortNotFound",
			"Service podinfo has no port 9898; set spec.service.port to one of its ports",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want []rollout.Problem
			if tt.reason != "" {
				want = []rollout.Problem{{Reason: tt.reason, Message: tt.message}}
			}
			assert.Equal(t, want, workload.ServiceProblems(canary(), workload.OfDeployment(tt.deploy), tt.apex, tt.primary, tt.canary))
		})
	}
}
