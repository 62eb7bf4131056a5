package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
)

const (
	// FurtherTaint is the key of the taint that further nodes have, with the effect
	// NoSchedule: what does not tolerate it stays on the first node.
	FurtherTaint = "weir.dev/further"

	// mostFurther is how many nodes there are addresses and credentials for.
	mostFurther = 4
	// partsDir is where the grounds of further nodes are.
	partsDir = "nodes"
)

// AddNodes leaves the cluster with at least so many nodes beside the first, all of
// them ready: weir-1, weir-2 and so on. They have the images that the first one has,
// and stay until RemoveNodes or Down, whatever becomes of this process.
func (s *Sandbox) AddNodes(ctx context.Context, count int) error {
	if s.External {
		return errNotOurs("add nodes to")
	}
	if count > mostFurther {
		return fmt.Errorf("adding %d nodes: there can be %d", count, mostFurther)
	}
	unlock, err := lockSandbox(ctx, s.dir(), s.tell)
	if err != nil {
		return err
	}
	defer unlock()
	var additions []func() error
	for index := 1; index <= count; index++ {
		additions = append(additions, func() error {
			if err := s.addNode(ctx, index); err != nil {
				return fmt.Errorf("adding node %s: %w", nodeName(index), err)
			}
			return nil
		})
	}
	return together(additions...)
}

// RemoveNodes takes all nodes but the first away, as if they were switched off and
// never came back: their pods are not asked to end, and what is being sent to them fails.
func (s *Sandbox) RemoveNodes(ctx context.Context) error {
	if s.External {
		return nil
	}
	unlock, err := lockSandbox(ctx, s.dir(), s.tell)
	if err != nil {
		return err
	}
	defer unlock()
	for index := 1; index <= mostFurther; index++ {
		part := s.node.ground.part(index)
		if _, err := os.Stat(part.dir); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := s.removeNode(ctx, part); err != nil {
			return fmt.Errorf("removing node %s: %w", nodeName(index), err)
		}
		s.tell.say("removed node %s", nodeName(index))
	}
	return nil
}

// removeNode ends a node before the API server forgets it, since a kubelet that is
// starting would register it again. Its folder goes last: by it the node is found by
// whoever repeats what was cut short.
func (s *Sandbox) removeNode(ctx context.Context, part *ground) error {
	if err := endProcesses(ctx, part.dir); err != nil {
		return err
	}
	if err := s.node.ground.removeBridge(ctx, part.bridge()); err != nil {
		return err
	}
	if err := s.forget(ctx, nodeName(part.Node)); err != nil {
		return err
	}
	return raze(ctx, part.dir)
}

// forget deletes a node and its pods from the API server.
func (s *Sandbox) forget(ctx context.Context, name string) error {
	client, err := clientset.NewForConfig(s.config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	err = client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting it from the API server: %w", err)
	}
	here := metav1.ListOptions{FieldSelector: "spec.nodeName=" + name}
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, here)
	if err != nil {
		return fmt.Errorf("listing its pods: %w", err)
	}
	// Nobody is left who could say that a pod has ended.
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	for _, pod := range pods.Items {
		err := client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, now)
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting its pod %s: %w", pod.Name, err)
		}
	}
	return nil
}

func (s *Sandbox) addNode(ctx context.Context, index int) error {
	n := &node{kitchen: s.node.kitchen, creds: s.node.creds}
	if _, err := os.Stat(n.creds.kubeconfig("system:node:" + nodeName(index))); err != nil {
		return fmt.Errorf("finding its credentials (a sandbox that lacks them has to be taken down and brought up): %w", err)
	}
	part := s.node.ground.part(index)
	var err error
	if n.ground, err = standing(part.dir); err != nil {
		return err
	}
	if n.ground == nil {
		if err := s.removeNode(ctx, part); err != nil {
			return fmt.Errorf("sweeping what an earlier node left: %w", err)
		}
		if n.ground, err = s.node.ground.breakPart(ctx, index, n.kitchen.path(pauseProgram())); err != nil {
			return fmt.Errorf("breaking ground: %w", err)
		}
	}
	if err := n.configure(); err != nil {
		return err
	}
	if err := s.ensureOn(ctx, n, n.containerd()); err != nil {
		return err
	}
	if err := n.copyImages(ctx, s.node); err != nil {
		return err
	}
	return s.ensureOn(ctx, n, n.kubelet())
}

