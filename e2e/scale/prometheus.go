package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// servers is how many servers of metrics there are. A Canary asks the one of its number, for everything.
const servers = 3

// played stands in for a Prometheus: it answers every query with 100, which is well, or, while it hangs, not at all.
type played struct {
	url     string
	latency time.Duration
	server  *http.Server
	asked   atomic.Int64
	// hangs is closed when it hangs no more; nil while it does not.
	hangs atomic.Pointer[chan struct{}]
}

func playPrometheus(ctx context.Context, latency time.Duration) (*played, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("playing Prometheus: %w", err)
	}
	p := &played{url: "http://" + listener.Addr().String(), latency: latency}
	p.server = &http.Server{Handler: http.HandlerFunc(p.answer), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // it ends when it is closed
	return p, nil
}

func (p *played) answer(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	if over := p.hangs.Load(); over != nil {
		select {
		case <-*over:
		case <-r.Context().Done():
			return
		}
	}
	select {
	case <-time.After(p.latency):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"100"]}]}}`,
		time.Now().Unix())
}

// hang has it answer nothing until the function that it gives is called.
func (p *played) hang() (goOn func()) {
	over := make(chan struct{})
	p.hangs.Store(&over)
	return func() {
		p.hangs.Store(nil)
		close(over)
	}
}
