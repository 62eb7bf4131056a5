package kube_test

import (
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// userApplies is a user who applies the apex Service, and takes over nothing of anybody's.
func (b *bench) userApplies(app string) (*corev1.Service, error) {
	intent := corev1ac.Service("app", b.namespace).WithSpec(corev1ac.ServiceSpec().
		WithSelector(map[string]string{"app": app}).WithPorts(corev1ac.ServicePort().WithPort(80)))
	return b.kube.CoreV1().Services(b.namespace).Apply(b.Context(), intent, metav1.ApplyOptions{FieldManager: "user"})
}

func (b *bench) service(name string) *corev1.Service {
	b.Helper()
	svc, err := b.kube.CoreV1().Services(b.namespace).Get(b.Context(), name, metav1.GetOptions{})
	require.NoError(b, err)
	return svc
}

// books are who owns what of an object; when is not asked.
func books(obj metav1.Object) []metav1.ManagedFieldsEntry {
	all := slices.Clone(obj.GetManagedFields())
	for i := range all {
		all[i].Time = nil
	}
	return all
}

func pins(b *bench) {
	apex, err := b.userApplies("app")
	require.NoError(b, err)
	b.silent("unpinning what is not pinned", func() error { return b.writer.Pin(b.Context(), apex, workload.HashLabel, "") })
	for _, hash := range []string{"first", "second", ""} {
		require.NoError(b, b.writer.Pin(b.Context(), b.service("app"), workload.HashLabel, hash))
		now := b.service("app")
		want := map[string]string{"app": "app"}
		if hash != "" {
			want[workload.HashLabel] = hash
		}
		assert.Equal(b, want, now.Spec.Selector)
		assert.Equal(b, books(apex), books(now), "whoever owned the selector owns it")
		b.silent("pinning again to "+hash, func() error { return b.writer.Pin(b.Context(), now, workload.HashLabel, hash) })
		now.Spec.Selector = apex.Spec.Selector
		assert.Equal(b, apex.Spec, now.Spec)
		assert.Equal(b, apex.Labels, now.Labels)
		assert.Equal(b, apex.Annotations, now.Annotations)
	}
}

// pinsBesideItsUser lets the user change the Service in mid-run and after it.
func pinsBesideItsUser(b *bench) {
	apex, err := b.userApplies("app")
	require.NoError(b, err)
	require.NoError(b, b.writer.Pin(b.Context(), apex, workload.HashLabel, "first"))
	stripped, err := b.userApplies("app")
	require.NoError(b, err, "a user in mid-run")
	require.NoError(b, b.writer.Pin(b.Context(), stripped, workload.HashLabel, "first"))
	assert.Equal(b, "first", b.service("app").Spec.Selector[workload.HashLabel])
	require.NoError(b, b.writer.Pin(b.Context(), b.service("app"), workload.HashLabel, ""))
	_, err = b.userApplies("other")
	require.NoError(b, err, "a user after the run")
}

func pinsNothingThatMoved(b *bench) {
	plain, err := b.userApplies("app")
	require.NoError(b, err)
	require.NoError(b, b.writer.Pin(b.Context(), plain, workload.HashLabel, "first"))
	pinned := b.service("app")
	_, err = b.userApplies("other")
	require.NoError(b, err)
	b.conflict(b.writer.Pin(b.Context(), plain, workload.HashLabel, "second"))
	b.conflict(b.writer.Pin(b.Context(), pinned, workload.HashLabel, "second"))
	b.conflict(b.writer.Pin(b.Context(), pinned, workload.HashLabel, ""))
	assert.Equal(b, map[string]string{"app": "other"}, b.service("app").Spec.Selector)
}

// servesByServices makes the three Services of an application that has none, and lets go of them.
func servesByServices(b *bench) {
	d, c := b.deploy(), b.canary()
	plan := workload.Services(c, workload.OfDeployment(d), nil, rollout.Pins{Apex: "first", Primary: "first", Canary: "second"})
	for _, want := range []*corev1.Service{plan.Apex, plan.Primary, plan.Canary} {
		require.NoError(b, b.writer.ApplyService(b.Context(), want, nil))
		found := b.service(want.Name)
		assert.True(b, workload.Made(found, c))
		assert.Equal(b, want.Spec.Selector, found.Spec.Selector)
		found.ManagedFields, found.TypeMeta = nil, metav1.TypeMeta{} // as the cache has it
		b.silent("applying again", func() error { return b.writer.ApplyService(b.Context(), want, found) })
		b.silent("after a restart", func() error { return b.another().ApplyService(b.Context(), want, found) })
	}
	primary := b.service("app-primary")
	plain := workload.Services(c, workload.OfDeployment(d), nil, rollout.Pins{}).Primary
	require.NoError(b, b.writer.ApplyService(b.Context(), plain, primary))
	assert.Equal(b, map[string]string{"app": "app"}, b.service("app-primary").Spec.Selector, "the pin is gone")
	b.conflict(b.writer.ApplyService(b.Context(), plan.Primary, primary))
	b.conflict(b.writer.DeleteService(b.Context(), primary))
	require.NoError(b, b.writer.DeleteService(b.Context(), b.service("app-primary")))
	_, err := b.kube.CoreV1().Services(b.namespace).Get(b.Context(), "app-primary", metav1.GetOptions{})
	require.True(b, apierrors.IsNotFound(err), "%v", err)

	require.NoError(b, b.writer.ReleaseService(b.Context(), b.service("app"), workload.HashLabel))
	apex := b.service("app")
	assert.Empty(b, apex.OwnerReferences)
	assert.Empty(b, apex.Labels)
	assert.NotContains(b, apex.Annotations, kube.AppliedAnnotation)
	assert.Equal(b, map[string]string{"app": "app"}, apex.Spec.Selector, "no pin is left")
	assert.Empty(b, weirs(apex))
	b.silent("releasing again", func() error { return b.writer.ReleaseService(b.Context(), apex, workload.HashLabel) })
	_, err = b.userApplies("app")
	require.NoError(b, err)
}
