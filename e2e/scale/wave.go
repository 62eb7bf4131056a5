package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// kind of wave.
type kind string

// The kinds of waves.
const (
	asTheyAre kind = "releases"
	// hanging is with the last of the servers of metrics answering nothing until the others' releases are over.
	hanging kind = "hanging"
	// killed is with the operator that leads being killed when half of the releases have left their first step.
	killed kind = "killed"
)

// waveReport is what came of many releases at once.
type waveReport struct {
	Kind     kind `json:"kind"`
	Releases int  `json:"releases"`
	// ChangingSeconds is how long it took to change all templates, Seconds how long after the first change all that could
	// end had ended.
	ChangingSeconds float64 `json:"changingSeconds"`
	Seconds         float64 `json:"seconds"`
	// Noticed counts from when a template's change was sent to when the status of its run was seen first.
	Noticed spread `json:"noticed"`
	// Late and Decided are the lateness of steps; see late. With a server that hangs they are of the other Canaries.
	Late    spread `json:"late"`
	Decided spread `json:"decided"`
	// Outcomes are those of the history, by how often. Held are Canaries that held while their server hung; what they came
	// to when it went on is among the outcomes.
	Outcomes map[v1beta1.Outcome]int `json:"outcomes"`
	Held     int                     `json:"held"`
	// AskHanging is how many Canaries ask the server that hangs.
	AskHanging int `json:"askHanging"`
	// Repeated are rounds of checks that were not the last of their step: nothing was to be learned from them.
	Repeated int `json:"repeated"`
	// Requests of the operator from the first change until it was at rest again, and the writes among them for each run.
	Requests   []*row  `json:"requests"`
	WritesARun float64 `json:"writesARun"`
	// Asked is what each server of metrics was asked.
	Asked []int64 `json:"asked"`
	// CPUSeconds and PeakResidentMiB of the operator; after a kill they are of those that live.
	CPUSeconds      float64 `json:"cpuSeconds"`
	PeakResidentMiB float64 `json:"peakResidentMiB"`
	// Kill is what followed a kill.
	Kill *killReport `json:"kill,omitempty"`
	// Wrong is what went another way than it should, as often.
	Wrong map[string]int `json:"wrong"`
}

// wave releases as many applications at once as the flags say.
func (m *measurement) wave(ctx context.Context, k kind) error {
	m.say("releasing %d at once: %s", m.options.releases, k)
	which := first(m.options.releases)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	j, err := m.keep(watching)
	if err != nil {
		return err
	}
	place, err := m.audit.end()
	if err != nil {
		return err
	}
	before, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	r := &waveReport{Kind: k, Releases: len(which), Outcomes: map[v1beta1.Outcome]int{}, Wrong: map[string]int{}}
	asked := m.asked()
	goOn := func() {}
	if k == hanging {
		goOn = sync.OnceFunc(m.prometheus[servers-1].hang())
		defer goOn()
	}
	begun := time.Now()
	changed, err := m.change(ctx, which)
	if err != nil {
		return err
	}
	r.ChangingSeconds = time.Since(begun).Seconds()
	if k == killed {
		if r.Kill, err = m.killInTheMiddle(ctx, j, which); err != nil {
			return err
		}
	}
	if err := m.see(ctx, j, which, r, goOn); err != nil {
		return err
	}
	r.Seconds = time.Since(begun).Seconds()
	m.judge(j, which, changed, r)
	m.report.Waves = append(m.report.Waves, r)
	if err := m.calm(ctx); err != nil {
		return err
	}
	if err := m.cost(ctx, r, place, before); err != nil {
		return err
	}
	for i, n := range m.asked() {
		r.Asked = append(r.Asked, n-asked[i])
	}
	for what, n := range r.Wrong {
		m.report.unexpected(fmt.Sprintf("%s: %d × %s", k, n, what))
	}
	return nil
}

// cost says what the operator took since a place in the audit log.
func (m *measurement) cost(ctx context.Context, r *waveReport, place int64, before usage) error {
	events, err := m.audit.from(place)
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, event.background)
	r.Requests = tally(events)
	r.WritesARun = float64(count(events, event.writes)) / float64(r.Releases)
	after, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	r.CPUSeconds, r.PeakResidentMiB = grown(before.cpu, after.cpu), mebibytes(after.peak)
	return nil
}

// asked is how often each of the servers of metrics was asked so far.
func (s *stand) asked() (all [servers]int64) {
	for i, p := range s.prometheus {
		all[i] = p.asked.Load()
	}
	return all
}

// change gives applications a template that they never had, and says when that was sent of each.
func (m *measurement) change(ctx context.Context, which []int) (map[int]time.Time, error) {
	m.images++
	image := fmt.Sprintf("app:new-%d", m.images)
	var mu sync.Mutex
	changed := map[int]time.Time{}
	err := m.fleet.each(ctx, which, func(ctx context.Context, i int) error {
		at := time.Now()
		mu.Lock()
		changed[i] = at
		mu.Unlock()
		return m.fleet.release(ctx, i, image)
	})
	if err != nil {
		return nil, fmt.Errorf("changing templates: %w", err)
	}
	return changed, nil
}

// see waits until all is over. Where a server hangs, those that ask it are to hold until all the others have ended.
func (m *measurement) see(ctx context.Context, j *journal, which []int, r *waveReport, goOn func()) error {
	asksHanging := func(i int) bool { return r.Kind == hanging && server(i) == servers-1 }
	others := slices.DeleteFunc(slices.Clone(which), asksHanging)
	if err := j.await(ctx, m.fleet, others, "releases over", len(others), over); err != nil {
		return err
	}
	hang := slices.DeleteFunc(slices.Clone(which), func(i int) bool { return !asksHanging(i) })
	if r.AskHanging = len(hang); len(hang) == 0 {
		return nil
	}
	settled := func(marks []mark) bool { return holds(marks) || over(marks) }
	if err := j.await(ctx, m.fleet, hang, "Canaries without answers hold", len(hang), settled); err != nil {
		return err
	}
	for _, i := range hang {
		if marks := j.of(m.fleet.app(i)); holds(marks) {
			r.Held++
		} else {
			r.Wrong["a Canary whose server hangs did not hold"]++
		}
	}
	goOn()
	m.say("the others are over, and the server that hung goes on")
	return j.await(ctx, m.fleet, hang, "releases over", len(hang), over)
}

// judge says how all went.
func (m *measurement) judge(j *journal, which []int, changed map[int]time.Time, r *waveReport) {
	var noticedAfter, seen, decided []time.Duration
	planned := m.fleet.planned()
	for _, i := range which {
		marks := j.of(m.fleet.app(i))
		if at, ok := noticed(marks); ok {
			noticedAfter = append(noticedAfter, at.Sub(changed[i]))
		}
		r.Repeated += repeated(marks)
		for _, wrong := range planned.wrong(marks) {
			r.Wrong[wrong]++
		}
		if n := len(marks); n > 0 && over(marks) {
			r.Outcomes[marks[n-1].Outcome]++
		}
		if r.Kind == hanging && server(i) == servers-1 {
			continue
		}
		for _, l := range planned.lateness(marks) {
			seen, decided = append(seen, l.Seen), append(decided, l.Decided)
		}
	}
	r.Noticed, r.Late, r.Decided = spreadOf(noticedAfter), spreadOf(seen), spreadOf(decided)
}
