package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"weir.dev/weir/pkg/kube"
)

// hand stands for a controller, and for the process around it.
type hand struct {
	*replica
	// die ends the process as a power cut does, and end as it is told to.
	die, end context.CancelFunc
	over     chan struct{}

	mu    sync.Mutex
	leads []int
}

func (h *hand) Lead(shard int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leads = append(h.leads, shard)
}

func (h *hand) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// led are the shards that it was told to lead, in their order.
func (h *hand) led() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.leads))
}

// hire starts a replica.
func hire(t *testing.T, client kubernetes.Interface, shards int) *hand {
	t.Helper()
	r, err := newReplica(&options{leaderElectionNamespace: "weir-system", shards: shards}, client, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	h := &hand{replica: r, over: make(chan struct{})}
	var ctx context.Context
	ctx, h.end = context.WithCancel(t.Context())
	h.die = func() {
		r.mu.Lock()
		r.held = nil // nothing is given back
		r.mu.Unlock()
		h.end()
	}
	go func() {
		defer close(h.over)
		assert.NoError(t, r.work(ctx, h))
	}()
	return h
}

// all are the shards of some replicas.
func all(hands ...*hand) []int {
	var led []int
	for _, h := range hands {
		led = append(led, h.led()...)
	}
	return slices.Sorted(slices.Values(led))
}

// TestSeats: each replica has one shard, the one too many waits, and takes over from one that dies, or ends.
func TestSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a, b := hire(t, client, 2), hire(t, client, 2)
		time.Sleep(10 * time.Second)
		require.Len(t, a.led(), 1)
		require.Len(t, b.led(), 1)
		assert.Equal(t, []int{0, 1}, all(a, b))
		c := hire(t, client, 2)
		time.Sleep(time.Minute)
		assert.Empty(t, c.led())
		require.NoError(t, a.permit(kube.Before, ""))
		require.ErrorIs(t, c.permit(kube.Before, ""), errNotLeading)

		b.die()
		time.Sleep(leaseDuration + 5*retryPeriod)
		assert.Equal(t, b.led(), c.led(), "the one without a shard takes the dead one's")
		assert.Len(t, a.led(), 1)

		a.end()
		<-a.over
		time.Sleep(modesty + 6*retryPeriod)
		assert.Equal(t, []int{0, 1}, c.led(), "what nobody else takes it takes, too")
		c.end()
		<-c.over
		require.NoError(t, c.permit(kube.After, ""))
	})
}

// TestSeatsOfOne: one replica takes all shards, one after the other, and leaves them to others only when it ends.
func TestSeatsOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		a := hire(t, client, 3)
		time.Sleep(30 * time.Second)
		assert.Equal(t, []int{0, 1, 2}, a.led())
		b := hire(t, client, 3)
		time.Sleep(30 * time.Second)
		assert.Empty(t, b.led())
		a.end()
		<-a.over
		time.Sleep(30 * time.Second)
		assert.Equal(t, []int{0, 1, 2}, b.led())
		b.end()
		<-b.over
	})
}

// TestSeatsDivided: replicas that divide the Canaries otherwise do not work at the same time.
func TestSeatsDivided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		old, older := hire(t, client, 1), hire(t, client, 1)
		time.Sleep(10 * time.Second)
		assert.Equal(t, []int{0}, all(old, older))
		a, b := hire(t, client, 2), hire(t, client, 2)
		time.Sleep(time.Minute)
		assert.Empty(t, all(a, b), "one that leads all leads the others' shards, too")
		old.end()
		older.end()
		<-old.over
		<-older.over
		time.Sleep(30 * time.Second)
		assert.Equal(t, []int{0, 1}, all(a, b))
		back := hire(t, client, 1)
		time.Sleep(time.Minute)
		assert.Empty(t, back.led())
		for _, h := range []*hand{a, b, back} {
			h.end()
			<-h.over
		}
	})
}

func TestNamesOfSeats(t *testing.T) {
	for name, is := range map[string]bool{
		"weir": true, "weir-1": true, "weir-31": true, "weir-x": false, "weir-": false, "weirdo": false, "weir-01": false,
		"other": false,
	} {
		assert.Equal(t, is, isSeat(name), name)
	}
	for identity, shards := range map[string]int{
		identify("host_1", 1): 1, identify("host_1", 3): 3, "host_1": 1, "host": 1, "a/b": 1,
	} {
		assert.Equal(t, shards, shardsOf(identity), identity)
	}
}

func TestShardsOfFlags(t *testing.T) {
	require.NoError(t, (&options{shards: 1}).check())
	require.NoError(t, (&options{shards: 3, leaderElection: true}).check())
	require.EqualError(t, (&options{shards: 0}).check(), "--shards is 0; want 1 to 32")
	require.EqualError(t, (&options{shards: 33}).check(), "--shards is 33; want 1 to 32")
	require.EqualError(t, (&options{shards: 3}).check(),
		"--shards goes with --enable-leader-election, by which each shard has its replica")
}
