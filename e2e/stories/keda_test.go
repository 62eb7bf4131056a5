package stories

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// scaledObjectYAML is paused by its user, as for a night without traffic.
const scaledObjectYAML = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: %[1]s
  namespace: %[2]s
  annotations:
    autoscaling.keda.sh/paused: "true"
    autoscaling.keda.sh/paused-replicas: "3"
spec:
  scaleTargetRef: {name: %[1]s}
  minReplicaCount: 0
  maxReplicaCount: 6
  triggers:
  - type: prometheus
    metadata: {serverAddress: "%[3]s", query: "vector(1)", threshold: "1"}
`

// keda: a ScaledObject stays as its user left it through all that Weir does. What KEDA does to a Deployment is done by
// kubectl; KEDA itself is not there.
func keda(s *story) {
	s.defineKEDA()
	manifest := fmt.Appendf(nil, scaledObjectYAML, s.Name, s.Namespace, s.Stage.Sandbox.PrometheusURL)
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(), manifest))
	made := s.scaledObject()
	s.adoptWith("    interval: 3s\n    stepWeights: [50]\n" +
		"  autoscalerRef: {apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: podinfo}\n")
	assert.Equal(s.t, made, s.scaledObject(), "after the adoption")

	s.release(stage.Version{Label: "two"})
	s.await(stage.AtWeight(50))
	assert.Equal(s.t, made, s.scaledObject(), "in mid-run")
	s.ended(1, v1beta1.OutcomePromoted)
	assert.Equal(s.t, made, s.scaledObject(), "after a promotion")

	s.release(stage.Version{Label: "crash", Args: []string{"--no-such-flag"}})
	s.ended(2, v1beta1.OutcomeRolledBack)
	assert.Equal(s.t, made, s.scaledObject(), "after a rollback")
	s.release(stage.Version{Label: "two"})
	s.await(stage.InPhase(v1beta1.PhaseSucceeded))

	s.Replicas = 0  // from here on the number is KEDA's, and the manifests name none
	s.nothingLost() // what has no pods cannot answer
	s.kubectl("scale", "deployment/"+s.Name, "--replicas=0")
	s.kubectl("wait", "pods", "--selector=app="+s.Name, "--for=delete", "--timeout=60s")
	s.release(stage.Version{Label: "three"})
	s.await(func(c *v1beta1.Canary) bool { return c.Status.Run != nil })
	s.kubectl("scale", "deployment/"+s.Name, "--replicas=2")
	c := s.ended(3, v1beta1.OutcomePromoted)
	pods, _ := s.pods()
	assert.Len(s.t, pods[c.Status.Primary.Hash], 2)
	assert.Equal(s.t, made, s.scaledObject(), "after zero")

	s.remove()
	s.vanilla()
	assert.Equal(s.t, made, s.scaledObject(), "after the deletion")
	s.forbidden("scaledobjects.keda.sh")
}

// defineKEDA gives the cluster KEDA's kinds. In a cluster of the user's they are there, or the story cannot be told.
func (s *story) defineKEDA() {
	s.t.Helper()
	if s.Stage.Sandbox.External {
		if _, err := s.Stage.Kubectl(s.t.Context(), "get", "crd", "scaledobjects.keda.sh"); err != nil {
			s.t.Skip("the cluster does not know ScaledObjects")
		}
		return
	}
	definitions, err := sandbox.KEDADefinitions(s.t.Context())
	require.NoError(s.t, err)
	require.NoError(s.t, sandbox.Apply(s.t.Context(), s.Stage.Sandbox.RESTConfig(), definitions))
}

// scaledObject is the only one there is, with its annotations, its version and who has written what of it.
func (s *story) scaledObject() *unstructured.Unstructured {
	s.t.Helper()
	kind := schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
	list, err := s.Stage.Dynamic.Resource(kind).Namespace(s.Namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	require.Len(s.t, list.Items, 1)
	return &list.Items[0]
}
