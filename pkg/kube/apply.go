package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// AppliedAnnotation holds a digest of the intent that was last applied to an object of Weir's. A
// process that has just started knows by it what it need not apply again.
const AppliedAnnotation = "weir.dev/applied"

// memory knows at which version of an object which intent was in force.
type memory struct {
	mu     sync.Mutex
	states map[objectKey]state
}

type state struct {
	digest     string
	version    string
	generation int64
}

func stateOf(digest string, obj *unstructured.Unstructured) state {
	return state{digest: digest, version: obj.GetResourceVersion(), generation: obj.GetGeneration()}
}

func newMemory() *memory { return &memory{states: map[objectKey]state{}} }

// holds says that an intent is in force as the object was found: it is what the API server gave back, or
// no more than its status has changed since. Of an object that this process has not written yet it goes by
// what stands there; the digest is a part of the intent.
func (m *memory) holds(key objectKey, digest string, intent, found *unstructured.Unstructured) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.states[key]
	switch {
	case !known && contains(found.Object, intent.Object):
		m.states[key] = stateOf(digest, found)
		return true
	case !known || last.digest != digest:
		return false
	case last.version == found.GetResourceVersion():
		return true
	}
	return last.generation > 0 && last.generation == found.GetGeneration() && contains(found.Object, intent.Object)
}

func (m *memory) keep(key objectKey, digest string, obj *unstructured.Unstructured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[key] = stateOf(digest, obj)
}

func (m *memory) forget(key objectKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.states, key)
}

// Apply makes an object of Weir's what the intent says, by server-side apply of the whole intent. It
// writes nothing where that is so already. The object as found in the cache is nil where there is none; the
// write goes by its version, so that what somebody else changed meanwhile is seen before it is written over.
func (w *Writer) Apply(
	ctx context.Context, gvr schema.GroupVersionResource, intent, found *unstructured.Unstructured,
) error {
	intent = intent.DeepCopy()
	digest, err := digestOf(intent)
	if err != nil {
		return err
	}
	annotations := intent.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AppliedAnnotation] = digest
	intent.SetAnnotations(annotations)
	key := keyOf(gvr, intent)
	if found != nil {
		if w.applied.holds(key, digest, intent, found) {
			return nil
		}
		intent.SetResourceVersion(found.GetResourceVersion())
		intent.SetUID(found.GetUID()) // without it, what was deleted meanwhile would be made anew
	}
	doing := fmt.Sprintf("applying %s %s/%s", intent.GetKind(), intent.GetNamespace(), intent.GetName())
	obj, err := write(ctx, w, gvr, doing, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return w.dynamic.Resource(gvr).Namespace(intent.GetNamespace()).Apply(ctx, intent.GetName(), intent,
			metav1.ApplyOptions{FieldManager: v1beta1.FieldManager, Force: true})
	})
	if err != nil {
		return err
	}
	w.applied.keep(key, digest, obj)
	return nil
}

func digestOf(intent *unstructured.Unstructured) (string, error) {
	raw, err := json.Marshal(intent.Object)
	if err != nil {
		return "", fmt.Errorf("writing %s %s as JSON: %w", intent.GetKind(), intent.GetName(), err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}

// contains says that everything the intent names is so in the object. Selectors are held exactly: a key
// too many selects too little.
func contains(found, intent any) bool {
	switch want := intent.(type) {
	case map[string]any:
		have, ok := found.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range want {
			if k == "selector" && !reflect.DeepEqual(have[k], v) || !contains(have[k], v) {
				return false
			}
		}
		return true
	case []any:
		have, ok := found.([]any)
		if !ok || len(have) != len(want) {
			return false
		}
		for i := range want {
			if !contains(have[i], want[i]) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(found, intent)
	}
}

// Intent turns a typed object into what is applied: without its status and without what only a server
// writes.
func Intent(obj runtime.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("writing %T as an intent: %w", obj, err)
	}
	delete(content, "status")
	if meta, ok := content["metadata"].(map[string]any); ok {
		delete(meta, "creationTimestamp")
	}
	return &unstructured.Unstructured{Object: content}, nil
}
