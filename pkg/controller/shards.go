package controller

import (
	"hash/fnv"
	"strconv"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// shards divide the Canaries among replicas. Which is whose is decided elsewhere, by one Lease for each: a replica is told
// what it leads, and leads it until it ends.
type shards struct {
	led []atomic.Bool
}

func newShards(n int) *shards { return &shards{led: make([]atomic.Bool, max(1, n))} }

// of is a Canary's shard: that of its label, where there is such a shard, or that of its namespace.
func (s *shards) of(canary *v1beta1.Canary) int {
	if n, err := strconv.Atoi(canary.Labels[v1beta1.ShardLabel]); err == nil && n >= 0 && n < len(s.led) {
		return n
	}
	return s.ofNamespace(canary.Namespace)
}

// ofNamespace is the FNV-1a hash of its name, by the number of shards.
func (s *shards) ofNamespace(namespace string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(namespace)) // a hash takes whatever comes
	return int(h.Sum32() % uint32(len(s.led)))
}

// leads says that a Canary is this replica's.
func (s *shards) leads(canary *v1beta1.Canary) bool { return s.led[s.of(canary)].Load() }

// Lead has the controller look after a shard of the Canaries, from 0 to below the number of the options, as soon as it runs
// and its caches are filled. It does so until it ends: whoever may not any more ends it.
func (c *Controller) Lead(shard int) { c.taken <- shard }

// begin queues every Canary of a shard, and every annotated workload.
func (c *Controller) begin(shard int) {
	c.shards.led[shard].Store(true)
	var keys []types.NamespacedName
	for _, canary := range c.caches.canaries() {
		if c.shards.of(canary) == shard {
			keys = append(keys, keyOf(canary))
		}
	}
	c.options.Log.Info("work begins", "shard", shard, "canaries", len(keys), "workers", c.options.Workers)
	c.metrics.canaries.lead(c.ours, c.options.MeshProvider)
	c.wake(keys...)
	c.adopter.all()
}

// onTheMove says that a Canary does not wait long: it has a run, whose traffic is divided, or pods of one, or is being
// deleted.
func onTheMove(canary *v1beta1.Canary) bool {
	return canary.Status.Run != nil || canary.Status.Retiring != nil || canary.DeletionTimestamp != nil
}

// running says so by its key.
func (c *Controller) running(key types.NamespacedName) bool {
	canary, err := c.caches.canary(key)
	return err == nil && onTheMove(canary)
}

// ours are the Canaries that this replica leads.
func (c *Controller) ours() []*v1beta1.Canary {
	var ours []*v1beta1.Canary
	for _, canary := range c.caches.canaries() {
		if c.shards.leads(canary) {
			ours = append(ours, canary)
		}
	}
	return ours
}
