package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/rollout"
)

// splits remember which Canaries this process has seen, and since when it sees the split of each route.
// See rollout.Route.Since.
type splits struct {
	mu  sync.Mutex
	met map[types.NamespacedName]bool
	// doubted are the versions on which a decision was committed of which nobody knows whether it was, or whose
	// events were not all told.
	doubted map[types.NamespacedName]string
	seen    map[types.NamespacedName]seenSplit
}

type seenSplit struct {
	split rollout.Split
	since time.Time
}

func newSplits() *splits {
	return &splits{
		met: map[types.NamespacedName]bool{}, doubted: map[types.NamespacedName]string{},
		seen: map[types.NamespacedName]seenSplit{},
	}
}

// first says once of each Canary that it was not seen before, and once more after a doubt, when another
// version of it is there: then something may have been missed.
func (s *splits) first(key types.NamespacedName, version string) (first, missed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	doubted, doubt := s.doubted[key]
	if s.met[key] && (!doubt || doubted == version) {
		return false, false
	}
	s.met[key] = true
	delete(s.doubted, key)
	return true, doubt
}

// doubt makes the next version, or any where it is empty, one that was not seen before.
func (s *splits) doubt(key types.NamespacedName, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted[key] = version
}

func (s *splits) since(key types.NamespacedName, route rollout.Route, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !route.Found {
		delete(s.seen, key)
		return time.Time{}
	}
	last, ok := s.seen[key]
	if !ok || !last.split.Equal(route.Split) {
		last = seenSplit{split: route.Split, since: now}
		s.seen[key] = last
	}
	return last.since
}

// follows says that it remembers since when a Canary's route is as it is.
func (s *splits) follows(key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, follows := s.seen[key]
	return follows
}

// leave makes a Canary one that was not seen before.
func (s *splits) leave(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.met, key)
	delete(s.doubted, key)
}

// forget forgets since when its route is as it is.
func (s *splits) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, key)
}
