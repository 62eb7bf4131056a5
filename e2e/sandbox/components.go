package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// component is one program of a cluster that keeps running.
type component struct {
	name    string
	program string
	args    []string
	env     []string
	// ready tells whether it does its work; asked again until it does.
	ready func(context.Context) error
	// patience is how long it may take to get ready; a minute when zero.
	patience time.Duration
}

// ensure leaves a component running and ready: it keeps the one that is, and
// replaces the one that does not answer or was told something else.
func (g *ground) ensure(ctx context.Context, c component) error {
	pid, err := running(g.dir, c.name)
	if err != nil {
		return err
	}
	if pid != 0 {
		if slices.Equal(argumentsOf(pid), c.args) && g.await(ctx, c, 5*time.Second) == nil {
			return nil
		}
		if err := stop(ctx, pid, 2*time.Second); err != nil {
			return err
		}
	}
	if err := g.start(ctx, c); err != nil {
		return err
	}
	patience := c.patience
	if patience == 0 {
		patience = time.Minute
	}
	return g.await(ctx, c, patience)
}

// start starts a component within the ground, detached from this process. Its
// output goes to a file of its own.
func (g *ground) start(ctx context.Context, c component) error {
	// The shell puts it in the background and leaves, so that the first process
	// of the ground becomes its parent and it outlives whoever started it.
	const detach = `log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null &`
	line := append([]string{"sh", "-c", detach, "sh", g.logFile(c.name), c.program}, c.args...)
	if _, err := g.run(ctx, nil, append(envFor(g.dir, c), line...)...); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	return nil
}

// envFor is an env(1) line that marks the component, and nothing else does: the
// commands that only pass through the ground are not components.
func envFor(dir string, c component) []string {
	return append([]string{"env", markOf(dir, c.name)}, c.env...)
}

func (g *ground) logFile(name string) string {
	return filepath.Join(g.dir, "logs", name+".log")
}

// await waits until a component is ready, or dead, or out of patience.
func (g *ground) await(ctx context.Context, c component, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		asking, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := c.ready(asking)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s: %w", c.name, ctx.Err())
		}
		pid, lookErr := running(g.dir, c.name)
		if lookErr != nil {
			return lookErr
		}
		// Young processes may not carry their mark yet.
		dead := pid == 0 && time.Until(deadline) < patience-2*time.Second
		if dead || time.Now().After(deadline) {
			state := "is not ready"
			if dead {
				state = "died"
			}
			log := g.logFile(c.name)
			return fmt.Errorf("waiting for %s, which %s: %w\n%s says at its end:\n%s", c.name, state, err, log, tail(log, 15))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// run runs a command within the ground to its end and returns what it said.
func (g *ground) run(ctx context.Context, stdin io.Reader, line ...string) (string, error) {
	enter := append([]string{"--target", strconv.Itoa(g.Holder), "--mount", "--net", "--pid", "--"}, line...)
	command := exec.CommandContext(ctx, "nsenter", enter...)
	var out, problem bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = stdin, &out, &problem
	// A detached component holds no pipe of ours; whatever else does is not
	// waited for.
	command.WaitDelay = 5 * time.Second
	err := command.Run()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// tail is the end of a log file, for an error message.
func tail(file string, lines int) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Status lists the components and whether each is ready.
func (s *Sandbox) Status(ctx context.Context) []string {
	if s.External {
		return nil
	}
	nodes, err := s.nodes()
	if err != nil {
		return []string{err.Error()}
	}
	all := s.components()
	for _, n := range nodes[1:] {
		all = append(all, n.containerd(), n.kubelet())
	}
	var lines []string
	for _, c := range all {
		state := "ready"
		if err := c.ready(ctx); err != nil {
			state, _, _ = strings.Cut(err.Error(), "\n")
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", c.name, state))
	}
	return lines
}

// components are those of every sandbox.
func (s *Sandbox) components() []component {
	return []component{
		s.plane.etcd(), s.plane.apiserver(), s.plane.controllers(), s.plane.scheduler(),
		s.node.containerd(), s.node.names(), s.node.kubelet(), s.node.kubeProxy(),
		s.edge.traefik(), s.monitoring.discovery(), s.monitoring.prometheus(),
	}
}
