package kube_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/kube"
)

// TestWriter holds the Writer to what a real API server and the real controllers make of its writes.
func TestWriter(t *testing.T) {
	s := start(t)
	for name, test := range map[string]func(*bench){
		"pause":                     pauses,
		"pause of another":          keepsThePauseOfAnother,
		"pause of moved":            leavesAloneWhatMoved,
		"pause of one made anew":    leavesAloneWhatWasMadeAnew,
		"canary ReplicaSet":         ownsTheCanary,
		"borrowed ReplicaSet":       borrows,
		"ReplicaSet of moved":       staysOffAReplicaSetThatMoved,
		"hand-over":                 handsOver,
		"hand-over, queued":         handsOverBesideANewerTemplate,
		"config digest":             annotatesTheTemplate,
		"hand-over of moved":        handsNothingOverToWhatMoved,
		"partition":                 holdsAStatefulSet,
		"update strategy":           holdsADaemonSet,
		"pod":                       replacesAPod,
		"Job":                       makesAJobOnce,
		"pin":                       pins,
		"pin of moved":              pinsNothingThatMoved,
		"pin where the user lives":  pinsBesideItsUser,
		"Services":                  servesByServices,
		"apply":                     appliesOnce,
		"apply over a foreign edit": putsRight,
		"apply of moved":            appliesNothingOverWhatMoved,
		"restore":                   restores,
		"finalizer":                 keepsFinalizers,
		"status":                    commitsOnlyOnWhatWasDecided,
		"annotated Canary":          leavesFieldsToOthers,
		"locked fields":             setsBackWhatIsLocked,
		"Canary that is gone":       makesNoCanaryAnew,
		"tap":                       dies,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(s.bench(t)) })
	}
}

// server is one API server with the controllers of Deployments and somebody who runs the pods.
type server struct {
	kube    kubernetes.Interface
	weir    versioned.Interface
	dynamic dynamic.Interface
}

func start(t *testing.T) *server {
	t.Helper()
	api, err := sandbox.StartAPIServer(t.Context(), sandbox.APIServerOptions{ControllerManager: true, Progress: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, api.Stop()) })
	s, config := &server{}, api.RESTConfig()
	s.kube, err = kubernetes.NewForConfig(config)
	require.NoError(t, err)
	s.weir, err = versioned.NewForConfig(config)
	require.NoError(t, err)
	s.dynamic, err = dynamic.NewForConfig(config)
	require.NoError(t, err)
	definitions, err := sandbox.GatewayDefinitions(t.Context())
	require.NoError(t, err)
	own, err := os.ReadFile(filepath.Join("..", "..", "artifacts", "crds", "weir.dev_canaries.yaml"))
	require.NoError(t, err)
	definitions = append(append(definitions, "\n---\n"...), own...)
	require.NoError(t, sandbox.Apply(t.Context(), config, definitions))
	ctx, cancel := context.WithCancel(context.Background())
	p, err := player.Start(ctx, s.kube, s.dynamic)
	t.Cleanup(func() { cancel(); p.Wait() })
	require.NoError(t, err)
	return s
}

// bench is a namespace of its own, with a Writer whose writes are noted.
type bench struct {
	*testing.T
	*server
	namespace string
	uid       types.UID // of the namespace
	writer    *kube.Writer

	mu     sync.Mutex
	writes []string
}

func (s *server) bench(t *testing.T) *bench {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "kube-"}}
	made, err := s.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	b := &bench{T: t, server: s, namespace: made.Name, uid: made.UID}
	b.writer = b.another()
	return b
}

// another is the Writer of a process that has just started.
func (b *bench) another() *kube.Writer {
	return kube.NewWriter(b.kube, b.weir, b.dynamic, kube.NewFreshness(), func(when kube.When, what string) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if when == kube.Before {
			b.writes = append(b.writes, what)
		}
		return nil
	})
}

// silent says that a write is none.
func (b *bench) silent(what string, write func() error) {
	b.Helper()
	before := len(b.writes)
	require.NoError(b, write(), what)
	require.Empty(b, b.writes[before:], what)
}

// conflict says that a write came too late, and that the controller can tell so.
func (b *bench) conflict(err error) {
	b.Helper()
	require.True(b, apierrors.IsConflict(err), "a conflict, not %v", err)
}

// looked does a write to the Deployment as the controller does: on a new look where one came too late,
// because the Deployment's controller has written its status.
func (b *bench) looked(write func(context.Context, *appsv1.Deployment) error) {
	b.Helper()
	b.again(func() error { return write(b.Context(), b.deployment()) })
}

// again does a write until it does not come too late.
func (b *bench) again(write func() error) {
	b.Helper()
	b.eventually("a write", func() bool {
		err := write()
		if !apierrors.IsConflict(err) {
			require.NoError(b, err)
		}
		return err == nil
	})
}

// eventually waits as long as anybody would; how long it takes is not what is tested.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	err := wait.PollUntilContextTimeout(b.Context(), 50*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return holds(), nil })
	require.NoError(b, err, "waiting for %s", what)
}

func read[T any](t require.TestingT, text string) *T {
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), text)
	return object
}

// deploy makes a Deployment whose pods are ready.
func (b *bench) deploy() *appsv1.Deployment {
	b.Helper()
	d := read[appsv1.Deployment](b, `
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: "app:1"}]}
`)
	_, err := b.kube.AppsV1().Deployments(b.namespace).Create(b.Context(), d, metav1.CreateOptions{FieldManager: "user"})
	require.NoError(b, err)
	return b.complete()
}

// complete waits until the Deployment is rolled out, as `kubectl rollout status` does.
func (b *bench) complete() *appsv1.Deployment {
	b.Helper()
	var d *appsv1.Deployment
	b.eventually("the Deployment to be complete", func() bool {
		d = b.deployment()
		st := d.Status
		return st.ObservedGeneration >= d.Generation && st.Replicas == *d.Spec.Replicas &&
			st.UpdatedReplicas == *d.Spec.Replicas && st.AvailableReplicas == *d.Spec.Replicas
	})
	return d
}

func (b *bench) deployment() *appsv1.Deployment {
	b.Helper()
	d, err := b.kube.AppsV1().Deployments(b.namespace).Get(b.Context(), "app", metav1.GetOptions{})
	require.NoError(b, err)
	return d
}

// merge lets somebody else change the Deployment.
func (b *bench) merge(patch string) *appsv1.Deployment {
	b.Helper()
	raw, err := yaml.YAMLToJSON([]byte(patch))
	require.NoError(b, err)
	d, err := b.kube.AppsV1().Deployments(b.namespace).
		Patch(b.Context(), "app", types.MergePatchType, raw, metav1.PatchOptions{FieldManager: "user"})
	require.NoError(b, err)
	return d
}

func (b *bench) canary() *v1beta1.Canary {
	b.Helper()
	c := read[v1beta1.Canary](b, `
metadata: {name: app}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80, gatewayRefs: [{name: edge}]}
  analysis: {stepWeights: [10, 50]}
`)
	made, err := b.weir.WeirV1beta1().Canaries(b.namespace).Create(b.Context(), c, metav1.CreateOptions{})
	require.NoError(b, err)
	return made
}
