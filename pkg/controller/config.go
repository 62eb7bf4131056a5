package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/workload"
)

// configs watches the ConfigMaps and Secrets that are mentioned by the targets of Canaries with configTracking
// Restart: each object by itself, so that no right on others is needed, and of its content no more than a
// digest is kept.
type configs struct {
	kube kubernetes.Interface
	wake func(types.NamespacedName)

	mu     sync.Mutex
	ctx    context.Context //nolint:containedctx // the life of the watches, set once by start
	tracks map[types.NamespacedName]map[workload.ConfigRef]*track
}

// track is the watch of one object.
type track struct {
	informer cache.SharedInformer
	stop     context.CancelFunc

	mu     sync.Mutex
	denied string
}

func newConfigs(kube kubernetes.Interface, wake func(types.NamespacedName)) *configs {
	return &configs{kube: kube, wake: wake, tracks: map[types.NamespacedName]map[workload.ConfigRef]*track{}}
}

func (c *configs) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// follow watches these objects for a Canary, and no others.
func (c *configs) follow(key types.NamespacedName, refs []workload.ConfigRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tracks := c.tracks[key]
	for ref, t := range tracks {
		if !slices.Contains(refs, ref) {
			t.stop()
			delete(tracks, ref)
		}
	}
	if len(refs) == 0 || c.ctx == nil {
		delete(c.tracks, key)
		return
	}
	if tracks == nil {
		tracks = map[workload.ConfigRef]*track{}
		c.tracks[key] = tracks
	}
	for _, ref := range refs {
		if tracks[ref] == nil {
			tracks[ref] = c.track(key, ref)
		}
	}
}

func (c *configs) track(key types.NamespacedName, ref workload.ConfigRef) *track {
	ctx, stop := context.WithCancel(c.ctx)
	resource, example := "configmaps", runtime.Object(&corev1.ConfigMap{})
	if ref.Secret {
		resource, example = "secrets", &corev1.Secret{}
	}
	source := cache.NewListWatchFromClient(c.kube.CoreV1().RESTClient(), resource, key.Namespace,
		fields.OneTermEqualSelector(metav1.ObjectNameField, ref.Name))
	t := &track{informer: cache.NewSharedInformer(source, example, 0), stop: stop}
	wake := func(any) { c.wake(key) }
	errs := []error{
		t.informer.SetTransform(digestOnly),
		t.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
			if apierrors.IsForbidden(err) && t.deny(fmt.Sprintf("%s %s cannot be read: %s", ref.Kind(), ref.Name, err)) {
				c.wake(key)
			}
		}),
	}
	_, err := t.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: wake, UpdateFunc: func(_, obj any) { wake(obj) }, DeleteFunc: wake,
	})
	for _, err := range append(errs, err) {
		if err != nil { // only of an informer that has been started, or stopped
			t.deny(err.Error())
		}
	}
	go t.informer.RunWithContext(ctx)
	go func() { // an object that is not there brings no event
		if cache.WaitForCacheSync(ctx.Done(), t.informer.HasSynced) {
			t.deny("")
			c.wake(key)
		}
	}()
	return t
}

// deny keeps why the object cannot be read, and says whether that is news.
func (t *track) deny(why string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := t.denied != why
	t.denied = why
	return news
}

// contentAnnotation carries the digest of an object whose content was dropped.
const contentAnnotation = "weir.dev/content"

// digestOnly drops the content of an object, and leaves its digest.
func digestOnly(obj any) (any, error) {
	var content any
	var meta *metav1.ObjectMeta
	switch o := obj.(type) {
	case *corev1.ConfigMap:
		content, meta = []any{o.Data, o.BinaryData}, &o.ObjectMeta
		o.Data, o.BinaryData = nil, nil
	case *corev1.Secret:
		content, meta = o.Data, &o.ObjectMeta
		o.Data = nil
	default:
		return obj, nil
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("reading the content of %s: %w", meta.Name, err)
	}
	sum := sha256.Sum256(raw)
	*meta = metav1.ObjectMeta{
		Namespace: meta.Namespace, Name: meta.Name, UID: meta.UID, ResourceVersion: meta.ResourceVersion,
		Annotations: map[string]string{contentAnnotation: hex.EncodeToString(sum[:])},
	}
	return obj, nil
}

// digest stands for the content of all that is followed for a Canary; it is empty until all of it is known. An
// object that does not exist is known, too.
func (c *configs) digest(key types.NamespacedName) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	tracks := c.tracks[key]
	if len(tracks) == 0 {
		return ""
	}
	content := make([]string, 0, len(tracks))
	for ref, t := range tracks {
		if !t.informer.HasSynced() {
			return ""
		}
		line := ref.Kind() + "/" + ref.Name + "="
		for _, obj := range t.informer.GetStore().List() {
			if m, ok := obj.(metav1.Object); ok {
				line += m.GetAnnotations()[contentAnnotation]
			}
		}
		content = append(content, line)
	}
	slices.Sort(content)
	raw, err := json.Marshal(content)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	const length = 12
	return hex.EncodeToString(sum[:])[:length]
}

// problem says what cannot be read.
func (c *configs) problem(key types.NamespacedName) *rollout.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tracks[key] {
		t.mu.Lock()
		denied := t.denied
		t.mu.Unlock()
		if denied != "" {
			return &rollout.Problem{Reason: rollout.ReasonConfigNotReadable, Message: "spec.configTracking is Restart, but " + denied +
				"; bind ClusterRole weir-config in this namespace, or set configTracking to Ignore"}
		}
	}
	return nil
}

func (c *configs) forget(key types.NamespacedName) { c.follow(key, nil) }

// configRefs are the objects to follow for a Canary.
func configRefs(o *observation) []workload.ConfigRef {
	if o.workload == nil || o.canary.Spec.ConfigTracking != v1beta1.ConfigTrackingRestart || o.canary.DeletionTimestamp != nil {
		return nil
	}
	return workload.ConfigRefs(o.workload.Template)
}
