package controller

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

func TestSplits(t *testing.T) {
	s, key, other := newSplits(), types.NamespacedName{Name: "app"}, types.NamespacedName{Name: "other"}
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	route := func(weight int32) rollout.Route {
		return rollout.Route{Found: true, Split: rollout.Split{Weight: weight}}
	}
	assert.Equal(t, at(1), s.since(key, route(10), at(1)))
	assert.Equal(t, at(1), s.since(key, route(10), at(2)), "the same split is no news")
	assert.Equal(t, at(3), s.since(other, route(10), at(3)), "each Canary has its own")
	assert.Equal(t, at(4), s.since(key, route(20), at(4)))
	assert.Equal(t, at(5), s.since(key, route(10), at(5)), "and back")
	assert.Zero(t, s.since(key, rollout.Route{}, at(6)))
	assert.Equal(t, at(7), s.since(key, route(10), at(7)), "a route that went and came is a new one")

	first := func(key types.NamespacedName, version string) []bool {
		first, missed := s.first(key, version)
		return []bool{first, missed}
	}
	not, new, missed := []bool{false, false}, []bool{true, false}, []bool{true, true}
	assert.Equal(t, new, first(key, "1"))
	assert.Equal(t, not, first(key, "1"))
	assert.Equal(t, not, first(key, "2"))
	assert.Equal(t, new, first(other, "1"))
	s.doubt(key, "2")
	assert.Equal(t, not, first(key, "2"), "what was committed, if it was, is not seen yet")
	assert.Equal(t, missed, first(key, "3"))
	assert.Equal(t, not, first(key, "4"))
	s.doubt(key, "")
	assert.Equal(t, missed, first(key, "4"), "an event is to be told again")
	s.leave(key)
	assert.Equal(t, at(7), s.since(key, route(10), at(8)))
	s.forget(key)
	assert.Equal(t, new, first(key, "4"), "a Canary that was deleted and made anew")
	assert.Equal(t, at(8), s.since(key, route(10), at(8)))
}

func TestRival(t *testing.T) {
	canary := func(namespace, name, target string, second int64) *v1beta1.Canary {
		c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID(namespace + name), CreationTimestamp: metav1.Unix(second, 0),
		}}
		c.Spec.TargetRef.Name = target
		return c
	}
	none := func(...types.NamespacedName) {}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{}, none, kube.NewFreshness())
	require.NoError(t, err)
	all := map[*v1beta1.Canary]string{
		canary("shop", "alone", "web", 1):       "",
		canary("shop", "older", "app", 1):       "",
		canary("shop", "younger", "app", 2):     "older",
		canary("shop", "a-twin", "twin", 1):     "",
		canary("shop", "b-twin", "twin", 1):     "a-twin",
		canary("market", "elsewhere", "app", 3): "",
	}
	for c := range all {
		require.NoError(t, cs.weir.Weir().V1beta1().Canaries().Informer().GetIndexer().Add(c))
	}
	for c, want := range all {
		assert.Equal(t, want, (&Controller{caches: cs}).rival(c), c.Name)
	}
}

// TestLeft: a Canary that was taken from the cache can be gone when its last write is asked for, and what was known of that
// write is gone with it.
func TestLeft(t *testing.T) {
	canary := func(uid types.UID) *v1beta1.Canary {
		return &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: uid}}
	}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{},
		func(...types.NamespacedName) {}, kube.NewFreshness())
	require.NoError(t, err)
	c, store := &Controller{caches: cs}, cs.weir.Weir().V1beta1().Canaries().Informer().GetIndexer()
	require.NoError(t, store.Add(canary("a")))
	assert.False(t, c.left(canary("a")))
	require.NoError(t, store.Delete(canary("a")))
	assert.True(t, c.left(canary("a")))
	require.NoError(t, store.Add(canary("b")))
	assert.True(t, c.left(canary("a")), "another came after it")
}

