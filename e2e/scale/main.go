// Command scale measures what the operator costs and how late it is when there are many Canaries, many releases, or
// trouble: etcd, an API server and the real controllers, and the operator as a process of its own, with the rights that
// its manifests give it. Pods, the Gateway's controller and Prometheus are played. What the operator asks of the API
// server is counted from the API server's own audit log, by the operator's account; what it uses is read from /proc; what
// it does is read off the Canaries' statuses, by a watch of the harness.
//
//	go run ./e2e/scale -canaries 1000 -releases 100 -hanging -kill
//	go run ./e2e/scale -canaries 10000 -releases 500 -for 10m -hanging -kill -profiles profiles
//	go run ./e2e/scale -canaries 50 -parts none -soak 100000
//	go run ./e2e/scale -canaries 1000 -checking 3m
//
// All applications are taken over first. Then come the parts that are named, in the order of parts below: each is told
// where it is measured. With -checking another thing is measured instead: all released at once and judged by three metrics
// each, which a real Prometheus answers. At the end stands a table of bounds, each with what was measured. It ends with
// an error if the operator asked for something that it should not, or if a release went another way than it should.
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
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	canaries, releases, operators, soak int
	rest, checking, latency             time.Duration
	hanging, kill                       bool
	parts, with, profiles, output       string
}

func main() {
	var o options
	flag.IntVar(&o.canaries, "canaries", 100, "how many Canaries, each with a Deployment of one replica")
	flag.IntVar(&o.releases, "releases", 10, "how many of them are released at once")
	flag.IntVar(&o.operators, "operators", 1, "how many operators run, of which one leads")
	flag.StringVar(&o.with, "with", "", "further flags of the operator, as in '--workers=16 --metric-workers=64'")
	flag.StringVar(&o.parts, "parts", "all", "which to measure of "+strings.Join(partNames(), ", ")+"; or all, or none")
	flag.DurationVar(&o.rest, "for", 2*time.Minute, "how long the operator is measured at rest")
	flag.DurationVar(&o.latency, "latency", 50*time.Millisecond, "how long Prometheus takes for an answer")
	flag.BoolVar(&o.hanging, "hanging", false, "release once more, while one of three servers of metrics answers nothing")
	flag.BoolVar(&o.kill, "kill", false, "release once more, and kill the operator that leads in the middle of it")
	flag.IntVar(&o.soak, "soak", 0, "how many short runs to end with, to see what grows")
	flag.DurationVar(&o.checking, "checking", 0, "measure the checks of as many runs for so long, instead of all else")
	flag.StringVar(&o.profiles, "profiles", "", "folder for profiles of CPU and heap, of each part")
	flag.StringVar(&o.output, "o", "table", "table or json")
	flag.Parse()
	// The operator dies with the thread that started it: this one, which lasts as long as the process.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// partNames are those that can be chosen, in their order.
func partNames() []string { return []string{"rest", "release", "revisions", "releases", "start"} }

// chosen are the parts that the flags ask for.
func (o options) chosen() ([]string, error) {
	switch {
	case o.canaries < 1 || o.rest <= 0 || o.operators < 1 || o.soak < 0 || o.latency < 0:
		return nil, errors.New("want at least one Canary and one operator, and a positive time")
	case o.releases < 1 || o.releases > o.canaries:
		return nil, fmt.Errorf("want -releases between 1 and the %d of -canaries", o.canaries)
	case o.output != "table" && o.output != "json":
		return nil, errors.New("want table or json for -o")
	case o.parts == "all":
		return partNames(), nil
	case o.parts == "none":
		return nil, nil
	}
	names := strings.Split(o.parts, ",")
	for _, name := range names {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("-parts has no %q; want some of %s", name, strings.Join(partNames(), ", "))
		}
	}
	return names, nil
}

func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	names, err := o.chosen()
	if err != nil {
		return err
	}
	begun := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(progress, "%7.1fs  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	s, err := raise(ctx, o.latency, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	m := &measurement{stand: s, options: o, say: say, report: &report{Machine: machine(), Canaries: o.canaries}}
	m.fleet = &fleet{stand: s, name: "scale", size: o.canaries, say: say}
	if o.checking > 0 {
		end, err := s.realPrometheus(ctx)
		if err != nil {
			return err
		}
		defer end()
		m.fleet.judged = true
	}
	if err := m.deploy(ctx); err != nil {
		return err
	}
	if m.crew, err = s.hire(ctx, o.operators, strings.Fields(o.with)); err != nil {
		return err
	}
	defer m.crew.end()
	for _, p := range m.parts(names) {
		if err := m.profiled(ctx, p); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), m.conclude(out)) // what was measured until now may have taken hours
		}
	}
	return m.conclude(out)
}

// part of the measurement.
type part struct {
	name    string
	measure func(context.Context) error
}

// parts are the adoption, those of the names, and those that flags of their own ask for.
func (m *measurement) parts(names []string) []part {
	all := []part{{"adoption", m.adoption}}
	if m.options.checking > 0 {
		return append(all, part{"checking", func(ctx context.Context) error { return m.checking(ctx, m.options.checking) }})
	}
	optional := []part{
		{"rest", func(ctx context.Context) error { return m.rest(ctx, m.options.rest) }},
		{"release", m.release},
		{"revisions", m.revisions},
		{"releases", func(ctx context.Context) error { return m.wave(ctx, asTheyAre) }},
		{"start", m.start},
	}
	for _, p := range optional {
		if slices.Contains(names, p.name) {
			all = append(all, p)
		}
	}
	if m.options.hanging {
		all = append(all, part{"hanging", func(ctx context.Context) error { return m.wave(ctx, hanging) }})
	}
	if m.options.kill {
		all = append(all, part{"killed", func(ctx context.Context) error { return m.wave(ctx, killed) }})
	}
	if m.options.soak > 0 {
		all = append(all, part{"soak", m.soak})
	}
	return all
}

// conclude reports.
func (m *measurement) conclude(out io.Writer) (err error) {
	r := m.report
	if r.Complaints, err = m.crew.complaints(); err != nil {
		return err
	}
	if n := len(m.crew.lost); n > 0 {
		r.unexpected(fmt.Sprintf("%d operators ended by themselves, the last one saying: %s", n, m.crew.lost[n-1]))
	}
	r.Beside = beside()
	r.Bounds = bounds(r)
	if err := r.print(out, m.options.output); err != nil {
		return err
	}
	if n := len(r.Unexpected); n > 0 {
		return fmt.Errorf("%d things were not as expected", n)
	}
	return nil
}
