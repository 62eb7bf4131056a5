package stories

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/e2e/stage"
)

// every is how often the tool applies what is in Git; those that people use do so every few minutes.
const every = 2 * time.Second

// repository is what a user has in Git, and a tool that applies it again and again.
type repository struct {
	*story
	changes *changes
	stop    func()

	mu      sync.Mutex
	objects []*unstructured.Unstructured
	apply   tool
	rounds  int
}

// tool applies objects.
type tool func(ctx context.Context, objects []*unstructured.Unstructured) error

// gitops begins to apply the application in its first version, with a Canary.
func (s *story) gitops(apply func(*repository) tool) *repository {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &repository{story: s, changes: s.watchChanges(ctx)}
	r.use(apply)
	r.push(stage.Version{Label: "one"})
	require.NoError(s.t, r.apply(ctx, r.objects))
	s.disown()
	var work sync.WaitGroup
	work.Go(func() { r.run(ctx) })
	r.stop = func() { cancel(); work.Wait() }
	s.t.Cleanup(r.stop)
	return r
}

func (r *repository) run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r.mu.Lock()
		err := r.apply(ctx, r.objects)
		r.rounds++
		r.mu.Unlock()
		if ctx.Err() == nil && !assert.NoError(r.t, err) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// disown takes the stage, which has made the user's objects, out of their owners: they are the tool's alone, as in
// life. What the tool leaves alone stays the stage's.
func (s *story) disown() {
	s.t.Helper()
	for _, gvr := range usersKinds() {
		client := s.Stage.Dynamic.Resource(gvr).Namespace(s.Namespace)
		live, err := client.Get(s.t.Context(), s.Name, metav1.GetOptions{})
		require.NoError(s.t, err)
		owners := slices.DeleteFunc(live.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
			return m.Manager == sandbox.FieldManager
		})
		if !slices.ContainsFunc(owners, func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "" }) {
			continue
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"managedFields": owners}})
		require.NoError(s.t, err)
		_, err = client.Patch(s.t.Context(), s.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		require.NoError(s.t, err)
	}
}

// usersKinds are what an application is made of, all of them of one name.
func usersKinds() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Version: "v1", Resource: "services"},
		{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
	}
}

// use changes how the tool applies.
func (r *repository) use(apply func(*repository) tool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apply = apply(r)
}

// push puts a version into Git.
func (r *repository) push(v stage.Version) {
	r.t.Helper()
	manifests, err := r.Manifests(v)
	require.NoError(r.t, err)
	manifests = append(append(manifests, "\n---\n"...), r.Canary(gitopsAnalysis)...)
	var objects []*unstructured.Unstructured
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096); ; {
		obj := &unstructured.Unstructured{}
		err := decoder.Decode(obj)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(r.t, err)
		objects = append(objects, obj)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects = objects
}

// drop takes the objects of a kind out of Git.
func (r *repository) drop(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects = without(r.objects, kind)
}

func without(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
}

// file has objects as a user writes them.
func (r *repository) file(objects []*unstructured.Unstructured) (string, error) {
	var manifests bytes.Buffer
	for _, obj := range objects {
		raw, err := yaml.Marshal(obj.Object)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&manifests, "---\n%s", raw)
	}
	name := filepath.Join(r.t.TempDir(), "git.yaml")
	return name, os.WriteFile(name, manifests.Bytes(), 0o600)
}

// client of the kind of an object.
func (r *repository) client(obj *unstructured.Unstructured) dynamic.ResourceInterface {
	gvk := obj.GroupVersionKind()
	resource := map[string]string{"Namespace": "namespaces", "Deployment": "deployments", "Service": "services",
		"HTTPRoute": "httproutes", "Canary": "canaries"}[gvk.Kind]
	client := r.Stage.Dynamic.Resource(gvk.GroupVersion().WithResource(resource))
	if obj.GetNamespace() == "" {
		return client
	}
	return client.Namespace(obj.GetNamespace())
}

