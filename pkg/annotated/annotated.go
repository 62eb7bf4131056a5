// Package annotated makes the Canary of a workload that asks for one by an annotation, out of its other annotations and
// a CanaryProfile; and it holds Canaries to the limits of their profile. It is pure: values in, a Canary or a sentence out.
package annotated

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// Controls says that a Canary is that of an annotated workload: its target controls it.
func Controls(canary *v1beta1.Canary) bool {
	owner, target := metav1.GetControllerOf(canary), canary.Spec.TargetRef
	return owner != nil && owner.APIVersion == target.APIVersion && owner.Kind == target.Kind && owner.Name == target.Name
}

// Asks says whether annotations ask for a Canary. An error says how to ask.
func Asks(annotations map[string]string) (bool, error) {
	switch value, there := annotations[v1beta1.AnnotationCanary]; {
	case !there, value == "false":
		return false, nil
	case value == "true":
		return true, nil
	default:
		return false, fmt.Errorf(`the annotation %s is %q; it must be "true" or "false"`, v1beta1.AnnotationCanary, value)
	}
}

// Profile is the one of a workload among all that there are; nil where it names none and none is the default.
func Profile(annotations map[string]string, all []*v1beta1.CanaryProfile) (*v1beta1.CanaryProfile, error) {
	name, named := annotations[v1beta1.AnnotationProfile]
	var found []*v1beta1.CanaryProfile
	for _, p := range all {
		if named && p.Name == name || !named && p.Spec.Default {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case named:
		return nil, fmt.Errorf("the annotation %s names the CanaryProfile %q, which does not exist; %s",
			v1beta1.AnnotationProfile, name, amongNames(all))
	case len(found) == 0:
		return nil, nil //nolint:nilnil // there need not be one
	}
	return nil, fmt.Errorf("the CanaryProfiles %s are all the default; name one by the annotation %s",
		strings.Join(names(found), ", "), v1beta1.AnnotationProfile)
}

func names(profiles []*v1beta1.CanaryProfile) []string {
	all := make([]string, 0, len(profiles))
	for _, p := range profiles {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return all
}

func amongNames(all []*v1beta1.CanaryProfile) string {
	if len(all) == 0 {
		return "there is none in this cluster"
	}
	return "there are " + strings.Join(names(all), ", ")
}

// Asking is a workload that asks for a Canary.
type Asking struct {
	workload.Target
	Annotations map[string]string
	// Service has the workload's name; nil if there is none.
	Service *corev1.Service
	// Provider is the router of Canaries that name none.
	Provider string
}

// Canary is that of a workload. The profile may be nil: then a release goes over 5, 20 and 50 percent of the traffic, a
// minute each, with what is watched in every release and no metrics of its own. All errors are told at once; there is no
// Canary then.
func Canary(a Asking, profile *v1beta1.CanaryProfile) (*v1beta1.Canary, error) {
	canary := &v1beta1.Canary{
		TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.SchemeGroupVersion.String(), Kind: "Canary"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.Namespace, Name: a.Name,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: a.Name, UID: a.UID},
				appsv1.SchemeGroupVersion.WithKind(a.Kind))},
		},
	}
	canary.Spec.TargetRef = v1beta1.TargetRef{
		APIVersion: appsv1.SchemeGroupVersion.String(), Kind: a.Kind, Name: a.Name,
	}
	if profile == nil {
		canary.Spec.Analysis.StepWeights = []int32{5, 20, 50}
	} else {
		follow(canary, profile)
	}
	problems := a.turn(canary, profile)
	if err := a.port(canary); err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	a.expand(canary)
	return canary, nil
}

// follow gives a Canary what its profile has.
func follow(canary *v1beta1.Canary, profile *v1beta1.CanaryProfile) {
	p, spec := profile.Spec.DeepCopy().Canary, &canary.Spec
	canary.Annotations = maps.Clone(p.Annotations)
	if canary.Annotations == nil {
		canary.Annotations = map[string]string{}
	}
	canary.Annotations[v1beta1.AnnotationProfile] = profile.Name
	spec.Provider, spec.MetricsServer, spec.ProgressDeadlineSeconds = p.Provider, p.MetricsServer, p.ProgressDeadlineSeconds
	spec.SkipAnalysis, spec.ConfigTracking, spec.OnNewRevision = p.SkipAnalysis, p.ConfigTracking, p.OnNewRevision
	spec.PromotionDelay, spec.ScaleDownDelay, spec.AbortScaleDownDelay = p.PromotionDelay, p.ScaleDownDelay, p.AbortScaleDownDelay
	s := &spec.Service
	of := p.Service
	s.AppProtocol, s.GatewayRefs, s.Gateways, s.Headers = of.AppProtocol, of.GatewayRefs, of.Gateways, of.Headers
	s.Timeout, s.Retries, s.TrafficPolicy, s.Settle = of.Timeout, of.Retries, of.TrafficPolicy, of.Settle
	for _, host := range of.Hosts {
		s.Hosts = append(s.Hosts, gatewayv1.Hostname(host))
	}
	if p.Analysis != nil {
		spec.Analysis = *p.Analysis
	}
}

// port is the one that traffic comes in by: that of the annotation, of the workload's Service, or of its container.
func (a Asking) port(canary *v1beta1.Canary) error {
	if canary.Spec.Service.Port != 0 {
		return nil
	}
	if _, said := a.Annotations[annotationPort]; said {
		return nil // it is wrong, and that is told already
	}
	var ports []int32
	from := "Service " + a.Name
	if a.Service != nil {
		for _, p := range a.Service.Spec.Ports {
			if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
				ports = append(ports, p.Port)
			}
		}
	} else {
		from = "the pod template, where there is no Service " + a.Name + ","
		for _, c := range a.Template.Spec.Containers {
			for _, p := range c.Ports {
				if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
					ports = append(ports, p.ContainerPort)
				}
			}
		}
	}
	if len(ports) == 1 {
		canary.Spec.Service.Port = ports[0]
		return nil
	}
	return fmt.Errorf("%s has %d ports; say by the annotation %s which one traffic comes in by", from, len(ports), annotationPort)
}

// expand puts the workload's own words where the profile has placeholders.
func (a Asking) expand(canary *v1beta1.Canary) {
	words := strings.NewReplacer(
		"$(name)", a.Name, "$(namespace)", a.Namespace, "$(service)", workload.ServiceNames(canary).Apex,
		"$(port)", fmt.Sprint(canary.Spec.Service.Port))
	for i, host := range canary.Spec.Service.Hosts {
		canary.Spec.Service.Hosts[i] = gatewayv1.Hostname(words.Replace(string(host)))
	}
	for i := range canary.Spec.Analysis.Webhooks {
		w := &canary.Spec.Analysis.Webhooks[i]
		w.URL, w.Metadata = words.Replace(w.URL), replaced(words, w.Metadata)
	}
	for i := range canary.Spec.Analysis.Metrics {
		m := &canary.Spec.Analysis.Metrics[i]
		m.TemplateVariables = replaced(words, m.TemplateVariables)
	}
}

func replaced(words *strings.Replacer, in map[string]string) map[string]string {
	out := maps.Clone(in)
	for k, v := range out {
		out[k] = words.Replace(v)
	}
	return out
}
