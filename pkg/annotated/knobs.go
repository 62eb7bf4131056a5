package annotated

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

const (
	prefix         = "weir.dev/"
	annotationPort = prefix + "port"
)

// knob is an annotation that sets a field of a Canary.
type knob struct {
	annotation string
	// path of the field below the Canary's spec, and of others that it replaces; a profile can lock each.
	path     string
	replaces []string
	// says what the value must be, with an example.
	says string
	// set takes a value; false says that it is none.
	set func(a Asking, spec *v1beta1.CanarySpec, value string) bool
}

// knobs are all annotations that set a field, in the order in which they are told and take effect.
func knobs() []knob {
	return []knob{
		{annotation: annotationPort, path: "service.port", set: setPort, says: "a port number, for example 9898"},
		{annotation: prefix + "provider", path: "provider", set: setProvider, says: "the name of a provider, for example gatewayapi"},
		{annotation: prefix + "hosts", path: "service.hosts", set: setHosts, says: "host names, for example app.example.com"},
		{
			annotation: prefix + "gateways", path: "service.gatewayRefs", replaces: []string{"service.gateways"}, set: setGateways,
			says: "names of Gateways, with their namespace or without, for example infra/public",
		},
		{annotation: prefix + "ingress", path: "ingressRef", set: setIngress, says: "the name of an Ingress in the same namespace"},
		{
			annotation: prefix + "step-weights", path: "analysis.stepWeights", set: setWeights,
			replaces: []string{"analysis.steps", "analysis.stepWeight", "analysis.iterations"},
			says:     "percentages that rise, for example 5,20,50",
		},
		{
			annotation: prefix + "interval", path: "analysis.interval", set: setInterval,
			says: "a duration of at least 1s, for example 30s",
		},
		{
			annotation: prefix + "threshold", path: "analysis.threshold", set: setThreshold,
			says: "a number of failed rounds from 1 to 1000",
		},
		{
			annotation: prefix + "success-rate", path: "analysis.metrics", set: setSuccessRate,
			says: "the least percentage of requests that succeed, for example 99.5",
		},
		{
			annotation: prefix + "latency", path: "analysis.metrics", set: setLatency,
			says: "the longest 99th percentile of answers in milliseconds, for example 500",
		},
		{annotation: prefix + "metrics-server", path: "metricsServer", set: setMetricsServer, says: "the URL of a Prometheus"},
		{annotation: prefix + "skip-analysis", path: "skipAnalysis", set: setSkipAnalysis, says: `"true" or "false"`},
	}
}

// links are annotations of a workload that its Canary has, too: the URLs that its alerts show.
func links() []string { return []string{v1beta1.AnnotationRunbook, v1beta1.AnnotationDashboard} }

// turn sets what the annotations say, and says what is wrong with them.
func (a Asking) turn(canary *v1beta1.Canary, profile *v1beta1.CanaryProfile) (problems []string) {
	known := []string{v1beta1.AnnotationCanary, v1beta1.AnnotationProfile}
	for _, k := range knobs() {
		known = append(known, k.annotation)
		value, there := a.Annotations[k.annotation]
		switch {
		case !there:
		case profile != nil && slices.ContainsFunc(append(k.replaces, k.path), profile.Spec.Locked):
			problems = append(problems, fmt.Sprintf("the annotation %s sets %s, which the CanaryProfile %s locks; remove it",
				k.annotation, k.path, profile.Name))
		case !k.set(a, &canary.Spec, strings.TrimSpace(value)):
			problems = append(problems, fmt.Sprintf("the annotation %s is %q; it must be %s", k.annotation, value, k.says))
		}
	}
	for _, name := range links() {
		known = append(known, name)
		value, there := a.Annotations[name]
		switch {
		case !there:
		case !isURL(value):
			problems = append(problems, fmt.Sprintf("the annotation %s is %q; it must be an http or https URL", name, value))
		default:
			metav1.SetMetaDataAnnotation(&canary.ObjectMeta, name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Annotations)) { // in the same words each time, so that they are told once
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) {
			problems = append(problems, fmt.Sprintf("the annotation %s is not known; there are %s", name, strings.Join(known, ", ")))
		}
	}
	return problems
}

func setPort(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	n, ok := number(value, 65535) //nolint:mnd // the last port
	spec.Service.Port = n
	return ok
}

