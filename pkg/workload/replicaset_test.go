package workload_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

func TestNewReplicaSet(t *testing.T) {
	deploy := deployment("v2", func(d *appsv1.Deployment) {
		d.Spec.MinReadySeconds = 7
		d.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpExists},
		}
		d.Spec.Template.Labels = map[string]string{"app": "podinfo", "tier": "web"}
		d.Annotations = map[string]string{
			"team": "shop", "deployment.kubernetes.io/revision": "3", corev1.LastAppliedConfigAnnotation: "{}",
		}
	})
	was := deploy.DeepCopy()
	labelled := map[string]string{"app": "podinfo", "tier": "web", workload.HashLabel: "abc"}
	want := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "podinfo-abc", Namespace: "shop", Labels: labelled, Annotations: map[string]string{"team": "shop"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "weir.dev/v1beta1", Kind: "Canary", Name: "podinfo", UID: "canary",
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32(0)), MinReadySeconds: 7,
			Selector: &metav1.LabelSelector{
				MatchLabels:      map[string]string{"app": "podinfo", workload.HashLabel: "abc"},
				MatchExpressions: deploy.Spec.Selector.MatchExpressions,
			},
			Template: *deploy.Spec.Template.DeepCopy(),
		},
	}
	want.Spec.Template.Labels = labelled
	got := workload.NewReplicaSet(deploy, canary(), "podinfo-abc", "abc")
	assert.Equal(t, want, got)
	assert.True(t, workload.Equal(&deploy.Spec.Template, &got.Spec.Template))
	got.Labels["x"], got.Spec.Selector.MatchLabels["x"], got.Spec.Template.Labels["y"] = "x", "x", "y"
	assert.Equal(t, was, deploy, "the ReplicaSet shares a map with its Deployment")
	assert.NotContains(t, got.Labels, "y", "the ReplicaSet shares a map with its template")
}

func TestNewReplicaSetOfExpressionsAlone(t *testing.T) {
	deploy := deployment("v2", func(d *appsv1.Deployment) {
		d.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"podinfo"}},
		}}
	})
	got := workload.NewReplicaSet(deploy, canary(), "podinfo-abc", "abc")
	assert.Equal(t, map[string]string{workload.HashLabel: "abc"}, got.Spec.Selector.MatchLabels)
	assert.Equal(t, deploy.Spec.Selector.MatchExpressions, got.Spec.Selector.MatchExpressions)
}

func TestMaxReplicas(t *testing.T) {
	rolling := func(surge string) appsv1.DeploymentStrategy {
		most := intstr.Parse(surge)
		return appsv1.DeploymentStrategy{
			Type:          appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &most},
		}
	}
	recreated := appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	for name, tt := range map[string]struct {
		replicas *int32
		strategy appsv1.DeploymentStrategy
		want     int32
	}{
		"a share":                 {new(int32(8)), rolling("25%"), 10},
		"a share, rounded up":     {new(int32(5)), rolling("25%"), 7},
		"a share of one":          {new(int32(1)), rolling("25%"), 2},
		"a share of none":         {new(int32(0)), rolling("25%"), 0},
		"all again":               {new(int32(3)), rolling("100%"), 6},
		"a number":                {new(int32(3)), rolling("2"), 5},
		"a number beside none":    {new(int32(0)), rolling("2"), 2},
		"no surge":                {new(int32(3)), rolling("0"), 3},
		"recreated":               {new(int32(3)), recreated, 3},
		"one where none are said": {nil, rolling("1"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := workload.MaxReplicas(deployment("v1", func(d *appsv1.Deployment) {
				d.Spec.Replicas, d.Spec.Strategy = tt.replicas, tt.strategy
			}))
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestEqualOf(t *testing.T) {
	old, young := replicaSet("a", "v1", 0, 20), replicaSet("b", "v1", 2, 10)
	twin := replicaSet("c", "v1", 0, 20)
	other, foreign := replicaSet("d", "v2", 2, 30), replicaSet("e", "v1", 2, 40, anothers)
	for name, tt := range map[string]struct {
		sets []*appsv1.ReplicaSet
		want *appsv1.ReplicaSet
	}{
		"none":                        {nil, nil},
		"another template":            {[]*appsv1.ReplicaSet{other}, nil},
		"another's":                   {[]*appsv1.ReplicaSet{foreign}, nil},
		"the older, though empty":     {[]*appsv1.ReplicaSet{young, old, other, foreign}, old},
		"of one age, the first":       {[]*appsv1.ReplicaSet{twin, old}, old},
		"of one age, the first again": {[]*appsv1.ReplicaSet{old, twin}, old},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, nameOf(tt.want), nameOf(workload.EqualOf(deployment("v1"), tt.sets)))
		})
	}
}

