package routertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
	"weir.dev/weir/pkg/workload"
)

// bench is one application in a namespace of its own.
type bench struct {
	Subject
	*testing.T
	server *Server
	client dynamic.Interface
	app    router.App
	// there are the objects that were read since they were last written, or nil where there is none: nobody else
	// writes in this namespace.
	there map[router.Ref]*unstructured.Unstructured
	// split that was applied last.
	split rollout.Split
}

// share is a split by weight alone.
func share(weight int32) rollout.Split { return rollout.Split{Weight: weight} }

func (s Subject) bench(t *testing.T, server *Server, shape ...func(*v1beta1.CanarySpec)) *bench {
	t.Helper()
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "application-"},
	}}
	b := &bench{Subject: s, T: t, server: server, there: map[router.Ref]*unstructured.Unstructured{}}
	b.client = server.client(t, func(path string) {
		maps.DeleteFunc(b.there, func(ref router.Ref, _ *unstructured.Unstructured) bool {
			return strings.Contains(path+"/", "/"+ref.Resource.Resource+"/"+ref.Name+"/")
		})
	})
	namespaces := b.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	made, err := namespaces.Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
	b.app = s.appOf(made.GetName(), "first", shape...)
	for _, manifest := range s.Beside {
		if _, reads := b.refOf(b.app, parse(b, manifest)); reads { // else the spec names it nowhere
			b.create(manifest)
		}
	}
	return b
}

// beside says that an object is one that a route is made from: a user has made it.
func (b *bench) beside(ref router.Ref) bool {
	return slices.ContainsFunc(b.Beside, func(manifest string) bool {
		named, reads := b.refOf(b.app, parse(b, manifest))
		return reads && named == ref
	})
}

// refOf is the router's reference of an object of the application's.
func (s Subject) refOf(app router.App, obj *unstructured.Unstructured) (router.Ref, bool) {
	resource, _ := meta.UnsafeGuessKindToResource(obj.GroupVersionKind())
	for _, ref := range s.Router.Refs(app) {
		if ref.Name == obj.GetName() && ref.Resource == resource {
			return ref, true
		}
	}
	return router.Ref{}, false
}

func parse(t require.TestingT, manifest string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(manifest), &obj.Object))
	return obj
}

// appOf is the application as a Canary of that name has it.
func (s Subject) appOf(namespace, canary string, shape ...func(*v1beta1.CanarySpec)) router.App {
	c := &v1beta1.Canary{}
	c.Name, c.Namespace, c.UID = canary, namespace, types.UID(namespace+"-"+canary)
	c.Spec.TargetRef = v1beta1.TargetRef{APIVersion: "apps/v1", Kind: "Deployment", Name: Apex}
	c.Spec.Service.Port = 9898
	for _, set := range append([]func(*v1beta1.CanarySpec){s.Always}, shape...) {
		if set != nil {
			set(&c.Spec)
		}
	}
	c.Status.Primary = &v1beta1.RevisionStatus{ReplicaSet: Apex + "-7d9c", Hash: "7d9c", Replicas: 2}
	c.Status.Canary = &v1beta1.RevisionStatus{ReplicaSet: Apex + "-5f64", Hash: "5f64", Replicas: 1}
	owner := workload.ControlledByCanary(c)
	return router.App{
		Canary: c, Apex: Apex, Primary: Primary, CanaryService: Canary,
		Labels: map[string]string{workload.CanaryLabel: canary},
		Owner: map[string]any{
			"apiVersion": owner.APIVersion, "kind": owner.Kind, "name": owner.Name, "uid": string(owner.UID),
			"controller": true, "blockOwnerDeletion": true,
		},
	}
}

func (b *bench) on(ref router.Ref) dynamic.ResourceInterface {
	return b.client.Resource(ref.Resource).Namespace(ref.Namespace)
}

// found are the router's objects as the server has them.
func (b *bench) found() router.Found {
	b.Helper()
	found := router.Found{}
	for _, ref := range b.Router.Refs(b.app) {
		obj, known := b.there[ref]
		if !known {
			var err error
			obj, err = b.on(ref).Get(b.Context(), ref.Name, metav1.GetOptions{})
			unserved := apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
			if apierrors.IsNotFound(err) && !unserved {
				obj, err = nil, nil
			}
			require.NoError(b, err)
			b.there[ref] = obj
		}
		if obj != nil {
			found[ref] = obj.DeepCopy() // it may be changed by who gets it
		}
	}
	return found
}

// objects are what is found, in the order of the router's Refs, but for what is beside the route.
func (b *bench) objects() []*unstructured.Unstructured {
	b.Helper()
	found := b.found()
	var out []*unstructured.Unstructured
	for _, ref := range b.Router.Refs(b.app) {
		if obj := found[ref]; obj != nil && !b.beside(ref) {
			out = append(out, obj)
		}
	}
	return out
}

// render gives the intent for a split, over what is found.
func (b *bench) render(split rollout.Split) []router.Object {
	b.Helper()
	intent, err := b.Router.Render(b.app, split, b.found())
	require.NoError(b, err)
	require.NotEmpty(b, intent)
	for _, obj := range intent {
		require.Contains(b, b.Router.Refs(b.app), obj.Ref)
		require.Contains(b, b.Router.Resources(), obj.Ref.Resource)
		require.False(b, b.beside(obj.Ref), "%s is the user's", obj.Ref.Name)
	}
	return intent
}

// apply is one look: what is found is rendered over and written, by the writer that Weir has. A writer
// that is told of nothing found sends everything.
func (b *bench) apply(split rollout.Split) {
	b.Helper()
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), nil)
	for _, obj := range b.render(split) {
		require.NoError(b, writer.Apply(b.Context(), obj.Ref.Resource, obj.Intent, nil))
	}
	b.split = split
}

