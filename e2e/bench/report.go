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

// report is all that was measured.
type report struct {
	Machine  shape `json:"machine"`
	Canaries int   `json:"canaries"`
	Adoption part  `json:"adoption"`
	Rest     part  `json:"rest"`
	Release  part  `json:"release"`
	// Checking is measured instead of Rest and Release, on request.
	Checking *checkingReport `json:"checking,omitempty"`
	// Adopting and Releasing are what was committed of the one application that is released.
	Adopting  []step `json:"adopting"`
	Releasing []step `json:"releasing"`
	// Complaints are warnings and errors that the operator logged, with how often.
	Complaints map[string]int `json:"complaints"`
	// Unexpected is what the operator should not have done.
	Unexpected []string `json:"unexpected"`
}

// shape of the machine.
type shape struct {
	Cores     int     `json:"cores"`
	MemoryGiB float64 `json:"memoryGiB"`
	Go        string  `json:"go"`
}

// part is one of the three measurements.
type part struct {
	Seconds  float64 `json:"seconds"`
	Requests []*row  `json:"requests"`
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
	r.printAdoption(w)
	r.printRest(w)
	r.printRelease(w)
	fmt.Fprintf(w, "\nLogged as warnings or errors\n")
	for _, what := range slices.Sorted(maps.Keys(r.Complaints)) {
		fmt.Fprintf(w, "  %d × %s\n", r.Complaints[what], what)
	}
	if len(r.Complaints) == 0 {
		fmt.Fprintf(w, "  nothing\n")
	}
	fmt.Fprintf(w, "\nNot as expected\n")
	for _, what := range r.Unexpected {
		fmt.Fprintf(w, "  %s\n", what)
	}
	if len(r.Unexpected) == 0 {
		fmt.Fprintf(w, "  nothing\n")
	}
	return w.Flush()
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
