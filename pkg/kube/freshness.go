package kube

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Freshness remembers Weir's own writes until the caches have seen them, so that nothing is decided
// twice on old news. It is safe for concurrent use.
type Freshness struct {
	mu    sync.Mutex
	marks map[objectKey]mark
}

type objectKey struct {
	gvr             schema.GroupVersionResource
	namespace, name string
}

type mark struct {
	version string
	uid     types.UID
	deleted bool
	leaving bool
	at      time.Time
}

// unseen is how long an object that no cache has is waited for. It may have come and gone, by somebody
// else's hand, before the answer of the write arrived.
const unseen = 5 * time.Second

// longestLeave is how long what a cache still has of a leaving object is taken for old.
const longestLeave = 30 * time.Second

// NewFreshness remembers nothing yet.
func NewFreshness() *Freshness { return &Freshness{marks: map[objectKey]mark{}} }

func keyOf(gvr schema.GroupVersionResource, obj metav1.Object) objectKey {
	return objectKey{gvr, obj.GetNamespace(), obj.GetName()}
}

// Wrote remembers what a write returned.
func (f *Freshness) Wrote(gvr schema.GroupVersionResource, obj metav1.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[keyOf(gvr, obj)] = mark{version: obj.GetResourceVersion(), uid: obj.GetUID(), at: time.Now()}
}

// Deleted remembers that an object was deleted.
func (f *Freshness) Deleted(gvr schema.GroupVersionResource, obj metav1.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[keyOf(gvr, obj)] = mark{uid: obj.GetUID(), deleted: true, at: time.Now()}
}

// Leaving remembers that nothing keeps an object any more that was deleted before: all that a cache still has of it is old,
// although no version of it says so. Where the write that let it go may have failed, that is so for a while.
func (f *Freshness) Leaving(gvr schema.GroupVersionResource, obj metav1.Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.marks[keyOf(gvr, obj)] = mark{uid: obj.GetUID(), leaving: true, at: time.Now()}
}

// Gone forgets an object that the caches saw go.
func (f *Freshness) Gone(gvr schema.GroupVersionResource, namespace, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.marks, objectKey{gvr, namespace, name})
}

// Behind says that a cache has not seen Weir's last write to an object yet. The object is nil where the
// cache has none of that name.
func (f *Freshness) Behind(gvr schema.GroupVersionResource, namespace, name string, cached metav1.Object) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := objectKey{gvr, namespace, name}
	m, ok := f.marks[key]
	if !ok {
		return false
	}
	if behind(m, cached) {
		return true
	}
	delete(f.marks, key)
	if len(f.marks) == 0 {
		f.marks = map[objectKey]mark{} // a map that once held thousands keeps the room for them
	}
	return false
}

func behind(m mark, cached metav1.Object) bool {
	switch {
	case m.leaving:
		return cached != nil && cached.GetUID() == m.uid && time.Since(m.at) < longestLeave
	case m.deleted:
		return cached != nil && cached.GetUID() == m.uid && cached.GetDeletionTimestamp() == nil
	case cached == nil:
		return time.Since(m.at) < unseen
	}
	// By version alone: of an object that was made anew the cache may have the old one, or a newer one still.
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), m.version)
	return err == nil && order < 0
}
