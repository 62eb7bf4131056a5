package controller

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"weir.dev/weir/pkg/kube"
)

func TestPods(t *testing.T) {
	pod := func(name, app string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: name, Labels: map[string]string{"app": app}, Annotations: map[string]string{"a": "b"},
			},
			Spec: corev1.PodSpec{NodeName: "one", Containers: []corev1.Container{{Name: "app"}}},
		}
	}
	client := fake.NewSimpleClientset(pod("a-1", "a"), pod("a-2", "a"), pod("b-1", "b"))
	woken := make(chan types.NamespacedName, 100)
	p := newPods(client, kube.NewFreshness(), time.Now, func(keys ...types.NamespacedName) {
		for _, key := range keys {
			woken <- key
		}
	})
	key := types.NamespacedName{Namespace: "shop", Name: "canary"}
	selects := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	_, known := p.of(key, selects("a"))
	assert.False(t, known, "nobody has started it")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.start(ctx)
	_, known = p.of(key, selects("a"))
	assert.False(t, known)
	names := func(app string) (found []string) {
		all, known := p.of(key, selects(app))
		if !known {
			return nil
		}
		for _, pod := range all {
			found = append(found, pod.Name)
			assert.Empty(t, pod.Annotations)
			assert.Empty(t, pod.Spec.Containers)
			assert.Equal(t, "one", pod.Spec.NodeName)
		}
		return found
	}
	sees := func(app string, want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			return assert.ElementsMatch(new(testing.T), want, names(app))
		}, 10*time.Second, 10*time.Millisecond)
	}
	sees("a", "a-1", "a-2")
	assert.Equal(t, key, <-woken)
	require.Eventually(t, func() bool { // the fake tells nobody what was before its watch
		return slices.ContainsFunc(client.Actions(), func(a clienttesting.Action) bool { return a.GetVerb() == "watch" })
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, client.CoreV1().Pods("shop").Delete(t.Context(), "a-1", metav1.DeleteOptions{}))
	sees("a", "a-2")

	first := p.watches[key]
	sees("b", "b-1")
	assert.Eventually(t, first.informer.IsStopped, 10*time.Second, 10*time.Millisecond, "another selector is another watch")
	second := p.watches[key]
	p.forget(key)
	assert.Empty(t, p.watches)
	assert.Eventually(t, second.informer.IsStopped, 10*time.Second, 10*time.Millisecond)
	p.forget(key) // nobody minds
}

func TestPodsThatNobodyMayList(t *testing.T) {
	now := time.Unix(1, 0)
	p := newPods(fake.NewSimpleClientset(), kube.NewFreshness(), func() time.Time { return now }, func(...types.NamespacedName) {})
	key := types.NamespacedName{Namespace: "shop", Name: "canary"}
	assert.False(t, p.overdue(key))
	p.watches[key] = &podWatch{since: now}
	assert.False(t, p.overdue(key))
	now = now.Add(podPatience + 1)
	assert.True(t, p.overdue(key))
}
