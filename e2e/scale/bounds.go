package main

import (
	"fmt"
	"io"
	"slices"
)

// The bounds. Times are in seconds, memory in MiB.
const (
	mostMemory    = 300.0
	mostCPU       = 0.01
	longestStart  = 60.0
	longestServe  = 5.0
	latestStep    = 1.0
	mostWrites    = 25.0
	latestNotice  = 1.0
	longestOutage = 20.0
	// mostGrowth is what counts as none, of memory: the scavenger gives back to the system what it likes.
	mostGrowth = 0.02
)

// bound is something that is to hold, and what was measured of it.
type bound struct {
	What  string `json:"what"`
	Bound string `json:"bound"`
	// Value is empty where it was not measured.
	Value string `json:"value"`
	Met   bool   `json:"met"`
}

// bounds are all of them, by what was measured. Whether a machine had the time for it is for the reader to say.
func bounds(r *report) []bound {
	idle := fmt.Sprintf("%d idle Canaries: ", r.Canaries)
	memory := bound{What: idle + "resident memory of the operator", Bound: "≤ 300 MiB"}
	requests := bound{What: "the same: requests but watches and the Lease", Bound: "0"}
	cpu := bound{What: "the same: CPU", Bound: "≤ 1 % of a core"}
	if rest := r.Rest; rest != nil {
		used := rest.CPUSeconds / rest.Seconds
		memory.is(rest.HighestResidentMiB <= mostMemory, "%.0f MiB", rest.HighestResidentMiB)
		requests.is(rest.Others == 0, "%d in %.0f s", rest.Others, rest.Seconds)
		cpu.is(used <= mostCPU, "%.2f %%", 100*used)
	}
	known := bound{What: fmt.Sprintf("a start with %d Canaries, until every one is known and watched", r.Canaries), Bound: "≤ 60 s"}
	served := bound{What: "the same: a run in progress is served, less the settle time", Bound: "≤ 5 s"}
	if s := r.Start; s != nil {
		known.is(s.CachesSeconds <= longestStart, "%.1f s; looked at: %.1f s", s.CachesSeconds, s.LooksSeconds)
		served.is(s.Served.Max <= 1000*longestServe, "%.1f s", s.Served.Max/1000)
	}
	writes := bound{What: "writes a run of five steps, events included", Bound: "≤ 25"}
	if w := r.wave(asTheyAre); w != nil {
		writes.is(w.WritesARun <= mostWrites, "%.1f", w.WritesARun)
	} else if r.Release != nil {
		n := writesIn(r.Release.Requests)
		writes.is(float64(n) <= mostWrites, "%d", n)
	}
	acted := bound{What: "a new revision acted on, the others idle (p99)", Bound: "≤ 1 s"}
	if r.Revisions.Number > 0 {
		acted.is(r.Revisions.P99 <= 1000*latestNotice, "%.2f s, of %d", r.Revisions.P99/1000, r.Revisions.Number)
	}
	idleAndStart := []bound{memory, requests, cpu, known, served}
	return slices.Concat(idleAndStart, r.waveBounds(), []bound{writes, acted, r.killBound(), r.soakBound()})
}

func (r *report) waveBounds() []bound {
	late := bound{What: "many releases at once: lateness of a step (p99)", Bound: "≤ 1 s"}
	others := bound{What: "the same with one server of three hanging: the other Canaries", Bound: "≤ 1 s, and the rest hold"}
	if w := r.wave(asTheyAre); w != nil {
		late.What = fmt.Sprintf("%d releases at once: lateness of a step (p99)", w.Releases)
		late.is(w.Late.P99 <= 1000*latestStep && len(w.Wrong) == 0, "%.2f s", w.Late.P99/1000)
	}
	if w := r.wave(hanging); w != nil {
		others.is(w.Late.P99 <= 1000*latestStep && w.Held == w.AskHanging && len(w.Wrong) == 0,
			"%.2f s; %d of %d hold", w.Late.P99/1000, w.Held, w.AskHanging)
	}
	return []bound{late, others}
}

func (r *report) killBound() bound {
	b := bound{What: "leader killed in the middle of them: all continue, no step lost or doubled", Bound: "≤ 20 s"}
	if w := r.wave(killed); w != nil && w.Kill != nil {
		wrong := 0
		for _, n := range w.Wrong {
			wrong += n
		}
		b.is(w.Kill.Continued.Max <= 1000*longestOutage && wrong == 0, "%.1f s; %d of %d runs; %d wrong",
			w.Kill.Continued.Max/1000, w.Kill.Continued.Number, w.Kill.Runs, wrong)
	}
	return b
}

func (r *report) soakBound() bound {
	b := bound{What: "a soak: growth of memory, goroutines and series", Bound: "none"}
	if s := r.Soak; s != nil {
		b.What = fmt.Sprintf("a soak of %d runs: growth of memory, goroutines and series", s.Runs)
		b.is(s.Heap.Share <= mostGrowth && s.Resident.Share <= mostGrowth && s.Goroutines.Growth < 1 && s.Series.Growth < 1,
			"heap %+.1f %%, resident %+.1f %%, %+.1f goroutines, %+.1f series",
			100*s.Heap.Share, 100*s.Resident.Share, s.Goroutines.Growth, s.Series.Growth)
	}
	return b
}

func (b *bound) is(met bool, format string, args ...any) {
	b.Met, b.Value = met, fmt.Sprintf(format, args...)
}

// wave is the one of a kind; nil where there was none.
func (r *report) wave(k kind) *waveReport {
	at := slices.IndexFunc(r.Waves, func(w *waveReport) bool { return w.Kind == k })
	if at < 0 {
		return nil
	}
	return r.Waves[at]
}

func writesIn(rows []*row) int {
	n := 0
	for _, r := range rows {
		if (event{Verb: r.Verb}).writes() || r.Verb == "apply" {
			n += r.Requests
		}
	}
	return n
}

func printBounds(w io.Writer, all []bound) {
	fmt.Fprintf(w, "\n  what\tbound\tmeasured\tmet\n")
	for _, b := range all {
		met := "no"
		switch {
		case b.Value == "":
			b.Value, met = "not measured", "-"
		case b.Met:
			met = "yes"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", b.What, b.Bound, b.Value, met)
	}
}