func TestSole(t *testing.T) {
	present, before, empty := replicaSet("a", "v2", 2, 10), replicaSet("b", "v1", 2, 20), replicaSet("c", "v1", 0, 30)
	leaving := replicaSet("d", "v1", 0, 20, func(rs *appsv1.ReplicaSet) { rs.Status.Replicas = 1 })
	foreign, waits := replicaSet("e", "v1", 2, 40, anothers), replicaSet("f", "v2", 0, 5)
	for name, tt := range map[string]struct {
		sets []*appsv1.ReplicaSet
		want *appsv1.ReplicaSet
	}{
		"the only one":                     {[]*appsv1.ReplicaSet{present}, present},
		"what serves, whatever it runs":    {[]*appsv1.ReplicaSet{before}, before},
		"beside what is empty":             {[]*appsv1.ReplicaSet{empty, present, foreign}, present},
		"two with pods":                    {[]*appsv1.ReplicaSet{present, before}, nil},
		"one whose last pod is leaving":    {[]*appsv1.ReplicaSet{present, leaving}, nil},
		"none with pods, of another image": {[]*appsv1.ReplicaSet{empty}, nil},
		"none with pods, of this image":    {[]*appsv1.ReplicaSet{empty, waits}, waits},
		"another's alone":                  {[]*appsv1.ReplicaSet{foreign}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, nameOf(tt.want), nameOf(workload.Sole(deployment("v2"), tt.sets)))
		})
	}
}

func TestComplete(t *testing.T) {
	own := func(also ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
		return replicaSet("a", "v1", 2, 10, also...)
	}
	foreign := replicaSet("b", "v0", 2, 20, anothers)
	for name, tt := range map[string]struct {
		deploy *appsv1.Deployment
		sets   []*appsv1.ReplicaSet
		want   bool
	}{
		"rolled out":             {deployment("v1"), []*appsv1.ReplicaSet{own()}, true},
		"beside an empty one":    {deployment("v1"), []*appsv1.ReplicaSet{own(), replicaSet("b", "v0", 0, 20)}, true},
		"beside another's":       {deployment("v1"), []*appsv1.ReplicaSet{own(), foreign}, true},
		"an old one has pods":    {deployment("v1"), []*appsv1.ReplicaSet{own(), replicaSet("b", "v0", 1, 20)}, false},
		"a twin has pods":        {deployment("v1"), []*appsv1.ReplicaSet{own(), replicaSet("b", "v1", 1, 5)}, false},
		"no ReplicaSet":          {deployment("v1"), nil, false},
		"another template":       {deployment("v2"), []*appsv1.ReplicaSet{own()}, false},
		"none wanted, none left": {scaledTo(0), []*appsv1.ReplicaSet{replicaSet("a", "v1", 0, 10)}, true},
		"more wanted":            {scaledTo(3), []*appsv1.ReplicaSet{own()}, false},
		"fewer wanted":           {scaledTo(1), []*appsv1.ReplicaSet{own()}, false},
		"one is not available": {deployment("v1"), []*appsv1.ReplicaSet{
			own(func(rs *appsv1.ReplicaSet) { rs.Status.AvailableReplicas = 1 }),
		}, false},
		"counts of an older spec": {deployment("v1"), []*appsv1.ReplicaSet{
			own(func(rs *appsv1.ReplicaSet) { rs.Generation = 2 }),
		}, false},
		"a spec that its controller has not seen": {
			deployment("v1", func(d *appsv1.Deployment) { d.Generation = 2 }), []*appsv1.ReplicaSet{own()}, false,
		},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, workload.Complete(tt.deploy, tt.sets)) })
	}
}

