package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// checked is a Canary in a namespace of its own, in a run, whose metric is answered by a Job.
type checked struct {
	*testing.T
	config   *rest.Config
	client   kubernetes.Interface
	weir     versioned.Interface
	canary   *v1beta1.Canary
	template *v1beta1.MetricTemplate
	metrics  []v1beta1.CanaryMetric
}

func newChecked(t *testing.T, config *rest.Config) *checked {
	t.Helper()
	c := &checked{T: t, config: config}
	var err error
	c.client, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	c.weir, err = versioned.NewForConfig(config)
	require.NoError(t, err)
	namespace, err := c.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "jobs-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "app"}}
	canary.Spec.TargetRef.Name, canary.Spec.Service.Port = "app", 80
	c.canary, err = c.weir.WeirV1beta1().Canaries(namespace.Name).Create(t.Context(), canary, metav1.CreateOptions{})
	require.NoError(t, err)
	c.canary.Status = v1beta1.CanaryStatus{
		Run: &v1beta1.RunStatus{ID: "r"}, Step: &v1beta1.StepStatus{Index: 1, Round: 2}, Weight: 20,
		Canary: &v1beta1.RevisionStatus{Hash: "new", ReplicaSet: "app-new"},
	}
	c.template = &v1beta1.MetricTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "smoke"}}
	c.template.Spec.Provider = v1beta1.MetricProvider{Type: v1beta1.ProviderJob, Job: &v1beta1.JobProvider{
		Template: runtime.RawExtension{Raw: []byte(
			`{"metadata":{"labels":{"of":"us"}},"spec":{"containers":[{"name":"smoke","image":"smoke"}]}}`)},
	}}
	c.metrics = []v1beta1.CanaryMetric{{
		Name: "smoke", TemplateRef: &v1beta1.TemplateRef{Name: "smoke"}, TemplateVariables: map[string]string{"path": "/"},
	}}
	return c
}

// operator is one that runs until the function is called.
func (c *checked) operator(config *rest.Config) (*asker, context.CancelFunc) {
	c.Helper()
	client, err := kubernetes.NewForConfig(config)
	require.NoError(c, err)
	options := Options{MetricWorkers: 1, Now: time.Now, Informers: Informers(nil, "")}
	cs, err := newCaches(Clients{}, options, watchable{}, func(...types.NamespacedName) {}, kube.NewFreshness())
	require.NoError(c, err)
	templates := cs.weir.Weir().V1beta1()
	require.NoError(c, templates.MetricTemplates().Informer().GetIndexer().Add(c.template))
	require.NoError(c, templates.ClusterMetricTemplates().Informer().GetIndexer().Add(&v1beta1.ClusterMetricTemplate{
		ObjectMeta: metav1.ObjectMeta{Name: "smoke"}, Spec: c.template.Spec,
	}))
	writer := kube.NewWriter(client, nil, nil, kube.NewFreshness(), nil)
	a := newAsker(client, writer, cs, options, NewMetrics(prometheus.NewRegistry()), func(types.NamespacedName) {})
	ctx, cancel := context.WithCancel(c.Context())
	a.start(ctx)
	stop := func() { cancel(); a.wait() }
	c.Cleanup(stop)
	return a, stop
}

// look is one of the operator's, and gives the answers that there are.
func (c *checked) look(a *asker) []rollout.Answer {
	var questions []rollout.Question
	for _, m := range c.metrics {
		questions = append(questions, rollout.Question{
			Round: rollout.RoundID{Run: "r", Step: 1, Round: 2}, Metric: m, Window: time.Minute,
		})
	}
	return a.answers(keyOf(c.canary), c.canary, &observation{names: workload.Names{Apex: "apex"}}, questions)
}

// answer looks until the Job has answered.
func (c *checked) answer(a *asker) v1beta1.CheckStatus {
	c.Helper()
	var answers []rollout.Answer
	c.until("an answer", func() bool { answers = c.look(a); return len(answers) > 0 })
	require.Equal(c, "smoke", answers[0].Check.Name)
	require.WithinDuration(c, time.Now(), answers[0].Check.At.Time, time.Minute)
	return answers[0].Check
}

func (c *checked) until(what string, holds func() bool) {
	c.Helper()
	require.Eventually(c, holds, 2*time.Minute, 50*time.Millisecond, "waiting for %s", what)
}

func (c *checked) all() []batchv1.Job {
	c.Helper()
	list, err := c.client.BatchV1().Jobs(metav1.NamespaceAll).List(c.Context(), metav1.ListOptions{})
	require.NoError(c, err)
	var own []batchv1.Job
	for _, job := range list.Items {
		if metav1.IsControlledBy(&job, c.canary) {
			own = append(own, job)
		}
	}
	return own
}

// pod is the one that is pending, when there are so many.
func (c *checked) pod(count int) *corev1.Pod {
	c.Helper()
	var pod *corev1.Pod
	c.until(fmt.Sprint(count, " pods"), func() bool {
		list, err := c.client.CoreV1().Pods(c.canary.Namespace).List(c.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		for i, p := range list.Items {
			if p.Status.Phase == corev1.PodPending {
				pod = &list.Items[i]
			}
		}
		return len(list.Items) == count && pod != nil
	})
	return pod
}

// job is the one that the operator makes, but for its environment.
func (c *checked) job() *batchv1.Job {
	c.Helper()
	job, err := workload.JobFor(c.canary, rollout.RoundID{Run: "r", Step: 1, Round: 2}, "smoke", c.template.Spec.Provider.Job, nil)
	require.NoError(c, err)
	return job
}

// is plays what the kubelet says of a pod.
func (c *checked) is(pod *corev1.Pod, phase corev1.PodPhase, conditions ...corev1.PodCondition) {
	c.Helper()
	pod.Status.Phase, pod.Status.Conditions = phase, conditions
	_, err := c.client.CoreV1().Pods(pod.Namespace).UpdateStatus(c.Context(), pod, metav1.UpdateOptions{})
	require.NoError(c, err)
}
