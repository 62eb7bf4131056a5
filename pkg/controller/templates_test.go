package controller

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/fake"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	weirfake "weir.dev/weir/pkg/client/clientset/versioned/fake"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
)

// asksBy is a Canary with one metric, which names a template.
func asksBy(namespace, name string, ref v1beta1.TemplateRef) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{{
		Name: "rate", TemplateRef: &ref, ThresholdRange: &v1beta1.ThresholdRange{Min: new(1.0)},
	}}
	c.Status.Phase = v1beta1.PhaseInitialized
	return c
}

func clusterTemplate(name string) *v1beta1.ClusterMetricTemplate {
	t := &v1beta1.ClusterMetricTemplate{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1", ResourceVersion: "2"}}
	t.Spec.Query = "up"
	t.Spec.Provider = v1beta1.MetricProvider{
		Type: "prometheus", Address: "http://a", SecretRef: &v1beta1.ProviderSecretRef{Name: "token", Namespace: "monitoring"},
	}
	return t
}

// TestAClusterTemplateWakes follows one from the API server to the Canaries that name it, in all namespaces, and to no
// other of its name.
func TestAClusterTemplateWakes(t *testing.T) {
	const kind = v1beta1.KindClusterMetricTemplate
	weir := weirfake.NewSimpleClientset( // the other one wants a schema of these kinds
		asksBy("shop", "app", v1beta1.TemplateRef{Kind: kind, Name: "rate"}),
		asksBy("market", "app", v1beta1.TemplateRef{Kind: kind, Name: "rate"}),
		asksBy("shop", "own", v1beta1.TemplateRef{Name: "rate"}),
		asksBy("shop", "other", v1beta1.TemplateRef{Kind: kind, Name: "other"}),
	)
	woken := make(chan types.NamespacedName, 100)
	cs, err := newCaches(Clients{Kube: kubefake.NewClientset(), Weir: weir, Dynamic: fake.NewSimpleDynamicClient(scheme.Scheme)},
		Options{Informers: Informers(weir, "")}, watchable{}, func(keys ...types.NamespacedName) {
			for _, key := range keys {
				woken <- key
			}
		}, kube.NewFreshness())
	require.NoError(t, err)
	cs.start(t.Context())
	require.True(t, cache.WaitForCacheSync(t.Context().Done(), cs.synced()...))
	for range 4 { // each Canary, for being there
		<-woken
	}
	_, err = weir.WeirV1beta1().ClusterMetricTemplates().Create(t.Context(), clusterTemplate("rate"), metav1.CreateOptions{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []types.NamespacedName{{Namespace: "shop", Name: "app"}, {Namespace: "market", Name: "app"}},
		[]types.NamespacedName{<-woken, <-woken})
	assert.Empty(t, woken)
}

func TestTemplatesThatAreNamed(t *testing.T) {
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{}, none, kube.NewFreshness())
	require.NoError(t, err)
	require.NoError(t, cs.weir.Weir().V1beta1().ClusterMetricTemplates().Informer().GetIndexer().Add(clusterTemplate("rate")))
	c := &Controller{caches: cs}
	named := asksBy("shop", "app", v1beta1.TemplateRef{Kind: v1beta1.KindClusterMetricTemplate, Name: "rate"})
	assert.Empty(t, c.metricProblems(named))
	found, problem := cs.template(named, named.Spec.Analysis.Metrics[0].TemplateRef)
	require.Nil(t, problem)
	assert.Equal(t, "monitoring", found.secrets, "where its Secret is")
	assert.Equal(t, "up", found.Query)

	for says, ref := range map[string]v1beta1.TemplateRef{
		"metric rate: ClusterMetricTemplate ghost does not exist; create it or correct templateRef": {
			Kind: v1beta1.KindClusterMetricTemplate, Name: "ghost"},
		"metric rate: MetricTemplate shop/rate does not exist; create it or correct templateRef": {Name: "rate"},
		"metric rate: MetricTemplate other/rate does not exist; create it or correct templateRef": {
			Kind: v1beta1.KindMetricTemplate, Name: "rate", Namespace: "other"},
	} {
		problems := c.metricProblems(asksBy("shop", "app", ref))
		require.Len(t, problems, 1)
		assert.Equal(t, "TemplateNotFound", problems[0].Reason)
		assert.Equal(t, says, problems[0].Message)
	}
}

// TestAProfileLimitsWhomTemplatesAsk: what is accepted by it is not so any more when the template asks somebody else.
func TestAProfileLimitsWhomTemplatesAsk(t *testing.T) {
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{}, none, kube.NewFreshness())
	require.NoError(t, err)
	c := &Controller{caches: cs}
	profile := &v1beta1.CanaryProfile{ObjectMeta: metav1.ObjectMeta{Name: "careful"}}
	profile.Spec.Limits = &v1beta1.ProfileLimits{MetricProviders: []string{"prometheus", "datadog"}}
	require.NoError(t, cs.weir.Weir().V1beta1().CanaryProfiles().Informer().GetIndexer().Add(profile))
	template := clusterTemplate("rate")
	require.NoError(t, cs.weir.Weir().V1beta1().ClusterMetricTemplates().Informer().GetIndexer().Add(template))
	canary := asksBy("shop", "app", v1beta1.TemplateRef{Kind: v1beta1.KindClusterMetricTemplate, Name: "rate"})
	canary.Annotations = map[string]string{v1beta1.AnnotationProfile: "careful"}
	assert.Empty(t, c.profileProblems(canary))
	template.Spec.Provider.Type = "web"
	assert.Equal(t, []rollout.Problem{{Reason: "ProfileLimit", Message: "spec.analysis.metrics[0] is asked of web by " +
		"ClusterMetricTemplate rate; CanaryProfile careful allows prometheus, datadog"}}, c.profileProblems(canary))
	canary.Spec.Analysis.Metrics[0].TemplateRef.Name = "ghost"
	assert.Empty(t, c.profileProblems(canary), "of what is not there it is said that it is not there")
}

