package main

import (
	"context"
	"fmt"
	"time"
)

// mostRevisions is how many new revisions are measured one after the other, where there are as many releases.
const mostRevisions = 100

// revisions changes one template after the other, the next when the run of the one before was seen.
func (m *measurement) revisions(ctx context.Context) error {
	which := first(min(m.options.releases, mostRevisions))
	m.say("releasing %d, one after the other", len(which))
	watching, stop := context.WithCancel(ctx)
	defer stop()
	j, err := m.keep(watching)
	if err != nil {
		return err
	}
	var after []time.Duration
	for _, i := range which {
		changed, err := m.change(ctx, []int{i})
		if err != nil {
			return err
		}
		err = j.await(ctx, m.fleet, []int{i}, "run seen", 1, func(marks []mark) bool { _, ok := noticed(marks); return ok })
		if err != nil {
			return err
		}
		at, _ := noticed(j.of(m.fleet.app(i)))
		after = append(after, at.Sub(changed[i]))
	}
	m.report.Revisions = spreadOf(after)
	if err := j.await(ctx, m.fleet, which, "releases over", len(which), over); err != nil {
		return err
	}
	for _, i := range which {
		for _, wrong := range m.fleet.planned().wrong(j.of(m.fleet.app(i))) {
			m.report.unexpected(fmt.Sprintf("one after the other: %s: %s", m.fleet.app(i), wrong))
		}
	}
	return m.calm(ctx)
}
