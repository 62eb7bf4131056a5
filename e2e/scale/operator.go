package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// operator is the real one, in a process of its own.
type operator struct {
	process *exec.Cmd
	begun   time.Time
	log     string
	// metrics and profiles are where it serves them.
	metrics, profiles string
	gone              chan struct{}
}

// start starts an operator as it is started in a cluster: with its own account, and one of several that could lead. It
// must be called on a thread that lasts.
func (c *crew) start(ctx context.Context) (*operator, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	profiles, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	op := &operator{
		log: filepath.Join(c.scratch, fmt.Sprintf("weir-%d.log", len(c.all))), gone: make(chan struct{}),
		metrics:  fmt.Sprintf("http://127.0.0.1:%d/metrics", port),
		profiles: fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/", profiles),
	}
	log, err := os.Create(op.log)
	if err != nil {
		return nil, fmt.Errorf("opening the operator's log: %w", err)
	}
	defer log.Close()
	op.process = exec.CommandContext(ctx, c.binary, append([]string{
		"--kubeconfig=" + c.kubeconfig, "--port=" + strconv.Itoa(port),
		fmt.Sprintf("--pprof-address=127.0.0.1:%d", profiles),
		"--enable-leader-election", "--leader-election-namespace=" + system,
		"--refused-addresses=", // Prometheus is on loopback
	}, c.with...)...)
	op.process.Stdout, op.process.Stderr = log, log
	op.process.Cancel = func() error { return op.process.Process.Signal(syscall.SIGTERM) }
	op.process.WaitDelay = 15 * time.Second
	// A group of its own, so that ^C reaches this process first.
	op.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	op.begun = time.Now()
	if err := op.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	go func() {
		defer close(op.gone)
		_ = op.process.Wait() // that it ended is what matters, not how
	}()
	c.all, c.on = append(c.all, op), append(c.on, op)
	return op, nil
}

// said is when the operator logged a message first, or first after a time; false if it did not yet.
func (op *operator) said(message string, after time.Time) (time.Time, bool) {
	content, err := os.ReadFile(op.log)
	if err != nil {
		return time.Time{}, false
	}
	for line := range bytes.Lines(content) {
		var entry struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal(line, &entry) == nil && entry.Msg == message && entry.Time.After(after) {
			return entry.Time, true
		}
	}
	return time.Time{}, false
}

// end stops the operator, and returns when it is gone.
func (op *operator) end() {
	_ = op.process.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-op.gone:
	case <-time.After(15 * time.Second):
		_ = op.process.Process.Kill()
		<-op.gone
	}
}
