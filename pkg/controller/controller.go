package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/client/clientset/versioned"
	"weir.dev/weir/pkg/client/informers/externalversions"
	"weir.dev/weir/pkg/kube"
	"weir.dev/weir/pkg/outbound"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// Clients are the connections to one cluster.
type Clients struct {
	Kube    kubernetes.Interface
	Weir    versioned.Interface
	Dynamic dynamic.Interface
}

// Options of a Controller.
type Options struct {
	// Namespace that is watched; empty means all.
	Namespace string
	// MeshProvider is the router of Canaries that name none.
	MeshProvider string
	// MetricsServer is the Prometheus of metrics that name none.
	MetricsServer string
	// Workers decide, MetricWorkers ask; both at least 1.
	Workers, MetricWorkers int
	// ClusterName is what people call the cluster, in alerts.
	ClusterName string
	// Receivers are told of Canaries that have no alerts of their own.
	Receivers []Receiver
	// EventWebhook is told all events of all Canaries; nil means nobody is.
	EventWebhook alert.Channel
	// Reach is where webhooks, metrics and alerts of Canaries and templates may be; nil is everywhere. What the options
	// above name may be anywhere.
	Reach *outbound.Reach
	// NoCrossNamespaceRefs refuses Canaries that name templates or alert providers of another namespace than their own.
	NoCrossNamespaceRefs bool
	// PausePolicy is the name of a MutatingAdmissionPolicy, and of its binding, that pauses a Deployment of Weir's in the
	// request that changes its template. While it does, Deployments at rest are not paused. Empty for none.
	PausePolicy string
	// Routers that can be named.
	Routers []router.Router
	// Shards is how many parts the Canaries are divided into, by ShardLabel and by namespace; fewer than two are one. The
	// controller looks after those that it is told to Lead.
	Shards int
	// Informers are those of Weir's own kinds, made by Informers, where somebody else looks at them, too; nil for some of
	// its own.
	Informers externalversions.SharedInformerFactory
	// Tap is told of every write; see kube.Tap. It may be nil.
	Tap kube.Tap
	// Log of what happens.
	Log *slog.Logger
	// Now is the time.
	Now func() time.Time
}

// Controller releases the targets of the Canaries that it leads, of all that it watches.
type Controller struct {
	options Options
	clients Clients
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
	caches  *caches
	fresh   *kube.Freshness
	writer  *kube.Writer
	asker   *asker
	caller  *caller
	configs *configs
	outbox  *outbox
	adopter *adopter
	policy  *policy
	pods    *pods
	shards  *shards
	// taken are the shards that are to be led from now on.
	taken chan int
	seen  *splits
	// refusals are what is wrong with specs.
	refusals *refusals
	metrics  *Metrics
	// lacking says of each router that cannot be used what it lacks.
	lacking map[string]string
}

// New makes a controller. It asks the API server which kinds of routes it serves and lets Weir watch, and watches
// those.
func New(clients Clients, options Options, metrics *Metrics) (*Controller, error) {
	found, err := findWatchable(clients.Kube, options.Namespace, options.Routers)
	if err != nil {
		return nil, err
	}
	fresh := kube.NewFreshness()
	c := &Controller{
		options: options, clients: clients, fresh: fresh, metrics: metrics, lacking: found.lacking,
		seen: newSplits(), refusals: newRefusals(), shards: newShards(options.Shards), taken: make(chan int, max(1, options.Shards)),
		writer: kube.NewWriter(clients.Kube, clients.Weir, clients.Dynamic, fresh, options.Tap),
	}
	c.queue = newCanaryQueue(metrics.queues, c.running)
	metrics.canaries.divide(len(c.shards.led))
	if c.options.Informers == nil {
		c.options.Informers = Informers(clients.Weir, options.Namespace)
	}
	c.caches, err = newCaches(clients, c.options, found, c.wake, fresh)
	if err != nil {
		return nil, err
	}
	c.pods = newPods(clients.Kube, fresh, options.Now, c.wake)
	if c.policy, err = newPolicy(clients.Kube, c.writer, c.options, c.lookAtAll); err != nil {
		return nil, err
	}
	c.asker = newAsker(clients.Kube, c.writer, c.caches, options, metrics, c.queue.Add)
	c.configs = newConfigs(clients.Kube, c.queue.Add)
	c.caller = newCaller(clients.Kube, options, metrics, c.queue.Add)
	c.outbox = newOutbox(clients, options, metrics, c.queue.Add)
	c.outbox.complain = c.complain
	c.adopter = newAdopter(c)
	return c, c.adopter.listen()
}

