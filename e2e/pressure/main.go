// Command pressure measures how truthful the load tester is, beside the tools that people know, as far as they are
// there: ab, hey and wrk. All send to one target on loopback, one after the other, each from one core.
//
//	go run ./e2e/pressure -for 3s -rounds 3
//
// It measures three things: how much a core sends when nothing holds it back; what is achieved of a rate that is asked;
// and by how much the latency that is reported differs from the one that the target has counted itself. Each number is
// the median of its rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"
)

// options are the flags.
type options struct {
	each   time.Duration
	rounds int
}

func main() {
	var o options
	var role, task string
	flag.DurationVar(&o.each, "for", 3*time.Second, "how long each load goes on, at most a minute")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each is measured")
	flag.StringVar(&role, "role", "", "of the processes that this one starts: target or send")
	flag.StringVar(&task, "task", "", "what a sender sends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch role {
	case "target":
		err = serve(ctx, os.Stdout)
	case "send":
		err = send(ctx, task, os.Stdout)
	default:
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pressure:", err)
		os.Exit(1)
	}
}

// concurrency of all loads.
const concurrency = 10

func run(ctx context.Context, o options, out io.Writer) error {
	if o.each < time.Second || o.each > time.Minute || o.rounds < 1 {
		return fmt.Errorf("want -for of 1s to 1m, and at least one of -rounds")
	}
	t, err := start(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	b := &bench{options: o, target: t, tools: tools()}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, measure := range []func(context.Context, io.Writer) error{b.saturation, b.rates, b.latency} {
		if err := measure(ctx, table); err != nil {
			return err
		}
	}
	return table.Flush()
}

// bench is what is measured.
type bench struct {
	options
	target *target
	tools  []tool
}

// median of several rounds.
func (b *bench) median(ctx context.Context, t tool, l load) (result, error) {
	var all []result
	for range b.rounds {
		r, err := b.target.measure(ctx, t, l)
		if err != nil {
			return result{}, fmt.Errorf("%s: %w", t.name, err)
		}
		all = append(all, r)
	}
	middle := func(of func(result) float64) float64 {
		var values []float64
		for _, r := range all {
			values = append(values, of(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return result{
		achieved: middle(func(r result) float64 { return r.achieved }), seen: middle(func(r result) float64 { return r.seen }),
		perCPU: middle(func(r result) float64 { return r.perCPU }),
		p50:    middle(func(r result) float64 { return r.p50 }), p99: middle(func(r result) float64 { return r.p99 }),
		off50: middle(func(r result) float64 { return r.off50 }), off99: middle(func(r result) float64 { return r.off99 }),
	}, nil
}

// saturation is how much one core sends.
func (b *bench) saturation(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "As fast as answers come, %d at a time\n", concurrency)
	fmt.Fprintln(out, "\trequests/s\trequests per second of CPU\tto the load tester's")
	var own float64
	for _, t := range b.tools {
		r, err := b.median(ctx, t, load{each: b.each})
		if err != nil {
			return err
		}
		if own == 0 {
			own = r.perCPU
		}
		fmt.Fprintf(out, "%s\t%.0f\t%.0f\t%.2f\n", t.name, r.achieved, r.perCPU, r.perCPU/own)
	}
	return nil
}

// rates is what is achieved of a rate.
func (b *bench) rates(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "\nA rate that is asked\n\tasked/s\tachieved/s\tcounted by the target/s\tachieved of asked")
	for _, rate := range []float64{100, 1000, 5000, 20000} {
		for _, t := range b.tools {
			if !t.paced {
				continue
			}
			r, err := b.median(ctx, t, load{each: b.each, rate: rate})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\t%.0f\t%.0f\t%.0f\t%.1f %%\n", t.name, rate, r.achieved, r.seen, 100*r.achieved/rate)
		}
	}
	return nil
}

// latency is how far what is reported is from what the target has counted.
func (b *bench) latency(ctx context.Context, out io.Writer) error {
	const wait = 5 * time.Millisecond
	fmt.Fprintf(out, "\nLatency of a target that waits for %s, in ms\n", wait)
	fmt.Fprintln(out, "\tasked/s\thalf, reported\tabove the target's own\t99 %, reported\tabove the target's own")
	for _, t := range b.tools {
		l, asked := load{each: b.each, wait: wait}, "-"
		if t.paced {
			l.rate, asked = 500, "500"
		}
		r, err := b.median(ctx, t, l)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f\n", t.name, asked, r.p50, r.off50, r.p99, r.off99)
	}
	return nil
}
