package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/load"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// autoscalerYAML holds on to what it said within the last minute, so that it does not go to and fro by one pod while
// the load is high.
const autoscalerYAML = `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: %[1]s
  namespace: %[2]s
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  minReplicas: 2
  maxReplicas: 6
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: AverageValue, averageValue: %[3]dm}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 60}
`

// autoscaler: the real one decides by what the pods use of the machine. It adds pods in the one run, and takes them
// away in the other.
func autoscaler(s *story) {
	s.metered()
	s.adoptWith("    interval: 3s\n    steps:\n    - {weight: 50, pause: {}}\n    - {weight: 80}\n" + successRate +
		"  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}\n")
	used := s.usage(s.Replicas)
	s.Replicas = 0 // with an autoscaler, manifests name no number
	// Two pods are enough for this load, and not for twice as much.
	hpa := s.autoscale(used * 2 / 3)
	s.scaled(func(n int) bool { return n == 2 })

	s.release(stage.Version{Label: "two"})
	c := s.await(stage.AtWeight(50))
	surge := load.Start(s.t.Context(), load.Config{URL: s.Stage.Sandbox.TraefikURL, Host: s.Host, Path: "/", Rate: rate * 3 / 2})
	grown := s.scaled(func(n int) bool { return n > 2 })
	s.sized(c, func(replicas int32) int32 { return (replicas + 1) / 2 })
	s.t.Logf("%dm used with a share of %dm a pod; with more load %d pods instead of 2", used, used*2/3, grown)
	s.ownsOneField()
	judged, serving := s.resumed(1)
	assert.Subset(s.t, serving, judged, "the pods that were judged are those that serve")

	s.release(stage.Version{Label: "three"})
	c = s.await(stage.AtWeight(50))
	sum := load.Summarise(surge.Stop(), time.Time{})
	assert.Zero(s.t, sum.Lost, "requests of the surge were lost: %v", sum.Examples)
	s.scaled(func(n int) bool { return n == 2 })
	s.sized(c, func(int32) int32 { return c.Status.Canary.Replicas }) // what has traffic keeps its pods
	judged, serving = s.resumed(2)
	assert.Subset(s.t, judged, serving, "the pods that serve were judged")
	assert.Len(s.t, serving, 2)
	s.untouched(hpa)
	s.remove()
	s.vanilla()
}

// resumed lets a run that waits for a person go on to its promotion. It gives the canary's pods that had all of the
// traffic, and those that serve in the end.
func (s *story) resumed(n int) (judged, serving []string) {
	s.t.Helper()
	s.command(v1beta1.Command{Verb: v1beta1.VerbResume})
	s.await(func(c *v1beta1.Canary) bool {
		if c.Status.Phase == v1beta1.PhasePromoting && c.Status.Weight == 100 {
			pods, _ := s.pods()
			judged = pods[c.Status.Canary.Hash]
		}
		return stage.RunsEnded(n)(c)
	})
	c := s.ended(n, v1beta1.OutcomePromoted)
	pods, _ := s.pods()
	require.Len(s.t, pods, 1, "one revision serves")
	require.NotEmpty(s.t, judged)
	return judged, pods[c.Status.Primary.Hash]
}

// deployment is the only one there is: an autoscaler has nothing else to scale.
func (s *story) deployment() *appsv1.Deployment {
	s.t.Helper()
	list, err := s.Stage.Kube.AppsV1().Deployments(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	require.Len(s.t, list.Items, 1)
	return &list.Items[0]
}

// metered lets the cluster say what pods use of the machine for as long as the story is told.
func (s *story) metered() {
	s.t.Helper()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(s.t, s.Stage.Sandbox.StopMetricsServer(ctx))
	})
	require.NoError(s.t, s.Stage.Sandbox.StartMetricsServer(s.t.Context()))
}

