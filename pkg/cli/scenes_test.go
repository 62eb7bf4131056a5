package cli_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// testScenes shows what people see of a Canary in one phase after the other. Rewrite what they see with
// `go test ./pkg/cli -run CLI/Scenes -rewrite`.
func testScenes(t *testing.T, s *server) {
	files, err := filepath.Glob("testdata/scenes/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			b := s.named(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
			b.sets(read[scene](b, string(raw)))
			var seen strings.Builder
			for _, command := range []string{"list", "status podinfo", "explain podinfo", "history podinfo"} {
				typed := b.types(strings.Fields(command)...)
				require.Zero(b, typed.code, typed.err)
				fmt.Fprintf(&seen, "$ kubectl weir %s -n %s\n%s%s\n", command, name, typed.out, typed.err)
			}
			golden(b, "testdata/scenes/"+name+".golden", seen.String())
		})
	}
}

func golden(b *bench, path, got string) {
	b.Helper()
	if flag.Lookup("rewrite").Value.String() == "true" { // the flag is that of package datadriven
		require.NoError(b, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(b, err)
	require.Equal(b, string(want), got)
}

// scene is a Canary as it is at some time, with what its target runs.
type scene struct {
	// Kind of the target; a Deployment if it is empty.
	Kind string
	// Template is the image of the target.
	Template string
	// Sets are its revisions by their hash: ReplicaSets, or ControllerRevisions with pods.
	Sets map[string]scenePods
	// Current is the revision that a StatefulSet makes pods of below its Partition.
	Current   string
	Partition int32
	// Apex is the revision that the apex Service is held to. It selects all pods if that is "all"; there is none if it is
	// empty.
	Apex string
	// Annotations, Spec and Status of the Canary; the spec is laid over that of the base.
	Annotations map[string]string
	Spec        map[string]any
	Status      map[string]any
}

type scenePods struct {
	Image     string
	Ready, Of int32
}

// sets makes a scene true.
func (b *bench) sets(s *scene) {
	b.Helper()
	if s.Kind != "" {
		b.kind = s.Kind
	}
	b.deploys(s.Template)
	if b.kind == v1beta1.KindDeployment {
		for hash, pods := range s.Sets {
			b.runs(hash, pods)
		}
	} else {
		b.runsInPlace(s)
	}
	object := map[string]any{}
	require.NoError(b, yaml.Unmarshal([]byte(b.canaryText()), &object))
	for part, fields := range map[string]map[string]any{"spec": s.Spec, "status": s.Status} {
		if fields != nil {
			lay(object, map[string]any{part: fields})
		}
	}
	raw, err := yaml.Marshal(object)
	require.NoError(b, err)
	canary := read[v1beta1.Canary](b, string(raw))
	canary.Annotations = s.Annotations
	made, err := b.weir.WeirV1beta1().Canaries(b.namespace).Create(b.Context(), canary, metav1.CreateOptions{})
	require.NoError(b, err)
	if s.Status == nil {
		return
	}
	made.Status = canary.Status
	made.Status.ObservedGeneration = made.Generation
	_, err = b.weir.WeirV1beta1().Canaries(b.namespace).UpdateStatus(b.Context(), made, metav1.UpdateOptions{})
	require.NoError(b, err)
}

func (b *bench) runs(hash string, pods scenePods) {
	b.Helper()
	d := &appsv1.Deployment{}
	b.reads(d)
	d.Spec.Template.Spec.Containers[0].Image = pods.Image
	set := replicaSetOf(d, hash)
	set.Spec.Replicas = &pods.Of
	made, err := b.kube.AppsV1().ReplicaSets(b.namespace).Create(b.Context(), set, metav1.CreateOptions{})
	require.NoError(b, err)
	made.Status = appsv1.ReplicaSetStatus{Replicas: pods.Of, ReadyReplicas: pods.Ready}
	_, err = b.kube.AppsV1().ReplicaSets(b.namespace).UpdateStatus(b.Context(), made, metav1.UpdateOptions{})
	require.NoError(b, err)
}

// runsInPlace makes the revisions of a scene and their pods, and the Service that tells who gets traffic.
func (b *bench) runsInPlace(s *scene) {
	b.Helper()
	present := ""
	for hash, pods := range s.Sets {
		b.changes(ofImage(pods.Image))
		b.hasPods(b.revises(hash), pods.Ready, pods.Of)
		if pods.Image == s.Template {
			present = "podinfo-" + hash
		}
	}
	b.changes(ofImage(s.Template))
	if b.kind == v1beta1.KindStatefulSet {
		patch := fmt.Sprintf(`{"spec":{"updateStrategy":{"rollingUpdate":{"partition":%d}}}}`, s.Partition)
		_, err := b.targets().Patch(b.Context(), "podinfo", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		require.NoError(b, err)
	}
	b.observes(present, "podinfo-"+s.Current)
	b.holds(s.Apex)
}

// holds makes the apex Service.
func (b *bench) holds(to string) {
	b.Helper()
	if to == "" {
		return
	}
	apex := read[corev1.Service](b, "{metadata: {name: podinfo}, spec: {selector: {app: podinfo}, ports: [{port: 9898}]}}")
	if to != "all" {
		apex.Spec.Selector[appsv1.ControllerRevisionHashLabelKey] = b.revisionOf(to).Hash
	}
	_, err := b.kube.CoreV1().Services(b.namespace).Create(b.Context(), apex, metav1.CreateOptions{})
	require.NoError(b, err)
}

// lay lays a patch over an object: a map goes into a map, null takes a field away, and everything else replaces
// what is there.
func lay(object, patch map[string]any) {
	for field, value := range patch {
		inner, isMap := value.(map[string]any)
		below, wasMap := object[field].(map[string]any)
		switch {
		case value == nil:
			delete(object, field)
		case isMap && wasMap:
			lay(below, inner)
		default:
			object[field] = value
		}
	}
}
