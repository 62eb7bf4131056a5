package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// inProgress is how many runs are on while the operator starts, where there are as many releases.
const inProgress = 5

// startReport is a start of the operator with all Canaries there. Each time is from the start of the process.
type startReport struct {
	// LeadSeconds is until it had the Lease, which the one before gave back, and CachesSeconds until its caches were filled:
	// every Canary is known and watched.
	LeadSeconds   float64 `json:"leadSeconds"`
	CachesSeconds float64 `json:"cachesSeconds"`
	// LooksSeconds is until every Canary was looked at and nothing waited in the queue. It is read once a second.
	LooksSeconds float64 `json:"looksSeconds"`
	// Served is until the first status of each run whose step was over already, less the settle time: an operator that
	// starts cannot know since when the route is as it finds it, and waits for that anew.
	Served spread `json:"served"`
	// PeakResidentMiB of the process until then.
	PeakResidentMiB float64 `json:"peakResidentMiB"`
}

// start stops all operators while some runs are on, waits until the step of each is over, and starts one.
func (m *measurement) start(ctx context.Context) error {
	which := first(min(m.options.releases, inProgress))
	m.say("starting anew, with %d runs in progress", len(which))
	watching, stop := context.WithCancel(ctx)
	defer stop()
	j, err := m.keep(watching)
	if err != nil {
		return err
	}
	if _, err := m.change(ctx, which); err != nil {
		return err
	}
	err = j.await(ctx, m.fleet, which, "runs in progress", len(which), func(marks []mark) bool {
		return len(marks) > 0 && !marks[len(marks)-1].Traffic.IsZero()
	})
	if err != nil {
		return err
	}
	m.crew.end()
	if err := sleep(ctx, m.fleet.planned().dwell()); err != nil {
		return err
	}
	op, err := m.crew.start(ctx)
	if err != nil {
		return err
	}
	r, err := m.started(ctx, op, j, which)
	if err != nil {
		return err
	}
	m.report.Start = r
	if err := m.crew.fill(ctx); err != nil {
		return err
	}
	if err := j.await(ctx, m.fleet, which, "releases over", len(which), over); err != nil {
		return err
	}
	for _, i := range which {
		for _, wrong := range m.fleet.planned().wrong(j.of(m.fleet.app(i))) {
			m.report.unexpected("after a start: " + wrong)
		}
	}
	return m.calm(ctx)
}

func (m *measurement) started(ctx context.Context, op *operator, j *journal, which []int) (*startReport, error) {
	leads, err := m.until(ctx, op, leading, op.begun)
	if err != nil {
		return nil, err
	}
	fills, err := m.until(ctx, op, filled, op.begun)
	if err != nil {
		return nil, err
	}
	r := &startReport{LeadSeconds: leads.Sub(op.begun).Seconds(), CachesSeconds: fills.Sub(op.begun).Seconds()}
	for {
		u, err := op.usage(ctx)
		if err != nil {
			return nil, err
		}
		if u.looks >= uint64(m.fleet.size) && u.queued == 0 { //nolint:gosec // a number of Canaries
			r.LooksSeconds, r.PeakResidentMiB = time.Since(op.begun).Seconds(), mebibytes(u.peak)
			break
		}
		if err := sleep(ctx, time.Second); err != nil {
			return nil, fmt.Errorf("waiting until every Canary was looked at: %w", err)
		}
	}
	served := func(marks []mark) bool { return len(marks) > 0 && marks[len(marks)-1].Seen.After(op.begun) }
	if err := j.await(ctx, m.fleet, which, "runs served", len(which), served); err != nil {
		return nil, err
	}
	var after []time.Duration
	for _, i := range which {
		marks := j.of(m.fleet.app(i))
		at := slices.IndexFunc(marks, func(m mark) bool { return m.Seen.After(op.begun) })
		after = append(after, marks[at].Seen.Sub(op.begun)-m.fleet.planned().settle)
	}
	r.Served = spreadOf(after)
	return r, nil
}
