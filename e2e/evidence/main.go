// Command evidence releases bad versions of an application on the sandbox, under load, with the guard and without, and
// prints side by side after what time each went home and how many users were hurt.
//
//	go run ./e2e/evidence
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"weir.dev/weir/e2e/stage"
)

// rate is in requests a second.
const rate = 200

// image is that of an application that is as bad as it is told.
const image = "weir.dev/faulty:dev"

// scenario is a release, and what is to become of it.
type scenario struct {
	name string
	// serves are the arguments of what serves, release those of the release.
	serves, release []string
	// quiet stops the load before the release, dark the Prometheus once the canary has traffic.
	quiet, dark bool
	// want is how it is to end: RolledBack, Promoted, or Held at its step.
	want string
}

func scenarios() []scenario {
	return []scenario{
		{name: "5 % errors", release: []string{"--fail=0.05"}, want: "RolledBack"},
		{name: "50 % errors", release: []string{"--fail=0.5"}, want: "RolledBack"},
		{name: "2× slower", serves: []string{"--delay=100ms"}, release: []string{"--delay=200ms"}, want: "RolledBack"},
		{name: "no traffic", release: []string{"--fail=0.5"}, quiet: true, want: "Held"},
		{name: "5 % errors of both", serves: []string{"--fail=0.05"}, release: []string{"--fail=0.05"}, want: "Promoted"},
		{name: "Prometheus away", dark: true, want: "Held"},
	}
}

// result is how a release went.
type result struct {
	ended string
	after time.Duration
	// hurt are answers of the release's that failed, or took longer than half as long again as what serves; of all that
	// it gave.
	hurt, answers int
	lost          int
}

func main() {
	only := flag.String("only", "", "play the scenarios whose names contain this")
	keep := flag.Bool("keep", false, "leave the cluster as it is at the end")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Stdout, *only, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "evidence:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, only string, keep bool) (err error) {
	s, err := stage.Raise(ctx, os.Stderr)
	if err != nil {
		return err
	}
	defer func() {
		if !keep {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			err = errors.Join(err, s.Strike(ctx))
		}
	}()
	if err := s.Install(ctx, stage.Overlay{}); err != nil {
		return err
	}
	if err := s.Sandbox.BuildAndImport(ctx, "weir.dev/weir/e2e/evidence/faulty", image); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d requests a second, steps of 10 %% and 50 %%, a round of checks every %s, comparisons of errors and "+
		"durations\n\n", rate, interval)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "release\tguard\tended\tafter\tusers hurt\tof its answers\tlost")
	var wrong []string
	for _, sc := range scenarios() {
		if !strings.Contains(sc.name, only) {
			continue
		}
		for _, guard := range []bool{true, false} {
			p := &play{stage: s, scenario: sc, guard: guard}
			r, err := p.tell(ctx)
			if err != nil {
				return fmt.Errorf("%s, guard %t: %w", sc.name, guard, err)
			}
			word := "off"
			if guard {
				word = "on"
			}
			fmt.Fprintf(os.Stderr, "%s, guard %s: %s after %s, %d of %d\n", sc.name, word, r.ended, r.after, r.hurt, r.answers)
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\n", sc.name, word, r.ended, r.after, r.hurt, r.answers, r.lost)
			if r.ended != sc.want || r.lost > 0 {
				wrong = append(wrong, fmt.Sprintf("%s, guard %s: %s with %d requests lost, which should be %s with none",
					sc.name, word, r.ended, r.lost, sc.want))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}