// TestBegin: of many Canaries, those with a run are looked at first, and what the caches are filled with is no news.
func TestBegin(t *testing.T) {
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")}, watchable{},
		func(...types.NamespacedName) {}, kube.NewFreshness())
	require.NoError(t, err)
	c := &Controller{
		caches: cs, shards: newShards(2), metrics: NewMetrics(prometheus.NewRegistry()),
		options: Options{Log: slog.New(slog.DiscardHandler)},
	}
	c.queue = newCanaryQueue(c.metrics.queues, c.running)
	c.adopter, c.seen = newAdopter(c), newSplits()
	defer c.queue.ShutDown()
	store := cs.weir.Weir().V1beta1().Canaries().Informer().GetIndexer()
	busy := map[string]bool{}
	for i := range 100 {
		canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint(i)}}
		switch i % 20 {
		case 3:
			canary.Status.Run = &v1beta1.RunStatus{}
		case 7:
			canary.Status.Retiring = &v1beta1.RevisionStatus{}
		case 11:
			canary.DeletionTimestamp = &metav1.Time{}
		}
		busy[canary.Name] = canary.Status.Run != nil || canary.Status.Retiring != nil || canary.DeletionTimestamp != nil
		require.NoError(t, store.Add(canary))
		c.wake(keyOf(canary))
	}
	other := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "other", Labels: map[string]string{v1beta1.ShardLabel: fmt.Sprint(1 - c.shards.ofNamespace("shop"))},
	}}
	require.NoError(t, store.Add(other))
	assert.Equal(t, 15, c.queue.Len(), "who may take over follows those with a run")
	c.begin(c.shards.ofNamespace("shop"))
	require.Equal(t, 100, c.queue.Len(), "and what is of another shard is not")
	c.wake(keyOf(other))
	require.Equal(t, 100, c.queue.Len())
	assert.Len(t, c.ours(), 100)
	for i := range 100 {
		key, _ := c.queue.Get()
		assert.Equal(t, i < 17 && i != 7 && i != 15, busy[key.Name], "place %d", i)
	}
}

// fixed is a router whose route is as somebody says.
type fixed struct {
	router.Router
	route rollout.Route
}

func (f *fixed) Resources() []schema.GroupVersionResource                   { return nil }
func (f *fixed) Refs(router.App) []router.Ref                               { return nil }
func (f *fixed) Features() router.Features                                  { return router.Features{} }
func (f *fixed) Settle() time.Duration                                      { return time.Second }
func (f *fixed) Read(router.App, rollout.Split, router.Found) rollout.Route { return f.route }

// TestFollow: who takes over a run knows since when its route is as it is.
func TestFollow(t *testing.T) {
	route := &fixed{route: rollout.Route{Found: true, Split: rollout.Split{Weight: 10}}}
	cs, err := newCaches(Clients{}, Options{Informers: Informers(nil, "")},
		watchable{usable: map[string]router.Router{"fixed": route}}, func(...types.NamespacedName) {}, kube.NewFreshness())
	require.NoError(t, err)
	now := time.Unix(1, 0)
	c := &Controller{caches: cs, shards: newShards(1), seen: newSplits(), options: Options{Now: func() time.Time { return now }}}
	canary := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	canary.Spec.Provider, canary.Status.Run = "fixed", &v1beta1.RunStatus{}
	look := func(second int64) time.Time {
		now = time.Unix(second, 0)
		o := c.find(canary)
		c.observeRoute(o)
		return o.snapshot.Route.Since
	}
	c.follow(canary)
	assert.Equal(t, time.Unix(1, 0), look(3))
	route.route.Split.Weight = 20
	now = time.Unix(4, 0)
	c.follow(canary)
	c.seen.leave(keyOf(canary))
	assert.Equal(t, time.Unix(4, 0), look(6))
	first, missed := c.seen.first(keyOf(canary), "1")
	assert.True(t, first && !missed, "all else is news")
	assert.True(t, c.seen.follows(keyOf(canary)))
	c.seen.forget(keyOf(canary))
	assert.False(t, c.seen.follows(keyOf(canary)))
	canary.Spec.TargetRef.Kind = v1beta1.KindStatefulSet
	c.follow(canary)
	assert.False(t, c.seen.follows(keyOf(canary)), "in place there is another route")
}
