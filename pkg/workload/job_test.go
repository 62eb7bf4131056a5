package workload_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

const smoke = `{metadata: {labels: {of: us}}, spec: {serviceAccountName: smoke,
	initContainers: [{name: first, image: a}], containers: [{name: smoke, image: b, env: [{name: OWN, value: $(WEIR_HASH)}]}]}}`

func jobProvider(t *testing.T, template string) *v1beta1.JobProvider {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(template))
	require.NoError(t, err)
	return &v1beta1.JobProvider{Template: runtime.RawExtension{Raw: raw}}
}

func jobCanary(name string) *v1beta1.Canary {
	return &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "1"}}
}

// TestJobFor shows the whole Job: nothing is in it that its author did not write, but what bounds it and its environment.
func TestJobFor(t *testing.T) {
	p := jobProvider(t, smoke)
	env := []corev1.EnvVar{{Name: "WEIR_HASH", Value: "abc"}}
	job, err := workload.JobFor(jobCanary("podinfo"), rollout.RoundID{Run: "r", Step: 1, Round: 2}, "smoke", p, env)
	require.NoError(t, err)
	assert.Equal(t, read[batchv1.Job](t, `
metadata:
  namespace: shop
  name: podinfo-`+strings.TrimPrefix(job.Name, "podinfo-")+`
  labels: {weir.dev/canary: podinfo}
  ownerReferences:
  - {apiVersion: weir.dev/v1beta1, kind: Canary, name: podinfo, uid: "1", controller: true, blockOwnerDeletion: true}
spec:
  activeDeadlineSeconds: 300
  ttlSecondsAfterFinished: 3600
  backoffLimit: 0
  podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}]}
  template:
    metadata: {labels: {of: us}}
    spec:
      restartPolicy: Never
      serviceAccountName: smoke
      initContainers: [{name: first, image: a, env: [{name: WEIR_HASH, value: abc}]}]
      containers: [{name: smoke, image: b, env: [{name: WEIR_HASH, value: abc}, {name: OWN, value: $(WEIR_HASH)}]}]
`), job)

	p.ActiveDeadlineSeconds, p.TTLSecondsAfterFinished = 20, 600
	job, err = workload.JobFor(jobCanary("podinfo"), rollout.RoundID{}, "smoke", p, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 20, *job.Spec.ActiveDeadlineSeconds)
	assert.EqualValues(t, 600, *job.Spec.TTLSecondsAfterFinished)
}

// TestJobNames: one question has one name, and no two have the same.
func TestJobNames(t *testing.T) {
	name := func(c *v1beta1.Canary, round rollout.RoundID, metric string) string {
		job, err := workload.JobFor(c, round, metric, jobProvider(t, smoke), nil)
		require.NoError(t, err)
		return job.Name
	}
	first := rollout.RoundID{Run: "r", Step: 1, Round: 2}
	another := jobCanary("podinfo")
	another.UID = types.UID("2")
	assert.Equal(t, name(jobCanary("podinfo"), first, "smoke"), name(jobCanary("podinfo"), first, "smoke"))
	names := map[string]bool{
		name(jobCanary("podinfo"), first, "smoke"):                                        true,
		name(jobCanary("podinfo"), first, "load"):                                         true,
		name(jobCanary("podinfo"), rollout.RoundID{Run: "r", Step: 1, Round: 3}, "smoke"): true,
		name(jobCanary("podinfo"), rollout.RoundID{Run: "r", Step: 2, Round: 2}, "smoke"): true,
		name(jobCanary("podinfo"), rollout.RoundID{Run: "s", Step: 1, Round: 2}, "smoke"): true,
		name(another, first, "smoke"):                                                     true,
	}
	assert.Len(t, names, 6)
	long := name(jobCanary("a.b-"+strings.Repeat("c", 39)+"-"+strings.Repeat("d", 50)), first, "smoke")
	assert.Regexp(t, "^a-b-c{39}-[0-9a-f]{12}$", long, "no dots, and no two hyphens where it was cut")
	assert.LessOrEqual(t, len(long), 57, "pods have six characters more")
}

func TestJobTemplatesThatCannotBe(t *testing.T) {
	for template, says := range map[string]string{
		`{spec: {container: []}}`: `spec.provider.job.template is no template of a pod: json: unknown field "container"; correct it`,
		`[]`: "spec.provider.job.template is no template of a pod: json: cannot unmarshal array into Go value of " +
			"type v1.PodTemplateSpec; correct it",
		`{}`: "spec.provider.job.template.spec.containers is empty; add the container that checks",
		`{spec: {restartPolicy: OnFailure, containers: [{name: a}]}}`: "spec.provider.job.template.spec.restartPolicy is OnFailure, " +
			"and a container that is started again has no exit code; remove it",
	} {
		_, err := workload.JobTemplate(jobProvider(t, template))
		require.EqualError(t, err, says)
		_, err = workload.JobFor(jobCanary("podinfo"), rollout.RoundID{}, "smoke", jobProvider(t, template), nil)
		require.EqualError(t, err, says)
	}
	_, err := workload.JobTemplate(nil)
	require.EqualError(t, err, "spec.provider.job is missing; set it")
	_, err = workload.JobTemplate(jobProvider(t, `{spec: {restartPolicy: Never, containers: [{name: a}]}}`))
	require.NoError(t, err)
}

func TestHowAJobEnds(t *testing.T) {
	const deadline = "Job was active longer than specified deadline"
	for name, c := range map[string]struct {
		conditions []batchv1.JobCondition
		ran        bool
		want       *workload.JobEnd
	}{
		"not yet":       {},
		"suspended":     {conditions: []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}}},
		"not so":        {conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionFalse}}},
		"about to pass": {conditions: []batchv1.JobCondition{{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}}},
		"complete": {
			conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}},
			want:       &workload.JobEnd{Verdict: v1beta1.VerdictPassed, Value: "Complete", Message: "Job shop/smoke completed"},
		},
		"failed": {
			conditions: []batchv1.JobCondition{{
				Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: "it has failed once",
			}},
			want: &workload.JobEnd{Verdict: v1beta1.VerdictFailed, Value: "Failed",
				Message: "Job shop/smoke failed; see its logs: it has failed once (BackoffLimitExceeded)"},
		},
		"too long": {
			conditions: []batchv1.JobCondition{{
				Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: "DeadlineExceeded", Message: deadline,
			}},
			ran: true,
			want: &workload.JobEnd{Verdict: v1beta1.VerdictFailed, Value: "Failed",
				Message: "Job shop/smoke was still running after 20 seconds: " + deadline + " (DeadlineExceeded)"},
		},
		"never began": {
			conditions: []batchv1.JobCondition{{
				Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "DeadlineExceeded", Message: deadline,
			}},
			want: &workload.JobEnd{Verdict: v1beta1.VerdictErrored, Message: "the pod of Job shop/smoke was not seen to run within " +
				"20 seconds; look why, or raise spec.provider.job.activeDeadlineSeconds"},
		},
	} {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "smoke"}}
		job.Spec.ActiveDeadlineSeconds, job.Status.Conditions = new(int64(20)), c.conditions
		assert.Equal(t, c.want, workload.JobEndOf(job, c.ran), name)
	}
	job := &batchv1.Job{}
	assert.False(t, workload.JobRuns(job))
	job.Status.Ready = new(int32(0))
	assert.False(t, workload.JobRuns(job))
	job.Status.Ready = new(int32(1))
	assert.True(t, workload.JobRuns(job))
}
