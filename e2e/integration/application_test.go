package integration

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"weir.dev/weir/e2e/player"
	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// application is a Deployment with a Service and a Canary in a namespace of its own, and what was seen
// of it since it was made.
type application struct {
	*cluster
	t         *testing.T
	namespace string

	mu       sync.Mutex
	statuses []v1beta1.CanaryStatus
	gone     bool
	weights  []int64
	pods     map[types.UID]seenPod
	watching sync.WaitGroup
	// manifests are those of the application, with its namespace and its version to be filled in.
	manifests string
	// gates are the webhooks of the Canary, where it has any.
	gates    *gates
	commands int
	// rests says that the API server pauses the Deployment when its template changes, and that it is not paused until then.
	rests bool
}

// seenPod is a pod that is or was.
type seenPod struct {
	image   string
	deleted bool
}

const replicas = 2

const applicationYAML = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: %[1]s
spec:
  replicas: 2
  selector:
    matchLabels: {app: app}
  template:
    metadata:
      labels: {app: app}
    spec:
      containers:
      - name: app
        image: app:%[2]s
---
apiVersion: v1
kind: Service
metadata:
  name: app
  namespace: %[1]s
spec:
  selector: {app: app}
  ports:
  - port: 80
    targetPort: 8080
`

const canaryYAML = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata:
  name: app
  namespace: %[1]s
spec:
  targetRef: {name: app}
  metricsServer: %[2]s
  service:
    port: 80
    settle: 200ms
    gatewayRefs: [{name: gateway}]
  analysis:
    interval: 1s
    stepWeights: [20, 60]
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
`

// application makes a namespace with a Deployment and a Service, and begins to watch it.
func (c *cluster) application(t *testing.T) *application {
	t.Helper()
	return c.applicationOf(t, applicationYAML)
}

// applicationOf is application with other manifests.
func (c *cluster) applicationOf(t *testing.T, manifests string) *application {
	t.Helper()
	a := &application{
		cluster: c, t: t, namespace: fmt.Sprintf("app-%d", c.serial.Add(1)),
		pods: map[types.UID]seenPod{}, manifests: manifests,
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}}
	_, err := c.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); a.watching.Wait() })
	a.watch(ctx)
	a.release("1")
	return a
}

// release applies the target with an image, as a user does, and the Service.
func (a *application) release(version string) {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, fmt.Appendf(nil, a.manifests, a.namespace, version)))
}

// manage makes the Canary, whose metrics are answered under that path.
func (a *application) manage(metrics string) {
	a.t.Helper()
	require.NoError(a.t, sandbox.Apply(a.t.Context(), a.config, fmt.Appendf(nil, canaryYAML, a.namespace, a.metrics.URL+metrics)))
}

func (a *application) deleteCanary() {
	a.t.Helper()
	require.NoError(a.t, a.weir.WeirV1beta1().Canaries(a.namespace).Delete(a.t.Context(), "app", metav1.DeleteOptions{}))
}

// watch keeps every version of the Canary, of the route's weight and of the pods.
func (a *application) watch(ctx context.Context) {
	a.t.Helper()
	// From the beginning: the namespace is new.
	options := metav1.ListOptions{}
	canaries, err := a.weir.WeirV1beta1().Canaries(a.namespace).Watch(ctx, options)
	require.NoError(a.t, err)
	routes, err := a.dynamic.Resource(player.HTTPRoutes()).Namespace(a.namespace).Watch(ctx, options)
	require.NoError(a.t, err)
	pods, err := a.kube.CoreV1().Pods(a.namespace).Watch(ctx, options)
	require.NoError(a.t, err)
	a.watching.Go(func() { a.see(canaries) })
	a.watching.Go(func() { a.see(routes) })
	a.watching.Go(func() { a.see(pods) })
}

func (a *application) see(w watch.Interface) {
	for e := range w.ResultChan() {
		a.mu.Lock()
		switch obj := e.Object.(type) {
		case *v1beta1.Canary:
			if obj.Name != "app" {
				break
			}
			a.statuses = append(a.statuses, obj.Status)
			a.gone = e.Type == watch.Deleted
		case *unstructured.Unstructured:
			if w, ok := canaryWeight(obj); ok && (len(a.weights) == 0 || a.weights[len(a.weights)-1] != w) {
				a.weights = append(a.weights, w)
			}
		case *corev1.Pod:
			a.pods[obj.UID] = seenPod{obj.Spec.Containers[0].Image, e.Type == watch.Deleted || obj.DeletionTimestamp != nil}
		}
		a.mu.Unlock()
	}
}

func canaryWeight(route *unstructured.Unstructured) (int64, bool) {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		backends, _, _ := unstructured.NestedSlice(rule.(map[string]any), "backendRefs")
		for _, b := range backends {
			if b := b.(map[string]any); b["name"] == "app-canary" {
				w, ok := b["weight"].(int64)
				return w, ok
			}
		}
	}
	return 0, false
}

// await returns when what was seen is as wanted.
func (a *application) await(what string, wanted func() bool) {
	a.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		a.mu.Lock()
		ok := wanted()
		a.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			a.mu.Lock()
			defer a.mu.Unlock()
			require.FailNowf(a.t, "never came: "+what, "the Canary's last status: %+v", a.last())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (a *application) awaitPhase(phase v1beta1.Phase) {
	a.t.Helper()
	a.await("phase "+string(phase), func() bool { return a.last().Phase == phase })
}

// podsSeen are all the pods that ever were.
func (a *application) podsSeen() map[types.UID]seenPod {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.pods)
}

// last is the latest status; the caller holds the lock.
func (a *application) last() v1beta1.CanaryStatus {
	if len(a.statuses) == 0 {
		return v1beta1.CanaryStatus{}
	}
	return a.statuses[len(a.statuses)-1]
}

func (a *application) deployment() *appsv1.Deployment {
	a.t.Helper()
	d, err := a.kube.AppsV1().Deployments(a.namespace).Get(a.t.Context(), "app", metav1.GetOptions{})
	require.NoError(a.t, err)
	return d
}

// service is nil where there is none.
func (a *application) service(name string) *corev1.Service {
	a.t.Helper()
	svc, err := a.kube.CoreV1().Services(a.namespace).Get(a.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(a.t, err)
	return svc
}

// replicaSets by the image that they run.
func (a *application) replicaSets() map[string]*appsv1.ReplicaSet {
	a.t.Helper()
	list, err := a.kube.AppsV1().ReplicaSets(a.namespace).List(a.t.Context(), metav1.ListOptions{})
	require.NoError(a.t, err)
	sets := map[string]*appsv1.ReplicaSet{}
	for i := range list.Items {
		sets[list.Items[i].Spec.Template.Spec.Containers[0].Image] = &list.Items[i]
	}
	return sets
}