// forced applies as Flux does: server-side, whoever owns the fields. What is of a kind that is left alone is
// made, but not applied again, as with Flux's annotation ssa: IfNotPresent.
func forced(leftAlone ...string) func(*repository) tool {
	return func(r *repository) tool {
		return func(ctx context.Context, objects []*unstructured.Unstructured) error {
			for _, obj := range objects {
				if slices.Contains(leftAlone, obj.GetKind()) {
					if _, err := r.client(obj).Get(ctx, obj.GetName(), metav1.GetOptions{}); err == nil {
						continue
					}
				}
				if _, err := r.serverSide(ctx, obj, nil); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func (r *repository) serverSide(
	ctx context.Context, obj *unstructured.Unstructured, dryRun []string,
) (*unstructured.Unstructured, error) {
	return r.client(obj).Apply(ctx, obj.GetName(), obj,
		metav1.ApplyOptions{FieldManager: "kustomize-controller", Force: true, DryRun: dryRun})
}

// ignoring applies as Flux does that is told to ignore fields: what differs in nothing else is not applied.
func ignoring(r *repository) tool {
	return func(ctx context.Context, objects []*unstructured.Unstructured) error {
		for _, obj := range objects {
			live, err := r.client(obj).Get(ctx, obj.GetName(), metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			would, err := r.serverSide(ctx, obj, []string{metav1.DryRunAll})
			if err != nil {
				return err
			}
			if live != nil && reflect.DeepEqual(drifting(live), drifting(would)) {
				continue
			}
			if _, err := r.serverSide(ctx, obj, nil); err != nil {
				return err
			}
		}
		return nil
	}
}

// drifting is what of an object is compared: not what the API server writes, and not what is ignored.
func drifting(obj *unstructured.Unstructured) map[string]any {
	obj = obj.DeepCopy()
	for _, path := range [][]string{{"status"}, {"metadata", "managedFields"}, {"metadata", "resourceVersion"},
		{"metadata", "generation"}} {
		unstructured.RemoveNestedField(obj.Object, path...)
	}
	switch obj.GetKind() {
	case "HTTPRoute":
		unstructured.RemoveNestedField(obj.Object, "spec", "rules")
	case "Service":
		unstructured.RemoveNestedField(obj.Object, "spec", "selector", "pod-template-hash")
	}
	return obj.Object
}

// clientSide applies as Argo CD does: by the difference to what was applied the last time, which stands in an
// annotation. The route is left out: it differs in its rules alone, and they are ignored.
func clientSide(r *repository) tool {
	return func(ctx context.Context, objects []*unstructured.Unstructured) error {
		file, err := r.file(without(objects, "HTTPRoute"))
		if err != nil {
			return err
		}
		_, err = r.Stage.Kubectl(ctx, "apply", "-f", file)
		return err
	}
}

// changes counts what is written to the user's objects.
type changes struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (s *story) watchChanges(ctx context.Context) *changes {
	s.t.Helper()
	c := &changes{kinds: map[string]int{}}
	mine := fields.OneTermEqualSelector(metav1.ObjectNameField, s.Name).String()
	for _, gvr := range usersKinds() {
		w, err := s.Stage.Dynamic.Resource(gvr).Namespace(s.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: mine})
		require.NoError(s.t, err)
		go func() {
			last := map[string]any{}
			for e := range w.ResultChan() {
				obj, ok := e.Object.(*unstructured.Unstructured)
				if !ok || e.Type == watch.Bookmark {
					continue
				}
				now := apartFromStatus(obj)
				if e.Type == watch.Modified && !reflect.DeepEqual(last, now) {
					c.mu.Lock()
					c.kinds[obj.GetKind()]++
					c.mu.Unlock()
				}
				last = now
			}
		}()
	}
	return c
}

// apartFromStatus is an object without what its controller says of it.
func apartFromStatus(obj *unstructured.Unstructured) map[string]any {
	obj = obj.DeepCopy()
	unstructured.RemoveNestedField(obj.Object, "status")
	obj.SetResourceVersion("")
	obj.SetManagedFields(slices.DeleteFunc(obj.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Subresource == "status"
	}))
	return obj.Object
}

// standing counts what is written while nothing goes on, and how often the tool applied meanwhile.
func (r *repository) standing(while string) (written map[string]int, rounds int) {
	r.t.Helper()
	r.mu.Lock()
	before := r.rounds
	r.mu.Unlock()
	r.changes.mu.Lock()
	clear(r.changes.kinds)
	r.changes.mu.Unlock()
	time.Sleep(6 * every)
	r.mu.Lock()
	rounds = r.rounds - before
	r.mu.Unlock()
	written = map[string]int{}
	r.changes.mu.Lock()
	for kind, n := range r.changes.kinds {
		written[kind] = n
	}
	r.changes.mu.Unlock()
	r.t.Logf("%s: %d rounds of the tool, written: %v", while, rounds, written)
	require.NotZero(r.t, rounds)
	return written, rounds
}
