package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func (r *waveReport) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d releases at once: %s, over after %.0f s\n", r.Releases, r.Kind, r.Seconds)
	fmt.Fprintf(w, "  templates changed\twithin %.1f s\n", r.ChangingSeconds)
	fmt.Fprintf(w, "  until the run was seen\t%s\n", r.Noticed)
	fmt.Fprintf(w, "  lateness of a step\t%s\n", r.Late)
	fmt.Fprintf(w, "  as it was decided\t%s\n", r.Decided)
	fmt.Fprintf(w, "  rounds without an answer\t%d\n", r.Repeated)
	fmt.Fprintf(w, "  outcomes\t%s\n", outcomes(r.Outcomes))
	if r.AskHanging > 0 {
		fmt.Fprintf(w, "  held, of those that were not answered\t%d of %d\n", r.Held, r.AskHanging)
	}
	if k := r.Kill; k != nil {
		fmt.Fprintf(w, "  the leader was killed\twith %d runs on; another led after %.1f s, and worked after %.1f s\n",
			k.Runs, k.LeadSeconds, k.WorkSeconds)
		fmt.Fprintf(w, "  until they went on\t%s\n", k.Continued)
	}
	var asked []string
	for _, n := range r.Asked {
		asked = append(asked, fmt.Sprint(n))
	}
	fmt.Fprintf(w, "  queries of each server of metrics\t%s\n", strings.Join(asked, ", "))
	fmt.Fprintf(w, "  CPU\t%.1f s\n  memory\tat most %.0f MiB resident since the start\n", r.CPUSeconds, r.PeakResidentMiB)
	fmt.Fprintf(w, "  writes a run\t%.1f\n", r.WritesARun)
	fmt.Fprintf(w, "\n  verb\tresource\trequests\ta run\trefused\n")
	for _, row := range r.Requests {
		fmt.Fprintf(w, "  %s\t%s\t%d\t%.2f\t%s\n",
			row.Verb, row.Resource, row.Requests, float64(row.Requests)/float64(r.Releases), refusals(row.Refused))
	}
}

// outcomes as in 10 × Promoted.
func outcomes(by map[v1beta1.Outcome]int) string {
	var all []string
	for _, outcome := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%d × %s", by[outcome], outcome))
	}
	return strings.Join(all, ", ")
}

func (r *startReport) print(w io.Writer) {
	fmt.Fprintf(w, "\nA start with all Canaries there, each time from the start of the process\n")
	fmt.Fprintf(w, "  leads\t%.1f s\n  caches are filled\t%.1f s\n  every Canary was looked at\t%.1f s\n",
		r.LeadSeconds, r.CachesSeconds, r.LooksSeconds)
	fmt.Fprintf(w, "  runs in progress were served, less the settle time\t%s\n", r.Served)
	fmt.Fprintf(w, "  memory\tat most %.0f MiB resident\n", r.PeakResidentMiB)
}
