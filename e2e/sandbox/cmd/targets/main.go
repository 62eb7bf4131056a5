// Command targets keeps a Prometheus file_sd file equal to the pods that ask to
// be scraped: those annotated prometheus.io/scrape "true", at the port that
// prometheus.io/port names and the path that prometheus.io/path does. A target
// carries the pod's namespace and name and its own labels, spelled as
// Prometheus wants them: pod-template-hash becomes pod_template_hash.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the cluster")
	file := flag.String("file", "", "the file to keep up to date")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *kubeconfig, *file); err != nil {
		slog.Error("listing pods to scrape", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, file string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	// One wish is enough: whoever sees it lists all the pods anew.
	changed := make(chan struct{}, 1)
	wish := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wish() },
		UpdateFunc: func(any, any) { wish() },
		DeleteFunc: func(any) { wish() },
	}); err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.Informer().HasSynced) {
		return fmt.Errorf("watching pods: %w", ctx.Err())
	}
	return keep(ctx, pods.Lister(), file, changed, wish)
}

// keep writes the file whenever pods changed, and at most ten times a second.
func keep(ctx context.Context, pods listers.PodLister, file string, changed <-chan struct{}, wish func()) error {
	var last []byte
	wish()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		all, err := pods.List(labels.Everything())
		if err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		content, err := json.MarshalIndent(targets(all), "", "  ")
		if err != nil {
			return fmt.Errorf("writing targets: %w", err)
		}
		if !bytes.Equal(content, last) {
			if err := replace(file, content); err != nil {
				return err
			}
			last = content
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// target is one entry of Prometheus's file format.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func targets(pods []*core.Pod) []target {
	found := []target{}
	for _, pod := range pods {
		port := pod.Annotations["prometheus.io/port"]
		wanted := pod.Annotations["prometheus.io/scrape"] == "true" && port != ""
		if !wanted || pod.Status.PodIP == "" || pod.Status.Phase != core.PodRunning {
			continue
		}
		entry := target{Targets: []string{net.JoinHostPort(pod.Status.PodIP, port)}, Labels: map[string]string{}}
		for key, value := range pod.Labels {
			entry.Labels[spell(key)] = value
		}
		// Last, since no label of a pod may claim to be its name.
		entry.Labels["namespace"], entry.Labels["pod"] = pod.Namespace, pod.Name
		if path := pod.Annotations["prometheus.io/path"]; path != "" {
			entry.Labels["__metrics_path__"] = path
		}
		found = append(found, entry)
	}
	slices.SortFunc(found, func(a, b target) int { return strings.Compare(a.Targets[0], b.Targets[0]) })
	return found
}

// spell makes a label's name one that Prometheus takes.
func spell(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, key)
}

// replace writes aside and renames, so that Prometheus never reads half of it.
func replace(file string, content []byte) error {
	if err := os.WriteFile(file+".part", content, 0o644); err != nil {
		return fmt.Errorf("writing targets: %w", err)
	}
	if err := os.Rename(file+".part", file); err != nil {
		return fmt.Errorf("writing targets: %w", err)
	}
	return nil
}