// TestTemplatesOfJobs: what cannot be run, or would be judged by something else, is not accepted.
func TestTemplatesOfJobs(t *testing.T) {
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{}, none, kube.NewFreshness())
	require.NoError(t, err)
	c := &Controller{caches: cs}
	template := &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "smoke"}}
	template.Spec.Provider = v1beta1.MetricProvider{Type: v1beta1.ProviderJob, Job: &v1beta1.JobProvider{}}
	require.NoError(t, cs.weir.Weir().V1beta1().MetricTemplates().Informer().GetIndexer().Add(template))
	canary := asksBy("shop", "app", v1beta1.TemplateRef{Name: "smoke"})
	m := &canary.Spec.Analysis.Metrics[0]
	says := func(raw string) string {
		template.Spec.Provider.Job.Template.Raw = []byte(raw)
		problems := c.metricProblems(canary)
		if len(problems) == 0 {
			return ""
		}
		require.Len(t, problems, 1)
		assert.Equal(t, "TemplateInvalid", problems[0].Reason)
		return problems[0].Message
	}
	const fine = `{"spec":{"containers":[{"name":"a"}]}}`
	assert.Equal(t, "metric rate: MetricTemplate shop/smoke: the verdict of type job is the exit code; "+
		"remove the metric's thresholdRange", says(fine))
	m.ThresholdRange, m.Comparison = nil, &v1beta1.Comparison{}
	assert.Equal(t, "metric rate: MetricTemplate shop/smoke: the verdict of type job is the exit code; "+
		"remove the metric's comparison", says(fine))
	m.Comparison = nil
	assert.Empty(t, says(fine))
	assert.Equal(t, "metric rate: MetricTemplate shop/smoke: spec.provider.job.template.spec.containers is empty; "+
		"add the container that checks", says(`{}`))
}

// TestWithoutClusterTemplates is an operator that cannot read them: it neither waits for them nor stops.
func TestWithoutClusterTemplates(t *testing.T) {
	of := func(found watchable) (*caches, error) {
		options := Options{Namespace: "shop", Informers: Informers(nil, "shop")}
		return newCaches(Clients{}, options, found, func(...types.NamespacedName) {}, kube.NewFreshness())
	}
	cs, err := of(watchable{noClusterTemplates: "the cluster does not serve them; install them"})
	require.NoError(t, err)
	everything, err := of(watchable{})
	require.NoError(t, err)
	assert.Len(t, cs.synced(), len(everything.synced())-1)
	problems := (&Controller{caches: cs}).metricProblems(
		asksBy("shop", "app", v1beta1.TemplateRef{Kind: v1beta1.KindClusterMetricTemplate, Name: "rate"}))
	require.Len(t, problems, 1)
	assert.Equal(t, "TemplateNotReadable", problems[0].Reason)
	assert.Equal(t, "metric rate: ClusterMetricTemplate rate cannot be read: the cluster does not serve them; install them; "+
		"or name a MetricTemplate", problems[0].Message)
}
