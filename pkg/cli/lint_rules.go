package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	channels "weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	providers "weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	routers "weir.dev/weir/pkg/router/builtin"
	"weir.dev/weir/pkg/words"
	"weir.dev/weir/pkg/workload"
)

// linter holds manifests to the rules, first each by itself, then together.
type linter struct {
	provider string
	problems []problem
	// notes are what is skipped, and what cannot be looked at.
	notes   []string
	checked int

	definitions map[string]*definition
	canaries    []parsed[v1beta1.Canary]
	templates   []parsed[v1beta1.MetricTemplate]
	workloads   []targeted
	services    []parsed[corev1.Service]
	profiles    []*v1beta1.CanaryProfile
}

// parsed is a manifest and what it says.
type parsed[T any] struct {
	manifest
	object *T
}

func (l *linter) run(ctx context.Context, all []manifest) error {
	var err error
	if l.definitions, err = definitions(); err != nil {
		return err
	}
	for _, m := range all {
		switch kind := m.kind(); {
		case kind.Group == v1beta1.GroupName:
			l.own(ctx, m)
		case l.keepWorkload(m):
		case kind == corev1.SchemeGroupVersion.WithKind("Service"):
			l.services = keep(l.services, m)
		case kind.Kind == "" || m.object.GetAPIVersion() == "":
			l.add(m.problem("", "apiVersion or kind is missing; set both"))
		default:
			l.note(m.problem("", "skipped, %s is none of Weir's kinds", kind.GroupKind()))
		}
	}
	for _, t := range l.templates {
		l.template(t)
	}
	for _, t := range l.workloads {
		l.annotatedWorkload(ctx, t)
	}
	for _, c := range l.canaries {
		l.canary(c)
	}
	return nil
}

func (l *linter) add(p problem) { l.problems = append(l.problems, p) }

func (l *linter) note(p problem) { l.notes = append(l.notes, p.String()) }

// keep reads what may be looked at together with a Canary. What cannot be read is for others to complain of.
func keep[T any](all []parsed[T], m manifest) []parsed[T] {
	object, err := typed[T](m.object.Object)
	if err != nil {
		return all
	}
	return append(all, parsed[T]{m, object})
}

func typed[T any](fields map[string]any) (*T, error) {
	object := new(T)
	return object, runtime.DefaultUnstructuredConverter.FromUnstructured(fields, object)
}

// own holds an object of Weir's to what the API server would say of it.
func (l *linter) own(ctx context.Context, m manifest) {
	l.checked++
	kind := m.kind()
	d := l.definitions[kind.Kind]
	switch {
	case d == nil:
		l.add(m.problem("kind", "%s has no kind %s; its kinds are %s", v1beta1.GroupName, kind.Kind, words.And(sorted(l.definitions))))
		return
	case kind.Version != v1beta1.SchemeGroupVersion.Version:
		l.add(m.problem("apiVersion", "apiVersion %s is not served; set %s", m.object.GetAPIVersion(), v1beta1.SchemeGroupVersion))
		return
	}
	object := m.object.DeepCopy().Object
	unknown, wrong := d.admit(ctx, object)
	for _, path := range unknown {
		l.add(m.problem(path, "%s", unknownField(path, d.near(path))))
	}
	for _, e := range wrong {
		l.add(m.problem(e.Field, "%s", tell(e)))
	}
	if len(wrong) > 0 {
		return // the operator would never see it
	}
	switch kind.Kind {
	case "Canary":
		if c, err := typed[v1beta1.Canary](object); err == nil {
			l.canaries = append(l.canaries, parsed[v1beta1.Canary]{m, c})
		}
	case v1beta1.KindMetricTemplate, v1beta1.KindClusterMetricTemplate: // alike but for where they are
		if t, err := typed[v1beta1.MetricTemplate](object); err == nil {
			l.templates = append(l.templates, parsed[v1beta1.MetricTemplate]{m, t})
		}
	case "CanaryProfile":
		if p, err := typed[v1beta1.CanaryProfile](object); err == nil {
			l.profiles = append(l.profiles, p)
		}
	case "AlertProvider":
		if p, err := typed[v1beta1.AlertProvider](object); err == nil {
			l.alertChannel(m, p.Spec.AlertChannel, p.Spec.SecretRef != nil)
		}
	case "ClusterAlertProvider":
		if p, err := typed[v1beta1.ClusterAlertProvider](object); err == nil {
			l.alertChannel(m, p.Spec.AlertChannel, p.Spec.SecretRef != nil)
		}
	}
}

func unknownField(path, meant string) string {
	if meant == "" {
		return path + " is no field; remove it"
	}
	return fmt.Sprintf("%s is no field; did you mean %s?", path, meant)
}

