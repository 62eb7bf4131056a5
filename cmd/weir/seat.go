package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	// leaseName is the Lease of the first shard, and the beginning of the names of all others.
	leaseName = "weir"
	// modesty is how much longer a replica waits for a free shard for each that it has, so that one which has none goes
	// first: that one may see the end of the Lease 4.4 times retryPeriod later.
	modesty = 5 * time.Second
	// nobody holds a Lease that was given back, to a replica that waits a little longer.
	nobody = "nobody"
)

// seat is the Lease of one shard, as one replica sees it.
type seat struct {
	*resourcelock.LeaseLock
	replica *replica
	elector *leaderelection.LeaderElector
	// waited says that the replica had another seat when it last looked at this one. The replica's lock guards it.
	waited bool
}

func (r *replica) seat(shard int) *seat {
	name := leaseName
	if shard > 0 {
		name += "-" + strconv.Itoa(shard)
	}
	return &seat{replica: r, LeaseLock: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Name: name, Namespace: r.namespace},
		Client:     r.client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: r.identity},
	}}
}

// isSeat says that a Lease is that of a shard, of whatever number there are.
func isSeat(name string) bool {
	rest, ours := strings.CutPrefix(name, leaseName)
	if rest == "" || !ours {
		return ours
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
	return err == nil && rest == "-"+strconv.Itoa(n)
}

// identify adds to a replica's name into how many shards it divides the Canaries, if they are several.
func identify(name string, shards int) string {
	if shards < 2 {
		return name
	}
	return fmt.Sprintf("%s/%d", name, shards)
}

// shardsOf is how many they are, by an identity.
func shardsOf(identity string) int {
	if n, err := strconv.Atoi(identity[strings.LastIndex(identity, "/")+1:]); err == nil && strings.Contains(identity, "/") {
		return n
	}
	return 1
}

// Get shows the Lease as it is to a replica that has none. To one that has some, another's lasts longer, and one that nobody
// holds is held for as long.
func (s *seat) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	has := s.look()
	record, raw, err := s.LeaseLock.Get(ctx)
	if has == 0 {
		return record, raw, err
	}
	if apierrors.IsNotFound(err) {
		if err = s.Create(ctx, free(0)); err == nil {
			record, raw, err = s.LeaseLock.Get(ctx)
		}
	}
	if err != nil || record.HolderIdentity == s.Identity() {
		return record, raw, err
	}
	longer := *record
	if longer.HolderIdentity == "" {
		longer.HolderIdentity = nobody
	}
	longer.LeaseDurationSeconds += has * int(modesty/time.Second)
	return &longer, fmt.Append(raw, has), nil // with one more, it is not the same any more
}

// look says how many seats the replica has, and notes that it waits for this one if it has any.
func (s *seat) look() int {
	s.replica.mu.Lock()
	defer s.replica.mu.Unlock()
	s.waited = len(s.replica.held) > 0
	return len(s.replica.held)
}

// giveBack lets another replica have the seat at once. Where it fails, the other waits until the Lease runs out.
func (s *seat) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	held, _, err := s.LeaseLock.Get(ctx)
	if err != nil || held.HolderIdentity != s.Identity() {
		return
	}
	_ = s.Update(ctx, free(held.LeaderTransitions))
}

// leave gives others the time to take what was given back.
func (s *seat) leave(ctx context.Context) {
	select {
	case <-time.After(3 * retryPeriod):
	case <-ctx.Done():
	}
}

// free is a Lease that nobody holds.
func free(transitions int) resourcelock.LeaderElectionRecord {
	now := metav1.Now()
	return resourcelock.LeaderElectionRecord{
		LeaderTransitions: transitions, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
	}
}
