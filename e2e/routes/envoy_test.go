package routes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// envoyNode is a proxy that is not there: it asks Istio's control plane what it ought to do, and does nothing.
type envoyNode struct {
	controlPlane string
	node         *corev3.Node
}

// newEnvoy is a proxy beside a pod (sidecar), or one of a gateway's (router), with the pod's labels.
func newEnvoy(t *testing.T, controlPlane, kind, namespace string, labels map[string]string) envoyNode {
	t.Helper()
	metadata := map[string]any{"NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes"}
	if len(labels) > 0 {
		own := map[string]any{}
		for k, v := range labels {
			own[k] = v
		}
		metadata["LABELS"] = own
	}
	fields, err := structpb.NewStruct(metadata)
	require.NoError(t, err)
	id := fmt.Sprintf("%s~127.0.0.1~proxy.%[2]s~%[2]s.svc.cluster.local", kind, namespace)
	return envoyNode{controlPlane, &corev3.Node{Id: id, Metadata: fields}}
}

// told is what the control plane says of a kind: of all objects, or of those that are named.
func told[T any, M interface {
	*T
	proto.Message
}](ctx context.Context, e envoyNode, names ...string) ([]M, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(e.controlPlane, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, err
	}
	kind := "type.googleapis.com/" + string(M(new(T)).ProtoReflect().Descriptor().FullName())
	if err := stream.Send(&discoveryv3.DiscoveryRequest{Node: e.node, TypeUrl: kind, ResourceNames: names}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	var all []M
	for _, resource := range answer.GetResources() {
		one := M(new(T))
		if err := resource.UnmarshalTo(one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// routes are those of requests to a host, by the name that a listener knows them by: a port, or one of a gateway's.
func (e envoyNode) routes(t *testing.T, of, host string) []*routev3.Route {
	t.Helper()
	configurations, err := told[routev3.RouteConfiguration](t.Context(), e, of)
	require.NoError(t, err)
	var all []*routev3.Route
	for _, c := range configurations {
		for _, v := range c.GetVirtualHosts() {
			if slices.Contains(v.GetDomains(), host) {
				all = append(all, v.GetRoutes()...)
			}
		}
	}
	return all
}

// clusters are those of a Service, by its name.
func (e envoyNode) cluster(t *testing.T, name string) *clusterv3.Cluster {
	t.Helper()
	all, err := told[clusterv3.Cluster](t.Context(), e)
	require.NoError(t, err)
	for _, c := range all {
		if c.GetName() == name {
			return c
		}
	}
	return nil
}

// connections are where those to a port go, Service by Service: all names of listeners of TCP end with the port.
func (e envoyNode) connections(t *testing.T, port int) []map[string]uint32 {
	t.Helper()
	listeners, err := told[listenerv3.Listener](t.Context(), e)
	require.NoError(t, err)
	var all []map[string]uint32
	for _, l := range listeners {
		if !strings.HasSuffix(l.GetName(), fmt.Sprintf("_%d", port)) {
			continue
		}
		for _, chain := range l.GetFilterChains() {
			for _, f := range chain.GetFilters() {
				var to tcpv3.TcpProxy
				if f.GetTypedConfig().MessageIs(&to) {
					require.NoError(t, f.GetTypedConfig().UnmarshalTo(&to))
					weighted := to.GetWeightedClusters().GetClusters()
					weight := (*tcpv3.TcpProxy_WeightedCluster_ClusterWeight).GetWeight
					all = append(all, sharesOf(to.GetCluster(), weighted, weight))
				}
			}
		}
	}
	return all
}

// sharesOf are the weights of clusters, by their names; of one alone, all there is.
func sharesOf[W interface{ GetName() string }](one string, several []W, weight func(W) uint32) map[string]uint32 {
	if one != "" {
		return map[string]uint32{one: 100}
	}
	all := map[string]uint32{}
	for _, c := range several {
		all[c.GetName()] = weight(c)
	}
	return all
}

// divided are the shares of routes, one after the other.
func divided(routes []*routev3.Route) []map[string]uint32 {
	var all []map[string]uint32
	for _, r := range routes {
		to := r.GetRoute()
		all = append(all, sharesOf(to.GetCluster(), to.GetWeightedClusters().GetClusters(),
			func(c *routev3.WeightedCluster_ClusterWeight) uint32 { return c.GetWeight().GetValue() }))
	}
	return all
}
