package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/procfs"
)

// report is all that was measured. What was not is absent.
type report struct {
	Machine  shape `json:"machine"`
	Canaries int   `json:"canaries"`
	// MakingSeconds is how long it took to make the applications, with their pods, and the Canaries.
	MakingSeconds float64 `json:"makingSeconds"`
	Adoption      costs   `json:"adoption"`
	Rest          *costs  `json:"rest,omitempty"`
	Release       *costs  `json:"release,omitempty"`
	// Revisions is how long it took from a template's change until its run was seen, one after the other.
	Revisions spread        `json:"revisions,omitzero"`
	Waves     []*waveReport `json:"waves,omitempty"`
	Start     *startReport  `json:"start,omitempty"`
	Soak      *soakReport   `json:"soak,omitempty"`
	// Checking is measured instead of all but the adoption, on request.
	Checking *checkingReport `json:"checking,omitempty"`
	// Adopting and Releasing are what was committed of the one application that is released alone.
	Adopting  []step `json:"adopting"`
	Releasing []step `json:"releasing"`
	// Beside is the memory in MiB that others than the operator had at most.
	Beside map[string]float64 `json:"besideMiB"`
	// Complaints are warnings and errors that operators logged, with how often.
	Complaints map[string]int `json:"complaints"`
	// Unexpected is what should not have been.
	Unexpected []string `json:"unexpected"`
	Bounds     []bound  `json:"bounds"`
}

// shape of the machine.
type shape struct {
	Cores     int     `json:"cores"`
	MemoryGiB float64 `json:"memoryGiB"`
	Go        string  `json:"go"`
}

// costs are what the operator took for a while.
type costs struct {
	Seconds  float64 `json:"seconds"`
	Requests []*row  `json:"requests"`
	// Others are requests at rest that are neither a watch nor of the Lease.
	Others int `json:"others"`
	// Looks at a Canary, and Checks asked of Prometheus.
	Looks  uint64 `json:"looks"`
	Checks uint64 `json:"checks"`
	// CPUSeconds of the process, and how often one of its threads woke up.
	CPUSeconds float64 `json:"cpuSeconds"`
	WakeUps    uint64  `json:"wakeUps"`
	// ResidentMiB is of the end, HighestResidentMiB of all that was read at rest, PeakResidentMiB the highest
	// since the start, HeapMiB what is in use at the end.
	ResidentMiB        float64 `json:"residentMiB"`
	HighestResidentMiB float64 `json:"highestResidentMiB,omitempty"`
	PeakResidentMiB    float64 `json:"peakResidentMiB"`
	HeapMiB            float64 `json:"heapMiB"`
}

func machine() shape {
	m := shape{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if info, err := fs.Meminfo(); err == nil && info.MemTotal != nil {
			m.MemoryGiB = float64(*info.MemTotal) / (1 << 20)
		}
	}
	return m
}

func (r *report) unexpected(what ...string) { r.Unexpected = append(r.Unexpected, what...) }

func (r *report) print(out io.Writer, form string) error {
	if form == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	if r.Checking != nil {
		return r.printChecking(out)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d Canaries, each with a Deployment of one replica; %d cores, %.0f GiB, %s\n",
		r.Canaries, r.Machine.Cores, r.Machine.MemoryGiB, r.Machine.Go)
	fmt.Fprintf(w, "Made in %.0f s\n", r.MakingSeconds)
	r.printAdoption(w)
	if r.Rest != nil {
		r.printRest(w)
	}
	if r.Release != nil {
		r.printRelease(w)
	}
	if r.Revisions.Number > 0 {
		fmt.Fprintf(w, "\nNew revisions, one after the other, until the run was seen\n  %s\n", r.Revisions)
	}
	for _, wave := range r.Waves {
		wave.print(w)
	}
	if r.Start != nil {
		r.Start.print(w)
	}
	if r.Soak != nil {
		r.Soak.print(w)
	}
	fmt.Fprintf(w, "\nMemory of others, at most\n")
	for _, who := range slices.Sorted(maps.Keys(r.Beside)) {
		fmt.Fprintf(w, "  %s\t%.0f MiB\n", who, r.Beside[who])
	}
	printCounts(w, "Logged as warnings or errors", r.Complaints)
	fmt.Fprintf(w, "\nNot as expected\n")
	for _, what := range r.Unexpected {
		fmt.Fprintf(w, "  %s\n", what)
	}
	if len(r.Unexpected) == 0 {
		fmt.Fprintf(w, "  nothing\n")
	}
	printBounds(w, r.Bounds)
	return w.Flush()
}

