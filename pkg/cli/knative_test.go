package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// testKnative looks at a Knative Service in a run, gives it a new template, and waits for that to be named.
func testKnative(t *testing.T, s *server) {
	b := s.bench(t)
	b.serves(workload.KnativeServices(), `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: podinfo}
spec: {template: {spec: {containers: [{image: "podinfo:2"}]}}}
`, `{latestCreatedRevisionName: podinfo-00002, conditions: [{type: ConfigurationsReady, status: "True"}]}`)
	for _, revision := range []string{"podinfo-00001", "podinfo-00002"} {
		b.serves(workload.KnativeRevisions(), `
apiVersion: serving.knative.dev/v1
kind: Revision
metadata: {name: `+revision+`, labels: {serving.knative.dev/service: podinfo}}
spec: {containers: [{image: "podinfo:2"}]}
`, `{conditions: [{type: Ready, status: "True"}]}`)
	}
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}, Spec: v1beta1.CanarySpec{
		Provider: "knative", Service: v1beta1.CanaryService{Port: 80},
		TargetRef: v1beta1.TargetRef{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "podinfo"},
	}}
	canaries := s.weir.WeirV1beta1().Canaries(b.namespace)
	canary, err := canaries.Create(t.Context(), canary, metav1.CreateOptions{})
	require.NoError(t, err)
	named := func(name string) *v1beta1.RevisionStatus {
		return &v1beta1.RevisionStatus{ReplicaSet: name, Hash: name, Images: []string{}, Replicas: 1}
	}
	canary.Status = v1beta1.CanaryStatus{
		ObservedGeneration: canary.Generation, Phase: v1beta1.PhaseSucceeded, Primary: named("podinfo-00002"),
		History: []v1beta1.RunRecord{{
			ID: "podinfo-00002-1", Revision: "podinfo-00002", Outcome: v1beta1.OutcomePromoted, Reason: "Passed",
			StartedAt: metav1.NewTime(now()), EndedAt: metav1.NewTime(now()),
		}},
	}
	_, err = canaries.UpdateStatus(t.Context(), canary, metav1.UpdateOptions{})
	require.NoError(t, err)

	status := b.types("status", "podinfo")
	assert.Zero(t, status.code, status.err)
	assert.Contains(t, status.out, "podinfo-00002")
	assert.Contains(t, b.types("list").out, "service/podinfo")
	waited := b.types("status", "podinfo", "--wait", "--timeout=20s")
	assert.Zero(t, waited.code, "its newest revision serves: %s", waited.err)

	restarted := b.types("restart", "podinfo")
	assert.Zero(t, restarted.code, restarted.err)
	assert.Contains(t, restarted.out, "Service podinfo has a new template")
	services := s.dynamic.Resource(workload.KnativeServices()).Namespace(b.namespace)
	found, err := services.Get(t.Context(), "podinfo", metav1.GetOptions{})
	require.NoError(t, err)
	annotations, _, _ := unstructured.NestedStringMap(found.Object, "spec", "template", "metadata", "annotations")
	assert.Equal(t, map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-11-23T12:03:30Z"}, annotations)
	waited = b.types("status", "podinfo", "--wait", "--timeout=3s")
	assert.NotZero(t, waited.code, "nobody knows yet whether the new template serves: %s", waited.out)
}

// serves makes an object of Knative's with a status of this version.
func (b *bench) serves(gvr schema.GroupVersionResource, manifest, status string) {
	b.Helper()
	object := &unstructured.Unstructured{}
	require.NoError(b, yaml.Unmarshal([]byte(manifest), &object.Object))
	kind := b.dynamic.Resource(gvr).Namespace(b.namespace)
	made, err := kind.Create(b.Context(), object, metav1.CreateOptions{})
	require.NoError(b, err)
	fields := map[string]any{}
	require.NoError(b, yaml.Unmarshal([]byte(status), &fields))
	fields["observedGeneration"] = made.GetGeneration()
	made.Object["status"] = fields
	_, err = kind.UpdateStatus(b.Context(), made, metav1.UpdateOptions{})
	require.NoError(b, err)
}