// Run fills the caches and then works on what it leads, until its context ends. It returns when every look under way is
// done.
func (c *Controller) Run(ctx context.Context) error {
	defer c.queue.ShutDown()
	c.caches.start(ctx)
	c.policy.start(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), c.synced()...) {
		return fmt.Errorf("filling the caches: %w", context.Cause(ctx))
	}
	c.options.Log.Info("caches are filled")
	defer c.metrics.canaries.end()
	c.pods.start(ctx)
	c.asker.start(ctx)
	c.caller.start(ctx)
	c.configs.start(ctx)
	c.outbox.start(ctx)
	c.adopter.start(ctx)
	var workers sync.WaitGroup
	for range max(1, c.options.Workers) {
		workers.Go(func() {
			for c.work(ctx) {
			}
		})
	}
	for ctx.Err() == nil {
		select {
		case shard := <-c.taken:
			c.begin(shard)
		case <-ctx.Done():
		}
	}
	c.queue.ShutDown()
	workers.Wait()
	c.asker.wait()
	c.caller.wait()
	c.outbox.wait()
	c.adopter.wait()
	return nil
}

// Synced says whether the caches are filled.
func (c *Controller) Synced() bool {
	for _, synced := range c.synced() {
		if !synced() {
			return false
		}
	}
	return true
}

func (c *Controller) synced() []cache.InformerSynced {
	return append(c.caches.synced(), c.policy.synced()...)
}

// lookAtAll has every Canary looked at.
func (c *Controller) lookAtAll() {
	for _, canary := range c.caches.canaries() {
		c.wake(keyOf(canary))
	}
}

// wake queues those of the Canaries that this replica leads, those whose runs it may take over, and those that are gone, to
// be forgotten.
func (c *Controller) wake(keys ...types.NamespacedName) {
	for _, key := range keys {
		if canary, err := c.caches.canary(key); err != nil || c.shards.leads(canary) || onTheMove(canary) || c.seen.follows(key) {
			c.queue.Add(key)
		}
	}
}

func (c *Controller) work(ctx context.Context) bool {
	key, quit := c.queue.Get()
	if quit {
		return false
	}
	defer c.queue.Done(key)
	if ctx.Err() != nil {
		return true
	}
	log := c.options.Log.With("canary", key.String())
	start := time.Now()
	next, err := c.sync(ctx, key, log)
	c.metrics.synced(time.Since(start), err)
	switch {
	case err == nil:
		c.queue.Forget(key)
		if next > 0 {
			c.queue.AddAfter(key, next)
		}
	case apierrors.IsConflict(err), errors.Is(err, kube.ErrMoved), errors.Is(err, errOldLook), apierrors.IsAlreadyExists(err):
		log.Debug("the world moved, looking again", "because", err)
		c.queue.AddRateLimited(key)
	default:
		log.Error("could not be carried out, looking again", "error", err)
		c.queue.AddRateLimited(key)
	}
	return true
}

// staleLook is how long a look is put off while a cache is behind Weir's own last write. The event that
// brings it up to date wakes the Canary before.
const staleLook = time.Second

func (c *Controller) sync(ctx context.Context, key types.NamespacedName, log *slog.Logger) (time.Duration, error) {
	canary, err := c.caches.canary(key)
	if apierrors.IsNotFound(err) {
		c.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !c.shards.leads(canary) { // what it was while it was led is no news any more
		c.leave(key)
		if onTheMove(canary) {
			c.follow(canary)
		} else {
			c.seen.forget(key)
		}
		return 0, nil
	}
	o := c.observe(canary)
	if o.behind {
		return staleLook, nil
	}
	questions := rollout.Ask(&o.snapshot)
	o.snapshot.Answers = c.asker.answers(key, canary, o, questions.Checks)
	o.snapshot.Guard = c.asker.watch(key, canary, o, questions.Guard)
	o.snapshot.Replies = c.caller.replies(key, canary, questions.Calls)
	c.outbox.offer(canary, canary.Status.Alerts)
	o.snapshot.Receivers, o.snapshot.Delivered = receiversOf(canary, c.options.Receivers), c.outbox.delivered(key)
	if first, missed := c.seen.first(key, canary.ResourceVersion); first {
		c.announce(ctx, o, &canary.Status, rollout.Recall(canary, o.snapshot.Now, missed), log)
	}
	d := rollout.Decide(&o.snapshot)
	ctx, cancel := context.WithTimeout(ctx, longestLook) // an API server that hangs does not hold a worker for ever
	defer cancel()
	return c.act(ctx, o, d, log)
}

func (c *Controller) forget(key types.NamespacedName) {
	c.leave(key)
	c.seen.forget(key)
}

// leave is forget, but for since when the route is as it is.
func (c *Controller) leave(key types.NamespacedName) {
	c.seen.leave(key)
	c.refusals.forget(key)
	c.pods.forget(key)
	c.asker.forget(key)
	c.caller.forget(key)
	c.configs.forget(key)
	c.outbox.forget(key)
	c.metrics.forget(key)
}
