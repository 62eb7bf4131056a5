package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ground is what a sandbox stands on: a process that holds a PID, a mount and a
// network namespace, and the addresses that were claimed for it.
type ground struct {
	dir string
	// Claim is written down once the ground is complete. A ground without its
	// claim was cut short and is torn down.
	claim
}

type claim struct {
	// Number tells sandboxes of one machine apart.
	Number int `json:"number"`
	// Node tells the nodes of one sandbox apart. The first, which every sandbox has, is 0.
	Node int `json:"node,omitempty"`
	// Holder is the process id of the ground.
	Holder int `json:"holder"`
}

const (
	groundName = "ground"
	claimFile  = "claim.json"
	// mostSandboxes is how many fit on one machine: each takes a /24 for the pods of its first node.
	mostSandboxes = 100
)

func (c claim) link() string        { return fmt.Sprintf("weir%d", c.Number) }
func (c claim) linkCIDR() string    { return fmt.Sprintf("10.89.%d.0/30", c.Number) }
func (c claim) hostIP() string      { return fmt.Sprintf("10.89.%d.1", c.Number) }
func (c claim) firstIP() string     { return fmt.Sprintf("10.89.%d.2", c.Number) }
func (c claim) serviceCIDR() string { return fmt.Sprintf("10.96.%d.0/24", c.Number) }
func (c claim) serviceIP() string   { return fmt.Sprintf("10.96.%d.1", c.Number) }

// furtherCIDR has the pods of all nodes but the first.
func (c claim) furtherCIDR() string { return fmt.Sprintf("10.245.%d.0/24", c.Number) }

func (c claim) podCIDR() string {
	if c.Node == 0 {
		return fmt.Sprintf("10.244.%d.0/24", c.Number)
	}
	return fmt.Sprintf("10.245.%d.%d/26", c.Number, (c.Node-1)*64)
}

// nodeIP is where a node's kubelet listens. A further node's is that of its bridge.
func (c claim) nodeIP() string {
	if c.Node == 0 {
		return c.firstIP()
	}
	return fmt.Sprintf("10.245.%d.%d", c.Number, (c.Node-1)*64+1)
}

// bridge is what a node's pods are attached to.
func (c claim) bridge() string { return fmt.Sprintf("weir%d", c.Node) }

// standing finds the ground of a folder; nil when there is none that is whole.
func standing(dir string) (*ground, error) {
	holder, err := running(dir, groundName)
	if err != nil {
		return nil, err
	}
	written, err := os.ReadFile(filepath.Join(dir, claimFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the claim: %w", err)
	}
	g := &ground{dir: dir}
	if err := json.Unmarshal(written, &g.claim); err != nil || holder == 0 || g.Holder != holder {
		return nil, nil //nolint:nilerr // of an earlier life, or cut short
	}
	return g, nil
}

// breakGround makes a new ground in an empty folder.
func breakGround(ctx context.Context, dir, holderProgram string) (*ground, error) {
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return nil, fmt.Errorf("making the sandbox folder: %w", err)
	}
	if err := makeCgroups(cgroupName(dir)); err != nil {
		return nil, err
	}
	holder, err := startHolder(dir, holderProgram)
	if err != nil {
		return nil, err
	}
	g := &ground{dir: dir, claim: claim{Holder: holder}}
	if err := g.claimNumber(ctx); err != nil {
		return nil, err
	}
	if err := g.furnish(ctx); err != nil {
		return nil, err
	}
	return g, g.writeClaim()
}

// writeClaim comes last: a ground with its claim is complete.
func (g *ground) writeClaim() error {
	written, err := json.Marshal(g.claim)
	if err != nil {
		return fmt.Errorf("writing the claim: %w", err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, claimFile), written, 0o644); err != nil {
		return fmt.Errorf("writing the claim: %w", err)
	}
	return nil
}

