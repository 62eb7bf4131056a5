package integration

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// inPlacePods is how many pods the targets have that are released in place: a DaemonSet has one on each node.
const inPlacePods = 3

const statefulSetYAML = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: app, namespace: %[1]s}
spec:
  serviceName: app
  replicas: 3` + inPlaceYAML

const daemonSetYAML = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: app, namespace: %[1]s}
spec:` + inPlaceYAML

const inPlaceYAML = `
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
    spec:
      tolerations: [{operator: Exists}] # nobody tells of the nodes, which are taken for lost after a while
      containers:
      - name: app
        image: app:%[2]s
---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: %[1]s}
spec:
  selector: {app: app}
  ports: [{port: 80, targetPort: 8080}]
`

const inPlaceCanaryYAML = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, namespace: %[1]s}
spec:
  targetRef: {kind: %[2]s, name: app}
  provider: kubernetes
  metricsServer: %[3]s
  service: {port: 80, settle: 200ms}
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics: [{name: request-success-rate, thresholdRange: {min: 99}}]
`

// joinNodes makes so many nodes, of which nobody but the DaemonSets' controller takes notice.
func (c *cluster) joinNodes(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)}}
		_, err := c.kube.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
		require.NoError(t, err)
	}
}

func manageStatefulSet(metrics string) func(*application) {
	return func(a *application) { a.manageInPlace(v1beta1.KindStatefulSet, metrics) }
}

func manageDaemonSet(metrics string) func(*application) {
	return func(a *application) { a.manageInPlace(v1beta1.KindDaemonSet, metrics) }
}

func (a *application) manageInPlace(kind, metrics string) {
	a.t.Helper()
	manifest := fmt.Appendf(nil, inPlaceCanaryYAML, a.namespace, kind, a.metrics.URL+metrics)
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, manifest))
	adopt(a)
}

// checkPromotedInPlace wants each old pod to have been replaced once.
func checkPromotedInPlace(a *application) {
	a.ended(v1beta1.OutcomePromoted)
	a.podsWere(map[string]int{"app:1": inPlacePods}, map[string]int{"app:2": inPlacePods})
	a.idleInPlace()
}

// failAndReturn releases a revision that is rolled back, and then puts the old template back. A StatefulSet has gone
// back by itself by then.
func failAndReturn(a *application) {
	a.release("2")
	a.awaitPhase(v1beta1.PhaseFailed)
	if a.statefulSet() != nil {
		a.await("all pods at the primary's revision", func() bool { return a.alive()["app:1"] == inPlacePods })
	}
	a.release("1")
	a.awaitPhase(v1beta1.PhaseSucceeded)
	a.await("all pods at the primary's revision", func() bool { return a.alive()["app:1"] == inPlacePods })
	a.await("Services without pins", func() bool {
		return !slices.ContainsFunc(inPlaceServices(), func(name string) bool {
			return a.service(name).Spec.Selector[appsv1.ControllerRevisionHashLabelKey] != ""
		})
	})
}

func inPlaceServices() []string { return []string{"app", "app-primary", "app-canary"} }

// checkReturnedInPlace wants one pod to have been tried, and replaced.
func checkReturnedInPlace(a *application) {
	a.ended(v1beta1.OutcomeRolledBack)
	a.podsWere(map[string]int{"app:1": 1, "app:2": 1}, map[string]int{"app:1": inPlacePods})
	a.idleInPlace()
}

// alive are the pods that there are, by image; the caller holds the lock.
func (a *application) alive() map[string]int {
	n := map[string]int{}
	for _, p := range a.pods {
		if !p.deleted {
			n[p.image]++
		}
	}
	return n
}

// podsWere checks how many pods there have been, by image, and how many there are.
func (a *application) podsWere(deleted, alive map[string]int) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := map[string]int{}
	for _, p := range a.pods {
		if p.deleted {
			gone[p.image]++
		}
	}
	assert.Equal(a.t, alive, a.alive(), "the pods that there are")
	assert.Equal(a.t, deleted, gone, "the pods that were replaced")
}

// statefulSet is nil where the target is none.
func (a *application) statefulSet() *appsv1.StatefulSet {
	a.t.Helper()
	list, err := a.kube.AppsV1().StatefulSets(a.namespace).List(a.t.Context(), metav1.ListOptions{})
	require.NoError(a.t, err)
	if len(list.Items) == 0 {
		return nil
	}
	return &list.Items[0]
}

// idleInPlace checks that the target is held, by its one field, and else as if there were no Weir.
func (a *application) idleInPlace() {
	a.t.Helper()
	if s := a.statefulSet(); s != nil {
		assert.True(a.t, workload.PartitionHeld(s))
		assert.Equal(a.t, workload.NoPartition, workload.Partition(s), "no pod is replaced by itself")
		assert.Equal(a.t, s.Status.CurrentRevision, s.Status.UpdateRevision)
	} else {
		var d *appsv1.DaemonSet
		a.await("the DaemonSet's own count of its pods", func() bool {
			var err error
			d, err = a.kube.AppsV1().DaemonSets(a.namespace).Get(a.t.Context(), "app", metav1.GetOptions{})
			return err == nil && d.Status.UpdatedNumberScheduled == inPlacePods
		})
		assert.True(a.t, workload.DeletionHeld(d))
	}
	for _, name := range inPlaceServices() {
		assert.NotContains(a.t, a.service(name).Spec.Selector, appsv1.ControllerRevisionHashLabelKey, name)
	}
}
