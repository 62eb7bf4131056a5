package controller

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// TestShards: a namespace's Canaries are together, namespaces are spread, and the label comes first where it names a shard.
func TestShards(t *testing.T) {
	s := newShards(4)
	labelled := func(namespace, label string) *v1beta1.Canary {
		c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
		if label != "" {
			c.Labels = map[string]string{v1beta1.ShardLabel: label}
		}
		return c
	}
	count := make([]int, 4)
	for i := range 10000 {
		count[s.of(labelled(fmt.Sprintf("team-%d", i), ""))]++
	}
	for shard, n := range count {
		assert.InDelta(t, 2500, n, 250, "shard %d", shard)
	}
	assert.Equal(t, s.ofNamespace("shop"), s.of(labelled("shop", "")))
	for label, want := range map[string]int{
		"0": 0, "3": 3, "4": s.ofNamespace("shop"), "-1": s.ofNamespace("shop"), "blue": s.ofNamespace("shop"),
	} {
		assert.Equal(t, want, s.of(labelled("shop", label)), label)
	}
	// All replicas have to agree, those of another version, too.
	assert.Equal(t, []int{1, 2, 2}, []int{s.ofNamespace("shop"), s.ofNamespace("default"), s.ofNamespace("payments")})
	for _, label := range []string{"", "0", "1"} {
		assert.Zero(t, newShards(0).of(labelled("shop", label)))
	}
}
