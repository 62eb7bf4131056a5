package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Calls says what is called by gRPC, by whom, and who says where a call goes. There is no proxy in between: the
// client itself follows what Istio's control plane tells a proxy.
type Calls struct {
	// ControlPlane is the address of Istio's, as sandbox.StartIstiod gives it.
	ControlPlane string
	// Target is a Service and its port as clients of the mesh know it: podinfo.shop.svc.cluster.local:9999.
	Target string
	// Namespace and Labels are those of the pod that the client says it is.
	Namespace string
	Labels    map[string]string
	// Header is sent along; its names are in lower case.
	Header map[string]string
	// Rate is in calls a second.
	Rate int
}

// infoMethod is podinfo's, which answers with the pod and with the message that tells its version.
const (
	infoMethod      = "/info.InfoService/Info"
	hostnameOfReply = protowire.Number(1)
	messageOfReply  = protowire.Number(6)
)

// StartCalls begins to call, as Start begins to send. Each call that succeeds counts as a status of 200, as gRPC has it.
func StartCalls(ctx context.Context, calls Calls) (*Load, error) {
	conn, err := Connect(calls)
	if err != nil {
		return nil, err
	}
	end := func() { _ = conn.Close() } // what was under way has ended
	return begin(ctx, calls.Rate, func() Answer { return Call(conn, calls.Header) }, end), nil
}

// AwaitCalls returns when the first call succeeds, and fails after a minute without.
func AwaitCalls(ctx context.Context, calls Calls) error {
	conn, err := Connect(calls)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return awaitOK(ctx, calls.Target, func() Answer { return Call(conn, calls.Header) })
}

// Connect gives a client that is told by the control plane where its calls go.
func Connect(calls Calls) (*grpc.ClientConn, error) {
	bootstrap, err := json.Marshal(map[string]any{
		"xds_servers": []any{map[string]any{
			"server_uri": calls.ControlPlane, "server_features": []string{"xds_v3"},
			"channel_creds": []any{map[string]any{"type": "insecure"}},
		}},
		"node": map[string]any{
			"id": fmt.Sprintf("sidecar~127.0.0.1~client.%[1]s~%[1]s.svc.cluster.local", calls.Namespace),
			"metadata": map[string]any{
				"GENERATOR": "grpc", "CLUSTER_ID": "Kubernetes", "NAMESPACE": calls.Namespace, "LABELS": calls.Labels,
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("saying who calls: %w", err)
	}
	// The usual one is told by the environment, and all clients of a process are one node then.
	resolver, err := xds.NewXDSResolverWithConfigForTesting(bootstrap)
	if err != nil {
		return nil, fmt.Errorf("reaching the control plane: %w", err)
	}
	conn, err := grpc.NewClient("xds:///"+calls.Target, grpc.WithResolvers(resolver),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", calls.Target, err)
	}
	return conn, nil
}

// unplaced is what the client says of a call whose cluster it does not know. It gives new routes to its calls a moment
// before it makes the clusters in them (1.82 does, and so does 1.85), and each share that begins or ends in Istio brings
// a cluster or takes one away. Such a call has not been sent, so it is made again, for a second at most.
const unplaced = "unknown cluster selected for RPC"

// Call asks podinfo once who it is.
func Call(conn *grpc.ClientConn, header map[string]string) (a Answer) {
	a.At = time.Now()
	defer func() { a.Took = time.Since(a.At) }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(header))
	// A message without fields keeps those that it does not know, so no code of podinfo's is needed.
	var reply emptypb.Empty
	err := conn.Invoke(ctx, infoMethod, &emptypb.Empty{}, &reply)
	for err != nil && strings.Contains(err.Error(), unplaced) && time.Since(a.At) < time.Second {
		a.Unsent++
		time.Sleep(time.Millisecond)
		err = conn.Invoke(ctx, infoMethod, &emptypb.Empty{}, &reply)
	}
	if err != nil {
		a.Err = err.Error()
		return a
	}
	a.Status, a.FromApplication = http.StatusOK, true
	fields := reply.ProtoReflect().GetUnknown()
	a.Pod, a.Version = textOf(fields, hostnameOfReply), textOf(fields, messageOfReply)
	return a
}

// textOf is a field of a message, empty where it is not there.
func textOf(message []byte, field protowire.Number) string {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return ""
		}
		message = message[n:]
		if number == field && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(message)
			return string(text)
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return ""
		}
		message = message[n:]
	}
	return ""
}
