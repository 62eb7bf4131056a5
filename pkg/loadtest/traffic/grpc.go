package traffic

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jhump/protoreflect/grpcreflect"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	// HealthCheck is the call that servers need no reflection for.
	HealthCheck = "grpc.health.v1.Health/Check"

	// How a call's code and message come through vegeta.
	codeHeader, messageHeader = "Grpc-Code", "Grpc-Message"
	// reflectionTimeout is how long a server may take to say what it serves.
	reflectionTimeout = 10 * time.Second
)

// GRPC is a load of unary calls over gRPC.
type GRPC struct {
	Pace
	// Address is the host and the port.
	Address string
	// Call is the service and the method, as in grpc.health.v1.Health/Check.
	Call string
	// Data is the request in JSON.
	Data string
	// Metadata is sent along.
	Metadata map[string]string
	// TLS is spoken; Insecure then accepts any certificate of the server.
	TLS, Insecure bool
}

// Host is the address.
func (g *GRPC) Host() string { return g.Address }

func (g *GRPC) check(l Limits) error {
	if host, port, err := net.SplitHostPort(g.Address); err != nil || host == "" || port == "" {
		return fmt.Errorf("address %q is no host with a port, as in podinfo-canary.test:9999", g.Address)
	}
	service, method, ok := strings.Cut(g.Call, "/")
	if !ok || service == "" || method == "" || strings.Contains(method, "/") {
		return fmt.Errorf("call %q is no service with a method, as in %s", g.Call, HealthCheck)
	}
	return g.within(l)
}

// Run makes the calls.
func (g *GRPC) Run(ctx context.Context, observe func(Answer)) (*Report, error) {
	with := insecure.NewCredentials()
	if g.TLS {
		with = credentials.NewTLS(&tls.Config{InsecureSkipVerify: g.Insecure})
	}
	// A connection goes to one pod of a Service, so there are several.
	calls := &calls{}
	defer calls.close()
	for range g.Concurrency {
		conn, err := grpc.NewClient(g.Address, grpc.WithTransportCredentials(with), grpc.WithUserAgent(userAgent))
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", g.Address, err)
		}
		calls.connections = append(calls.connections, conn)
	}
	var err error
	if calls.method, err = g.method(ctx, calls.connections[0]); err != nil {
		return nil, err
	}
	calls.metadata = metadata.New(g.Metadata)
	target := vegeta.Target{Method: http.MethodPost, URL: "http://" + g.Address}
	return g.run(ctx, &http.Client{Transport: calls}, target, observe), nil
}

// method is a call made ready.
type method struct {
	name string
	// request may be sent by many at the same time.
	request  proto.Message
	response func() proto.Message
}

// method asks the server what the call takes, unless everybody knows.
func (g *GRPC) method(ctx context.Context, conn *grpc.ClientConn) (method, error) {
	m := method{
		name: "/" + g.Call, request: &health.HealthCheckRequest{},
		response: func() proto.Message { return &health.HealthCheckResponse{} },
	}
	if g.Call != HealthCheck {
		ctx, cancel := context.WithTimeout(ctx, reflectionTimeout)
		defer cancel()
		client := grpcreflect.NewClientAuto(ctx, conn)
		defer client.Reset()
		service, name, _ := strings.Cut(g.Call, "/")
		described, err := client.ResolveService(service)
		if err != nil {
			return method{}, fmt.Errorf("asking %s by reflection for service %s: %w", g.Address, service, err)
		}
		found := described.FindMethodByName(name)
		switch {
		case found == nil:
			return method{}, fmt.Errorf("service %s of %s has no method %s", service, g.Address, name)
		case found.IsClientStreaming() || found.IsServerStreaming():
			return method{}, fmt.Errorf("call %s is a stream, and only single calls are made", g.Call)
		}
		m.request = dynamicpb.NewMessage(found.GetInputType().UnwrapMessage())
		m.response = func() proto.Message { return dynamicpb.NewMessage(found.GetOutputType().UnwrapMessage()) }
	}
	if g.Data != "" {
		if err := protojson.Unmarshal([]byte(g.Data), m.request); err != nil {
			return method{}, fmt.Errorf("the data is no request of %s in JSON: %w", g.Call, err)
		}
	}
	return m, nil
}

// calls makes a call of each round trip.
type calls struct {
	method
	metadata    metadata.MD
	connections []*grpc.ClientConn
	made        atomic.Uint64
}

func (c *calls) close() {
	for _, conn := range c.connections {
		_ = conn.Close() // it fails where it is closed already
	}
}

// RoundTrip never fails: what became of the call is in the headers.
func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	conn := c.connections[c.made.Add(1)%uint64(len(c.connections))]
	response := c.response()
	err := conn.Invoke(metadata.NewOutgoingContext(r.Context(), c.metadata), c.name, c.request, response)
	code, message := status.Code(err).String(), status.Convert(err).Message()
	ok := err == nil
	if checked, isHealth := response.(*health.HealthCheckResponse); isHealth && ok {
		ok = checked.Status == health.HealthCheckResponse_SERVING
		if !ok {
			code, message = checked.Status.String(), "what the server says of its health"
		}
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{codeHeader: {code}}, Body: http.NoBody, Request: r}
	if !ok {
		res.StatusCode, res.Status = http.StatusInternalServerError, code
		res.Header.Set(messageHeader, message)
	}
	return res, nil
}
