package workload_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

const (
	knativeYAML = `
metadata: {name: shop, namespace: default, uid: a, generation: 2}
spec:
  template: {spec: {containers: [{image: "shop:2"}, {image: "proxy:1"}]}}
  traffic: [{revisionName: shop-1, percent: 100}]
status:
  observedGeneration: 2
  latestCreatedRevisionName: shop-2
`
	revisionsYAML = `
shop-1:
  metadata: {name: shop-1, generation: 1}
  spec: {containers: [{image: "shop:1"}]}
  status: {observedGeneration: 1, conditions: [{type: Active, status: "False"}, {type: Ready, status: "True",
    lastTransitionTime: "2026-11-28T12:00:00Z"}]}
shop-2:
  metadata: {name: shop-2, generation: 1}
  spec: {containers: [{image: "shop@sha256:1"}]}
  status: {observedGeneration: 1, conditions: [{type: Ready, status: "False", reason: ContainerMissing, message: "no\n image"}]}
shop-3:
  metadata: {name: shop-3, generation: 2}
  status: {observedGeneration: 1, conditions: [{type: Ready, status: "False", reason: Old}]}
`
)

// knativeRevisions finds those of revisionsYAML.
func knativeRevisions(t *testing.T) func(string) *unstructured.Unstructured {
	all := asServed(t, revisionsYAML)
	return func(name string) *unstructured.Unstructured {
		fields, ok := all[name].(map[string]any)
		if !ok {
			return nil
		}
		return &unstructured.Unstructured{Object: fields}
	}
}

// knativeService is that of knativeYAML.
func knativeService(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return &unstructured.Unstructured{Object: asServed(t, knativeYAML)}
}

// asServed are the fields of a manifest as a client has them: whole numbers are whole.
func asServed(t *testing.T, manifest string) map[string]any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	require.NoError(t, err)
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal(raw, &fields))
	return fields
}

// TestObserveKnative sees each Revision as a ReplicaSet of one.
func TestObserveKnative(t *testing.T) {
	named := func(name string, replicas int32) *v1beta1.RevisionStatus {
		return &v1beta1.RevisionStatus{ReplicaSet: name, Hash: name, Replicas: replicas}
	}
	observe := func(st v1beta1.CanaryStatus) workload.ByName {
		in, err := workload.ObserveKnative(knativeService(t), &st, knativeRevisions(t))
		require.NoError(t, err)
		return in
	}
	one := rollout.ReplicaSet{
		Found: true, Name: "shop-1", Hash: "shop-1", Images: []string{"shop:1"}, Owner: rollout.OwnerTarget,
		Desired: 1, Exists: 1, Ready: 1, Available: 1, ReadySince: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
	fresh := observe(v1beta1.CanaryStatus{})
	require.Equal(t, one, fresh.Primary, "the one that is named")
	require.Equal(t, rollout.Target{
		Found: true, Paused: true, ByName: true, Replicas: 1,
		Revision: rollout.Revision{Hash: "shop-2", ReplicaSet: "shop-2", Images: []string{"shop@sha256:1"}},
	}, fresh.Target)

	run := observe(v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, Primary: named("shop-1", 1), Canary: named("shop-2", 1)})
	require.Equal(t, one, run.Primary)
	require.True(t, run.Target.Revision.IsCandidate)
	require.Equal(t, rollout.OwnerCanary, run.Candidate.Owner)
	require.Zero(t, run.Candidate.Ready)
	require.Equal(t, &rollout.Broken{Reason: "ContainerMissing", Message: "no image"}, run.Candidate.Broken)

	done := observe(v1beta1.CanaryStatus{Phase: v1beta1.PhaseFinalising, Primary: named("shop-1", 1), Canary: named("shop-2", 1)})
	require.Zero(t, done.Primary.Desired)
	require.Equal(t, rollout.OwnerTarget, done.Candidate.Owner)
	require.True(t, done.Target.Complete)

	retiring := observe(v1beta1.CanaryStatus{Primary: named("shop-1", 1), Canary: named("shop-3", 1), Retiring: named("gone", 1)})
	require.True(t, retiring.Retiring.Found, "it may have traffic")
	require.Nil(t, retiring.Candidate.Broken, "what is said is of another version")
	retiring = observe(v1beta1.CanaryStatus{Primary: named("shop-1", 1), Retiring: named("shop-2", 0)})
	require.Equal(t, rollout.ReplicaSet{}, retiring.Retiring, "it has none any more")
}

// TestKnativeNamed knows whether the newest Revision is that of the present template.
func TestKnativeNamed(t *testing.T) {
	condition := func(status, reason string) map[string]any {
		return map[string]any{"observedGeneration": int64(2), "conditions": []any{
			map[string]any{"type": "ConfigurationsReady", "status": status, "reason": reason},
		}}
	}
	for name, c := range map[string]struct {
		status map[string]any
		known  bool
	}{
		"nothing is said":           {nil, false},
		"it is ready":               {condition("True", ""), true},
		"it fails":                  {condition("False", "RevisionFailed"), true},
		"its template is not there": {condition("Unknown", "OutOfDate"), false},
	} {
		s := knativeService(t)
		s.Object["status"] = c.status
		require.Equal(t, !c.known, workload.Unknown(workload.KnativeNamed(s)), name)
		s.SetGeneration(3)
		require.True(t, workload.Unknown(workload.KnativeNamed(s)), "%s, of another version", name)
	}
}

// TestObserveKnativeNotYet waits for a first revision, and for shares by name.
func TestObserveKnativeNotYet(t *testing.T) {
	s := knativeService(t)
	s.Object["spec"].(map[string]any)["traffic"] = []any{map[string]any{"latestRevision": true, "percent": int64(100)}}
	in, err := workload.ObserveKnative(s, &v1beta1.CanaryStatus{}, knativeRevisions(t))
	require.NoError(t, err)
	require.False(t, in.Target.Paused)
	require.Equal(t, rollout.ReplicaSet{}, in.Primary)

	s.Object["status"] = map[string]any{"observedGeneration": int64(2), "conditions": []any{
		map[string]any{"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "it crashes"},
	}}
	_, err = workload.ObserveKnative(s, &v1beta1.CanaryStatus{}, knativeRevisions(t))
	require.EqualError(t, err, "service shop of Knative's has no revision yet: RevisionFailed: it crashes")
}
