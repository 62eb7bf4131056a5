package controller

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

func named(namespace string, i int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("app-%d", i)}
}

// TestFairQueue: a team that releases five hundred at once does not delay another, nor a new revision of a third.
func TestFairQueue(t *testing.T) {
	q := newFairQueue(func(key types.NamespacedName) bool { return key.Namespace != "quiet" })
	for i := range 500 {
		q.Push(named("busy", i))
	}
	for i := range 3 {
		q.Push(named("other", i))
		q.Push(named("quiet", i))
	}
	require.Equal(t, 506, q.Len())
	var order []string
	of := map[string]int{}
	for q.Len() > 0 {
		key := q.Pop()
		assert.Equal(t, named(key.Namespace, of[key.Namespace]), key, "within a namespace, first come, first served")
		of[key.Namespace]++
		order = append(order, key.Namespace)
	}
	assert.Equal(t, map[string]int{"busy": 500, "other": 3, "quiet": 3}, of)
	assert.Equal(t, []string{"busy", "other", "busy", "other", "busy", "other", "busy", "quiet", "busy"}, order[:9])
	assert.Equal(t, "quiet", order[15])
	assert.Equal(t, "quiet", order[23])
	assert.Empty(t, q.runs.waiting)
	assert.Empty(t, q.idle.waiting)
}

// TestFairQueueLosesNothing pushes and pops as chance has it.
func TestFairQueueLosesNothing(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	q := newFairQueue(func(types.NamespacedName) bool { return chance.IntN(2) == 0 })
	in := map[types.NamespacedName]bool{}
	for i := range 100_000 {
		if chance.IntN(2) == 0 {
			key := named(fmt.Sprintf("team-%d", chance.IntN(20)), i)
			q.Push(key)
			in[key] = true
		} else if q.Len() > 0 {
			key := q.Pop()
			require.True(t, in[key])
			delete(in, key)
		}
		require.Equal(t, len(in), q.Len())
	}
	for q.Len() > 0 {
		key := q.Pop()
		require.True(t, in[key])
		delete(in, key)
	}
	assert.Empty(t, in)
}
