package sandbox

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
)

// controlPlane is a cluster without nodes, wherever it listens.
type controlPlane struct {
	kitchen *kitchen
	creds   *credentials
	// dir is where etcd writes.
	dir string
	// address is where the API server listens, and what pods are told.
	address     string
	serviceCIDR string
	ports       ports
	// authorizers are asked one after the other until one has an opinion.
	authorizers string
}

type ports struct {
	etcd, etcdPeer, etcdHealth, apiserver, controllers, scheduler int
}

// usualPorts are those of a machine that is one's own.
func usualPorts() ports {
	return ports{etcd: 2379, etcdPeer: 2380, etcdHealth: 2381, apiserver: 6443, controllers: 10257, scheduler: 10259}
}

func url(scheme, host string, port int) string {
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func (p *controlPlane) etcd() component {
	client, peer := url("http", "127.0.0.1", p.ports.etcd), url("http", "127.0.0.1", p.ports.etcdPeer)
	health := url("http", p.address, p.ports.etcdHealth)
	return component{
		name:    "etcd",
		program: p.kitchen.path(etcd()),
		args: []string{
			"--name=sandbox", "--data-dir=" + filepath.Join(p.dir, "etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=sandbox=" + peer,
			"--listen-metrics-urls=" + health,
			"--log-level=warn",
			// The data is gone with the sandbox anyway.
			"--unsafe-no-fsync",
		},
		ready: func(ctx context.Context) error { return answersOK(ctx, http.DefaultClient, health+"/health") },
	}
}

func (p *controlPlane) apiserver() component {
	return component{
		name:    "kube-apiserver",
		program: p.kitchen.path(kubernetes("kube-apiserver")),
		args: []string{
			"--etcd-servers=" + url("http", "127.0.0.1", p.ports.etcd),
			"--bind-address=" + p.address, "--advertise-address=" + p.address,
			"--secure-port=" + strconv.Itoa(p.ports.apiserver),
			"--cert-dir=" + filepath.Join(p.dir, "apiserver"),
			"--tls-cert-file=" + p.creds.file("apiserver.crt"),
			"--tls-private-key-file=" + p.creds.file("apiserver.key"),
			"--client-ca-file=" + p.creds.file("ca.crt"),
			"--kubelet-client-certificate=" + p.creds.file("kubelet-client.crt"),
			"--kubelet-client-key=" + p.creds.file("kubelet-client.key"),
			// The node's name is in no DNS.
			"--kubelet-preferred-address-types=InternalIP",
			"--token-auth-file=" + p.creds.file("tokens.csv"),
			"--authorization-mode=" + cmp.Or(p.authorizers, "Node,RBAC"),
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + p.creds.file("service-accounts.key"),
			"--service-account-signing-key-file=" + p.creds.file("service-accounts.key"),
			"--service-cluster-ip-range=" + p.serviceCIDR,
			"--allow-privileged",
			// How it speaks to servers that have a part of its API, in the name of who asked.
			"--proxy-client-cert-file=" + p.creds.file("front-proxy.crt"),
			"--proxy-client-key-file=" + p.creds.file("front-proxy.key"),
			"--requestheader-client-ca-file=" + p.creds.file("front-proxy-ca.crt"),
			"--requestheader-allowed-names=" + frontProxyName,
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--endpoint-reconciler-type=" + p.endpointReconciler(),
			"--profiling=false",
		},
		ready: p.answers,
	}
}

// answers tells whether the API server is ready to serve.
func (p *controlPlane) answers(ctx context.Context) error {
	client, err := rest.HTTPClientFor(p.creds.admin())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return answersOK(ctx, client, p.creds.server+"/readyz")
}

func (p *controlPlane) controllers() component {
	return component{
		name:    "kube-controller-manager",
		program: p.kitchen.path(kubernetes("kube-controller-manager")),
		args: []string{
			// All controllers as one administrator: with a service account each, as
			// clusters have it, the first Pod takes six seconds longer.
			"--kubeconfig=" + p.creds.kubeconfig("admin"), "--use-service-account-credentials=false",
			"--leader-elect=false",
			"--bind-address=" + p.address, "--secure-port=" + strconv.Itoa(p.ports.controllers),
			"--root-ca-file=" + p.creds.file("ca.crt"),
			"--service-account-private-key-file=" + p.creds.file("service-accounts.key"),
			"--allocate-node-cidrs=false",
			// Many small applications at once wait for Weir, not for these controllers' own limit.
			"--kube-api-qps=500", "--kube-api-burst=1000",
			"--profiling=false",
		},
		ready: p.healthy(p.ports.controllers),
	}
}

func (p *controlPlane) scheduler() component {
	return component{
		name:    "kube-scheduler",
		program: p.kitchen.path(kubernetes("kube-scheduler")),
		args: []string{
			"--kubeconfig=" + p.creds.kubeconfig("system:kube-scheduler"),
			"--leader-elect=false",
			"--bind-address=" + p.address, "--secure-port=" + strconv.Itoa(p.ports.scheduler),
			"--profiling=false",
		},
		ready: p.healthy(p.ports.scheduler),
	}
}

// endpointReconciler says how the kubernetes Service gets its endpoint. One on
// loopback would be refused, and nobody who could use it is there.
func (p *controlPlane) endpointReconciler() string {
	if net.ParseIP(p.address).IsLoopback() {
		return "none"
	}
	return "lease"
}

func (p *controlPlane) healthy(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		return answersOK(ctx, unverified(), url("https", p.address, port)+"/healthz")
	}
}

// answersOK asks a URL and expects 200.
func answersOK(ctx context.Context, client *http.Client, where string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return fmt.Errorf("asking %s: %w", where, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("asking %s: %w", where, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: %s", where, response.Status)
	}
	return nil
}

// unverified is a client for the health of components that sign for themselves.
func unverified() *http.Client {
	return &http.Client{
		Timeout:   3 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
}
