package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// linkerdVersion is of Linkerd's line 2.8, the last that is to be had as a Go module.
const linkerdVersion = "v0.5.1-0.20200623171206-83ae0ccf0f1a"

func linkerd() recipe {
	return recipe{
		program: "linkerd", edition: "linkerd-" + linkerdVersion, module: "e2e/tools/linkerd",
		pkg: "github.com/linkerd/linkerd2/controller/cmd",
	}
}

// Linkerd is the part of Linkerd's control plane that tells proxies where requests for a Service go, for one test
// binary. It reads TrafficSplits of v1alpha1. It ends as an APIServer does.
type Linkerd struct {
	// Address is where it speaks gRPC: the destination API of its proxies.
	Address string

	dir      string
	nursed   *nursery
	stopping sync.Once
}

// StartLinkerd starts it over the cluster of an administrator's kubeconfig, which serves LinkerdDefinitions and
// TrafficSplits. Progress is told what is built; nil for silence.
func StartLinkerd(ctx context.Context, kubeconfig string, progress io.Writer) (*Linkerd, error) {
	kitchen, err := openKitchen(newProgress(progress))
	if err != nil {
		return nil, err
	}
	if err := kitchen.ready(ctx, linkerd()); err != nil {
		return nil, err
	}
	for range 3 {
		var l *Linkerd
		l, err = startLinkerd(ctx, kitchen.path(linkerd()), kubeconfig)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errDied) {
			break
		}
	}
	return nil, fmt.Errorf("starting Linkerd: %w", err)
}

func startLinkerd(ctx context.Context, program, kubeconfig string) (*Linkerd, error) {
	const address = "127.0.0.1"
	free, err := freePorts(address, 2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "weir-linkerd-")
	if err != nil {
		return nil, fmt.Errorf("making its folder: %w", err)
	}
	l := &Linkerd{Address: net.JoinHostPort(address, strconv.Itoa(free[0])), dir: dir, nursed: openNursery()}
	admin := net.JoinHostPort(address, strconv.Itoa(free[1]))
	destination := component{
		name: "linkerd-destination", program: program,
		args: []string{
			"destination", "-kubeconfig=" + kubeconfig, "-addr=" + l.Address, "-metrics-addr=" + admin, "-disable-identity",
		},
		// This comes up last, when its caches are filled.
		ready: func(ctx context.Context) error { return answersOK(ctx, http.DefaultClient, "http://"+admin+"/ready") },
	}
	if err := l.nursed.raise(ctx, destination, filepath.Join(dir, "destination.log")); err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

// Stop ends it and removes what it wrote.
func (l *Linkerd) Stop() error {
	l.stopping.Do(l.nursed.close)
	if err := os.RemoveAll(l.dir); err != nil {
		return fmt.Errorf("removing what Linkerd wrote: %w", err)
	}
	return nil
}

// LinkerdDefinitions are Linkerd's own kinds, as far as it lists them. Its own definition is a template for Helm.
func LinkerdDefinitions() []byte {
	return []byte(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: serviceprofiles.linkerd.io
spec:
  group: linkerd.io
  scope: Namespaced
  names: {kind: ServiceProfile, listKind: ServiceProfileList, plural: serviceprofiles, singular: serviceprofile}
  versions:
  - name: v1alpha2
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`)
}
