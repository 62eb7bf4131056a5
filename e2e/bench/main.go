// Command bench measures what the operator costs: a light API server with the real controllers, many Canaries,
// and the operator as a process of its own, with the rights that its manifests give it. Pods, the Gateway's
// controller and Prometheus are played. What the operator asks of the API server is counted from the API
// server's own audit log, by the operator's account; what it uses is read from /proc.
//
//	go run ./e2e/bench -canaries 1000 -for 10m
//	go run ./e2e/bench -canaries 1000 -checking 3m
//
// It measures three things: taking all the applications over, the rest after that, and one release of five
// steps while the others rest. With -checking it measures another thing instead: all of them released at once and judged
// by three metrics each, which a real Prometheus answers. It ends with an error if the operator asked for something that it
// should not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	canaries int
	rest     time.Duration
	checking time.Duration
	output   string
}

func main() {
	var o options
	flag.IntVar(&o.canaries, "canaries", 100, "how many Canaries, each with a Deployment of one replica")
	flag.DurationVar(&o.rest, "for", 2*time.Minute, "how long the operator is measured at rest")
	flag.DurationVar(&o.checking, "checking", 0, "measure the checks of as many runs for so long, instead of rest and a release")
	flag.StringVar(&o.output, "o", "table", "table or json")
	flag.Parse()
	// The operator dies with the thread that started it: this one, which lasts as long as the process.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if o.canaries < 1 || o.rest <= 0 || o.output != "table" && o.output != "json" {
		return errors.New("want at least one Canary, a positive time, and table or json for -o")
	}
	begun := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(progress, "%6.1fs  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	s, err := raise(ctx, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if o.checking > 0 {
		end, err := s.realPrometheus(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	say("making %d Deployments, Services and Canaries", o.canaries)
	f := &fleet{stand: s, size: o.canaries, say: say, judged: o.checking > 0}
	if err := f.deploy(ctx); err != nil {
		return err
	}
	say("starting the operator")
	op, err := s.operate(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	r := &report{Machine: machine(), Canaries: o.canaries}
	m := &measurement{stand: s, fleet: f, op: op, report: r, say: say}
	parts := []func(context.Context) error{
		m.adoption, func(ctx context.Context) error { return m.rest(ctx, o.rest) }, m.release,
	}
	if o.checking > 0 {
		parts = []func(context.Context) error{m.adoption, func(ctx context.Context) error { return m.checking(ctx, o.checking) }}
	}
	for _, measure := range parts {
		if err := measure(ctx); err != nil {
			return errors.Join(err, op.death())
		}
	}
	if r.Complaints, err = op.complaints(); err != nil {
		return err
	}
	if err := r.print(out, o.output); err != nil {
		return err
	}
	if n := len(r.Unexpected); n > 0 {
		return fmt.Errorf("%d things were not as expected", n)
	}
	return nil
}
