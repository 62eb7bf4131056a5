// Package player plays whom an API server without a node lacks: the kubelet, which runs the pods, a Gateway's
// controller, which accepts the routes, and Knative's controllers. With them and the real controllers, the operator
// finds all that it waits for.
package player

import (
	"context"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// ClosedGateway is the name of a Gateway that accepts no route.
const ClosedGateway = "closed"

// HTTPRoutes are routes that are accepted, as are GRPCRoutes.
func HTTPRoutes() schema.GroupVersionResource { return routes("httproutes") }

func routes(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: resource}
}

// Player is the first two of them, in every namespace.
type Player struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	work    sync.WaitGroup

	mu   sync.Mutex
	down map[application]bool
}

// application is what runs one image in one namespace.
type application struct{ namespace, image string }

// Start plays until the context ends. It returns when the player knows all that there is.
func Start(ctx context.Context, kube kubernetes.Interface, dyn dynamic.Interface) (*Player, error) {
	p := &Player{kube: kube, dynamic: dyn, down: map[application]bool{}}
	pods := informers.NewSharedInformerFactory(kube, 0)
	accepted := dynamicinformer.NewDynamicSharedInformerFactory(dyn, 0)
	err := p.play(pods.Core().V1().Pods().Informer(), func(obj any) { p.runPod(ctx, obj) })
	if err != nil {
		return nil, err
	}
	for _, gvr := range []schema.GroupVersionResource{HTTPRoutes(), routes("grpcroutes")} {
		err = p.play(accepted.ForResource(gvr).Informer(), func(obj any) { p.acceptRoute(ctx, gvr, obj) })
		if err != nil {
			return nil, err
		}
	}
	pods.Start(ctx.Done())
	accepted.Start(ctx.Done())
	pods.WaitForCacheSync(ctx.Done())
	accepted.WaitForCacheSync(ctx.Done())
	return p, nil
}

// Wait returns when nothing is under way; the context that the player was started with must have ended.
func (p *Player) Wait() { p.work.Wait() }

// Down takes the nodes away that run an image in a namespace: its pods are gone, and those that are made in
// their place do not run.
func (p *Player) Down(ctx context.Context, namespace, image string) error {
	p.mu.Lock()
	p.down[application{namespace, image}] = true
	p.mu.Unlock()
	return p.each(ctx, namespace, image, func(pod *corev1.Pod) error {
		err := p.kube.CoreV1().Pods(namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting pod %s/%s: %w", namespace, pod.Name, err)
		}
		return nil
	})
}

// Up brings the nodes back, and runs the pods that wait for them.
func (p *Player) Up(ctx context.Context, namespace, image string) error {
	p.mu.Lock()
	delete(p.down, application{namespace, image})
	p.mu.Unlock()
	return p.each(ctx, namespace, image, func(pod *corev1.Pod) error {
		p.runPod(ctx, pod)
		return nil
	})
}

func (p *Player) each(ctx context.Context, namespace, image string, do func(*corev1.Pod) error) error {
	pods, err := p.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the pods of namespace %s: %w", namespace, err)
	}
	for i := range pods.Items {
		if imageOf(&pods.Items[i]) == image {
			if err := do(&pods.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func imageOf(pod *corev1.Pod) string { return pod.Spec.Containers[0].Image }

func (p *Player) isDown(pod *corev1.Pod) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down[application{pod.Namespace, imageOf(pod)}]
}

func (p *Player) play(informer cache.SharedIndexInformer, act func(any)) error {
	handle := func(obj any) { p.work.Go(func() { act(obj) }) }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: handle, UpdateFunc: func(_, obj any) { handle(obj) },
	})
	if err != nil {
		return fmt.Errorf("watching what is to be played: %w", err)
	}
	return nil
}

// runPod says of a new pod that it runs and is ready. A pod that is on no node is deleted at once by the
// API server, as if its containers had ended well.
func (p *Player) runPod(ctx context.Context, obj any) {
	pod, ok := obj.(*corev1.Pod)
	if !ok || pod.Status.Phase != corev1.PodPending || pod.DeletionTimestamp != nil || p.isDown(pod) {
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
func (p *Player) acceptRoute(ctx context.Context, gvr schema.GroupVersionResource, obj any) {
	route, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return
	}
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	said, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	old := func(parent any) bool { return observed(parent) != route.GetGeneration() }
	if len(said) == len(refs) && !slices.ContainsFunc(said, old) {
		return
	}
	var parents []any
	for _, ref := range refs {
		status, reason := "True", "Accepted"
		if named, ok := ref.(map[string]any); ok && named["name"] == ClosedGateway {
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
		of := p.dynamic.Resource(gvr).Namespace(route.GetNamespace())
		_, _ = of.UpdateStatus(ctx, accepted, metav1.UpdateOptions{}) // as with pods
	}
}

func condition(kind, status, reason string, generation int64) map[string]any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": "as the player says",
		"observedGeneration": generation, "lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// observed is the generation that was spoken of to a parent; -1 where nothing was said.
func observed(parent any) int64 {
	said, ok := parent.(map[string]any)
	if !ok {
		return -1
	}
	conditions, _, _ := unstructured.NestedSlice(said, "conditions")
	if len(conditions) == 0 {
		return -1
	}
	first, ok := conditions[0].(map[string]any)
	if !ok {
		return -1
	}
	generation, _, _ := unstructured.NestedInt64(first, "observedGeneration")
	return generation
}
