package workload

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// How many seconds a Job may take and how many it stays, where the API server did not fill the defaults in.
const (
	jobDeadline = 300
	jobStays    = 3600
)

// JobTemplate reads the pod of a provider of type job, and says what is wrong with it, as far as that can be told
// without an API server.
func JobTemplate(p *v1beta1.JobProvider) (*corev1.PodTemplateSpec, error) {
	const field = "spec.provider.job.template"
	if p == nil {
		return nil, errors.New("spec.provider.job is missing; set it")
	}
	if err := readable(p.Template.Raw); err != nil {
		return nil, fmt.Errorf("%s is no template of a pod: %w; correct it", field, err)
	}
	template := &corev1.PodTemplateSpec{}
	decoder := json.NewDecoder(bytes.NewReader(p.Template.Raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(template); err != nil {
		return nil, fmt.Errorf("%s is no template of a pod: %w; correct it", field, err)
	}
	switch {
	case len(template.Spec.Containers) == 0:
		return nil, fmt.Errorf("%s.spec.containers is empty; add the container that checks", field)
	case template.Spec.RestartPolicy != "" && template.Spec.RestartPolicy != corev1.RestartPolicyNever:
		return nil, fmt.Errorf("%s.spec.restartPolicy is %s, and a container that is started again has no exit code; "+
			"remove it", field, template.Spec.RestartPolicy)
	}
	return template, nil
}

// JobFor is the Job that answers one metric of a Canary in one round. It is named alike whenever the question is repeated,
// so that there is never a second one. It runs its pod once; one that had to leave its node has not answered, and runs
// anew. Env is what all its containers find in their environment, before what they have of their own.
func JobFor(
	canary *v1beta1.Canary, round rollout.RoundID, metric string, p *v1beta1.JobProvider, env []corev1.EnvVar,
) (*batchv1.Job, error) {
	template, err := JobTemplate(p)
	if err != nil {
		return nil, err
	}
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	for _, containers := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for i := range containers {
			containers[i].Env = append(env[:len(env):len(env)], containers[i].Env...)
		}
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: canary.Namespace, Name: jobName(canary, round, metric),
			Labels:          map[string]string{CanaryLabel: canary.Name},
			OwnerReferences: []metav1.OwnerReference{ControlledByCanary(canary)},
		},
		Spec: batchv1.JobSpec{
			Template:                *template,
			BackoffLimit:            new(int32(0)),
			ActiveDeadlineSeconds:   new(cmp.Or(p.ActiveDeadlineSeconds, jobDeadline)),
			TTLSecondsAfterFinished: new(cmp.Or(p.TTLSecondsAfterFinished, jobStays)),
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{
					Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
				}},
			}}},
		},
	}, nil
}

// jobName begins as the Canary's, and leaves room for what Kubernetes adds to the names of pods.
func jobName(canary *v1beta1.Canary, round rollout.RoundID, metric string) string {
	const longest, length = 44, 12
	sum := sha256.Sum256([]byte(string(canary.UID) + "/" + round.String() + "/" + metric))
	base := strings.ReplaceAll(canary.Name, ".", "-")
	return strings.TrimRight(base[:min(len(base), longest)], "-") + "-" + hex.EncodeToString(sum[:])[:length]
}

// JobEnd is what a Job that has ended says of the canary.
type JobEnd struct {
	Verdict v1beta1.Verdict
	// Value is how it ended, in a word: Complete or Failed. It is empty where that says nothing of the canary.
	Value string
	// Message is a sentence that names the Job.
	Message string
}

// JobEndOf judges a Job. It is nil while that has not ended. Ran says that its pod was seen to run: one that ran out of its
// time has failed then, and was never tried otherwise.
func JobEndOf(job *batchv1.Job, ran bool) *JobEnd {
	called := fmt.Sprintf("Job %s/%s", job.Namespace, job.Name)
	limit := int64(0)
	if s := job.Spec.ActiveDeadlineSeconds; s != nil { // somebody may have taken it away
		limit = *s
	}
	for _, c := range job.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return &JobEnd{v1beta1.VerdictPassed, string(batchv1.JobComplete), called + " completed"}
		case c.Type != batchv1.JobFailed && c.Type != batchv1.JobFailureTarget: // the latter while its pod is ending
		case c.Reason != batchv1.JobReasonDeadlineExceeded:
			return &JobEnd{v1beta1.VerdictFailed, string(batchv1.JobFailed),
				fmt.Sprintf("%s failed; see its logs: %s (%s)", called, c.Message, c.Reason)}
		case ran:
			return &JobEnd{v1beta1.VerdictFailed, string(batchv1.JobFailed),
				fmt.Sprintf("%s was still running after %d seconds: %s (%s)", called, limit, c.Message, c.Reason)}
		default:
			return &JobEnd{Verdict: v1beta1.VerdictErrored, Message: fmt.Sprintf("the pod of %s was not seen to run within %d seconds; "+
				"look why, or raise spec.provider.job.activeDeadlineSeconds", called, limit)}
		}
	}
	return nil
}

// JobRuns says that the pod of a Job runs.
func JobRuns(job *batchv1.Job) bool { return job.Status.Ready != nil && *job.Status.Ready > 0 }
