package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	providers "weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/words"
	"weir.dev/weir/pkg/workload"
)

type queryOptions struct {
	address string
	window  time.Duration
	primary bool
}

func (c *cli) query() *cobra.Command {
	o := queryOptions{}
	cmd := &cobra.Command{
		Use:   "query NAME METRIC",
		Short: "Ask a metric of a Canary now, and show what it says",
		Long: `Ask a metric of a Canary now, and show what it says.

METRIC is one of the Canary's, or built in. It is asked as the operator would: the query is filled in for the canary, or
with --primary for the primary, and sent from here. So what answers must be reachable from here: with --address, through
kubectl port-forward, say. Nothing of the release changes by it.`,
		Example: "  kubectl weir query podinfo error-rate\n" +
			"  kubectl weir query podinfo request-success-rate --address http://localhost:9090",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 { //nolint:mnd // NAME and METRIC
				return fmt.Errorf("give the name of a Canary and one of its metrics, as in: kubectl weir query podinfo error-rate")
			}
			return nil
		},
		ValidArgsFunction: c.completeOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.connect()
			if err != nil {
				return err
			}
			canary, err := k.canary(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.ask(cmd.Context(), k, canary, args[1], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.address, "address", "", "URL to ask, instead of the one that the template or the Canary has")
	f.DurationVar(&o.window, "window", 0, "what is looked back over, instead of the metric's interval")
	f.BoolVar(&o.primary, "primary", false, "ask about the primary")
	return cmd
}

// errByJob is said of a metric that no server answers.
var errByJob = errors.New("a Job answers it, which the operator alone runs; `kubectl weir status` shows what the last said")

// question is a metric that is to be asked, and who answers.
type question struct {
	metric   v1beta1.CanaryMetric
	provider metrics.Provider
	// template is that of a metric that is not built in.
	template *v1beta1.MetricTemplateSpec
	window   time.Duration
}

// render is what is asked about one revision.
func (q *question) render(v metrics.Vars) (string, error) {
	if q.template == nil {
		return providers.Query(q.metric.Name, v)
	}
	return metrics.Render(q.template.Query, v)
}

// counts is what is asked for a comparison.
func (q *question) counts(canary, primary metrics.Vars) (string, error) {
	kind := analysis.KindOf(q.metric)
	if q.template == nil {
		return providers.Counts(kind, canary, primary)
	}
	return providers.TemplateCounts(kind, q.template, canary, primary)
}

func (c *cli) ask(ctx context.Context, k *cluster, canary *v1beta1.Canary, metric string, o queryOptions) error {
	q, err := k.question(ctx, canary, metric, o)
	if err != nil {
		return err
	}
	vars := func(revision string) (metrics.Vars, error) { return k.vars(ctx, canary, revision, q) }
	about := metrics.Canary
	if o.primary {
		about = metrics.Primary
	}
	if q.metric.Comparison != nil {
		return c.askCounts(ctx, q, vars)
	}
	in := analysis.Input{At: c.Now(), Weight: canary.Status.Weight}
	if in.Query, in.Answer, err = c.askAbout(ctx, about, q, vars); err != nil {
		return err
	}
	if in.Err == nil && analysis.Baseline(q.metric) {
		if _, in.Baseline, err = c.askAbout(ctx, metrics.Primary, q, vars); err != nil {
			return err
		}
	}
	if q.metric.ThresholdRange == nil && q.metric.Condition == "" {
		return nil // nobody has said what is accepted
	}
	check := analysis.Judge(q.metric, in)
	fmt.Fprintf(c.Out, "Verdict: %s: %s\n", check.Verdict, check.Message)
	return nil
}

// question finds a metric and makes its provider.
func (k *cluster) question(ctx context.Context, canary *v1beta1.Canary, name string, o queryOptions) (*question, error) {
	q := &question{}
	var known []string
	for _, m := range canary.Spec.Analysis.Metrics {
		known = append(known, m.Name)
		if m.Name == name {
			q.metric = m
		}
	}
	switch {
	case q.metric.Name != "":
	case name == v1beta1.RequestSuccessRate || name == v1beta1.RequestDuration:
		q.metric = v1beta1.CanaryMetric{Name: name}
	default:
		known = append(known, "those that are built in")
		return nil, fmt.Errorf("there is no metric %s of Canary %s; it has %s", name, canary.Name, words.And(known))
	}
	q.window = cmp.Or(o.window, rollout.Duration(q.metric.Interval, rollout.Duration(canary.Spec.Analysis.Interval, time.Minute)))
	spec, namespace := providers.Prometheus(canary), canary.Namespace
	if ref := q.metric.TemplateRef; ref != nil {
		t, from, err := k.template(ctx, canary, ref)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%s, which metric %s names, does not exist", called(canary, ref), name)
		}
		if err != nil {
			return nil, err
		}
		spec, namespace, q.template = t.Provider, from, t
	}
	if spec.Type == v1beta1.ProviderJob {
		return nil, fmt.Errorf("metric %s cannot be asked: %w", name, errByJob)
	}
	spec.Address = cmp.Or(o.address, spec.Address)
	if spec.Type == "prometheus" && spec.Address == "" {
		return nil, fmt.Errorf("only the operator knows which Prometheus it is (--metrics-server); say where it is from here " +
			"with --address")
	}
	var secret map[string][]byte
	if spec.SecretRef != nil {
		s, err := k.kube.CoreV1().Secrets(namespace).Get(ctx, spec.SecretRef.Name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading the Secret of the provider: %w", err)
		}
		secret = s.Data
	}
	var err error
	q.provider, err = providers.New(spec, secret, "", nil)
	return q, err
}