// writes are what a process that has just started would write.
func (b *bench) writes(split rollout.Split) []string {
	b.Helper()
	var writes []string
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), func(when kube.When, what string) error {
		if when == kube.Before {
			writes = append(writes, what)
		}
		return nil
	})
	found := b.found()
	for _, obj := range b.render(split) {
		require.NoError(b, writer.Apply(b.Context(), obj.Ref.Resource, obj.Intent, found[obj.Ref]))
	}
	return writes
}

// release lets go of everything, as Weir does.
func (b *bench) release() {
	b.Helper()
	found := b.found()
	released, err := b.Router.Release(b.app, found)
	require.NoError(b, err)
	require.NotEmpty(b, released, "there is something to give back")
	writer := kube.NewWriter(nil, nil, b.client, kube.NewFreshness(), nil)
	for _, r := range released {
		require.False(b, b.beside(r.Ref), "%s is the user's", r.Ref.Name)
		if r.Object == nil {
			require.NoError(b, writer.DeleteRoute(b.Context(), r.Ref.Resource, found[r.Ref]))
			continue
		}
		require.NoError(b, writer.Restore(b.Context(), r.Ref.Resource, r.Object))
	}
	require.False(b, b.read().Found, "after release nothing of Weir's is found")
	released, err = b.Router.Release(b.app, b.found())
	require.NoError(b, err)
	require.Empty(b, released, "what has been given back is not given back again")
	b.noManager()
}

// noManager says that Weir's applies hold no field: of what they held, a later apply of less would be
// the end.
func (b *bench) noManager() {
	b.Helper()
	for _, obj := range b.objects() {
		for _, m := range obj.GetManagedFields() {
			if m.Manager == v1beta1.FieldManager {
				require.NotEqual(b, metav1.ManagedFieldsOperationApply, m.Operation, "%s %s", obj.GetKind(), obj.GetName())
			}
		}
		require.NotContains(b, obj.GetAnnotations(), kube.AppliedAnnotation)
	}
}

// read is what the router reads where the split that was applied last is the committed one.
func (b *bench) read() rollout.Route {
	b.Helper()
	return b.Router.Read(b.app, b.split, b.found())
}

// accept lets whoever serves the objects accept them.
func (b *bench) accept() {
	b.Helper()
	if b.Accept == nil {
		return
	}
	for ref, obj := range b.found() {
		b.Accept(obj)
		_, err := b.on(ref).UpdateStatus(b.Context(), obj, metav1.UpdateOptions{FieldManager: "gateway"})
		require.NoError(b, err)
	}
}

// edit lets somebody else change the objects.
func (b *bench) edit(do func(*unstructured.Unstructured)) {
	b.Helper()
	b.editWhere(false, do)
}

// editWhere lets somebody else change the route, or what is beside it.
func (b *bench) editWhere(beside bool, do func(*unstructured.Unstructured)) {
	b.Helper()
	for ref, obj := range b.found() {
		if b.beside(ref) != beside {
			continue
		}
		do(obj)
		_, err := b.on(ref).Update(b.Context(), obj, metav1.UpdateOptions{FieldManager: "somebody"})
		require.NoError(b, err)
	}
}

// inForce says that a split, and no other, stands in the objects and is read from them once accepted.
func (b *bench) inForce(split rollout.Split) {
	b.Helper()
	require.Empty(b, b.wrong(split.Weight))
	b.accept()
	require.Equal(b, inForce(split), b.Router.Read(b.app, split, b.found()))
}

// inForce is what is read of a split that is in force.
func inForce(split rollout.Split) rollout.Route {
	return rollout.Route{Found: true, Split: split, Accepted: true}
}

// wrong says where a weight does not stand in the objects, by what the subject reads from them.
func (b *bench) wrong(weight int32) []string {
	b.Helper()
	places := b.Shares(b.objects())
	var wrong []string
	for i, shares := range places {
		primary, hasPrimary := shares[Primary]
		canary, hasCanary := shares[Canary]
		both := primary + canary
		asNamed := hasPrimary && hasCanary
		if b.LeavesOut {
			asNamed = hasPrimary == (weight < 100) && hasCanary == (weight > 0)
		}
		if !asNamed || both == 0 || int64(weight)*both != canary*100 {
			wrong = append(wrong, fmt.Sprintf("place %d divides %v, not %d percent to the canary", i+1, shares, weight))
		}
	}
	if len(places) == 0 {
		return []string{"no place divides the traffic"}
	}
	return wrong
}

// versions are the objects' resourceVersions.
func (b *bench) versions() map[string]string {
	b.Helper()
	versions := map[string]string{}
	for _, obj := range b.objects() {
		versions[obj.GetKind()+"/"+obj.GetName()] = obj.GetResourceVersion()
	}
	return versions
}

// own is what belongs to the user of an object, as JSON: spec, labels, annotations, owners.
func own(t require.TestingT, obj *unstructured.Unstructured) string {
	spec, err := json.Marshal(obj.Object["spec"])
	require.NoError(t, err)
	rest, err := json.Marshal(map[string]any{
		"labels": obj.GetLabels(), "annotations": obj.GetAnnotations(), "owners": obj.GetOwnerReferences(),
	})
	require.NoError(t, err)
	return fmt.Sprintf("%s\n%s", spec, rest)
}

// owns is own of all objects.
func (b *bench) owns() []string {
	b.Helper()
	var all []string
	for _, obj := range b.objects() {
		all = append(all, own(b, obj))
	}
	return all
}
