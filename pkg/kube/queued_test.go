package kube_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

const newerVersion = `{spec: {template: {spec: {containers: [{name: app, image: "app:3"}]}}}}`

// handsOverBesideANewerTemplate shows what the Deployment's controller makes of a ReplicaSet that is handed over while
// its Deployment is at a newer template already: it keeps its pods, the old one loses those that are too many, and
// once Weir has ended the rest, the one that was handed over is scaled as any that serves.
func handsOverBesideANewerTemplate(b *bench) {
	b.deploy()
	old := b.replicaSets()["app:1"]
	b.eventually("another second, by which the two are told apart", func() bool {
		return time.Since(old.CreationTimestamp.Time) > 2*time.Second
	})
	b.looked(b.writer.Pause)
	made := workload.NewReplicaSet(b.merge(newVersion), b.canary(), "app-canary", "canary")
	rs, err := b.writer.CreateReplicaSet(b.Context(), made)
	require.NoError(b, err)
	rs = b.scaled(b.settled(rs, 0), 2)
	b.silentlyMoved("the template is the primary's again", b.writer.HandOverQueued(b.Context(), rs, rs, b.deployment()))
	judged := b.pods("app:2")
	d := b.merge(newerVersion)
	require.NoError(b, b.writer.HandOverQueued(b.Context(), rs, old, d))
	most := int32(1) // maxSurge of two replicas, 25 %, rounded up
	b.eventually("the old pods that are too many to go", func() bool { return *b.replicaSets()["app:1"].Spec.Replicas <= most })
	assert.Equal(b, int32(2), *b.replicaSets()["app:2"].Spec.Replicas, "what was handed over keeps its pods")

	b.eventually("it to be scaled as it was seen", func() bool { // its status may change between the two
		_, err = b.writer.Scale(b.Context(), b.replicaSets()["app:1"], 0)
		return err == nil
	})
	b.eventually("the old pods to go", func() bool { return len(b.pods("app:1")) == 0 })
	assert.Equal(b, judged, b.pods("app:2"), "the same pods")
	assert.NotContains(b, b.replicaSets(), "app:3", "the newer template waits")

	// A person or an autoscaler scales what serves.
	b.merge(`{spec: {replicas: 3}}`)
	b.eventually("it to be scaled", func() bool { return *b.replicaSets()["app:2"].Spec.Replicas == 3 })
	assert.Zero(b, *b.replicaSets()["app:1"].Spec.Replicas)
	for pod := range judged {
		assert.Contains(b, b.pods("app:2"), pod)
	}
}

// annotatesTheTemplate adds one annotation, of which a field manager of its own is the owner, and nothing else.
func annotatesTheTemplate(b *bench) {
	b.deploy()
	b.looked(b.writer.Pause)
	d := b.deployment()
	before := d.Spec.DeepCopy()
	b.looked(func(ctx context.Context, d *appsv1.Deployment) error {
		return b.writer.AnnotateTemplate(ctx, d, v1beta1.ConfigDigestAnnotation, "abc")
	})
	d = b.deployment()
	assert.Equal(b, "abc", d.Spec.Template.Annotations[v1beta1.ConfigDigestAnnotation])
	before.Template.Annotations = d.Spec.Template.Annotations
	assert.Equal(b, *before, d.Spec)
	assert.Equal(b, map[metav1.ManagedFieldsOperationType]string{"Apply": `{"f:spec":{"f:paused":{}}}`}, weirs(d))
	b.silent("annotating again", func() error {
		return b.writer.AnnotateTemplate(b.Context(), d, v1beta1.ConfigDigestAnnotation, "abc")
	})
	old := d
	b.merge(newVersion)
	b.conflict(b.writer.AnnotateTemplate(b.Context(), old, v1beta1.ConfigDigestAnnotation, "def"))
}
