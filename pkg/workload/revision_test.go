package workload_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

func TestEqual(t *testing.T) {
	// A template is a list of labels, and one container.
	pods := func(labels, container string) string {
		return "{metadata: {labels: {" + labels + "}}, spec: {containers: [{name: a, " + container + "}]}}"
	}
	one := pods("app: podinfo", "image: a:1")
	for name, tt := range map[string]struct {
		a, b string
		want bool
	}{
		"itself":              {one, one, true},
		"another image":       {one, pods("app: podinfo", "image: a:2"), false},
		"another label":       {one, pods("app: other", "image: a:1"), false},
		"another annotation":  {"{metadata: {annotations: {restarted: now}}}", "{}", false},
		"the hash on one":     {one, pods("app: podinfo, pod-template-hash: abc", "image: a:1"), true},
		"the hash alone":      {"{metadata: {labels: {pod-template-hash: abc}}}", "{}", true},
		"two hashes":          {pods("pod-template-hash: abc", ""), pods("pod-template-hash: xyz", ""), true},
		"one core, two ways":  {cpu("1"), cpu("1000m"), true},
		"half a core more":    {cpu("1"), cpu("1500m"), false},
		"empty for nothing":   {pods("", "env: [], args: []"), pods("", "image: null"), true},
		"no labels, two ways": {"{metadata: {labels: {}}}", "{}", true},
		"an order of args":    {pods("", "args: [x, y]"), pods("", "args: [y, x]"), false},
		"false for nothing":   {"{spec: {automountServiceAccountToken: false}}", "{}", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := read[corev1.PodTemplateSpec](t, tt.a), read[corev1.PodTemplateSpec](t, tt.b)
			wasA, wasB := a.DeepCopy(), b.DeepCopy()
			assert.Equal(t, tt.want, workload.Equal(a, b))
			assert.Equal(t, tt.want, workload.Equal(b, a))
			assert.Equal(t, wasA, a, "changed by looking")
			assert.Equal(t, wasB, b, "changed by looking")
		})
	}
}

func cpu(amount string) string {
	return fmt.Sprintf(`{spec: {containers: [{name: a, resources: {requests: {cpu: %q}}}]}}`, amount)
}

func TestDigest(t *testing.T) {
	digest := func(text string) string {
		d, err := workload.Digest(read[corev1.PodTemplateSpec](t, text))
		require.NoError(t, err)
		return d
	}
	one := digest(`{metadata: {labels: {app: podinfo, tier: web}}, spec: {containers: [{name: a, image: a:1}]}}`)
	assert.Len(t, one, 10)
	for name, same := range map[string]string{
		"in another order": `{spec: {containers: [{image: a:1, name: a}]}, metadata: {labels: {tier: web, app: podinfo}}}`,
		"with a hash": `{metadata: {labels: {app: podinfo, tier: web, pod-template-hash: abc}},
			spec: {containers: [{name: a, image: a:1}]}}`,
	} {
		assert.Equal(t, one, digest(same), name)
	}
	assert.Equal(t, digest(`{}`), digest(`{metadata: {labels: {pod-template-hash: abc}}}`))
	for name, other := range map[string]string{
		"another image": `{metadata: {labels: {app: podinfo, tier: web}}, spec: {containers: [{name: a, image: a:2}]}}`,
		"another label": `{metadata: {labels: {app: podinfo, tier: app}}, spec: {containers: [{name: a, image: a:1}]}}`,
	} {
		assert.NotEqual(t, one, digest(other), name)
	}
	assert.Empty(t, validation.IsValidLabelValue(one))
	assert.Empty(t, validation.IsDNS1123Label(one))
}

func TestImages(t *testing.T) {
	got := workload.Images(read[corev1.PodTemplateSpec](t,
		`{spec: {initContainers: [{name: i, image: i:1}], containers: [{name: b, image: b:1}, {name: a, image: a:1}]}}`))
	assert.Equal(t, []string{"b:1", "a:1"}, got)
	many := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: make([]corev1.Container, v1beta1.MaxImages+1)}}
	assert.Len(t, workload.Images(&many), v1beta1.MaxImages)
}

func TestRevision(t *testing.T) {
	digest, err := workload.Digest(&deployment("v2").Spec.Template)
	require.NoError(t, err)
	v1, v2, v2Again := replicaSet("h1", "v1", 2, 9), replicaSet("h2", "v2", 0, 8), replicaSet("h3", "v2", 0, 7)
	for name, tt := range map[string]struct {
		image              string
		sets               []*appsv1.ReplicaSet
		primary, candidate *appsv1.ReplicaSet
		want               rollout.Revision
	}{
		"nothing is known yet": {
			image: "v2",
			want:  rollout.Revision{Hash: digest, ReplicaSet: "podinfo-" + digest},
		},
		"the primary's": {
			image: "v1", sets: []*appsv1.ReplicaSet{v1, v2}, primary: v1, candidate: v2,
			want: rollout.Revision{Hash: "h1", ReplicaSet: "podinfo-h1", IsPrimary: true},
		},
		"a new one": {
			image: "v2", sets: []*appsv1.ReplicaSet{v1}, primary: v1,
			want: rollout.Revision{Hash: digest, ReplicaSet: "podinfo-" + digest},
		},
		"the candidate's": {
			image: "v2", sets: []*appsv1.ReplicaSet{v1}, primary: v1, candidate: v2,
			want: rollout.Revision{Hash: "h2", ReplicaSet: "podinfo-h2", IsCandidate: true},
		},
		"one that the Deployment has from before": {
			image: "v2", sets: []*appsv1.ReplicaSet{v1, v2Again, v2}, primary: v1,
			want: rollout.Revision{Hash: "h2", ReplicaSet: "podinfo-h2"},
		},
		"both, as when the candidate has just become the primary": {
			image: "v2", sets: []*appsv1.ReplicaSet{v2}, primary: v2, candidate: v2,
			want: rollout.Revision{Hash: "h2", ReplicaSet: "podinfo-h2", IsPrimary: true, IsCandidate: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.Images = []string{tt.image}
			got, err := workload.Revision(deployment(tt.image), tt.sets, tt.primary, tt.candidate)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestRevisionRefusesAPrimaryThatCannotBePinned(t *testing.T) {
	bare := replicaSet("h1", "v1", 2, 9, func(rs *appsv1.ReplicaSet) { rs.Spec.Template = template("v1") })
	_, err := workload.Revision(deployment("v1"), []*appsv1.ReplicaSet{bare}, bare, nil)
	assert.EqualError(t, err, "the pods of ReplicaSet podinfo-h1 have no label pod-template-hash, so no Service can "+
		"tell them from the canary's; run `kubectl rollout restart deployment/podinfo` once")
}