func scaledTo(replicas int32) *appsv1.Deployment {
	return deployment("v1", func(d *appsv1.Deployment) { d.Spec.Replicas = &replicas })
}

func TestFacts(t *testing.T) {
	byCanary := func(rs *appsv1.ReplicaSet) {
		rs.OwnerReferences = []metav1.OwnerReference{workload.ControlledByCanary(canary())}
	}
	scaling := func(to int32) func(*appsv1.ReplicaSet) {
		return func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas, rs.Generation = &to, 2 }
	}
	base := rollout.ReplicaSet{
		Found: true, Name: "podinfo-a", Hash: "a", Images: []string{"v1"}, Owner: rollout.OwnerTarget,
		Desired: 4, Exists: 4, Ready: 4, Available: 4,
	}
	want := func(change func(*rollout.ReplicaSet)) rollout.ReplicaSet {
		r := base
		change(&r)
		return r
	}
	rs := func(also ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
		return replicaSet("a", "v1", 4, 10, also...)
	}
	for name, tt := range map[string]struct {
		rs   *appsv1.ReplicaSet
		want rollout.ReplicaSet
	}{
		"not there":    {nil, rollout.ReplicaSet{}},
		"the target's": {rs(), base},
		"the Canary's": {rs(byCanary), want(func(r *rollout.ReplicaSet) { r.Owner = rollout.OwnerCanary })},
		"another's":    {rs(anothers), want(func(r *rollout.ReplicaSet) { r.Owner = rollout.OwnerOther })},
		"nobody's": {
			rs(func(rs *appsv1.ReplicaSet) { rs.OwnerReferences = nil }),
			want(func(r *rollout.ReplicaSet) { r.Owner = rollout.OwnerOther }),
		},
		"growing": {rs(scaling(6)), want(func(r *rollout.ReplicaSet) { r.Desired, r.Stale = 6, true })},
		"shrinking": {rs(scaling(1)), want(func(r *rollout.ReplicaSet) {
			r.Desired, r.Ready, r.Available, r.Stale = 1, 1, 1, true
		})},
		"said to shrink, and the pods still there": {
			rs(scaling(1), func(rs *appsv1.ReplicaSet) { rs.Status.ObservedGeneration = 2 }),
			want(func(r *rollout.ReplicaSet) { r.Desired = 1 }),
		},
		"partly ready": {
			rs(func(rs *appsv1.ReplicaSet) { rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = 3, 2 }),
			want(func(r *rollout.ReplicaSet) { r.Ready, r.Available = 3, 2 }),
		},
		"with the hash on its pods alone": {rs(func(rs *appsv1.ReplicaSet) { rs.Labels = nil }), base},
	} {
		t.Run(name, func(t *testing.T) {
			foreign := podOf("other-x", replicaSet("z", "v1", 1, 1), waiting("ImagePullBackOff", ""))
			got := workload.Facts(tt.rs, deployment("v1"), canary(), []*corev1.Pod{foreign})
			assert.Equal(t, tt.want, got)
		})
	}
	t.Run("without the target", func(t *testing.T) {
		got := workload.Facts(rs(), nil, canary(), nil)
		assert.Equal(t, want(func(r *rollout.ReplicaSet) { r.Owner = rollout.OwnerOther }), got)
	})
	t.Run("with a broken pod", func(t *testing.T) {
		pod := podOf("podinfo-a-x", rs(), waiting("ImagePullBackOff", ""))
		got := workload.Facts(rs(), deployment("v1"), canary(), []*corev1.Pod{pod})
		assert.Equal(t, &rollout.Broken{Pod: "podinfo-a-x", Container: "app", Reason: "ImagePullBackOff"}, got.Broken)
	})
}
