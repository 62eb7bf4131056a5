package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// late is how late a step ended. It is due when its split has been in force for the interval of the Canary, or for the
// settle time if that is longer, from the moment that the status gives as its trafficSince.
type late struct {
	// Decided counts until the operator decided on what comes next: the next step's startedAt, or for the last step the
	// weightSince of phase Promoting. The operator takes both from its clock when a look begins.
	Decided time.Duration
	// Seen counts until the watch of the harness brought the status with what comes next, so it has all in it: the wait
	// for the queue, the question and its answer, the decision, the write of the route, the write of the status.
	Seen time.Duration
}

// lateness is that of every step of a run that has ended, in their order. A step that was asked more than once because
// nothing was to be learned is as late as it was.
func (c course) lateness(marks []mark) []late {
	var all []late
	for i, m := range marks {
		if i == 0 || marks[i-1].Step < 0 || marks[i-1].Traffic.IsZero() || marks[i-1].Phase != v1beta1.PhaseProgressing {
			continue
		}
		was := marks[i-1]
		due := was.Traffic.Add(c.dwell())
		switch {
		case m.Phase == v1beta1.PhaseProgressing && m.Run == was.Run && m.Step != was.Step:
			all = append(all, late{Decided: m.Begun.Sub(due), Seen: m.Seen.Sub(due)})
		case m.Phase == v1beta1.PhasePromoting:
			all = append(all, late{Decided: m.WeightSince.Sub(due), Seen: m.Seen.Sub(due)})
		}
	}
	return all
}

// noticed is when the first status of a run was seen.
func noticed(marks []mark) (time.Time, bool) {
	at := slices.IndexFunc(marks, func(m mark) bool { return m.Phase == v1beta1.PhaseProgressing && m.Run != "" })
	if at < 0 {
		return time.Time{}, false
	}
	return marks[at].Seen, true
}

// over says that a run was on and has ended.
func over(marks []mark) bool {
	_, began := noticed(marks)
	if !began {
		return false
	}
	last := marks[len(marks)-1]
	return last.Run == "" && (last.Phase == v1beta1.PhaseSucceeded || last.Phase == v1beta1.PhaseFailed)
}

// holds says that a run is on and waits for an answer that does not come, as it should.
func holds(marks []mark) bool {
	if len(marks) == 0 {
		return false
	}
	last := marks[len(marks)-1]
	return last.Phase == v1beta1.PhaseProgressing && last.Run != "" && last.Round > 0
}

// repeated counts the rounds of checks after which a step went on, because nothing was to be learned.
func repeated(marks []mark) int {
	n := 0
	for i, m := range marks {
		// The round that ends the last step is in the status of phase Promoting.
		if i > 0 && m.Phase == v1beta1.PhaseProgressing && m.Step == marks[i-1].Step && m.Round > marks[i-1].Round {
			n++
		}
	}
	return n
}

// wrong says what should not be in the marks of one run from its detection to its end: a step that was left out, one that
// came twice or began anew, a weight that is not the step's, a second run, another outcome.
func (c course) wrong(marks []mark) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	step, traffic, run := int32(-1), time.Time{}, ""
	for _, m := range marks {
		if m.Run == "" || m.Run != run && run != "" {
			if m.Run != "" {
				say("run %s was followed by run %s", run, m.Run)
				run = m.Run
			}
			continue
		}
		run = m.Run
		if m.Phase != v1beta1.PhaseProgressing {
			continue
		}
		switch {
		case m.Step > step+1:
			say("step %d came after step %d", m.Step+1, step+1)
		case m.Step < step:
			say("step %d came again after step %d", m.Step+1, step+1)
		case m.Step == step && !traffic.IsZero() && !m.Traffic.Equal(traffic):
			say("step %d began anew", m.Step+1)
		}
		if !m.Traffic.IsZero() && (int(m.Step) >= len(c.weights) || m.Weight != c.weights[m.Step]) {
			say("step %d had weight %d", m.Step+1, m.Weight)
		}
		step, traffic = m.Step, m.Traffic
	}
	if int(step) != len(c.weights)-1 {
		say("step %d of %d was the last", step+1, len(c.weights))
	}
	return append(wrong, ended(run, marks)...)
}

// ended says what is wrong with the end of a run.
func ended(run string, marks []mark) []string {
	if !over(marks) {
		return []string{"its run did not end"}
	}
	last := marks[len(marks)-1]
	switch {
	case last.Last != run:
		return []string{fmt.Sprintf("run %s is not the last of the history, which is %s", run, last.Last)}
	case last.Outcome != v1beta1.OutcomePromoted:
		return []string{fmt.Sprintf("it ended %s: %s", last.Outcome, last.Message)}
	case last.Weight != 0:
		return []string{fmt.Sprintf("it ended with weight %d", last.Weight)}
	}
	return nil
}

// spread says how numbers are spread: the median, the 99th percentile and the largest, each one that was measured. In
// milliseconds.
type spread struct {
	Number int     `json:"number"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

func spreadOf(all []time.Duration) spread {
	if len(all) == 0 {
		return spread{}
	}
	all = slices.Sorted(slices.Values(all))
	// The smallest that as large a share as that of all is no larger than.
	at := func(share float64) float64 {
		rank := max(1, int(math.Ceil(share*float64(len(all)))))
		return float64(all[rank-1].Microseconds()) / 1000
	}
	return spread{Number: len(all), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

func (s spread) String() string {
	if s.Number == 0 {
		return "none"
	}
	return fmt.Sprintf("median %.0f ms, 99th percentile %.0f ms, at most %.0f ms, of %d", s.P50, s.P99, s.Max, s.Number)
}
