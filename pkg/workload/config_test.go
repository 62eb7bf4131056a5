package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/workload"
)

// Every place by which configuration gets into a pod is found, and each object once.
func TestConfigRefs(t *testing.T) {
	var template corev1.PodTemplateSpec
	require.NoError(t, yaml.UnmarshalStrict([]byte(`
spec:
  volumes:
  - {name: a, configMap: {name: volume}}
  - {name: b, secret: {secretName: volume}}
  - name: c
    projected: {sources: [{configMap: {name: projected}}, {secret: {name: projected}}, {serviceAccountToken: {path: t}}]}
  - {name: d, emptyDir: {}}
  initContainers:
  - {name: init, env: [{name: A, valueFrom: {configMapKeyRef: {name: init, key: a}}}, {name: B, value: plain}]}
  containers:
  - name: app
    envFrom: [{configMapRef: {name: all}}, {secretRef: {name: all}}]
    env:
    - {name: C, valueFrom: {secretKeyRef: {name: key, key: c}}}
    - {name: D, valueFrom: {secretKeyRef: {name: key, key: d}}}
    - {name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
`), &template))
	m := func(name string) workload.ConfigRef { return workload.ConfigRef{Name: name} }
	s := func(name string) workload.ConfigRef { return workload.ConfigRef{Secret: true, Name: name} }
	require.Equal(t, []workload.ConfigRef{
		m("all"), m("init"), m("projected"), m("volume"), s("all"), s("key"), s("projected"), s("volume"),
	}, workload.ConfigRefs(&template))
	require.Empty(t, workload.ConfigRefs(&corev1.PodTemplateSpec{}))
}
