package kube_test

import (
	"errors"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
)

func (b *bench) canaryNow() *v1beta1.Canary {
	b.Helper()
	c, err := b.weir.WeirV1beta1().Canaries(b.namespace).Get(b.Context(), "app", metav1.GetOptions{})
	require.NoError(b, err)
	return c
}

func (b *bench) editCanary(change func(*v1beta1.Canary)) *v1beta1.Canary {
	b.Helper()
	c := b.canaryNow()
	change(c)
	stored, err := b.weir.WeirV1beta1().Canaries(b.namespace).Update(b.Context(), c, metav1.UpdateOptions{FieldManager: "user"})
	require.NoError(b, err)
	return stored
}

func keepsFinalizers(b *bench) {
	bare := b.canary()
	require.NoError(b, b.writer.AddFinalizer(b.Context(), bare))
	require.NoError(b, b.writer.RemoveFinalizer(b.Context(), b.canaryNow()))
	assert.Empty(b, b.canaryNow().Finalizers)

	b.editCanary(func(c *v1beta1.Canary) { c.Finalizers = []string{"example.com/keep"} })
	b.conflict(b.writer.AddFinalizer(b.Context(), bare))
	require.NoError(b, b.writer.AddFinalizer(b.Context(), b.canaryNow()))
	marked := b.canaryNow()
	assert.ElementsMatch(b, []string{"example.com/keep", kube.Finalizer}, marked.Finalizers)
	b.silent("adding it again", func() error { return b.writer.AddFinalizer(b.Context(), marked) })

	b.editCanary(func(c *v1beta1.Canary) { c.Finalizers = append(c.Finalizers, "example.com/later") })
	b.conflict(b.writer.RemoveFinalizer(b.Context(), marked))
	require.NoError(b, b.writer.RemoveFinalizer(b.Context(), b.canaryNow()))
	free := b.canaryNow()
	assert.ElementsMatch(b, []string{"example.com/keep", "example.com/later"}, free.Finalizers)
	b.silent("removing it again", func() error { return b.writer.RemoveFinalizer(b.Context(), free) })
}

func commitsOnlyOnWhatWasDecided(b *bench) {
	decided := b.canary()
	b.editCanary(func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{30} })
	status := &v1beta1.CanaryStatus{Phase: v1beta1.PhaseInitializing}
	b.conflict(b.writer.CommitStatus(b.Context(), decided, status))
	assert.Empty(b, b.canaryNow().Status.Phase)
	now := b.canaryNow()
	require.NoError(b, b.writer.CommitStatus(b.Context(), now, status))
	assert.Equal(b, v1beta1.PhaseInitializing, b.canaryNow().Status.Phase)
	assert.Empty(b, now.Status.Phase, "what the cache holds stays")
}

// dies at each side of a write, and of a deletion.
func dies(b *bench) {
	death := errors.New("death")
	fresh := kube.NewFreshness()
	dying := func(at kube.When) *kube.Writer {
		return kube.NewWriter(b.kube, b.weir, b.dynamic, fresh, func(when kube.When, _ string) error {
			if when == at {
				return death
			}
			return nil
		})
	}
	svc, err := b.userApplies("app")
	require.NoError(b, err)
	c := b.canary()
	require.ErrorIs(b, dying(kube.Before).AddFinalizer(b.Context(), c), death)
	require.ErrorIs(b, dying(kube.Before).DeleteService(b.Context(), svc), death)
	assert.Empty(b, b.canaryNow().Finalizers, "nothing is sent")
	b.service("app")

	require.ErrorIs(b, dying(kube.After).AddFinalizer(b.Context(), c), death)
	require.ErrorIs(b, dying(kube.After).DeleteService(b.Context(), svc), death)
	assert.Equal(b, []string{kube.Finalizer}, b.canaryNow().Finalizers, "it is sent, and the answer is lost")
	list, err := b.kube.CoreV1().Services(b.namespace).List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	assert.Empty(b, list.Items)
}
