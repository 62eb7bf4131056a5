package annotated

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// AskedOf tells the type of the provider of a template that a Canary names; "" where there is no such template, which is
// for others to complain of.
type AskedOf func(*v1beta1.TemplateRef) string

// Exceeds says by which fields a Canary does not keep to the limits of its profile, a sentence each. The provider is that
// of Canaries that name none.
func Exceeds(spec *v1beta1.CanarySpec, provider string, profile *v1beta1.CanaryProfile, askedOf AskedOf) []string {
	limits := profile.Spec.Limits
	if limits == nil {
		return nil
	}
	var all []string
	exceeds := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	checks, weight := int32(0), int32(0)
	for i, step := range rollout.Steps(spec) {
		checks += step.Rounds
		if rise := step.Split.Weight - weight; limits.MaxStep != nil && rise > *limits.MaxStep {
			exceeds("spec.analysis goes from %d %% of the traffic to %d %% at step %d; CanaryProfile %s lets a step add %d %% at most",
				weight, step.Split.Weight, i+1, profile.Name, *limits.MaxStep)
		}
		weight = step.Split.Weight
	}
	if limits.MinChecks != nil && checks < *limits.MinChecks {
		exceeds("spec.analysis has %d rounds of checks, and CanaryProfile %s wants %d before a promotion; add steps",
			checks, profile.Name, *limits.MinChecks)
	}
	for _, name := range limits.RequiredMetrics {
		if !slices.ContainsFunc(spec.Analysis.Metrics, func(m v1beta1.CanaryMetric) bool { return m.Name == name && !m.DryRun }) {
			exceeds("spec.analysis.metrics lacks %s, which CanaryProfile %s wants to be judged", name, profile.Name)
		}
	}
	if spec.Provider != "" {
		provider = spec.Provider
	}
	provider, _, _ = strings.Cut(provider, ":")
	if len(limits.Providers) > 0 && !slices.Contains(limits.Providers, provider) {
		exceeds("spec.provider is %s; CanaryProfile %s allows %s", provider, profile.Name, strings.Join(limits.Providers, ", "))
	}
	if len(limits.MetricProviders) == 0 {
		return all
	}
	for i, m := range spec.Analysis.Metrics {
		asked, by := "prometheus", "" // which answers what names no template
		if ref := m.TemplateRef; ref != nil {
			asked, by = askedOf(ref), fmt.Sprintf(" by %s %s", cmp.Or(ref.Kind, v1beta1.KindMetricTemplate), ref.Name)
		}
		if asked != "" && !slices.Contains(limits.MetricProviders, asked) {
			exceeds("spec.analysis.metrics[%d] is asked of %s%s; CanaryProfile %s allows %s",
				i, asked, by, profile.Name, strings.Join(limits.MetricProviders, ", "))
		}
	}
	return all
}
