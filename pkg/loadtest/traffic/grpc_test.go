package traffic_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"

	"weir.dev/weir/pkg/loadtest/traffic"
)

// served is a server of the health service, and what it saw.
type served struct {
	address string
	mu      sync.Mutex
	peers   map[string]bool
	header  metadata.MD
}

func serve(t *testing.T, reflected bool) *served {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &served{address: listener.Addr().String(), peers: map[string]bool{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(s.see))
	checks := health.NewServer()
	checks.SetServingStatus("ill", healthpb.HealthCheckResponse_NOT_SERVING)
	healthpb.RegisterHealthServer(server, checks)
	if reflected {
		reflection.Register(server)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return s
}

func (s *served) see(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	s.mu.Lock()
	from, _ := peer.FromContext(ctx)
	s.peers[from.Addr.String()] = true
	s.header, _ = metadata.FromIncomingContext(ctx)
	s.mu.Unlock()
	return next(ctx, req)
}

func grpcLoad(t *testing.T, metadata map[string]string) *traffic.GRPC {
	t.Helper()
	load, err := traffic.GRPCOf(metadata, limits())
	require.NoError(t, err)
	return load
}

func TestHealthChecks(t *testing.T) {
	s := serve(t, false)
	load := grpcLoad(t, map[string]string{
		"address": s.address, "rate": "50", "concurrency": "3", "requests": "50", "headers": "X-Who: me",
	})
	report, err := load.Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"OK": 50}, report.Answers)
	assert.LessOrEqual(t, report.AchievedRate, 50.01)
	assert.Len(t, s.peers, 3, "each connection may go to another pod")
	assert.Equal(t, []string{"me"}, s.header.Get("x-who"))
	assert.Contains(t, s.header.Get("user-agent")[0], "weir-loadtester")
}

func TestGRPCFailures(t *testing.T) {
	s := serve(t, false)
	for data, want := range map[string]string{`{"service":"ill"}`: "NOT_SERVING", `{"service":"nobody"}`: "NotFound"} {
		report, err := grpcLoad(t, map[string]string{"address": s.address, "requests": "3", "data": data}).Run(t.Context(), nobody)
		require.NoError(t, err)
		assert.Equal(t, map[string]int64{want: 3}, report.Answers)
		assert.Zero(t, report.Succeeded)
		assert.Contains(t, report.Errors[0], want)
	}
	away := grpcLoad(t, map[string]string{"address": "127.0.0.1:1", "requests": "1", "timeout": "2s"})
	report, err := away.Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"Unavailable": 1}, report.Answers)
	assert.Contains(t, report.Errors[0], "connection refused")
}

// TestReflection: what a call takes is asked of the server.
func TestReflection(t *testing.T) {
	s := serve(t, true)
	const call = "grpc.health.v1.Health/List"
	report, err := grpcLoad(t, map[string]string{"address": s.address, "call": call, "requests": "2"}).Run(t.Context(), nobody)
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"OK": 2}, report.Answers)
	for _, c := range []struct{ call, data, want string }{
		{"grpc.health.v1.Health/Watch", "", "is a stream, and only single calls are made"},
		{"grpc.health.v1.Health/Heal", "", "has no method Heal"},
		{"grpc.health.v2.Health/Check", "", "by reflection for service grpc.health.v2.Health"},
		{call, `{"servce":"a"}`, "the data is no request of " + call},
	} {
		_, err := grpcLoad(t, map[string]string{"address": s.address, "call": c.call, "data": c.data, "requests": "1"}).
			Run(t.Context(), nobody)
		assert.ErrorContains(t, err, c.want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = grpcLoad(t, map[string]string{"address": serve(t, false).address, "call": call, "requests": "1"}).Run(ctx, nobody)
	assert.ErrorContains(t, err, "by reflection")
}
