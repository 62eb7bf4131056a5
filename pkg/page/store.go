package page

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/course"
)

// store remembers of every Canary what it is, and how its last run went. It is fed by the cache and safe for
// concurrent use.
type store struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[types.NamespacedName]*entry
	// waiting are closed when something has changed, all at once.
	waiting chan struct{}
}

type entry struct {
	canary *v1beta1.Canary
	course *course.Course
}

func newStore(now func() time.Time) *store {
	return &store{now: now, entries: map[types.NamespacedName]*entry{}, waiting: make(chan struct{})}
}

func (s *store) watch(informer cache.SharedIndexInformer) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    s.see,
		UpdateFunc: func(_, object any) { s.see(object) },
		DeleteFunc: s.forget,
	})
	if err != nil {
		return fmt.Errorf("watching Canaries for the dashboard: %w", err)
	}
	return nil
}

func keyOf(c *v1beta1.Canary) types.NamespacedName {
	return types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
}

func (s *store) see(object any) {
	canary, ok := object.(*v1beta1.Canary)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[keyOf(canary)]
	if e == nil || e.canary.UID != canary.UID {
		e = &entry{course: &course.Course{}}
		s.entries[keyOf(canary)] = e
	}
	e.canary = canary
	e.course.See(canary, s.now())
	s.wake()
}

func (s *store) forget(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if canary, ok := object.(*v1beta1.Canary); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.entries, keyOf(canary))
		s.wake()
	}
}

func (s *store) wake() {
	close(s.waiting)
	s.waiting = make(chan struct{})
}

// changed is closed when something is other than it is now.
func (s *store) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// get is a Canary and a course of its own, false where there is none. The Canary is the cache's, and not to be changed.
func (s *store) get(key types.NamespacedName) (*v1beta1.Canary, *course.Course, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[key]
	if !ok {
		return nil, nil, false
	}
	return e.canary, e.course.Clone(), true
}

// all are the Canaries by namespace and name.
func (s *store) all() []*v1beta1.Canary {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*v1beta1.Canary, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e.canary)
	}
	slices.SortFunc(all, func(a, b *v1beta1.Canary) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return all
}
