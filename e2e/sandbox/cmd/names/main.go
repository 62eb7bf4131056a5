// Command names is the DNS of the sandbox: it answers A queries for
// SERVICE.NAMESPACE.svc.cluster.local with the Service's cluster IP, or with
// the addresses of its ready endpoints when it is headless. It knows no other
// name, and no other type: the sandbox has no way out.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the cluster")
	address := flag.String("address", "127.0.0.1:53", "where to listen, by UDP")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *kubeconfig, *address); err != nil {
		slog.Error("answering names", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, address string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	known := book{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	context.AfterFunc(ctx, func() { socket.Close() })
	for buffer := make([]byte, 4096); ; {
		size, from, err := socket.ReadFrom(buffer)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop, it stopped
		}
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		reply, err := known.answer(buffer[:size])
		if err != nil {
			slog.Warn("answering a query", "from", from, "error", err)
			continue
		}
		if _, err := socket.WriteTo(reply, from); err != nil {
			slog.Warn("sending an answer", "to", from, "error", err)
		}
	}
}

// book is where addresses are looked up.
type book struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// answer makes the reply to one query.
func (b book) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: message.ID, Response: true, Authoritative: true,
			RecursionDesired: message.RecursionDesired, RecursionAvailable: true,
		},
		Questions: message.Questions,
	}
	for _, question := range message.Questions {
		addresses, known := b.lookUp(question.Name.String())
		if !known {
			reply.RCode = dnsmessage.RCodeNameError
		}
		if question.Type != dnsmessage.TypeA {
			continue // a known name without such a record is an empty answer
		}
		for _, address := range addresses {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
				Body:   &dnsmessage.AResource{A: address.As4()},
			})
		}
	}
	return reply.Pack()
}

// lookUp finds the addresses of a name, and whether there is such a name.
func (b book) lookUp(name string) (addresses []netip.Addr, known bool) {
	short, ok := strings.CutSuffix(strings.ToLower(name), ".svc.cluster.local.")
	if !ok {
		return nil, false
	}
	service, namespace, ok := strings.Cut(short, ".")
	if !ok {
		return nil, false
	}
	found, err := b.services.Services(namespace).Get(service)
	if err != nil {
		return nil, false
	}
	if found.Spec.ClusterIP != core.ClusterIPNone {
		return parse(found.Spec.ClusterIP), true
	}
	ofService := labels.SelectorFromSet(labels.Set{discovery.LabelServiceName: service})
	slices, err := b.slices.EndpointSlices(namespace).List(ofService)
	if err != nil {
		return nil, true
	}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready == nil || *ready {
				addresses = append(addresses, parse(endpoint.Addresses...)...)
			}
		}
	}
	return addresses, true
}

func parse(texts ...string) []netip.Addr {
	var addresses []netip.Addr
	for _, text := range texts {
		if address, err := netip.ParseAddr(text); err == nil && address.Is4() {
			addresses = append(addresses, address)
		}
	}
	return addresses
}
