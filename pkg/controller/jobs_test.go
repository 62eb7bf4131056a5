package controller

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/weir/artifacts"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/metrics/shared"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// TestJobs has the real controller of Jobs run them. Their pods are played.
func TestJobs(t *testing.T) {
	server, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{ControllerManager: true, Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	definitions, err := artifacts.CRDs()
	require.NoError(t, err)
	require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), bytes.Join(definitions, []byte("\n---\n"))))
	rights, err := os.ReadFile("../../kustomize/base/rights.yaml")
	require.NoError(t, err)
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: weir-system}\n---\n"
	require.NoError(t, sandbox.Apply(t.Context(), server.RESTConfig(), append([]byte(namespace), rights...)))
	for name, test := range map[string]func(*checked){
		"succeeds": succeeds, "fails": fails, "never begins": neverBegins, "takes too long": takesTooLong,
		"is not started": isNotStarted, "the operator restarts": restarts, "has to leave its node": leavesItsNode,
		"no right": hasNoRight, "no right to watch": mayNotWatch, "in the way": isInTheWay, "refused": isRefused,
		"the run ends": endsWithTheRun, "not asked for a while": isFoundAgain, "the Canary goes": goesWithTheCanary,
		"of the cluster": isOfTheCluster, "of another namespace": isOfAnotherNamespace, "beside another": comesFirst,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(newChecked(t, server.RESTConfig())) })
	}
}

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
	a.jobs.grace = time.Second
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

// is plays what the kubelet says of a pod.
func (c *checked) is(pod *corev1.Pod, phase corev1.PodPhase, conditions ...corev1.PodCondition) {
	c.Helper()
	pod.Status.Phase, pod.Status.Conditions = phase, conditions
	_, err := c.client.CoreV1().Pods(pod.Namespace).UpdateStatus(c.Context(), pod, metav1.UpdateOptions{})
	require.NoError(c, err)
}

func succeeds(c *checked) {
	user := rest.CopyConfig(c.config)
	user.Impersonate = rest.ImpersonationConfig{UserName: "bound"}
	_, err := c.client.RbacV1().RoleBindings(c.canary.Namespace).Create(c.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "weir-jobs"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "bound"}},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "weir-jobs"},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	a, stop := c.operator(user)
	require.Empty(c, c.look(a), "a look does not wait")
	pod := c.pod(1)
	assert.Equal(c, []corev1.EnvVar{
		{Name: "WEIR_NAME", Value: "app"}, {Name: "WEIR_NAMESPACE", Value: c.canary.Namespace},
		{Name: "WEIR_TARGET", Value: "app"}, {Name: "WEIR_SERVICE", Value: "apex"},
		{Name: "WEIR_REVISION", Value: "canary"}, {Name: "WEIR_HASH", Value: "new"}, {Name: "WEIR_WEIGHT", Value: "20"},
		{Name: "WEIR_VARIABLES_PATH", Value: "/"},
	}, pod.Spec.Containers[0].Env)
	assert.Equal(c, "us", pod.Labels["of"])
	require.Empty(c, c.look(a))
	c.is(pod, corev1.PodSucceeded)
	check := c.answer(a)
	jobs := c.all()
	require.Len(c, jobs, 1)
	assert.Equal(c, v1beta1.VerdictPassed, check.Verdict, check.Message)
	assert.Equal(c, "Complete", check.Value)
	assert.Equal(c, "Job "+c.canary.Namespace+"/"+jobs[0].Name+" completed", check.Message)
	assert.Equal(c, "app", jobs[0].Labels[workload.CanaryLabel])
	stop()
	again, _ := c.operator(user) // which finds it by the right to get
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(again).Verdict)
}

func fails(c *checked) {
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodFailed)
	check := c.answer(a)
	jobs := c.all()
	require.Len(c, jobs, 1, "it is tried once")
	assert.Equal(c, v1beta1.VerdictFailed, check.Verdict, check.Message)
	assert.Equal(c, "Failed", check.Value)
	assert.Equal(c, "Job "+c.canary.Namespace+"/"+jobs[0].Name+" failed; see its logs: "+
		"Job has reached the specified backoff limit (BackoffLimitExceeded)", check.Message)
}

// neverBegins: that there was no room says nothing of the canary.
func neverBegins(c *checked) {
	c.template.Spec.Provider.Job.ActiveDeadlineSeconds = 1
	a, _ := c.operator(c.config)
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict, check.Message)
	assert.Empty(c, check.Value)
	assert.Contains(c, check.Message, "was not seen to run within 1 seconds")
}

func takesTooLong(c *checked) {
	c.template.Spec.Provider.Job.ActiveDeadlineSeconds = 20
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodRunning, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictFailed, check.Verdict, check.Message)
	assert.Contains(c, check.Message, "was still running after 20 seconds: Job was active longer than specified deadline")
}

// isNotStarted is a Job that somebody suspends, and that no time limit would end.
func isNotStarted(c *checked) {
	c.template.Spec.Provider.Job.ActiveDeadlineSeconds = 5
	a, _ := c.operator(c.config)
	c.look(a)
	c.until("the Job", func() bool { return len(c.all()) == 1 })
	_, err := c.client.BatchV1().Jobs(c.canary.Namespace).Patch(c.Context(), c.all()[0].Name, types.MergePatchType,
		[]byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
	require.NoError(c, err)
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "had not ended after 6s, and was deleted; is it kept from starting?")
	c.until("no Job", func() bool { return len(c.all()) == 0 })
}

