package controller

import (
	"bytes"
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"weir.dev/weir/artifacts"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics/shared"
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
	c.template.Spec.Provider.Job.ActiveDeadlineSeconds = 30
	a, _ := c.operator(c.config)
	c.look(a)
	c.is(c.pod(1), corev1.PodRunning, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictFailed, check.Verdict, check.Message)
	assert.Contains(c, check.Message, "was still running after 30 seconds: Job was active longer than specified deadline")
}

// isNotStarted is a Job that is suspended, as a queue does, and that no time limit would end.
func isNotStarted(c *checked) {
	c.template.Spec.Provider.Job.ActiveDeadlineSeconds = 1
	job := c.job()
	job.Spec.Suspend, job.Spec.ActiveDeadlineSeconds = new(true), nil
	_, err := c.client.BatchV1().Jobs(c.canary.Namespace).Create(c.Context(), job, metav1.CreateOptions{})
	require.NoError(c, err)
	a, _ := c.operator(c.config)
	a.jobs.grace = time.Second
	check := c.answer(a)
	assert.Equal(c, v1beta1.VerdictErrored, check.Verdict)
	assert.Contains(c, check.Message, "had not ended after 2s, and was deleted; is it kept from starting?")
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
	job := c.job()
	job.OwnerReferences = nil
	_, err := c.client.BatchV1().Jobs(c.canary.Namespace).Create(c.Context(), job, metav1.CreateOptions{})
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
