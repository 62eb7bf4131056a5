package walks

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/rehearsal"
)

// attend plays the kubelet for the operator's own Deployment: its program runs while that is there, as that says, and
// anew when that changes.
func (g *ground) attend(t *testing.T) {
	t.Helper()
	deployment, err := g.Kube.AppsV1().Deployments(rehearsal.System).Get(t.Context(), "weir", metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && *deployment.Spec.Replicas == 0 {
		g.dismiss()
		return
	}
	require.NoError(t, err)
	template, err := json.Marshal(deployment.Spec.Template)
	require.NoError(t, err)
	runs := string(deployment.UID) + string(template)
	if runs == g.runs {
		return
	}
	g.dismiss()
	start := rehearsal.Start{Log: g.log}
	start.Args, start.Env = g.program(t, deployment)
	g.operator, err = g.Operate(t.Context(), start)
	require.NoError(t, err)
	g.runs = runs
}

// dismiss ends the operator, if there is one.
func (g *ground) dismiss() {
	if g.operator != nil {
		g.operator.Kill()
	}
	g.operator, g.runs = nil, ""
}

// program are the arguments and the environment that a Deployment gives its container.
func (g *ground) program(t *testing.T, deployment *appsv1.Deployment) (args, env []string) {
	t.Helper()
	container := deployment.Spec.Template.Spec.Containers[0]
	for _, from := range container.EnvFrom {
		for name, value := range g.settings(t, from) {
			env = append(env, name+"="+value)
		}
	}
	for _, v := range container.Env {
		if v.ValueFrom == nil {
			env = append(env, v.Name+"="+v.Value)
			continue
		}
		ref := v.ValueFrom.SecretKeyRef
		require.NotNil(t, ref, "%s comes from where nobody looks here", v.Name)
		secret, err := g.Kube.CoreV1().Secrets(rehearsal.System).Get(t.Context(), ref.Name, metav1.GetOptions{})
		require.NoError(t, err)
		env = append(env, v.Name+"="+string(secret.Data[ref.Key]))
	}
	return container.Args, env
}

func (g *ground) settings(t *testing.T, from corev1.EnvFromSource) map[string]string {
	t.Helper()
	all := map[string]string{}
	if ref := from.ConfigMapRef; ref != nil {
		found, err := g.Kube.CoreV1().ConfigMaps(rehearsal.System).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			require.NoError(t, err)
			all = found.Data
		}
	}
	if ref := from.SecretRef; ref != nil {
		found, err := g.Kube.CoreV1().Secrets(rehearsal.System).Get(t.Context(), ref.Name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			require.NoError(t, err)
			for name, value := range found.Data {
				all[name] = string(value)
			}
		}
	}
	return all
}