// canary holds a Canary to what the operator would say of it.
func (l *linter) canary(c parsed[v1beta1.Canary]) {
	for _, other := range l.canaries {
		if other.object != c.object && same(other.manifest, c.manifest) && other.object.Spec.TargetRef == c.object.Spec.TargetRef &&
			(other.file != c.file || other.line < c.line) {
			l.add(c.problem("spec.targetRef", "%s is the target of Canary %s already; remove one of the two",
				words.TargetOf(c.object), other.object.Name))
		}
	}
	l.refusals(c, slices.Concat(rollout.PlanProblems(&c.object.Spec), analysis.Problems(&c.object.Spec)))
	provider := c.object.Spec.Provider
	if provider == "" {
		provider = l.provider
	}
	all := routers.Routers(routers.Options{})
	if r, ok := routers.ByProvider(provider); ok {
		l.refusals(c, router.Elsewhere(r.Validate(c.object), all))
	} else {
		l.refusals(c, []rollout.Problem{router.Unknown(provider, all)})
	}
	l.limits(c, provider)
	for i := range c.object.Spec.Analysis.Metrics {
		l.metric(c, i)
	}
	l.target(c)
}

// same says that two objects end up in one namespace, as far as is known.
func same(a, b manifest) bool {
	return a.object.GetNamespace() == "" || b.object.GetNamespace() == "" || a.object.GetNamespace() == b.object.GetNamespace()
}

// metric fills the query of a metric in as the operator would in a run.
func (l *linter) metric(c parsed[v1beta1.Canary], i int) {
	m := &c.object.Spec.Analysis.Metrics[i]
	if m.TemplateRef == nil {
		return
	}
	path := fmt.Sprintf("spec.analysis.metrics[%d]", i)
	called := calledBy(m.TemplateRef)
	t := l.templateOf(c, m.TemplateRef)
	if t == nil {
		if !slices.ContainsFunc(l.templates, func(t parsed[v1beta1.MetricTemplate]) bool { return t.name() == called }) {
			l.note(c.problem(path, "metric %s: %s is not in the input, and was not looked at", m.Name, called))
		}
		return
	}
	queries, err := providers.Asked(*m, analysis.KindOf(*m), &t.object.Spec)
	if err != nil {
		l.add(c.problem(path, "metric %s: %s: %s", m.Name, called, err))
	}
	vars := metrics.Vars{
		Name: c.object.Name, Namespace: "default", Target: c.object.Spec.TargetRef.Name,
		Service: workload.ServiceNames(c.object).Apex, Revision: "canary", Hash: "0000000000",
		ReplicaSet: c.object.Spec.TargetRef.Name + "-0000000000", Interval: time.Minute, Variables: m.TemplateVariables,
	}
	if inPlace(c.object) {
		vars.PodNames = []string{c.object.Spec.TargetRef.Name + "-0"}
	}
	for _, query := range queries {
		if metrics.Parse(query) != nil {
			continue // that is said of the template
		}
		if _, err := metrics.Render(query, vars); err != nil {
			l.add(c.problem(path, "metric %s: %s: %s", m.Name, called, err))
		}
	}
}

func calledBy(ref *v1beta1.TemplateRef) string {
	return cmp.Or(ref.Kind, v1beta1.KindMetricTemplate) + " " + ref.Name
}

// templateOf is the one of the input that a Canary names, or nil.
func (l *linter) templateOf(c parsed[v1beta1.Canary], ref *v1beta1.TemplateRef) *parsed[v1beta1.MetricTemplate] {
	for i, t := range l.templates {
		if calledBy(ref) == t.name() && (t.object.Kind == v1beta1.KindClusterMetricTemplate || t.object.Namespace == "" ||
			ref.Namespace == "" && same(t.manifest, c.manifest) || t.object.Namespace == ref.Namespace) {
			return &l.templates[i]
		}
	}
	return nil
}

// template holds a MetricTemplate, or a ClusterMetricTemplate, to what the operator would say of it.
func (l *linter) template(t parsed[v1beta1.MetricTemplate]) {
	spec := &t.object.Spec
	for _, q := range []struct{ field, query string }{
		{"query", spec.Query}, {"totalQuery", spec.TotalQuery}, {"badQuery", spec.BadQuery}, {"sumQuery", spec.SumQuery},
	} {
		if err := metrics.Parse(q.query); err != nil {
			l.add(t.problem("spec."+q.field, "spec.%s: %s", q.field, err))
		}
	}
	if spec.Provider.Type == v1beta1.ProviderJob {
		if _, err := workload.JobTemplate(spec.Provider.Job); err != nil {
			l.add(t.problem("spec.provider.job.template", "%s", err))
		}
		return
	}
	if err := providers.Check(t.object.Spec.Provider); err != nil && errors.Is(err, metrics.Rejected) {
		l.add(t.problem("spec.provider", "spec.provider: %s", err))
	}
}

// alertChannel holds an AlertProvider, or one of the cluster, to what the operator would say of it.
func (l *linter) alertChannel(m manifest, channel v1beta1.AlertChannel, hasSecret bool) {
	if err := channels.Check(channel, hasSecret); err != nil {
		l.add(m.problem("spec", "%s", err))
	}
}
