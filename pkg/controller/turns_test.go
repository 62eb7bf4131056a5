package controller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func TestQueue(t *testing.T) {
	on := func(namespace, name string) *v1beta1.Canary {
		c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)}}
		c.Status.Run = &v1beta1.RunStatus{ID: name}
		return c
	}
	waits := func(namespace, name string, since int64) *v1beta1.Canary {
		c := on(namespace, name)
		c.Status.Run.Queue = &v1beta1.QueueStatus{Since: metav1.NewMicroTime(time.Unix(since, 0))}
		return c
	}
	runs := []*v1beta1.Canary{
		waits("b", "late", 9), on("a", "one"), waits("a", "early", 1), waits("b", "twin-b", 5), waits("b", "twin-a", 5),
		{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "idle"}},
	}
	for name, tt := range map[string]struct {
		limits  v1beta1.ProfileLimits
		granted []types.UID
		words   string
	}{
		"all of them": {v1beta1.ProfileLimits{MaxRuns: new(int32(3))}, []types.UID{"early", "twin-a"},
			"CanaryProfile p has maxRuns 3"},
		"in a namespace": {v1beta1.ProfileLimits{MaxRunsPerNamespace: new(int32(1))}, []types.UID{"twin-a"},
			"CanaryProfile p has maxRunsPerNamespace 1"},
		"both": {v1beta1.ProfileLimits{MaxRuns: new(int32(2)), MaxRunsPerNamespace: new(int32(1))}, []types.UID{"twin-a"},
			"CanaryProfile p has maxRuns 2 and maxRunsPerNamespace 1"},
		"more are on than may be": {v1beta1.ProfileLimits{MaxRuns: new(int32(1))}, nil, "CanaryProfile p has maxRuns 1"},
		"room for all": {v1beta1.ProfileLimits{MaxRuns: new(int32(9))}, []types.UID{"early", "twin-a", "twin-b", "late"},
			"CanaryProfile p has maxRuns 9"},
	} {
		q := newQueue(&tt.limits, runs)
		var order []string
		for _, c := range q.waiting {
			order = append(order, c.Name)
		}
		assert.Equal(t, []string{"early", "twin-a", "twin-b", "late"}, order, "by time, and then by a mark of their own")
		var granted []types.UID
		for uid := range q.granted() {
			granted = append(granted, uid)
		}
		assert.ElementsMatch(t, tt.granted, granted, name)
		assert.Equal(t, tt.words, q.allows("p"))
	}
}