// printCounts says what there was how often.
func printCounts(w io.Writer, title string, counts map[string]int) {
	fmt.Fprintf(w, "\n%s\n", title)
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %d × %s\n", counts[what], what)
	}
	if len(counts) == 0 {
		fmt.Fprintf(w, "  nothing\n")
	}
}

func (r *report) printAdoption(w io.Writer) {
	p := r.Adoption
	fmt.Fprintf(w, "\nAdoption: all Initialized %.0f s after the operator's start\n", p.Seconds)
	fmt.Fprintf(w, "  CPU\t%.1f s\n  memory\tat most %.0f MiB resident\n", p.CPUSeconds, p.PeakResidentMiB)
	fmt.Fprintf(w, "  looks\t%d, %.1f a Canary\n", p.Looks, float64(p.Looks)/float64(r.Canaries))
	fmt.Fprintf(w, "\n  verb\tresource\trequests\ta Canary\trefused\n")
	for _, row := range p.Requests {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%.2f\t%s\n",
			row.Verb, row.Resource, row.Requests, float64(row.Requests)/float64(r.Canaries), refusals(row.Refused))
	}
	fmt.Fprintf(w, "\n  of one Canary:\n")
	printStatuses(w, r.Adopting)
}

func (r *report) printRest(w io.Writer) {
	p := r.Rest
	fmt.Fprintf(w, "\nAt rest for %.0f s\n", p.Seconds)
	fmt.Fprintf(w, "  CPU\t%.2f s, %.2f %% of one core\n", p.CPUSeconds, 100*p.CPUSeconds/p.Seconds)
	fmt.Fprintf(w, "  memory\t%.0f MiB resident at the end, at most %.0f; %.0f MiB of heap in use\n",
		p.ResidentMiB, p.HighestResidentMiB, p.HeapMiB)
	fmt.Fprintf(w, "  wake-ups\t%d of its threads, %.1f a second\n", p.WakeUps, float64(p.WakeUps)/p.Seconds)
	fmt.Fprintf(w, "  looks\t%d\n", p.Looks)
	fmt.Fprintf(w, "\n  verb\tresource\trequests\ta minute\trefused\n")
	for _, row := range p.Requests {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%.1f\t%s\n",
			row.Verb, row.Resource, row.Requests, float64(row.Requests)*60/p.Seconds, refusals(row.Refused))
	}
}

func (r *report) printRelease(w io.Writer) {
	p := r.Release
	fmt.Fprintf(w, "\nOne release of five steps, the others at rest: %.0f s\n", p.Seconds)
	fmt.Fprintf(w, "  looks\t%d\n  checks\t%d\n", p.Looks, p.Checks)
	fmt.Fprintf(w, "\n  verb\tresource\trequests\tobjects\twithout effect\trefused\n")
	for _, row := range p.Requests {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%d\t%d\t%s\n",
			row.Verb, row.Resource, row.Requests, row.Objects, row.WithoutEffect, refusals(row.Refused))
	}
	printStatuses(w, r.Releasing)
}

func printStatuses(w io.Writer, steps []step) {
	fmt.Fprintf(w, "\n  status\tphase\tweight\tstep\treason\twhat is new in it\n")
	for i, s := range steps {
		fmt.Fprintf(w, "  %d\t%s\t%d\t%s\t%s\t%s\n", i+1, s.Phase, s.Weight, s.Step, s.Why, strings.Join(s.Changed, " "))
	}
}

// refusals as in 2 × 409.
func refusals(by map[int]int) string {
	var all []string
	for _, code := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%d × %d", by[code], code))
	}
	return strings.Join(all, ", ")
}

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
