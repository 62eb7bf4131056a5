package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/shared"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// jobs has Jobs answer. They are no metrics.Provider: such a one is asked as often as one likes, and given up after
// patience. A Job is made once, takes minutes, and holds no place meanwhile in which others ask.
type jobs struct {
	kube   kubernetes.Interface
	writer *kube.Writer
	meter  shared.Meter
	// grace is how long after its time limit a Job may be seen to have ended.
	grace time.Duration
}

// errRoundOver ends the waiting for a Job whose answer is of no use any more.
var errRoundOver = errors.New("the round is over")

// check has the Job of one metric and round judge the canary. Its time is for the caller to set. When the context ends
// before the Job does, that goes on; unless it ends with errRoundOver, which the Job does not outlive.
func (j *jobs) check(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, p *v1beta1.JobProvider, vars metrics.Vars,
) v1beta1.CheckStatus {
	start := time.Now()
	j.meter.Began(v1beta1.ProviderJob)
	end, err := j.run(ctx, canary, q, p, vars)
	j.meter.Ended(v1beta1.ProviderJob, time.Since(start), err)
	if err != nil {
		return v1beta1.CheckStatus{Name: q.Metric.Name, Verdict: v1beta1.VerdictErrored, Message: metrics.Quote(err.Error())}
	}
	return v1beta1.CheckStatus{
		Name: q.Metric.Name, Verdict: end.Verdict, Value: end.Value, Message: metrics.Quote(end.Message),
	}
}

func (j *jobs) run(
	ctx context.Context, canary *v1beta1.Canary, q rollout.Question, p *v1beta1.JobProvider, vars metrics.Vars,
) (*workload.JobEnd, error) {
	env, err := vars.Environment()
	if err != nil {
		return nil, err
	}
	job, err := workload.JobFor(canary, q.Round, q.Metric.Name, p, env)
	if err != nil {
		return nil, metrics.Rejectedf("%s", err)
	}
	limit := time.Duration(*job.Spec.ActiveDeadlineSeconds)*time.Second + j.grace
	if job, err = j.ensure(ctx, canary, job); err != nil {
		return nil, err
	}
	waiting, stop := context.WithTimeout(ctx, limit)
	defer stop()
	end, err := j.wait(waiting, job)
	goesOn := ctx.Err() != nil && !errors.Is(context.Cause(ctx), errRoundOver)
	if end != nil || goesOn || waiting.Err() == nil {
		return end, err
	}
	// Its answer is of no use any more; or it does not end, because nobody starts it, for example.
	if err := j.remove(ctx, job); err != nil {
		return nil, metrics.Transportf("Job %s/%s has not ended after %s, and is left: %s", job.Namespace, job.Name, limit, err)
	}
	if ctx.Err() != nil {
		return nil, errRoundOver
	}
	return nil, metrics.Transportf("Job %s/%s had not ended after %s, and was deleted; is it kept from starting?",
		job.Namespace, job.Name, limit)
}

// ensure gives the Job as it is there, and makes it if it is not. It is not left half-way, so that none is there that
// nobody knows of.
func (j *jobs) ensure(ctx context.Context, canary *v1beta1.Canary, job *batchv1.Job) (*batchv1.Job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	made, err := j.writer.CreateJob(ctx, job)
	if apierrors.IsAlreadyExists(err) { // for this question, before a restart
		made, err = j.kube.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err == nil && !metav1.IsControlledBy(made, canary) {
			return nil, metrics.Rejectedf("Job %s/%s is in the way, and is not of Canary %s; delete it",
				job.Namespace, job.Name, canary.Name)
		}
	}
	switch {
	case err == nil:
		return made, nil
	case apierrors.IsForbidden(err):
		return nil, forbidden(job, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return nil, metrics.Rejectedf("%s", err)
	}
	return nil, metrics.Transportf("%s", err)
}

// forbidden is said for want of rights, and where a quota or a policy refuses.
func forbidden(job *batchv1.Job, err error) error {
	return metrics.Rejectedf("Weir may not make and watch a Job in namespace %s; bind ClusterRole weir-jobs there, "+
		"unless the reason is another: %s", job.Namespace, err)
}

func (j *jobs) remove(ctx context.Context, job *batchv1.Job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := j.writer.DeleteJob(ctx, job); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

// jobSaid is the first that is known of how a Job ended.
type jobSaid struct {
	end *workload.JobEnd
	err error
}

// wait watches a Job, and no other, so that no right on others is needed, until it has ended.
func (j *jobs) wait(ctx context.Context, job *batchv1.Job) (*workload.JobEnd, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	first := make(chan jobSaid, 1)
	say := func(s jobSaid) {
		select {
		case first <- s:
		default:
		}
	}
	gone := jobSaid{err: metrics.Transportf("Job %s/%s was deleted before it had ended", job.Namespace, job.Name)}
	source := cache.NewListWatchFromClient(j.kube.BatchV1().RESTClient(), "jobs", job.Namespace,
		fields.OneTermEqualSelector(metav1.ObjectNameField, job.Name))
	informer := cache.NewSharedInformer(source, &batchv1.Job{}, 0)
	look := jobLook(say)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: look, UpdateFunc: func(_, obj any) { look(obj) }, DeleteFunc: func(any) { say(gone) },
	})
	denied := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) {
			say(jobSaid{err: forbidden(job, err)})
		}
	})
	if err := errors.Join(err, denied); err != nil { // only of an informer that has been started
		return nil, fmt.Errorf("watching Job %s/%s: %w", job.Namespace, job.Name, err)
	}
	go informer.RunWithContext(ctx)
	go func() { // one that is not there brings no event, and the first list may be of before it was made
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) && len(informer.GetStore().List()) == 0 {
			_, err := j.kube.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				say(gone)
			}
		}
	}()
	select {
	case s := <-first:
		return s.end, s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// jobLook looks at a Job each time that it has changed, and remembers whether it ran.
func jobLook(say func(jobSaid)) func(any) {
	ran := false
	return func(obj any) {
		job, ok := obj.(*batchv1.Job)
		if !ok {
			return
		}
		ran = ran || workload.JobRuns(job)
		if end := workload.JobEndOf(job, ran); end != nil {
			say(jobSaid{end: end})
		}
	}
}

// jobOf is what a metric runs; nil where it asks.
func (a *asker) jobOf(canary *v1beta1.Canary, m v1beta1.CanaryMetric) *v1beta1.JobProvider {
	if m.TemplateRef == nil {
		return nil
	}
	t, problem := a.caches.template(canary, m.TemplateRef)
	if problem != nil || t.Provider.Type != v1beta1.ProviderJob {
		return nil
	}
	return t.Provider.Job
}

// unfinished says that a Job of a round has not answered yet.
func (a *asker) unfinished(canary *v1beta1.Canary, r *askedRound, questions []rollout.Question) bool {
	for _, q := range questions {
		if a.jobOf(canary, q.Metric) != nil && !r.has(q.Metric.Name) {
			return true
		}
	}
	return false
}

// askJob has a Job answer. The answer is of no use when the round was left.
func (a *asker) askJob(
	ctx context.Context, key types.NamespacedName, canary *v1beta1.Canary, q rollout.Question, p *v1beta1.JobProvider,
	vars metrics.Vars,
) {
	defer a.pending.Done()
	start := time.Now()
	check := a.jobs.check(ctx, canary, q, p, vars)
	if ctx.Err() != nil {
		return
	}
	check.At = metav1.NewTime(a.options.Now())
	a.metrics.asked(time.Since(start), check.Verdict)
	a.keepAnswer(key, rollout.Answer{Round: q.Round, Check: check})
}
