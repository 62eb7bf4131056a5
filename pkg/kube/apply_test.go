package kube_test

import (
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/e2e/player"
)

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: app
  labels: {weir.dev/canary: app}
  annotations: {note: ours}
  ownerReferences: [{apiVersion: v1, kind: Namespace, name: $OWNER, uid: $UID, controller: true}]
spec:
  parentRefs: [{name: edge}]
  rules:
  - backendRefs: [{name: app-primary, port: 80, weight: 90}, {name: app-canary, port: 80, weight: 10}]
`

func (b *bench) routes() dynamic.ResourceInterface {
	return b.dynamic.Resource(player.HTTPRoutes()).Namespace(b.namespace)
}

func (b *bench) intent() *unstructured.Unstructured {
	b.Helper()
	// An owner that is not there would have the garbage collector take the route, in its own time.
	content := strings.NewReplacer("$OWNER", b.namespace, "$UID", string(b.uid)).Replace(route)
	intent := &unstructured.Unstructured{Object: *read[map[string]any](b, content)}
	intent.SetNamespace(b.namespace)
	return jsonCopy(b, intent)
}

// jsonCopy has numbers as a client has them.
func jsonCopy(b *bench, obj *unstructured.Unstructured) *unstructured.Unstructured {
	raw, err := json.Marshal(obj)
	require.NoError(b, err)
	out := &unstructured.Unstructured{}
	require.NoError(b, out.UnmarshalJSON(raw))
	return out
}

func (b *bench) route() *unstructured.Unstructured {
	b.Helper()
	found, err := b.routes().Get(b.Context(), "app", metav1.GetOptions{})
	require.NoError(b, err)
	return found
}

// accepted is the route once somebody has written its status.
func (b *bench) accepted() *unstructured.Unstructured {
	b.Helper()
	var found *unstructured.Unstructured
	b.eventually("the route to be accepted", func() bool {
		found = b.route()
		parents, _, _ := unstructured.NestedSlice(found.Object, "status", "parents")
		if len(parents) == 0 {
			return false
		}
		condition := parents[0].(map[string]any)["conditions"].([]any)[0].(map[string]any)
		return condition["observedGeneration"] == found.GetGeneration()
	})
	return found
}

// edit lets somebody else change the route.
func (b *bench) edit(change func(*unstructured.Unstructured)) *unstructured.Unstructured {
	b.Helper()
	found := b.accepted()
	change(found)
	_, err := b.routes().Update(b.Context(), found, metav1.UpdateOptions{FieldManager: "user"})
	require.NoError(b, err)
	return b.accepted()
}

func appliesOnce(b *bench) {
	intent := b.intent()
	apply := func(found *unstructured.Unstructured) func() error {
		return func() error { return b.writer.Apply(b.Context(), player.HTTPRoutes(), intent, found) }
	}
	require.NoError(b, apply(nil)())
	assert.Equal(b, b.intent(), intent, "the intent is the caller's")
	b.silent("as it was written", apply(b.route()))
	found := b.accepted()
	b.silent("after its status changed", apply(found))
	b.silent("after a restart", func() error {
		return b.another().Apply(b.Context(), player.HTTPRoutes(), intent, found)
	})

	// The whole intent is applied: what it does not say any more goes.
	unstructured.RemoveNestedField(intent.Object, "metadata", "annotations", "note")
	unstructured.RemoveNestedField(intent.Object, "metadata", "labels")
	require.NoError(b, apply(found)())
	assert.NotContains(b, b.route().GetAnnotations(), "note")
	assert.Empty(b, b.route().GetLabels())
	intent = b.intent()
	require.NoError(b, apply(b.route())(), "what was in force once is written again")
	assert.Equal(b, "ours", b.route().GetAnnotations()["note"])
}

func weightOf(obj *unstructured.Unstructured, weight int64) {
	rules, _, _ := unstructured.NestedSlice(obj.Object, "spec", "rules")
	backends := rules[0].(map[string]any)["backendRefs"].([]any)
	backends[0].(map[string]any)["weight"] = weight
	_ = unstructured.SetNestedSlice(obj.Object, rules, "spec", "rules")
}

// putsRight says that what somebody else changes of what the intent says does not last.
func putsRight(b *bench) {
	require.NoError(b, b.writer.Apply(b.Context(), player.HTTPRoutes(), b.intent(), nil))
	first := b.accepted()
	content := func(obj *unstructured.Unstructured) map[string]any {
		c := obj.DeepCopy().Object
		delete(c, "status")
		for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
			unstructured.RemoveNestedField(c, "metadata", field)
		}
		return c
	}
	for what, change := range map[string]func(*unstructured.Unstructured){
		"a weight":      func(u *unstructured.Unstructured) { weightOf(u, 50) },
		"a rule more":   func(u *unstructured.Unstructured) { addRule(u) },
		"a label":       func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{"weir.dev/canary": "other"}) },
		"no label":      func(u *unstructured.Unstructured) { u.SetLabels(nil) },
		"an annotation": func(u *unstructured.Unstructured) { u.SetAnnotations(nil) },
		"no owner":      func(u *unstructured.Unstructured) { u.SetOwnerReferences(nil) },
		"an owner": func(u *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(u.Object, false, "metadata", "ownerReferences")
			u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: b.namespace, UID: b.uid}})
		},
	} {
		edited := b.edit(change)
		require.NoError(b, b.writer.Apply(b.Context(), player.HTTPRoutes(), b.intent(), edited), what)
		assert.Equal(b, content(first), content(b.route()), what)
		edited = b.edit(change)
		require.NoError(b, b.another().Apply(b.Context(), player.HTTPRoutes(), b.intent(), edited), what)
		assert.Equal(b, content(first), content(b.route()), "%s, after a restart", what)
	}
	// What a new process cannot see, one that has written the object does: an addition to a list of Weir's.
	edited := b.edit(func(u *unstructured.Unstructured) {
		rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
		rules[0].(map[string]any)["timeouts"] = map[string]any{"request": "1s"}
		_ = unstructured.SetNestedSlice(u.Object, rules, "spec", "rules")
	})
	require.NoError(b, b.writer.Apply(b.Context(), player.HTTPRoutes(), b.intent(), edited))
	assert.Equal(b, content(first), content(b.route()))
}

func addRule(u *unstructured.Unstructured) {
	rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	_ = unstructured.SetNestedSlice(u.Object, append(rules, map[string]any{}), "spec", "rules")
}

func appliesNothingOverWhatMoved(b *bench) {
	require.NoError(b, b.writer.Apply(b.Context(), player.HTTPRoutes(), b.intent(), nil))
	found := b.accepted()
	b.edit(func(u *unstructured.Unstructured) { weightOf(u, 50) })
	intent := b.intent()
	weightOf(intent, 70)
	b.conflict(b.writer.Apply(b.Context(), player.HTTPRoutes(), intent, found))
	b.conflict(b.writer.DeleteRoute(b.Context(), player.HTTPRoutes(), found))
	require.NoError(b, b.writer.DeleteRoute(b.Context(), player.HTTPRoutes(), b.route()))
	b.conflict(b.writer.Apply(b.Context(), player.HTTPRoutes(), intent, found))
	list, err := b.routes().List(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	assert.Empty(b, list.Items, "what was deleted is not made anew over an old look")
}

func restores(b *bench) {
	users := b.intent()
	users.SetLabels(nil)
	users.SetOwnerReferences(nil)
	byUser := func() error {
		_, err := b.routes().Apply(b.Context(), "app", users, metav1.ApplyOptions{FieldManager: "user"})
		return err
	}
	require.NoError(b, byUser())
	before := b.accepted()

	intent := b.intent()
	intent.SetOwnerReferences(nil)
	weightOf(intent, 20)
	require.NoError(b, b.writer.Apply(b.Context(), player.HTTPRoutes(), intent, before))
	taken := b.accepted()
	back := taken.DeepCopy()
	back.SetLabels(before.GetLabels())
	back.SetAnnotations(before.GetAnnotations())
	back.Object["spec"] = before.Object["spec"]
	b.conflict(b.writer.Restore(b.Context(), player.HTTPRoutes(), withVersion(back, before.GetResourceVersion())))
	require.NoError(b, b.writer.Restore(b.Context(), player.HTTPRoutes(), withVersion(back, b.route().GetResourceVersion())))

	now := b.route()
	assert.Equal(b, spelled(b, before), spelled(b, now), "byte for byte")
	assert.Empty(b, weirs(now))
	weightOf(users, 1)
	require.NoError(b, byUser(), "nobody stands in the user's way")
}

func withVersion(obj *unstructured.Unstructured, version string) *unstructured.Unstructured {
	obj = obj.DeepCopy()
	obj.SetResourceVersion(version)
	return obj
}

// spelled is what belongs to the user of an object.
func spelled(b *bench, obj *unstructured.Unstructured) string {
	raw, err := json.Marshal([]any{obj.Object["spec"], obj.GetLabels(), obj.GetAnnotations(), obj.GetOwnerReferences()})
	require.NoError(b, err)
	return string(raw)
}