// usage is what the application's pods use together, in thousandths of a core, once each of them is measured.
func (s *story) usage(pods int) int64 {
	s.t.Helper()
	var list struct {
		Items []struct {
			Containers []struct {
				Usage map[string]resource.Quantity
			}
		}
	}
	path := "/apis/metrics.k8s.io/v1beta1/namespaces/" + s.Namespace + "/pods"
	measured := func() bool {
		raw, err := s.Stage.Kube.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(s.t.Context())
		return err == nil && json.Unmarshal(raw, &list) == nil && len(list.Items) == pods
	}
	require.Eventually(s.t, measured, patience, time.Second, "%d pods that are measured", pods)
	time.Sleep(25 * time.Second) // what pods use when they start is over, and two more measurements were taken
	require.True(s.t, measured())
	var sum resource.Quantity
	for _, pod := range list.Items {
		for _, container := range pod.Containers {
			sum.Add(container.Usage["cpu"])
		}
	}
	return sum.MilliValue()
}

// autoscale puts an autoscaler over the Deployment that wants each pod to use as much of the machine, and gives it
// as it is stored.
func (s *story) autoscale(each int64) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	manifest := fmt.Appendf(nil, autoscalerYAML, s.Name, s.Namespace, each)
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(), manifest))
	return s.hpa()
}

func (s *story) hpa() *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	list, err := s.Stage.Kube.AutoscalingV2().HorizontalPodAutoscalers(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	require.Len(s.t, list.Items, 1, "nobody copies an autoscaler")
	return &list.Items[0]
}

// scaled waits until the autoscaler has settled on a number as wanted, and gives it.
func (s *story) scaled(wanted func(int) bool) int {
	s.t.Helper()
	var found int
	read := func() bool {
		found = int(*s.deployment().Spec.Replicas)
		return wanted(found)
	}
	if !assert.Eventually(s.t, read, patience, time.Second) {
		require.Fail(s.t, "the autoscaler settled on another number", "%d: %+v", found, s.hpa().Status)
	}
	return found
}

// sized waits until the primary has as many pods as the Deployment asks for, and the canary as many as it should have
// beside them.
func (s *story) sized(c *v1beta1.Canary, canary func(replicas int32) int32) {
	s.t.Helper()
	sets := s.Stage.Kube.AppsV1().ReplicaSets(s.Namespace)
	require.EventuallyWithT(s.t, func(t *assert.CollectT) {
		replicas := *s.deployment().Spec.Replicas
		for name, want := range map[string]int32{
			c.Status.Primary.ReplicaSet: replicas,
			c.Status.Canary.ReplicaSet:  canary(replicas),
		} {
			set, err := sets.Get(s.t.Context(), name, metav1.GetOptions{})
			if assert.NoError(t, err) {
				assert.Equal(t, want, *set.Spec.Replicas, name)
				assert.Equal(t, want, set.Status.ReadyReplicas, name)
			}
		}
	}, patience, time.Second)
}

// untouched checks that the autoscaler is as the user made it, that its controller scaled the Deployment, and that
// Weir may not even read it.
func (s *story) untouched(made *autoscalingv2.HorizontalPodAutoscaler) {
	s.t.Helper()
	now := s.hpa()
	assert.Equal(s.t, made.Spec, now.Spec)
	assert.Equal(s.t, made.UID, now.UID)
	assert.Equal(s.t, made.Generation, now.Generation)
	assert.Equal(s.t, made.Labels, now.Labels)
	assert.Equal(s.t, made.Annotations, now.Annotations)
	assert.Equal(s.t, made.OwnerReferences, now.OwnerReferences)
	for _, m := range now.ManagedFields {
		assert.Contains(s.t, []string{sandbox.FieldManager, "kube-controller-manager"}, m.Manager)
	}
	s.forbidden("horizontalpodautoscalers.autoscaling")
}

// forbidden checks that the operator may not even read what is of a kind.
func (s *story) forbidden(kind string) {
	s.t.Helper()
	said, err := s.Stage.Kubectl(s.t.Context(), "auth", "can-i", "get", kind, "--all-namespaces",
		"--as=system:serviceaccount:weir-system:weir")
	require.Error(s.t, err, said) // that is how kubectl says no
	assert.Equal(s.t, "no", strings.TrimSpace(said))
}
