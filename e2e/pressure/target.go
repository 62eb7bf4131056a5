package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// counted is how long the target took for the requests that it has had since it was last asked.
type counted struct {
	mu   sync.Mutex
	took []time.Duration
}

// quantiles of so many requests, in milliseconds.
type quantiles struct {
	Count    int
	P50, P99 float64
}

func (c *counted) handle(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
		time.Sleep(wait)
	}
	_, _ = io.WriteString(w, "ok\n")
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, took)
}

// tell gives the quantiles, and begins anew.
func (c *counted) tell(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	at := func(q float64) float64 {
		if len(c.took) == 0 {
			return 0
		}
		return float64(c.took[int(q*float64(len(c.took)-1))]) / float64(time.Millisecond)
	}
	_ = json.NewEncoder(w).Encode(quantiles{Count: len(c.took), P50: at(0.5), P99: at(0.99)})
	c.took = c.took[:0]
}

// serve is the target, which says where it is.
func serve(ctx context.Context, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	c := &counted{}
	mux := http.NewServeMux()
	mux.HandleFunc("/", c.handle)
	mux.HandleFunc("/counted", c.tell)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Fprintln(out, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// target is the process of one.
type target struct {
	process *exec.Cmd
	url     string
}

// start begins a target on one core.
func start(ctx context.Context) (*target, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	t := &target{process: exec.CommandContext(ctx, own, "-role=target")}
	t.process.Env = append(os.Environ(), "GOMAXPROCS=1")
	t.process.Stderr = os.Stderr
	said, err := t.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the target: %w", err)
	}
	if err := t.process.Start(); err != nil {
		return nil, fmt.Errorf("starting the target: %w", err)
	}
	address, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.end()
		return nil, fmt.Errorf("waiting for the target: %w", err)
	}
	t.url = "http://" + strings.TrimSpace(address) + "/"
	return t, nil
}

func (t *target) end() {
	_ = t.process.Process.Kill() // it may have ended before
	_ = t.process.Wait()
}

// counted asks the target for its own quantiles.
func (t *target) counted(ctx context.Context) (q quantiles, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"counted", http.NoBody)
	if err != nil {
		return q, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return q, fmt.Errorf("asking the target: %w", err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&q); err != nil {
		return q, fmt.Errorf("asking the target: %w", err)
	}
	return q, nil
}