func setProvider(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.Provider = value
	return value != ""
}

func setHosts(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.Service.Hosts = nil
	for _, host := range list(value) {
		if len(validation.IsDNS1123Subdomain(strings.TrimPrefix(host, "*."))) > 0 {
			return false
		}
		spec.Service.Hosts = append(spec.Service.Hosts, gatewayv1.Hostname(host))
	}
	return len(spec.Service.Hosts) > 0
}

// setGateways goes by the provider, which is why it comes after that: Istio names its Gateways in another field.
func setGateways(a Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.Service.GatewayRefs, spec.Service.Gateways = nil, nil
	provider, _, _ := strings.Cut(cmp.Or(spec.Provider, a.Provider), ":")
	for _, gateway := range list(value) {
		namespace, name, qualified := strings.Cut(gateway, "/")
		if !qualified {
			namespace, name = "", gateway
		}
		if len(validation.IsDNS1123Subdomain(name)) > 0 || qualified && len(validation.IsDNS1123Label(namespace)) > 0 {
			return false
		}
		if provider == "istio" {
			spec.Service.Gateways = append(spec.Service.Gateways, gateway)
			continue
		}
		ref := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(name)}
		if qualified {
			ref.Namespace = new(gatewayv1.Namespace(namespace))
		}
		spec.Service.GatewayRefs = append(spec.Service.GatewayRefs, ref)
	}
	return len(spec.Service.GatewayRefs)+len(spec.Service.Gateways) > 0
}

func setIngress(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.IngressRef = &v1beta1.IngressRef{APIVersion: "networking.k8s.io/v1", Kind: "Ingress", Name: value}
	return len(validation.IsDNS1123Subdomain(value)) == 0
}

// setWeights replaces whatever plan the profile has.
func setWeights(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	a := &spec.Analysis
	a.Steps, a.StepWeights, a.StepWeight, a.Iterations, a.Match = nil, nil, nil, nil, nil
	last := int32(0)
	for _, word := range list(value) {
		w, ok := number(strings.TrimSpace(strings.TrimSuffix(word, "%")), 100) //nolint:mnd // percent
		if !ok || w <= last {
			return false
		}
		a.StepWeights, last = append(a.StepWeights, w), w
	}
	if a.MaxWeight != 0 {
		a.MaxWeight = max(a.MaxWeight, last)
	}
	return last > 0
}

func setInterval(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.Analysis.Interval = value
	return rollout.Duration(value, 0) >= time.Second
}

func setThreshold(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	n, ok := number(value, 1000) //nolint:mnd // what the API takes
	spec.Analysis.Threshold = n
	return ok
}

func setSuccessRate(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	least, err := strconv.ParseFloat(value, 64)
	setRange(spec, "request-success-rate", v1beta1.ThresholdRange{Min: &least})
	return err == nil && least > 0 && least <= 100
}

func setLatency(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	longest, err := strconv.ParseFloat(value, 64)
	setRange(spec, "request-duration", v1beta1.ThresholdRange{Max: &longest})
	return err == nil && longest > 0 && longest <= float64(time.Hour/time.Millisecond)
}

// setRange judges a built-in metric by a range, whatever the profile judged it by.
func setRange(spec *v1beta1.CanarySpec, name string, r v1beta1.ThresholdRange) {
	metrics := &spec.Analysis.Metrics
	i := slices.IndexFunc(*metrics, func(m v1beta1.CanaryMetric) bool { return m.Name == name })
	if i < 0 {
		*metrics = append(*metrics, v1beta1.CanaryMetric{Name: name, ThresholdRange: &r})
		return
	}
	m := &(*metrics)[i]
	m.ThresholdRange, m.Condition, m.Comparison, m.Weight = &r, "", nil, 0
}

func setMetricsServer(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.MetricsServer = value
	return isURL(value)
}

func isURL(value string) bool {
	u, err := url.Parse(value)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func setSkipAnalysis(_ Asking, spec *v1beta1.CanarySpec, value string) bool {
	spec.SkipAnalysis = value == "true"
	return value == "true" || value == "false"
}

func number(value string, most int32) (int32, bool) {
	n, err := strconv.ParseInt(value, 10, 32)
	return int32(n), err == nil && n >= 1 && n <= int64(most)
}

// list splits a value at commas, and drops what is empty.
func list(value string) []string {
	var words []string
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}
