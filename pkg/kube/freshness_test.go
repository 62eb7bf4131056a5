package kube_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/kube"
)

var things = schema.GroupVersionResource{Version: "v1", Resource: "things"}

func thing(uid types.UID, version string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Namespace: "shop", Name: "thing", UID: uid, ResourceVersion: version}
}

func ending(obj *metav1.ObjectMeta) *metav1.ObjectMeta {
	obj.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	return obj
}

func TestFreshness(t *testing.T) {
	wrote := func(f *kube.Freshness) { f.Wrote(things, thing("a", "9")) }
	deleted := func(f *kube.Freshness) { f.Deleted(things, thing("a", "9")) }
	leaving := func(f *kube.Freshness) { f.Leaving(things, thing("a", "9")) }
	for name, tt := range map[string]struct {
		did    func(*kube.Freshness)
		cached *metav1.ObjectMeta
		behind bool
	}{
		"nothing was written":             {func(*kube.Freshness) {}, nil, false},
		"the cache is before the write":   {wrote, thing("a", "8"), true},
		"the cache has what was written":  {wrote, thing("a", "9"), false},
		"a version is a number":           {wrote, thing("a", "10"), false},
		"the cache has none yet":          {wrote, nil, true},
		"somebody made it anew since":     {wrote, thing("b", "10"), false},
		"the cache has the one before it": {wrote, thing("b", "8"), true},
		"the cache has what was deleted":  {deleted, thing("a", "9"), true},
		"the cache has no more":           {deleted, nil, false},
		"what was deleted is on its way":  {deleted, ending(thing("a", "10")), false},
		"another came after the deletion": {deleted, thing("b", "10"), false},
		"the cache has what has left":     {leaving, ending(thing("a", "9")), true},
		"another came after it":           {leaving, thing("b", "10"), false},
		"what has left is gone":           {leaving, nil, false},
		"the last write counts": {func(f *kube.Freshness) { deleted(f); f.Wrote(things, thing("b", "12")) },
			thing("a", "9"), true},
		"the caches saw it go": {func(f *kube.Freshness) { wrote(f); f.Gone(things, "shop", "thing") }, nil, false},
		"another of that name elsewhere": {func(f *kube.Freshness) {
			f.Wrote(things, &metav1.ObjectMeta{Namespace: "other", Name: "thing", ResourceVersion: "9"})
		}, nil, false},
	} {
		f := kube.NewFreshness()
		tt.did(f)
		var cached metav1.Object
		if tt.cached != nil {
			cached = tt.cached
		}
		assert.Equal(t, tt.behind, f.Behind(things, "shop", "thing", cached), name)
		assert.Equal(t, tt.behind, f.Behind(things, "shop", "thing", cached), "%s, asked again", name)
	}
	f := kube.NewFreshness()
	wrote(f)
	assert.False(t, f.Behind(things, "shop", "thing", thing("a", "9")))
	assert.False(t, f.Behind(things, "shop", "thing", nil), "what was seen once is forgotten")
}

// TestFreshnessOfMany writes and looks at the same time; the race detector watches.
func TestFreshnessOfMany(t *testing.T) {
	f := kube.NewFreshness()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for version := range 200 {
				obj := thing("a", strconv.Itoa(version+1))
				obj.Name = strconv.Itoa(i % 4)
				f.Wrote(things, obj)
				f.Behind(things, "shop", obj.Name, obj)
				f.Deleted(things, obj)
				f.Gone(things, "shop", strconv.Itoa((i+1)%4))
			}
		})
	}
	all.Wait()
	for i := range 4 {
		assert.False(t, f.Behind(things, "shop", strconv.Itoa(i), nil), "all of them are deleted")
	}
}
