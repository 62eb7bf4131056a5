package controller

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// refusals remember what is wrong with the spec of each Canary by itself, for as long as the spec stays what it is: to compile
// the conditions of its metrics takes most of a look.
type refusals struct {
	mu sync.Mutex
	of map[types.NamespacedName]refusal
}

type refusal struct {
	uid        types.UID
	generation int64
	problems   []rollout.Problem
}

func newRefusals() *refusals { return &refusals{of: map[types.NamespacedName]refusal{}} }

// problems of a Canary's spec. The list is not the caller's to change.
func (r *refusals) problems(canary *v1beta1.Canary) []rollout.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := refusal{uid: canary.UID, generation: canary.Generation}
	if was, known := r.of[keyOf(canary)]; known && was.uid == is.uid && was.generation == is.generation {
		return was.problems
	}
	is.problems = slices.Clip(slices.Concat(rollout.PlanProblems(&canary.Spec), analysis.Problems(&canary.Spec)))
	r.of[keyOf(canary)] = is
	return is.problems
}

func (r *refusals) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, key)
}