// template is what a metric names, and the namespace that its Secret is in.
func (k *cluster) template(
	ctx context.Context, canary *v1beta1.Canary, ref *v1beta1.TemplateRef,
) (*v1beta1.MetricTemplateSpec, string, error) {
	if ref.Kind != v1beta1.KindClusterMetricTemplate {
		namespace := cmp.Or(ref.Namespace, canary.Namespace)
		t, err := k.weir.WeirV1beta1().MetricTemplates(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return nil, "", err
		}
		return &t.Spec, namespace, nil
	}
	t, err := k.weir.WeirV1beta1().ClusterMetricTemplates().Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, "", err
	}
	if secret := t.Spec.Provider.SecretRef; secret != nil {
		return &t.Spec, secret.Namespace, nil
	}
	return &t.Spec, "", nil
}

// called is how people call a template.
func called(canary *v1beta1.Canary, ref *v1beta1.TemplateRef) string {
	if ref.Kind == v1beta1.KindClusterMetricTemplate {
		return ref.Kind + " " + ref.Name
	}
	return fmt.Sprintf("%s %s/%s", v1beta1.KindMetricTemplate, cmp.Or(ref.Namespace, canary.Namespace), ref.Name)
}

// vars are what a query is filled in with.
func (k *cluster) vars(ctx context.Context, canary *v1beta1.Canary, revision string, q *question) (metrics.Vars, error) {
	v := metrics.VarsOf(canary, revision, workload.ServiceNames(canary).Apex, q.window, q.metric.TemplateVariables)
	if v.Hash == "" {
		return v, fmt.Errorf("there is no %s of Canary %s to ask about, in phase %s", revision, canary.Name,
			cmp.Or(string(canary.Status.Phase), "none"))
	}
	if rollout.KindOf(canary) == v1beta1.KindDeployment {
		return v, nil
	}
	// Pods that are replaced in place are told apart by their label, and not by their names.
	pods, err := k.kube.CoreV1().Pods(canary.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: appsv1.ControllerRevisionHashLabelKey + "=" + v.Hash,
	})
	if err != nil {
		return v, err
	}
	for _, p := range pods.Items {
		v.PodNames = append(v.PodNames, p.Name)
	}
	return v, nil
}

// askAbout shows the query about a revision, and what came of it.
func (c *cli) askAbout(
	ctx context.Context, revision string, q *question, vars func(string) (metrics.Vars, error),
) (string, analysis.Answer, error) {
	v, err := vars(revision)
	if err != nil {
		return "", analysis.Answer{}, err
	}
	query, err := q.render(v)
	if err != nil {
		return "", analysis.Answer{}, err
	}
	fmt.Fprintf(c.Out, "About the %s, revision %s, in the last %s:\n%s\n", revision, v.Hash, words.Span(q.window), indented(query))
	samples, err := q.provider.Query(ctx, metrics.Query{Expr: query, Window: q.window, At: c.Now()})
	if err != nil {
		fmt.Fprintf(c.Out, "Answer: %s\n\n", err)
		return query, analysis.Answer{Err: err}, nil
	}
	var answer analysis.Answer
	for _, s := range samples {
		answer.Values = append(answer.Values, s.Value)
		fmt.Fprintf(c.Out, "Answer: %v %s\n", s.Value, s.Series)
	}
	fmt.Fprintln(c.Out)
	return query, answer, nil
}

// askCounts shows what a comparison would count in one window. The evidence is the operator's, in the status.
func (c *cli) askCounts(ctx context.Context, q *question, vars func(string) (metrics.Vars, error)) error {
	canary, err := vars(metrics.Canary)
	if err != nil {
		return err
	}
	primary, err := vars(metrics.Primary)
	if err != nil {
		return err
	}
	query, err := q.counts(canary, primary)
	if err != nil {
		return err
	}
	read := func(at time.Time) (providers.Reading, error) {
		samples, err := q.provider.Query(ctx, metrics.Query{Expr: query, At: at})
		if err != nil && !errors.Is(err, metrics.NoData) {
			return providers.Reading{}, err
		}
		return providers.ReadingOf(at, samples), nil
	}
	now := c.Now()
	before, err := read(now.Add(-q.window))
	if err != nil {
		return err
	}
	after, err := read(now)
	if err != nil {
		return err
	}
	window, err := providers.Window(before, after)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "Requests in the last %s:\n", words.Span(q.window))
	for _, side := range []struct {
		metrics.Vars
		evidence.Sample
	}{{canary, window.Canary}, {primary, window.Primary}} {
		fmt.Fprintf(c.Out, "  %s, revision %s: %.0f", side.Revision, side.Hash, side.Requests)
		switch kind := analysis.KindOf(q.metric); {
		case kind == evidence.Errors && q.template == nil:
			fmt.Fprintf(c.Out, ", %.0f failed", side.Bad)
		case kind == evidence.Errors:
			fmt.Fprintf(c.Out, ", %.0f bad", side.Bad)
		case kind == evidence.Mean:
			fmt.Fprintf(c.Out, ", which sum up to %v", side.Sum)
		}
		fmt.Fprintln(c.Out)
	}
	fmt.Fprintln(c.Out)
	check, _ := analysis.Compare(q.metric, nil, 0, analysis.Counted{Query: query, Window: window, Weight: canary.Weight, At: now})
	fmt.Fprintf(c.Out, "By this window alone: %s: %s\n", check.Verdict, check.Message)
	return nil
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
