package kube

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// CreateJob makes a Job, and gives it as the API server has it.
func (w *Writer) CreateJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	doing := fmt.Sprintf("creating Job %s/%s", job.Namespace, job.Name)
	var made *batchv1.Job
	err := w.unremembered(doing, func() (err error) {
		made, err = w.kube.BatchV1().Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{FieldManager: v1beta1.FieldManager})
		return err
	})
	return made, err
}

// DeleteJob takes this very Job away with its pods, however far it has come.
func (w *Writer) DeleteJob(ctx context.Context, job *batchv1.Job) error {
	doing := fmt.Sprintf("deleting Job %s/%s", job.Namespace, job.Name)
	background := metav1.DeletePropagationBackground
	return w.unremembered(doing, func() error {
		return w.kube.BatchV1().Jobs(job.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &job.UID},
		})
	})
}

// unremembered is a write to what no cache has, so that none can be behind it.
func (w *Writer) unremembered(doing string, send func() error) error {
	err := w.tap(Before, doing)
	if err == nil {
		err = send()
	}
	if err == nil {
		err = w.tap(After, doing)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
