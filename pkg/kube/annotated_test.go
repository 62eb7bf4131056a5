package kube_test

import (
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
)

// anIntent is the Canary of an annotated workload.
func (b *bench) anIntent() *v1beta1.Canary {
	b.Helper()
	c := read[v1beta1.Canary](b, `
apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, annotations: {example.com/why: a test}}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis:
    threshold: 3
    stepWeights: [10, 50]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}, {name: request-duration, thresholdRange: {max: 500}}]
`)
	c.Namespace = b.namespace
	return c
}

func noLocks(string) bool { return false }

func lock(path string) func(string) bool {
	return func(p string) bool {
		return p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".")
	}
}

func (b *bench) applies(intent *v1beta1.Canary, found *v1beta1.Canary, locked func(string) bool) []kube.Kept {
	b.Helper()
	kept, err := b.writer.ApplyCanary(b.Context(), intent, found, locked)
	require.NoError(b, err)
	return kept
}

// leavesFieldsToOthers: what somebody set on a Canary that Weir keeps is theirs, and all else follows the intent.
func leavesFieldsToOthers(b *bench) {
	intent := b.anIntent()
	assert.Empty(b, b.applies(intent, nil, noLocks))
	made := b.canaryNow()
	b.silent("the same again", func() error { _, err := b.writer.ApplyCanary(b.Context(), intent, made, noLocks); return err })
	b.silent("the same by a new process", func() error {
		_, err := b.another().ApplyCanary(b.Context(), intent, made, noLocks)
		return err
	})

	edited := b.editCanary(func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeights = []int32{5}
		c.Spec.Analysis.Metrics[0].ThresholdRange.Min = new(90.0)
		c.Annotations["example.com/mine"] = "yes"
	})
	b.silent("after an edit", func() error { _, err := b.writer.ApplyCanary(b.Context(), intent, edited, noLocks); return err })

	intent.Spec.Analysis.Threshold, intent.Spec.Analysis.StepWeights = 5, []int32{20, 60}
	intent.Spec.Analysis.Metrics[0].ThresholdRange.Min, intent.Spec.Analysis.Metrics[1].ThresholdRange.Max = new(98.0), new(700.0)
	kept := b.applies(intent, edited, noLocks)
	assert.ElementsMatch(b, []kube.Kept{
		{Field: "spec.analysis.stepWeights", Manager: "user"},
		{Field: `spec.analysis.metrics[name="request-success-rate"].thresholdRange.min`, Manager: "user"},
	}, kept)
	now := b.canaryNow()
	assert.EqualValues(b, 5, now.Spec.Analysis.Threshold)
	assert.Equal(b, []int32{5}, now.Spec.Analysis.StepWeights)
	assert.InDelta(b, 90, *now.Spec.Analysis.Metrics[0].ThresholdRange.Min, 0)
	assert.InDelta(b, 700, *now.Spec.Analysis.Metrics[1].ThresholdRange.Max, 0)
	assert.Equal(b, "yes", now.Annotations["example.com/mine"])
	b.silent("what was left", func() error { _, err := b.writer.ApplyCanary(b.Context(), intent, now, noLocks); return err })

	intent.Spec.Analysis.Metrics = intent.Spec.Analysis.Metrics[:1]
	b.applies(intent, now, noLocks)
	assert.Len(b, b.canaryNow().Spec.Analysis.Metrics, 1, "what an intent does not have any more goes")
}

// setsBackWhatIsLocked: nobody but the profile has a say in it.
func setsBackWhatIsLocked(b *bench) {
	intent := b.anIntent()
	b.applies(intent, nil, noLocks)
	edited := b.editCanary(func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeights = []int32{5}
		c.Spec.Analysis.Threshold = 9
	})
	kept := b.applies(intent, edited, lock("analysis.stepWeights"))
	assert.Equal(b, []kube.Kept{{Field: "spec.analysis.threshold", Manager: "user"}}, kept)
	now := b.canaryNow()
	assert.Equal(b, []int32{10, 50}, now.Spec.Analysis.StepWeights)
	assert.EqualValues(b, 9, now.Spec.Analysis.Threshold)
	b.silent("what is as it is locked", func() error {
		_, err := b.writer.ApplyCanary(b.Context(), intent, now, lock("analysis.stepWeights"))
		return err
	})
	assert.Empty(b, b.applies(intent, now, lock("analysis")))
	assert.EqualValues(b, 3, b.canaryNow().Spec.Analysis.Threshold)
}

// makesNoCanaryAnew: one that was deleted since it was looked at is not made by the write that was to change it.
func makesNoCanaryAnew(b *bench) {
	intent := b.anIntent()
	b.applies(intent, nil, noLocks)
	seen := b.canaryNow()
	uid := types.UID("another")
	require.Error(b, b.writer.DeleteCanary(b.Context(), func() *v1beta1.Canary { c := seen.DeepCopy(); c.UID = uid; return c }()))
	require.NoError(b, b.writer.DeleteCanary(b.Context(), seen))
	intent.Spec.Analysis.Threshold = 7
	_, err := b.writer.ApplyCanary(b.Context(), intent, seen, noLocks)
	b.conflict(err)
	all, err := b.weir.WeirV1beta1().Canaries(b.namespace).List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	assert.Empty(b, all.Items)
}
