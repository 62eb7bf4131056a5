package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// soakers are how many applications are released again and again; all are in soakNamespace.
const soakers = crowd

// sample is what the operator has after so many runs, when no run is on and garbage is collected.
type sample struct {
	Runs        int     `json:"runs"`
	Seconds     float64 `json:"seconds"`
	HeapMiB     float64 `json:"heapMiB"`
	ResidentMiB float64 `json:"residentMiB"`
	Goroutines  int     `json:"goroutines"`
	Series      int     `json:"series"`
}

// growth is that of one number over the last half of the runs, by the line that fits best.
type growth struct {
	// Growth is how much it grew, Share how much of its mean that is.
	Growth float64 `json:"growth"`
	Share  float64 `json:"share"`
}

// soakReport is what many short runs leave behind.
type soakReport struct {
	Runs    int     `json:"runs"`
	Seconds float64 `json:"seconds"`
	// Heap is go_memstats_heap_inuse_bytes and Resident that of /proc, both in MiB.
	Heap       growth         `json:"heap"`
	Resident   growth         `json:"resident"`
	Goroutines growth         `json:"goroutines"`
	Series     growth         `json:"series"`
	Wrong      map[string]int `json:"wrong"`
	Samples    []sample       `json:"samples"`
}

// soak releases some applications of its own, all at once, again and again, each time with a new image, in one step of a
// second.
func (m *measurement) soak(ctx context.Context) error {
	f := &fleet{stand: m.stand, name: "soak", brief: true, size: min(soakers, m.options.soak), say: m.say}
	m.say("soaking: %d applications, until %d runs are over", f.size, m.options.soak)
	if err := f.deploy(ctx); err != nil {
		return err
	}
	if err := m.adopted(ctx, f); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	j, err := m.keep(watching)
	if err != nil {
		return err
	}
	r := &soakReport{Wrong: map[string]int{}}
	m.report.Soak = r // what was measured until an error may have taken hours
	begun, told := time.Now(), time.Now()
	for r.Runs < m.options.soak {
		if err := m.round(ctx, f, j, r); err != nil {
			return err
		}
		if err := m.sample(ctx, r, begun); err != nil {
			return err
		}
		r.Seconds = time.Since(begun).Seconds()
		r.fit()
		if time.Since(told) > time.Minute {
			m.say("%d of %d runs are over", r.Runs, m.options.soak)
			told = time.Now()
		}
	}
	for what, n := range r.Wrong {
		m.report.unexpected(fmt.Sprintf("soak: %d × %s", n, what))
	}
	return nil
}

// round is one run of each.
func (m *measurement) round(ctx context.Context, f *fleet, j *journal, r *soakReport) error {
	j.forget()
	m.images++
	image := fmt.Sprintf("app:new-%d", m.images)
	err := f.each(ctx, f.everyone(), func(ctx context.Context, i int) error { return f.release(ctx, i, image) })
	if err != nil {
		return fmt.Errorf("changing templates: %w", err)
	}
	if err := j.await(ctx, f, f.everyone(), "releases over", f.size, over); err != nil {
		return err
	}
	for i := range f.size {
		for _, wrong := range f.planned().wrong(j.of(f.app(i))) {
			r.Wrong[wrong]++
		}
	}
	r.Runs += f.size
	return m.crew.tend(ctx)
}

func (m *measurement) sample(ctx context.Context, r *soakReport, begun time.Time) error {
	for _, op := range m.crew.on {
		if err := op.collect(ctx); err != nil {
			return err
		}
	}
	u, err := m.crew.usage(ctx)
	if err != nil {
		return err
	}
	r.Samples = append(r.Samples, sample{
		Runs: r.Runs, Seconds: time.Since(begun).Seconds(), HeapMiB: u.heap / (1 << 20),
		ResidentMiB: mebibytes(uint64(u.resident)), Goroutines: u.goroutines, Series: u.series, //nolint:gosec // a size
	})
	return nil
}

// fit says what has grown.
func (r *soakReport) fit() {
	of := func(number func(sample) float64) growth { return growthOf(r.Samples, number) }
	r.Heap = of(func(s sample) float64 { return s.HeapMiB })
	r.Resident = of(func(s sample) float64 { return s.ResidentMiB })
	r.Goroutines = of(func(s sample) float64 { return float64(s.Goroutines) })
	r.Series = of(func(s sample) float64 { return float64(s.Series) })
}

// growthOf fits a line to a number over the last half of the samples, by least squares. Fewer than three samples say
// nothing, and give zero.
func growthOf(samples []sample, number func(sample) float64) growth {
	samples = samples[len(samples)/2:]
	n := float64(len(samples))
	if n < 3 {
		return growth{}
	}
	var x, y float64
	for _, s := range samples {
		x, y = x+float64(s.Runs)/n, y+number(s)/n
	}
	var xy, xx float64
	for _, s := range samples {
		dx := float64(s.Runs) - x
		xy, xx = xy+dx*(number(s)-y), xx+dx*dx
	}
	g := growth{Growth: xy / xx * float64(samples[len(samples)-1].Runs-samples[0].Runs)}
	if y != 0 {
		g.Share = g.Growth / y
	}
	return g
}

func (r *soakReport) print(w io.Writer) {
	fmt.Fprintf(w, "\nA soak: %d runs in %.0f s; growth over the last half of them\n", r.Runs, r.Seconds)
	fmt.Fprintf(w, "  heap in use\t%+.2f MiB, %+.1f %%\n", r.Heap.Growth, 100*r.Heap.Share)
	fmt.Fprintf(w, "  resident memory\t%+.2f MiB, %+.1f %%\n", r.Resident.Growth, 100*r.Resident.Share)
	fmt.Fprintf(w, "  goroutines\t%+.1f\n  series\t%+.1f\n", r.Goroutines.Growth, r.Series.Growth)
	fmt.Fprintf(w, "\n  runs\tseconds\theap MiB\tresident MiB\tgoroutines\tseries\n")
	const rows = 20
	every := max(1, len(r.Samples)/rows)
	for i, s := range r.Samples {
		if i%every == 0 || i == len(r.Samples)-1 {
			fmt.Fprintf(w, "  %d\t%.0f\t%.1f\t%.1f\t%d\t%d\n", s.Runs, s.Seconds, s.HeapMiB, s.ResidentMiB, s.Goroutines, s.Series)
		}
	}
}
