package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"weir.dev/weir/pkg/kube"
)

const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// errNotLeading is what a replica gets for a write when another may lead already.
var errNotLeading = errors.New("this replica does not lead any more")

// lead works while this replica holds the Lease, and ends when it loses it: a process that starts anew is
// simpler than one that has forgotten half.
func lead(
	ctx context.Context, o *options, client kubernetes.Interface, log *slog.Logger,
	work func(context.Context, kube.Tap) error,
) error {
	lock, err := lease(o, client)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	var elector *leaderelection.LeaderElector
	// A process that was stopped for a while, as with a machine that is short of everything, goes on with what
	// it had decided, and learns seconds later that it does not lead any more. So it looks at the clock first.
	permit := func(when kube.When, _ string) error {
		if when == kube.Before && (!elector.IsLeader() || elector.Check(renewDeadline-leaseDuration) != nil) {
			return errNotLeading
		}
		return nil
	}
	elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		// The Lease is given back below, after the last look. Given back here, it would let another replica
		// write while this one still does.
		ReleaseOnCancel: false,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				log.Info("leading", "identity", lock.Identity())
				result <- work(ctx, permit)
				cancel()
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("preparing leader election: %w", err)
	}
	elector.Run(ctx)
	switch {
	case ctx.Err() == nil:
		log.Warn("not leading any more", "identity", lock.Identity())
	case !elector.IsLeader():
		return nil // it never was
	}
	cancel()
	select {
	case err := <-result: // looks under way are finished first
		giveBack(lock)
		return err
	case <-time.After(10 * time.Second):
		return nil
	}
}

// lease is what the replicas agree by on who works.
func lease(o *options, client kubernetes.Interface) (*resourcelock.LeaseLock, error) {
	namespace := o.leaderElectionNamespace
	if namespace == "" {
		raw, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		if err != nil {
			return nil, errors.New("--enable-leader-election needs --leader-election-namespace outside of a pod")
		}
		namespace = strings.TrimSpace(string(raw))
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding a name for leader election: %w", err)
	}
	// A host can have several replicas: outside of a cluster, or as pods that use its network. With one name
	// they would all lead.
	identity := host + "_" + string(uuid.NewUUID())
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: "weir", Namespace: namespace},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}, nil
}

// giveBack lets another replica lead at once. Where it fails, the other waits until the Lease runs out.
func giveBack(lock *resourcelock.LeaseLock) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	held, _, err := lock.Get(ctx)
	if err != nil || held.HolderIdentity != lock.Identity() {
		return
	}
	now := metav1.Now()
	_ = lock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaderTransitions: held.LeaderTransitions, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
	})
}
