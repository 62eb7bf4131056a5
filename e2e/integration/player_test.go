package integration

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

var httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// closedGateway is the name of a Gateway that accepts no route.
const closedGateway = "closed"

// player plays whom an API server without a node lacks: the kubelet, which runs the pods, and a
// Gateway's controller, which accepts the routes.
type player struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	work    sync.WaitGroup
}

func startPlayer(ctx context.Context, t *testing.T, kube kubernetes.Interface, dyn dynamic.Interface) *player {
	t.Helper()
	p := &player{kube: kube, dynamic: dyn}
	pods := informers.NewSharedInformerFactory(kube, 0)
	routes := dynamicinformer.NewDynamicSharedInformerFactory(dyn, 0)
	p.play(t, pods.Core().V1().Pods().Informer(), func(obj any) { p.runPod(ctx, obj.(*corev1.Pod)) })
	p.play(t, routes.ForResource(httpRoutes).Informer(), func(obj any) { p.acceptRoute(ctx, obj.(*unstructured.Unstructured)) })
	pods.Start(ctx.Done())
	routes.Start(ctx.Done())
	pods.WaitForCacheSync(ctx.Done())
	routes.WaitForCacheSync(ctx.Done())
	return p
}

func (p *player) play(t *testing.T, informer cache.SharedIndexInformer, act func(any)) {
	t.Helper()
	handle := func(obj any) { p.work.Go(func() { act(obj) }) }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: handle, UpdateFunc: func(_, obj any) { handle(obj) },
	})
	require.NoError(t, err)
}

// runPod says of a new pod that it runs and is ready. A pod that is on no node is deleted at once by the
// API server, as if its containers had ended well.
func (p *player) runPod(ctx context.Context, pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodPending || pod.DeletionTimestamp != nil {
		return
	}
	running := pod.DeepCopy()
	now := metav1.Now()
	running.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
		},
	}
	// A conflict brings the next version of the pod, and with it another try.
	_, _ = p.kube.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, running, metav1.UpdateOptions{})
}

// acceptRoute says of every version of a route that its parents take it.
func (p *player) acceptRoute(ctx context.Context, route *unstructured.Unstructured) {
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	said, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(said) == len(refs) && slices.IndexFunc(said, func(s any) bool { return observed(s) != route.GetGeneration() }) < 0 {
		return
	}
	var parents []any
	for _, ref := range refs {
		status, reason := "True", "Accepted"
		if ref.(map[string]any)["name"] == closedGateway {
			status, reason = "False", "NotAllowedByListeners"
		}
		parents = append(parents, map[string]any{
			"parentRef": ref, "controllerName": "weir.dev/player",
			"conditions": []any{
				condition("Accepted", status, reason, route.GetGeneration()),
				condition("ResolvedRefs", "True", "ResolvedRefs", route.GetGeneration()),
			},
		})
	}
	accepted := route.DeepCopy()
	if unstructured.SetNestedSlice(accepted.Object, parents, "status", "parents") == nil {
		_, _ = p.dynamic.Resource(httpRoutes).Namespace(route.GetNamespace()).UpdateStatus(ctx, accepted, metav1.UpdateOptions{})
	}
}

func condition(kind, status, reason string, generation int64) map[string]any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": "as the player says",
		"observedGeneration": generation, "lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
	}
}

func observed(parent any) int64 {
	conditions, _, _ := unstructured.NestedSlice(parent.(map[string]any), "conditions")
	if len(conditions) == 0 {
		return -1
	}
	generation, _, _ := unstructured.NestedInt64(conditions[0].(map[string]any), "observedGeneration")
	return generation
}
