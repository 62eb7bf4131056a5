package load

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// TestCall asks a server that answers as podinfo does, but for one caller, whom it refuses, and one whose calls seem
// not to have been sent at first.
func TestCall(t *testing.T) {
	var late atomic.Int32
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if method != "/info.InfoService/Info" {
			return status.Error(codes.Unimplemented, method)
		}
		header, _ := metadata.FromIncomingContext(stream.Context())
		if len(header.Get("x-refused")) > 0 {
			return status.Error(codes.Unavailable, "not for you")
		}
		if len(header.Get("x-late")) > 0 && late.Add(1) < 3 {
			return status.Error(codes.Unavailable, unplaced+`: "cluster:outbound|9999||podinfo-canary"`)
		}
		var message []byte
		for number, text := range []string{1: "podinfo-5f64b8c9d7-abcde", 2: "6.9.2", 6: "two", 9: "go1.26"} {
			if text != "" {
				message = protowire.AppendTag(message, protowire.Number(number), protowire.BytesType)
				message = protowire.AppendString(message, text)
			}
		}
		var answer emptypb.Empty
		answer.ProtoReflect().SetUnknown(message)
		return stream.SendMsg(&answer)
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })

	a := Call(conn, nil)
	require.Empty(t, a.Err)
	require.False(t, a.Failed())
	require.True(t, a.FromApplication)
	require.NotZero(t, a.Took)
	require.Equal(t, []any{http.StatusOK, "podinfo-5f64b8c9d7-abcde", "two"}, []any{a.Status, a.Pod, a.Version})

	again := Call(conn, map[string]string{"x-late": "yes"})
	require.Empty(t, again.Err)
	require.Equal(t, 2, again.Unsent)
	refused := Call(conn, map[string]string{"x-refused": "yes"})
	require.True(t, refused.Failed())
	require.Contains(t, refused.Err, "not for you")
	require.Zero(t, refused.Unsent)
	sum := Summarise([]Answer{a, again, refused}, a.At)
	require.Equal(t, []int{3, 1, 1, 1}, []int{sum.Total, sum.Failed, sum.Lost, sum.Unsent}, "what is refused is lost")
	require.Equal(t, map[string]int{"5f64b8c9d7": 2}, sum.ByRevision)
	require.Equal(t, "3 requests (5f64b8c9d7: 2), 1 failed, 1 lost, 1 not sent at first", sum.String())
}
