package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	// calm is how long the operator must ask for nothing before it counts as being at rest: longer than its
	// patience in any phase that is on its way.
	calm = 35 * time.Second
	// sampling is how often the memory is read at rest.
	sampling = 10 * time.Second
)

// measurement is made in parts, one after the other.
type measurement struct {
	*stand
	options options
	fleet   *fleet
	crew    *crew
	report  *report
	say     func(string, ...any)
	// images is how many were made up so far.
	images int
}

// deploy makes all that there is before an operator.
func (m *measurement) deploy(ctx context.Context) error {
	m.say("making %d Deployments, Services and Canaries", m.fleet.size)
	begun := time.Now()
	if err := m.fleet.deploy(ctx); err != nil {
		return err
	}
	m.report.MakingSeconds = time.Since(begun).Seconds()
	m.say("made; starting the operator")
	return nil
}

// profiled measures a part. Where profiles are wanted, the CPU of its first half minute is profiled, but not in those
// parts that end the operator, and the heap at its end.
func (m *measurement) profiled(ctx context.Context, p part) (err error) {
	if m.options.profiles == "" {
		return p.measure(ctx)
	}
	if err := os.MkdirAll(m.options.profiles, 0o755); err != nil {
		return fmt.Errorf("making the folder of -profiles: %w", err)
	}
	file := func(kind string) string { return filepath.Join(m.options.profiles, p.name+"."+kind+".pprof") }
	op, _, err := m.taken(ctx, time.Time{})
	if err != nil {
		return err
	}
	taken := make(chan error, 1)
	if p.name != string(killed) && p.name != "start" {
		go func() { taken <- op.save(ctx, "profile?seconds=30", file("cpu")) }()
	} else {
		taken <- nil
	}
	if err := p.measure(ctx); err != nil {
		return err
	}
	if err := <-taken; err != nil {
		return err
	}
	if op, _, err = m.taken(ctx, time.Time{}); err != nil {
		return err
	}
	return op.save(ctx, "heap?gc=1", file("heap"))
}

// adoption is from the operator's start until every Canary is Initialized.
func (m *measurement) adoption(ctx context.Context) error {
	begun := time.Now()
	if err := m.adopted(ctx, m.fleet); err != nil {
		return err
	}
	took := time.Since(begun)
	if err := m.calm(ctx); err != nil {
		return err
	}
	events, err := m.audit.from(0)
	if err != nil {
		return err
	}
	used, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	if used.looks == 0 || used.heap == 0 {
		return errors.New("the operator does not count its looks or its heap any more")
	}
	m.report.Adopting = statuses(events)
	m.report.Adoption = costs{
		Seconds: took.Seconds(), Requests: tally(events), Looks: used.looks, CPUSeconds: used.cpu,
		PeakResidentMiB: mebibytes(used.peak),
	}
	return nil
}

// adopted waits until a fleet is taken over.
func (m *measurement) adopted(ctx context.Context, f *fleet) error {
	return f.await(ctx, "Canaries Initialized", func() (int, error) {
		if err := m.crew.tend(ctx); err != nil {
			return 0, err
		}
		list, err := m.weir.WeirV1beta1().Canaries("").List(ctx, f.mine())
		if err != nil {
			return 0, err
		}
		initialized := func(c v1beta1.Canary) bool { return c.Status.Phase == v1beta1.PhaseInitialized }
		return count(list.Items, initialized), nil
	})
}

// calm returns when the operator has asked for nothing but the background for a while.
func (m *measurement) calm(ctx context.Context) error {
	m.say("waiting until the operator is at rest")
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not come to rest within %s", patience))
	defer cancel()
	for {
		if err := m.crew.tend(ctx); err != nil {
			return err
		}
		place, err := m.audit.end()
		if err != nil {
			return err
		}
		if err := sleep(ctx, calm); err != nil {
			return fmt.Errorf("waiting for rest: %w", err)
		}
		events, err := m.audit.from(place)
		if err != nil {
			return err
		}
		if count(events, event.background) == len(events) {
			return nil
		}
	}
}

// rest is a time in which nothing is to be done.
func (m *measurement) rest(ctx context.Context, long time.Duration) error {
	m.say("measuring at rest for %s", long)
	place, err := m.audit.end()
	if err != nil {
		return err
	}
	before, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	var after usage
	highest := before.resident
	for end := before.at.Add(long); ; {
		if err := sleep(ctx, min(sampling, time.Until(end))); err != nil {
			return fmt.Errorf("measuring at rest: %w", err)
		}
		if time.Now().Before(end) {
			highest = max(highest, m.crew.resident())
			continue
		}
		if after, err = m.crew.usage(ctx); err != nil {
			return err
		}
		break
	}
	events, err := m.audit.from(place)
	if err != nil {
		return err
	}
	rest := between(before, after, events)
	rest.HighestResidentMiB = mebibytes(uint64(max(highest, after.resident))) //nolint:gosec // a size
	rest.Others = len(events) - count(events, event.background)
	m.report.Rest = &rest
	m.report.unexpected(atRest(events, rest)...)
	return nil
}

// release is one run of five steps, from the new template until the operator is at rest again.
func (m *measurement) release(ctx context.Context) error {
	m.say("releasing one application")
	place, err := m.audit.end()
	if err != nil {
		return err
	}
	before, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	if _, err := m.change(ctx, []int{0}); err != nil {
		return err
	}
	if err := m.promoted(ctx); err != nil {
		return err
	}
	took := time.Since(before.at)
	if err := m.calm(ctx); err != nil {
		return err
	}
	after, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	events, err := m.audit.from(place)
	if err != nil {
		return err
	}
	whatFor := slices.DeleteFunc(slices.Clone(events), event.background)
	release := between(before, after, whatFor)
	release.Seconds = took.Seconds()
	m.report.Release = &release
	m.report.Releasing = statuses(whatFor)
	m.report.unexpected(inRelease(whatFor)...)
	return nil
}

func (m *measurement) promoted(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not end within %s", patience))
	defer cancel()
	for {
		c, err := m.weir.WeirV1beta1().Canaries(releasedNamespace).Get(ctx, releasedName, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("waiting for the release: %w", err)
		}
		ended := len(c.Status.History) > 0
		if ended && c.Status.History[0].Outcome != v1beta1.OutcomePromoted {
			return fmt.Errorf("the release ended %s: %s", c.Status.History[0].Outcome, c.Status.History[0].Message)
		}
		if ended && c.Status.Phase == v1beta1.PhaseSucceeded {
			return nil
		}
		if err := m.crew.tend(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("waiting for the release: %w", err)
		}
	}
}

// between is what was used between two readings.
func between(before, after usage, events []event) costs {
	return costs{
		Seconds: after.at.Sub(before.at).Seconds(), Requests: tally(events),
		Looks: grown(before.looks, after.looks), Checks: grown(before.checks, after.checks),
		CPUSeconds: grown(before.cpu, after.cpu), WakeUps: grown(before.wakeUps, after.wakeUps),
		ResidentMiB: mebibytes(uint64(after.resident)), PeakResidentMiB: mebibytes(after.peak), //nolint:gosec // a size
		HeapMiB: after.heap / (1 << 20),
	}
}
