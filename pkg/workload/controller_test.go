package workload_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/workload"
)

// TestBesideTheDeploymentController asks the real Deployment controller where this package presumes what
// it does. Nobody runs the pods that it makes, so nothing ever becomes ready.
func TestBesideTheDeploymentController(t *testing.T) {
	options := sandbox.APIServerOptions{ControllerManager: true, Progress: t.Output()}
	server, err := sandbox.StartAPIServer(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	client, err := kubernetes.NewForConfig(server.RESTConfig())
	require.NoError(t, err)
	k := kube{client}
	t.Run("Revision", func(t *testing.T) { t.Parallel(); k.testRevision(t) })
	t.Run("MaxReplicas", func(t *testing.T) { t.Parallel(); k.testMaxReplicas(t) })
	t.Run("Complete", func(t *testing.T) { t.Parallel(); k.testComplete(t) })
}

type kube struct{ kubernetes.Interface }

// create makes a Deployment and waits until its controller has seen it.
func (k kube) create(t *testing.T, d *appsv1.Deployment) *appsv1.Deployment {
	t.Helper()
	d.ObjectMeta = metav1.ObjectMeta{Name: d.Name, Annotations: d.Annotations}
	d.Status = appsv1.DeploymentStatus{}
	made, err := k.AppsV1().Deployments(metav1.NamespaceDefault).Create(t.Context(), d, metav1.CreateOptions{})
	require.NoError(t, err)
	return k.seen(t, made)
}

// change patches a Deployment's spec, whatever its controller writes meanwhile.
func (k kube) change(t *testing.T, d *appsv1.Deployment, spec string) *appsv1.Deployment {
	t.Helper()
	patch, err := yaml.YAMLToJSON([]byte("spec: " + spec))
	require.NoError(t, err)
	changed, err := k.AppsV1().Deployments(d.Namespace).
		Patch(t.Context(), d.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
	return k.seen(t, changed)
}

const pausedWithNewTemplate = "{paused: true, template: {spec: {containers: [{name: podinfo, image: v2}]}}}"

func (k kube) seen(t *testing.T, d *appsv1.Deployment) *appsv1.Deployment {
	t.Helper()
	eventually(t, "the controller to see Deployment "+d.Name, func(ctx context.Context) (bool, error) {
		now, err := k.AppsV1().Deployments(d.Namespace).Get(ctx, d.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		seen := now.Status.ObservedGeneration >= d.Generation
		if seen {
			d = now
		}
		return seen, nil
	})
	return d
}

func (k kube) setsOf(t *testing.T, d *appsv1.Deployment) []*appsv1.ReplicaSet {
	t.Helper()
	list, err := k.AppsV1().ReplicaSets(d.Namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var sets []*appsv1.ReplicaSet
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], d) {
			sets = append(sets, &list.Items[i])
		}
	}
	return sets
}

// eventually waits as long as anybody would; how long it takes is not what is tested.
func eventually(t *testing.T, what string, holds wait.ConditionWithContextFunc) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, holds)
	require.NoError(t, err, "waiting for %s", what)
}

// called gives a Deployment a name and labels of its own, because all of them share a namespace.
func called(name string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Name = name
		d.Spec.Selector.MatchLabels = map[string]string{"app": name}
		d.Spec.Template.Labels = map[string]string{"app": name}
	}
}

// testRevision follows a Deployment to a new template, while it is paused, and back to the first.
func (k kube) testRevision(t *testing.T) {
	d := k.create(t, deployment("v1", called("revision")))
	sets := k.setsOf(t, d)
	require.Len(t, sets, 1)
	first := sets[0]
	assert.True(t, workload.Equal(&d.Spec.Template, &first.Spec.Template), "they differ in more than the hash")
	assert.Equal(t, first.Name, nameOf(workload.EqualOf(d, sets)))
	assert.Equal(t, first.Name, nameOf(workload.Sole(d, sets)))
	rev, err := workload.Revision(d, sets, first, nil)
	require.NoError(t, err)
	assert.True(t, rev.IsPrimary)
	assert.Equal(t, first.Name, rev.ReplicaSet)
	assert.Equal(t, first.Name, d.Name+"-"+rev.Hash, "the hash is not that of the ReplicaSet's name")
	assert.Equal(t, rev.Hash, first.Spec.Selector.MatchLabels[workload.HashLabel])

	d = k.change(t, d, pausedWithNewTemplate)
	sets = k.setsOf(t, d)
	require.Len(t, sets, 1, "a paused Deployment made a ReplicaSet")
	rev, err = workload.Revision(d, sets, sets[0], nil)
	require.NoError(t, err)
	assert.False(t, rev.IsPrimary)

	// The controller leaves alone what the Canary controls.
	canaryRS := workload.NewReplicaSet(d, canary(), rev.ReplicaSet, rev.Hash)
	stored, err := k.AppsV1().ReplicaSets(d.Namespace).Create(t.Context(), canaryRS, metav1.CreateOptions{})
	require.NoError(t, err)
	rev, err = workload.Revision(d, k.setsOf(t, d), sets[0], stored)
	require.NoError(t, err)
	assert.True(t, rev.IsCandidate, "the canary is not of the template that it was made of, once both are stored")
}

// testMaxReplicas reads what the controller writes on its ReplicaSets.
func (k kube) testMaxReplicas(t *testing.T) {
	for name, tt := range map[string]struct {
		replicas int32
		surge    string
	}{
		"share": {5, "25%"}, "share-of-one": {1, "25%"}, "share-of-none": {0, "25%"}, "all": {3, "100%"},
		"number": {3, "2"}, "number-of-none": {0, "2"}, "none": {3, "0"},
	} {
		surge := intstr.Parse(tt.surge)
		d := k.create(t, deployment("v1", called(name), func(d *appsv1.Deployment) {
			d.Spec.Replicas = &tt.replicas
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &surge}
		}))
		sets := k.setsOf(t, d)
		require.Len(t, sets, 1, name)
		most, desired := written(sets[0])
		assert.Equal(t, most, workload.MaxReplicas(d), name)
		assert.Equal(t, desired, workload.Replicas(d), name)
	}
	d := k.create(t, deployment("v1", called("recreated"), func(d *appsv1.Deployment) {
		d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	}))
	most, _ := written(k.setsOf(t, d)[0])
	assert.Equal(t, most, workload.MaxReplicas(d))
}

// written is what the controller wrote on a ReplicaSet; what is no number is less than any.
func written(rs *appsv1.ReplicaSet) (most, desired int32) {
	number := func(annotation string) int32 {
		n, err := strconv.ParseInt(rs.Annotations["deployment.kubernetes.io/"+annotation], 10, 32)
		if err != nil {
			return -1
		}
		return int32(n)
	}
	return number("max-replicas"), number("desired-replicas")
}

// testComplete scales to none, the one size that is complete without anybody who runs pods.
func (k kube) testComplete(t *testing.T) {
	d := k.create(t, deployment("v1", called("complete")))
	assert.False(t, workload.Complete(d, k.setsOf(t, d)), "complete without a pod that is available")
	d = k.change(t, d, "{replicas: 0}")
	eventually(t, "the Deployment to be complete", func(context.Context) (bool, error) {
		return workload.Complete(d, k.setsOf(t, d)), nil
	})
	d = k.change(t, d, pausedWithNewTemplate)
	assert.False(t, workload.Complete(d, k.setsOf(t, d)), "complete with a template that was never rolled out")
}
