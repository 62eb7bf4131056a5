package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// onTheWay is how long what the dead one wrote last may be on its way to here. Another leads later, at the soonest.
const onTheWay = 5 * time.Second

// killReport is what followed the death of the operator that led.
type killReport struct {
	// Runs were on at that time.
	Runs int `json:"runs"`
	// LeadSeconds is how long after the death another had the Lease, WorkSeconds when it had filled its caches.
	LeadSeconds float64 `json:"leadSeconds"`
	WorkSeconds float64 `json:"workSeconds"`
	// Continued counts from the death to the first status that each of the runs got from the one that took over. Whatever
	// a step still had to dwell at the death is in it.
	Continued spread `json:"continued"`
}

// killInTheMiddle kills the operator that leads when half of the releases have left their first step, starts another one
// in its place, and waits until each run that was on has been taken up.
func (m *measurement) killInTheMiddle(ctx context.Context, j *journal, which []int) (*killReport, error) {
	halfway := func(marks []mark) bool { return len(marks) > 0 && (marks[len(marks)-1].Step > 0 || over(marks)) }
	if err := j.await(ctx, m.fleet, which, "releases halfway", (len(which)+1)/2, halfway); err != nil {
		return nil, err
	}
	leader, _ := m.crew.leader(time.Time{})
	if leader == nil {
		return nil, errors.New("no operator leads")
	}
	m.say("killing the operator that leads")
	at := m.crew.kill(leader)
	if err := m.crew.fill(ctx); err != nil {
		return nil, err
	}
	on := slices.DeleteFunc(slices.Clone(which), func(i int) bool {
		marks := j.of(m.fleet.app(i))
		return len(marks) == 0 || marks[len(marks)-1].Run == ""
	})
	r := &killReport{Runs: len(on)}
	next, leads, err := m.taken(ctx, at)
	if err != nil {
		return nil, err
	}
	r.LeadSeconds = leads.Sub(at).Seconds()
	works, err := m.until(ctx, next, working, at)
	if err != nil {
		return nil, err
	}
	r.WorkSeconds = works.Sub(at).Seconds()
	continues := func(marks []mark) (time.Time, bool) {
		i := slices.IndexFunc(marks, func(m mark) bool { return m.Seen.After(at.Add(onTheWay)) })
		if i < 0 {
			return time.Time{}, false
		}
		return marks[i].Seen, true
	}
	err = j.await(ctx, m.fleet, on, "runs taken up", len(on), func(marks []mark) bool { _, ok := continues(marks); return ok })
	if err != nil {
		return nil, err
	}
	var after []time.Duration
	for _, i := range on {
		seen, _ := continues(j.of(m.fleet.app(i)))
		after = append(after, seen.Sub(at))
	}
	r.Continued = spreadOf(after)
	return r, nil
}

// taken waits until an operator has begun to lead after a time.
func (m *measurement) taken(ctx context.Context, after time.Time) (*operator, time.Time, error) {
	for {
		if op, at := m.crew.leader(after); op != nil {
			return op, at, nil
		}
		if err := errors.Join(m.crew.tend(ctx), sleep(ctx, 50*time.Millisecond)); err != nil {
			return nil, time.Time{}, fmt.Errorf("waiting for an operator that leads: %w", err)
		}
	}
}

// until waits until an operator has logged a message after a time, and says when that was.
func (m *measurement) until(ctx context.Context, op *operator, message string, after time.Time) (time.Time, error) {
	for {
		if at, ok := op.said(message, after); ok {
			return at, nil
		}
		select {
		case <-op.gone:
			return time.Time{}, fmt.Errorf("the operator ended before it said %q", message)
		default:
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("waiting for an operator to say %q: %w", message, err)
		}
	}
}