// nodes are all that the sandbox has now.
func (s *Sandbox) nodes() ([]*node, error) {
	all := []*node{s.node}
	for index := 1; index <= mostFurther; index++ {
		part, err := standing(s.node.ground.part(index).dir)
		if err != nil {
			return nil, err
		}
		if part != nil {
			all = append(all, &node{ground: part, kitchen: s.node.kitchen, creds: s.node.creds})
		}
	}
	return all, nil
}

// copyImages gives a node the images that another has.
func (n *node) copyImages(ctx context.Context, from *node) error {
	wanted, err := from.images(ctx)
	if err != nil {
		return err
	}
	present, err := n.images(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(wanted, func(image string) bool { return slices.Contains(present, image) })
	if len(missing) == 0 {
		return nil
	}
	file := filepath.Join(n.ground.dir, "images.tar")
	if _, err := from.ctr(ctx, append([]string{"images", "export", file}, missing...)...); err != nil {
		return fmt.Errorf("exporting images: %w", err)
	}
	return errors.Join(n.importImage(ctx, file), os.Remove(file))
}

// part is the ground of a further node: a PID and a mount namespace within those of
// the first, and the same network.
func (g *ground) part(index int) *ground {
	return &ground{
		dir:   filepath.Join(g.dir, partsDir, nodeName(index)),
		claim: claim{Number: g.Number, Node: index, Holder: g.Holder},
	}
}

// breakPart makes the ground of a further node. It ends with the first node's.
func (g *ground) breakPart(ctx context.Context, index int, holderProgram string) (*ground, error) {
	part := g.part(index)
	if err := os.MkdirAll(filepath.Join(part.dir, "logs"), 0o755); err != nil {
		return nil, fmt.Errorf("making its folder: %w", err)
	}
	if err := makeCgroups(cgroupName(part.dir)); err != nil {
		return nil, err
	}
	if err := part.ensure(ctx, part.namespaces(holderProgram)); err != nil {
		return nil, err
	}
	holder, err := running(part.dir, groundName)
	if err != nil {
		return nil, err
	}
	part.Holder = holder
	if err := part.furnish(ctx); err != nil {
		return nil, err
	}
	return part, part.writeClaim()
}

// namespaces starts the holder of a part. Its parent is within the first node's
// ground, so that the kernel ends both together.
func (g *ground) namespaces(holderProgram string) component {
	return component{
		name: "namespaces", program: "unshare",
		args: []string{
			"--pid", "--mount", "--fork", "--kill-child",
			"env", markOf(g.dir, groundName), "setsid", holderProgram,
		},
		ready: func(context.Context) error {
			holder, err := running(g.dir, groundName)
			if err == nil && holder == 0 {
				err = errors.New("they have no process yet")
			}
			return err
		},
	}
}

// removeBridge removes a further node's from the network that all nodes share, and its
// pods' links with it: the kernel keeps them for minutes when a connection was cut short.
func (g *ground) removeBridge(ctx context.Context, name string) error {
	said, err := g.run(ctx, nil, "ip", "-j", "link", "show", "master", name)
	if err != nil && strings.Contains(err.Error(), "does not exist") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the links of bridge %s: %w", name, err)
	}
	var links []struct {
		Name string `json:"ifname"`
	}
	if err := json.Unmarshal([]byte(said), &links); err != nil && said != "" {
		return fmt.Errorf("listing the links of bridge %s: %w", name, err)
	}
	for _, link := range links {
		if err := g.removeLink(ctx, link.Name); err != nil {
			return err
		}
	}
	return g.removeLink(ctx, name)
}

func (g *ground) removeLink(ctx context.Context, name string) error {
	_, err := g.run(ctx, nil, "ip", "link", "delete", name)
	if err != nil && !strings.Contains(err.Error(), "Cannot find device") {
		return fmt.Errorf("removing link %s: %w", name, err)
	}
	return nil
}
