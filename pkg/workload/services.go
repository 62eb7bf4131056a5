package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// CanaryLabel is on everything that Weir makes; its value is the name of the Canary.
const CanaryLabel = "weir.dev/canary"

// Names are those of a Canary's three Services.
type Names struct {
	Apex, Primary, Canary string
}

// ServiceNames are the names of a Canary's Services.
func ServiceNames(c *v1beta1.Canary) Names {
	apex := c.Spec.Service.Name
	if apex == "" {
		apex = c.Spec.TargetRef.Name
	}
	return Names{Apex: apex, Primary: apex + primarySuffix, Canary: apex + canarySuffix}
}

const (
	primarySuffix = "-primary"
	canarySuffix  = "-canary"
)

// ApexesOf are the names that the apex of a Canary can have of which this is the name of a Service.
func ApexesOf(service string) []string {
	apexes := []string{service}
	for _, suffix := range []string{primarySuffix, canarySuffix} {
		if apex, cut := strings.CutSuffix(service, suffix); cut {
			apexes = append(apexes, apex)
		}
	}
	return apexes
}

// ServicePlan is what the Services of a Canary ought to be.
type ServicePlan struct {
	// Apex is nil where the user's own Service serves.
	Apex *corev1.Service
	// Primary and Canary have the ports of the apex, and its selector with a pin.
	Primary, Canary *corev1.Service
}

// Services plans the Services for an apex as found, nil where there is none. The apex of a user is
// never part of the plan: its one key is pinned by itself.
func Services(c *v1beta1.Canary, target *Target, apex *corev1.Service, pins rollout.Pins) ServicePlan {
	names, label := ServiceNames(c), PinLabel(target.Kind)
	ports, selector := portsOf(c, apex), target.Selector.MatchLabels
	made := apex == nil || Made(apex, c)
	if !made {
		selector = apex.Spec.Selector
	}
	plan := ServicePlan{
		Primary: service(c, names.Primary, ports, pinned(selector, label, pins.Primary)),
		Canary:  service(c, names.Canary, ports, pinned(selector, label, pins.Canary)),
	}
	if made {
		plan.Apex = service(c, names.Apex, ports, pinned(selector, label, pins.Apex))
	}
	return plan
}

// Made says that a Service was made by Weir for this Canary.
func Made(svc *corev1.Service, c *v1beta1.Canary) bool { return metav1.IsControlledBy(svc, c) }

// pinned is a selector with the given pin in the place of any other.
func pinned(selector map[string]string, label, hash string) map[string]string {
	s := make(map[string]string, len(selector)+1)
	maps.Copy(s, selector)
	delete(s, label)
	if hash != "" {
		s[label] = hash
	}
	return s
}

func service(
	c *v1beta1.Canary, name string, ports []corev1.ServicePort, selector map[string]string,
) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: c.Namespace,
			Labels:          map[string]string{CanaryLabel: c.Name},
			OwnerReferences: []metav1.OwnerReference{ControlledByCanary(c)},
		},
		Spec: corev1.ServiceSpec{Ports: ports, Selector: selector},
	}
}

// portsOf are all ports of the apex without what belongs to that one Service alone; or the one port
// of the spec where there is no apex.
func portsOf(c *v1beta1.Canary, apex *corev1.Service) []corev1.ServicePort {
	s := c.Spec.Service
	if apex == nil || Made(apex, c) {
		port := corev1.ServicePort{
			Name: s.PortName, Port: s.Port, Protocol: corev1.ProtocolTCP,
			TargetPort: intstr.FromInt32(s.Port), AppProtocol: s.AppProtocol,
		}
		if s.TargetPort != nil {
			port.TargetPort = *s.TargetPort
		}
		return []corev1.ServicePort{port}
	}
	ports := make([]corev1.ServicePort, 0, len(apex.Spec.Ports))
	for _, p := range apex.Spec.Ports {
		p.NodePort = 0
		if p.Port == s.Port {
			if s.TargetPort != nil {
				p.TargetPort = *s.TargetPort
			}
			if s.AppProtocol != nil {
				p.AppProtocol = s.AppProtocol
			}
		}
		ports = append(ports, p)
	}
	return ports
}

// ServiceProblems are the reasons why the target cannot be reached as the spec says.
func ServiceProblems(
	c *v1beta1.Canary, target *Target, apex, primary, canary *corev1.Service,
) []rollout.Problem {
	names := ServiceNames(c)
	for _, svc := range []*corev1.Service{primary, canary} {
		if svc != nil && !Made(svc, c) {
			return problem(rollout.ReasonServiceNotOurs, "Service %s exists and is not Weir's; delete it, or make this Canary anew "+
				"with another spec.service.name, because Weir makes %s and %s itself", svc.Name, names.Primary, names.Canary)
		}
	}
	if apex != nil && !Made(apex, c) {
		return apexProblems(c, target, apex)
	}
	if len(target.Selector.MatchLabels) == 0 {
		return problem(rollout.ReasonSelectorNotSupported, "%s %s selects its pods by expressions alone, of which Weir can "+
			"make no Service; create Service %s yourself", target.Kind, target.Name, names.Apex)
	}
	return nil
}

func apexProblems(c *v1beta1.Canary, target *Target, apex *corev1.Service) []rollout.Problem {
	if len(apex.Spec.Selector) == 0 {
		return problem(rollout.ReasonSelectorMissing, "Service %s has no selector; Weir can split only a Service that selects the "+
			"pods of %s %s", apex.Name, target.Kind, target.Name)
	}
	if !labels.SelectorFromSet(pinned(apex.Spec.Selector, PinLabel(target.Kind), "")).Matches(labels.Set(target.Template.Labels)) {
		return problem(rollout.ReasonSelectorMismatch, "Service %s does not select the pods of %s %s; correct its selector, "+
			"or make this Canary anew with another spec.service.name", apex.Name, target.Kind, target.Name)
	}
	hasPort := func(p corev1.ServicePort) bool { return p.Port == c.Spec.Service.Port }
	if !slices.ContainsFunc(apex.Spec.Ports, hasPort) {
		return problem(rollout.ReasonPortNotFound, "Service %s has no port %d; set spec.service.port to one of its ports",
			apex.Name, c.Spec.Service.Port)
	}
	return nil
}

func problem(reason, format string, args ...any) []rollout.Problem {
	return []rollout.Problem{{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}