func startHolder(dir, program string) (int, error) {
	holder := exec.Command(program)
	holder.Env = append(os.Environ(), markOf(dir, groundName))
	holder.Dir = "/"
	holder.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	}
	if err := holder.Start(); err != nil {
		return 0, fmt.Errorf("making namespaces: %w", err)
	}
	// Whoever starts it reaps it, if it is still there when the ground ends.
	go func() { _ = holder.Wait() }()
	return holder.Process.Pid, nil
}

// claimNumber takes the first number whose addresses nobody uses. Making the
// link is the claim: of two who try the same name, the kernel lets one.
func (g *ground) claimNumber(ctx context.Context) error {
	routes, err := hostRoutes(ctx)
	if err != nil {
		return err
	}
	for g.Number = range mostSandboxes {
		if overlaps(routes, g.linkCIDR(), g.podCIDR(), g.furtherCIDR(), g.serviceCIDR()) {
			continue
		}
		_, err := onHostIP(ctx, "link", "add", g.link(), "type", "veth",
			"peer", "name", "eth0", "netns", strconv.Itoa(g.Holder))
		if err != nil && strings.Contains(err.Error(), "exists") {
			continue
		}
		if err != nil {
			return fmt.Errorf("claiming link %s: %w", g.link(), err)
		}
		for _, args := range [][]string{
			{"link", "set", g.link(), "alias", linkAlias(g.dir)},
			{"addr", "add", g.hostIP() + "/30", "dev", g.link()},
			{"link", "set", g.link(), "up"},
			{"route", "add", g.podCIDR(), "via", g.nodeIP()},
			{"route", "add", g.furtherCIDR(), "via", g.nodeIP()},
			{"route", "add", g.serviceCIDR(), "via", g.nodeIP()},
		} {
			if _, err := onHostIP(ctx, args...); err != nil {
				return fmt.Errorf("setting up link %s: %w", g.link(), err)
			}
		}
		return nil
	}
	return fmt.Errorf("claiming addresses: all of %d sandboxes' are in use on this machine", mostSandboxes)
}

// furnish gives the namespaces what a machine has: processes, a private /run
// and /var, a network.
func (g *ground) furnish(ctx context.Context) error {
	for _, dir := range []string{"log", "lib", "tmp"} {
		if err := os.MkdirAll(filepath.Join(g.dir, "var", dir), 0o755); err != nil {
			return fmt.Errorf("furnishing the ground: %w", err)
		}
	}
	for _, line := range append(g.mounts(), g.network()...) {
		if _, err := g.run(ctx, nil, line...); err != nil {
			return fmt.Errorf("furnishing the ground: %w", err)
		}
	}
	return nil
}

func (g *ground) mounts() [][]string {
	// Nothing mounted here may be seen outside; and kubelet wants its own mounts
	// to reach containers, for which the root is shared anew.
	lines := [][]string{{"mount", "--make-rprivate", "/"}}
	if g.Node > 0 {
		// What the first node's pods have mounted came along, and would be held here.
		lines = append(lines, []string{"umount", "--lazy", "/run"}, []string{"umount", "--lazy", "/var"})
	}
	return append(lines,
		[]string{"mount", "--make-rshared", "/"},
		[]string{"mount", "-t", "proc", "proc", "/proc"},
		[]string{"mount", "-t", "tmpfs", "tmpfs", "/run"},
		[]string{"mount", "--bind", filepath.Join(g.dir, "var"), "/var"},
	)
}

// network sets up the sandbox's own; a further node adds its bridge to it.
func (g *ground) network() [][]string {
	if g.Node > 0 {
		return [][]string{
			{"ip", "link", "add", g.bridge(), "type", "bridge"},
			{"ip", "addr", "add", g.nodeIP() + "/26", "dev", g.bridge()},
			{"ip", "link", "set", g.bridge(), "up"},
		}
	}
	return [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", g.nodeIP() + "/30", "dev", "eth0"},
		{"ip", "link", "set", "eth0", "up"},
		{"ip", "route", "add", "default", "via", g.hostIP()},
		// Without their bridge, further pods would be sent for to the host, which sends back here.
		{"ip", "route", "add", "unreachable", g.furtherCIDR()},
		{"sysctl", "-q", "-w", "net.ipv4.ip_forward=1"},
	}
}

