package kube

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// ErrMoved says that the target changed between the decision and its carrying out.
var ErrMoved = errors.New("the target has changed")

// Pause sets the one field of the user's Deployment that Weir owns. While it is set, a new template
// rolls nothing out, and a new scale still does.
func (w *Writer) Pause(ctx context.Context, d *appsv1.Deployment) error {
	if d.Spec.Paused {
		return nil
	}
	intent := appsv1ac.Deployment(d.Name, d.Namespace).WithSpec(appsv1ac.DeploymentSpec().WithPaused(true))
	return w.applyDeployment(ctx, d, "pausing", intent)
}

// Rest keeps the field and takes its effect away. It is for a Deployment that the API server pauses by itself, in the
// request that changes its template; it does so by who owns the field.
func (w *Writer) Rest(ctx context.Context, d *appsv1.Deployment) error {
	if !d.Spec.Paused {
		return nil
	}
	intent := appsv1ac.Deployment(d.Name, d.Namespace).WithSpec(appsv1ac.DeploymentSpec().WithPaused(false))
	return w.applyDeployment(ctx, d, "letting rest", intent)
}

// PausedWithTemplate asks the API server whether it would pause a Deployment whose field Weir owns in the very request that
// changes its template. Nothing is stored of that.
func (w *Writer) PausedWithTemplate(ctx context.Context, d *appsv1.Deployment) (bool, error) {
	const trial = `{"metadata": {"uid": %q}, "spec": {"paused": false, "template": {"metadata": {"annotations": {%q: "1"}}}}}`
	patch := fmt.Appendf(nil, trial, d.UID, v1beta1.GroupName+"/trial")
	answer, err := w.kube.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: v1beta1.FieldManager, DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return false, fmt.Errorf("trying a template of Deployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	return answer.Spec.Paused, nil
}

// ReleasePause gives the field up by applying an intent without it: what another manager set stays,
// and what nobody else set goes.
func (w *Writer) ReleasePause(ctx context.Context, d *appsv1.Deployment) error {
	if !applied(d) {
		return nil
	}
	return w.applyDeployment(ctx, d, "releasing", appsv1ac.Deployment(d.Name, d.Namespace))
}

// configManager owns what configTracking writes, apart from the pause.
const configManager = v1beta1.FieldManager + "-config"

// AnnotateTemplate sets one annotation of the Deployment's template, and so makes a new revision of it. Only a
// Canary that asks for it by configTracking has this done.
func (w *Writer) AnnotateTemplate(ctx context.Context, d *appsv1.Deployment, key, value string) error {
	if d.Spec.Template.Annotations[key] == value {
		return nil
	}
	intent := appsv1ac.Deployment(d.Name, d.Namespace).WithSpec(appsv1ac.DeploymentSpec().WithTemplate(annotated(key, value)))
	return w.applyDeploymentAs(ctx, d, configManager, "annotating the template of", intent)
}

func (w *Writer) applyDeployment(
	ctx context.Context, d *appsv1.Deployment, verb string, intent *appsv1ac.DeploymentApplyConfiguration,
) error {
	return w.applyDeploymentAs(ctx, d, v1beta1.FieldManager, verb, intent)
}

func (w *Writer) applyDeploymentAs(
	ctx context.Context, d *appsv1.Deployment, manager, verb string, intent *appsv1ac.DeploymentApplyConfiguration,
) error {
	// The version keeps the apply off a Deployment whose template has changed since, and the UID, which is
	// looked at even then, from making one that was deleted meanwhile.
	intent.WithResourceVersion(d.ResourceVersion).WithUID(d.UID)
	doing := fmt.Sprintf("%s Deployment %s/%s", verb, d.Namespace, d.Name)
	_, err := write(ctx, w, deployments, doing, func(ctx context.Context) (*appsv1.Deployment, error) {
		return w.kube.AppsV1().Deployments(d.Namespace).Apply(ctx, intent,
			metav1.ApplyOptions{FieldManager: manager, Force: true})
	})
	return err
}
