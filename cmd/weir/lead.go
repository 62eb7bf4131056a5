package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"

	"weir.dev/weir/pkg/kube"
)

const (
	// A replica that dies is replaced after the Lease that it renewed last and, at most, 4.4 times retryPeriod: another sees
	// the renewal, and the end of the Lease, so much later.
	leaseDuration = 12 * time.Second
	renewDeadline = 8 * time.Second
	retryPeriod   = time.Second
	// longestEnd is how long looks under way may take to end.
	longestEnd = 10 * time.Second
)

// errNotLeading is what a replica gets for a write when another may lead already.
var errNotLeading = errors.New("this replica does not lead any more")

// replica is one of several operators. For each shard of the Canaries there is a Lease, and whoever holds it looks after the
// shard. A replica that loses one ends: a process that starts anew is simpler than one that has forgotten half.
type replica struct {
	client kubernetes.Interface
	log    *slog.Logger
	// namespace of the Leases, identity of this replica on them, and how many there are.
	namespace, identity string
	shards              int

	mu   sync.Mutex
	held []*seat
}

func newReplica(o *options, client kubernetes.Interface, log *slog.Logger) (*replica, error) {
	r := &replica{client: client, log: log, namespace: o.leaderElectionNamespace, shards: o.shards}
	if r.namespace == "" {
		raw, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		if err != nil {
			return nil, errors.New("--enable-leader-election needs --leader-election-namespace outside of a pod")
		}
		r.namespace = strings.TrimSpace(string(raw))
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding a name for leader election: %w", err)
	}
	// A host can have several replicas: outside of a cluster, or as pods that use its network. With one name
	// they would all lead.
	r.identity = identify(host+"_"+string(uuid.NewUUID()), r.shards)
	return r, nil
}

// permit keeps from writing when another may lead already. A process that was stopped for a while, as with a machine that is
// short of everything, goes on with what it had decided, and learns seconds later that it does not lead any more. So it looks
// at the clock first.
func (r *replica) permit(when kube.When, _ string) error {
	if when != kube.Before {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.held) == 0 {
		return errNotLeading
	}
	for _, s := range r.held {
		if !s.elector.IsLeader() || s.elector.Check(renewDeadline-leaseDuration) != nil {
			return errNotLeading
		}
	}
	return nil
}

// worker is a controller, to those who decide what it leads.
type worker interface {
	Run(ctx context.Context) error
	Lead(shard int)
}

// work fills the caches at once, so that a replica which waits for its turn can take over at any time, and leads what it can
// get. It ends with the context, or with the first shard that is lost.
func (r *replica) work(ctx context.Context, ctrl worker) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		result <- ctrl.Run(ctx)
		cancel()
	}()
	var standing sync.WaitGroup
	failed := make(chan error, r.shards)
	for shard := range r.shards {
		standing.Go(func() {
			defer cancel()
			failed <- r.stand(ctx, shard, ctrl.Lead)
		})
	}
	standing.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	select {
	case err := <-result: // looks under way are finished first
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, s := range r.held {
			s.giveBack()
		}
		return err
	case <-time.After(longestEnd):
		return nil
	}
}

// stand stands for a shard until the context ends, or until the replica has had the shard and lost it.
func (r *replica) stand(ctx context.Context, shard int, lead func(int)) error {
	for ctx.Err() == nil {
		s := r.seat(shard)
		term, end := context.WithCancel(ctx)
		var err error
		s.elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: s, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			// The Lease is given back after the last look. Given back here, it would let another replica write while this
			// one still does.
			ReleaseOnCancel: false,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) {
					if !r.take(term, s) {
						end()
						return
					}
					r.log.Info("leading", "identity", r.identity, "shard", shard)
					lead(shard)
				},
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			end()
			return fmt.Errorf("preparing leader election: %w", err)
		}
		s.elector.Run(term)
		end()
		if r.has(s) {
			if ctx.Err() == nil {
				r.log.Warn("not leading any more", "identity", r.identity, "shard", shard)
			}
			return nil
		}
		if s.elector.IsLeader() {
			s.giveBack()
			s.leave(ctx)
		}
	}
	return nil
}

// take says whether the replica takes a seat that it has got. It does not take a second one for which it has not waited,
// and none while others divide the Canaries into another number of shards.
func (r *replica) take(ctx context.Context, s *seat) bool {
	other, err := r.divided(ctx) // before the lock, for which every write waits
	if err != nil {
		r.log.Error("the Lease is given back", "error", err)
		return false
	}
	if other != "" {
		r.log.Warn("another replica divides the Canaries into another number of shards; waiting until it has gone",
			"shards", r.shards, "other", other)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil || len(r.held) > 0 && !s.waited {
		return false
	}
	r.held = append(r.held, s)
	return true
}

// divided names a replica that holds a Lease and has another number of shards than this one. Without the right to list them
// nobody is known to.
func (r *replica) divided(ctx context.Context) (string, error) {
	all, err := r.client.CoordinationV1().Leases(r.namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		r.log.Warn("this replica may not see whether others divide the Canaries into another number of shards", "error", err)
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("listing the Leases of other replicas: %w", err)
	}
	for _, lease := range all.Items {
		if !isSeat(lease.Name) || lease.Spec.HolderIdentity == nil || lease.Spec.RenewTime == nil {
			continue
		}
		holder := *lease.Spec.HolderIdentity
		if holder != "" && shardsOf(holder) != r.shards && time.Since(lease.Spec.RenewTime.Time) < 2*leaseDuration {
			return holder, nil
		}
	}
	return "", nil
}

func (r *replica) has(s *seat) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.held, s)
}