// restarts kills the operator while the Job runs, and after it has ended: there is one Job, and one answer.
func restarts(c *checked) {
	first, stop := c.operator(c.config)
	c.look(first)
	pod := c.pod(1)
	stop()
	second, stop := c.operator(c.config)
	require.Empty(c, c.look(second))
	c.is(pod, corev1.PodSucceeded)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(second).Verdict)
	stop()
	third, _ := c.operator(c.config)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(third).Verdict)
	assert.Len(c, c.all(), 1)
}

// leavesItsNode: a pod that was drained away is no failed check.
func leavesItsNode(c *checked) {
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodFailed, corev1.PodCondition{
		Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI",
	})
	c.is(c.pod(2), corev1.PodSucceeded)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(a).Verdict)
	assert.Len(c, c.all(), 1)
}

func hasNoRight(c *checked) {
	nobody := rest.CopyConfig(c.config)
	nobody.Impersonate = rest.ImpersonationConfig{UserName: "nobody"}
	a, _ := c.operator(nobody)
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "Weir may not make and watch a Job in namespace "+c.canary.Namespace+
		"; bind ClusterRole weir-jobs there")
	assert.Empty(c, c.all())
}

// mayNotWatch does not wait for what it will never see.
func mayNotWatch(c *checked) {
	rbac := c.client.RbacV1()
	_, err := rbac.Roles(c.canary.Namespace).Create(c.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "half"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"batch"}, Resources: []string{"jobs"}, Verbs: []string{"create"}}},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	_, err = rbac.RoleBindings(c.canary.Namespace).Create(c.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "half"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "half"}},
		RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "half"},
	}, metav1.CreateOptions{})
	require.NoError(c, err)
	half := rest.CopyConfig(c.config)
	half.Impersonate = rest.ImpersonationConfig{UserName: "half"}
	a, _ := c.operator(half)
	start := time.Now()
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "bind ClusterRole weir-jobs there")
	assert.Less(c, time.Since(start), time.Minute)
}

func isInTheWay(c *checked) {
	a, _ := c.operator(c.config)
	job, err := workload.JobFor(c.canary, rollout.RoundID{Run: "r", Step: 1, Round: 2}, "smoke", c.template.Spec.Provider.Job, nil)
	require.NoError(c, err)
	job.OwnerReferences = nil
	_, err = c.client.BatchV1().Jobs(c.canary.Namespace).Create(c.Context(), job, metav1.CreateOptions{})
	require.NoError(c, err)
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "is in the way, and is not of Canary app; delete it")
}

// isRefused is a pod that the API server does not take.
func isRefused(c *checked) {
	c.template.Spec.Provider.Job.Template.Raw = []byte(`{"spec":{"containers":[{"name":"Not A Name","image":"a"}]}}`)
	a, _ := c.operator(c.config)
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "spec.template.spec.containers[0].name")
}

// endsWithTheRun: what nobody waits for does not go on.
func endsWithTheRun(c *checked) {
	a, _ := c.operator(c.config)
	c.look(a)
	c.pod(1)
	c.canary.Status.Run = nil
	require.Empty(c, a.answers(keyOf(c.canary), c.canary, &observation{}, nil))
	c.until("no Job", func() bool { return len(c.all()) == 0 })
	c.until("no pod", func() bool {
		list, err := c.client.CoreV1().Pods(c.canary.Namespace).List(c.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		return len(list.Items) == 0
	})
}

// isFoundAgain: in a round that is disturbed, the Job goes on, and has answered when it is asked for again.
func isFoundAgain(c *checked) {
	a, _ := c.operator(c.config)
	c.look(a)
	pod := c.pod(1)
	require.Empty(c, a.answers(keyOf(c.canary), c.canary, &observation{}, nil))
	c.is(pod, corev1.PodSucceeded)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(a).Verdict)
	assert.Len(c, c.all(), 1)
}

// goesWithTheCanary has the garbage collector take the Job away.
func goesWithTheCanary(c *checked) {
	a, _ := c.operator(c.config)
	c.look(a)
	c.pod(1)
	require.NoError(c, c.weir.WeirV1beta1().Canaries(c.canary.Namespace).Delete(c.Context(), "app", metav1.DeleteOptions{}))
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "was deleted before it had ended")
	assert.Empty(c, c.all())
}

func isOfTheCluster(c *checked) {
	c.metrics[0].TemplateRef = &v1beta1.TemplateRef{Kind: v1beta1.KindClusterMetricTemplate, Name: "smoke"}
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodSucceeded)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(a).Verdict)
}

func isOfAnotherNamespace(c *checked) {
	c.template.Namespace = "platform"
	c.metrics[0].TemplateRef.Namespace = "platform"
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodSucceeded)
	assert.Equal(c, v1beta1.VerdictPassed, c.answer(a).Verdict)
	assert.Equal(c, c.canary.Namespace, c.all()[0].Namespace)
}

// comesFirst: a server is asked when the Job has ended, so that its answer is not old by then.
func comesFirst(c *checked) {
	c.metrics = append([]v1beta1.CanaryMetric{{
		Name: v1beta1.RequestSuccessRate, ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)},
	}}, c.metrics...)
	a, _ := c.operator(c.config)
	var asked atomic.Int32
	s := a.sources.builtin(c.canary)
	a.sources.keep(s.id(), &client{
		Source: shared.Source{Provider: provider(func(context.Context) (float64, error) {
			asked.Add(1)
			return 100, nil
		}), Type: s.spec.Type, ID: s.id(), Server: s.server()}, read: time.Now(), used: time.Now(),
	})
	require.Empty(c, c.look(a))
	pod := c.pod(1)
	require.Empty(c, c.look(a))
	assert.Zero(c, asked.Load())
	c.is(pod, corev1.PodSucceeded)
	c.until("both answers", func() bool { return len(c.look(a)) == 2 })
	assert.EqualValues(c, 1, asked.Load())
	assert.Len(c, c.all(), 1)
}