// hostRoutes lists the networks that the machine already knows, default aside.
func hostRoutes(ctx context.Context) ([]netip.Prefix, error) {
	said, err := onHostIP(ctx, "-j", "-4", "route", "show", "table", "all")
	if err != nil {
		return nil, fmt.Errorf("reading the machine's routes: %w", err)
	}
	var routes []struct {
		Dst string `json:"dst"`
	}
	if err := json.Unmarshal([]byte(said), &routes); err != nil {
		return nil, fmt.Errorf("reading the machine's routes: %w", err)
	}
	var known []netip.Prefix
	for _, route := range routes {
		dst := route.Dst
		if !strings.Contains(dst, "/") {
			dst += "/32"
		}
		if prefix, err := netip.ParsePrefix(dst); err == nil && prefix.Bits() > 0 {
			known = append(known, prefix)
		}
	}
	return known, nil
}

func overlaps(known []netip.Prefix, wanted ...string) bool {
	for _, w := range wanted {
		for _, k := range known {
			if k.Overlaps(netip.MustParsePrefix(w)) {
				return true
			}
		}
	}
	return false
}

// onHostIP runs ip(8) outside of the ground.
func onHostIP(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// raze ends the ground of a folder, whole or not, and removes all it leaves.
func raze(ctx context.Context, dir string) error {
	parts, err := filepath.Glob(filepath.Join(dir, partsDir, "*"))
	if err != nil {
		return fmt.Errorf("finding further nodes: %w", err)
	}
	for _, part := range parts {
		if err := raze(ctx, part); err != nil {
			return err
		}
	}
	if err := endProcesses(ctx, dir); err != nil {
		return err
	}
	if err := removeLinks(ctx, dir); err != nil {
		return err
	}
	if err := removeCgroups(ctx, cgroupName(dir)); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing what the sandbox wrote: %w", err)
	}
	return nil
}

// endProcesses ends all that runs on the ground of a folder.
func endProcesses(ctx context.Context, dir string) error {
	all, err := processes(dir)
	if err != nil {
		return err
	}
	// The kernel kills all of a PID namespace with its first process; the others
	// are waited for, since their mounts end with them.
	for _, p := range all {
		if err := stop(ctx, p.pid, 0); err != nil {
			return err
		}
	}
	return nil
}

// linkAlias says on the link itself whose it is.
func linkAlias(dir string) string { return "weir sandbox " + dir }

// removeLinks removes a folder's link. The kernel does too, when it gets round
// to the dead network namespace; until then the number would seem taken.
func removeLinks(ctx context.Context, dir string) error {
	said, err := onHostIP(ctx, "-j", "link", "show", "type", "veth")
	if err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	var links []struct {
		Name  string `json:"ifname"`
		Alias string `json:"ifalias"`
	}
	if err := json.Unmarshal([]byte(said), &links); err != nil && said != "" {
		return fmt.Errorf("listing links: %w", err)
	}
	for _, link := range links {
		if link.Alias != linkAlias(dir) {
			continue
		}
		_, err := onHostIP(ctx, "link", "delete", link.Name)
		if err != nil && !strings.Contains(err.Error(), "Cannot find device") {
			return fmt.Errorf("removing link %s: %w", link.Name, err)
		}
	}
	return nil
}

// cgroupName is the cgroup that all of a sandbox's pods are in.
func cgroupName(dir string) string {
	sum := fnv.New32a()
	_, _ = io.WriteString(sum, dir) // a sum takes everything
	return fmt.Sprintf("weir-%08x", sum.Sum32())
}
