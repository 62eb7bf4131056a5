package analysis

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// Replay judges a canary of the past as a run would have, look by look in the order of time. It knows the guard and the
// rounds of checks up to the threshold; steps, gates and people are for others to play.
type Replay struct {
	spec   *v1beta1.CanarySpec
	states map[string]*v1beta1.MetricState
	failed int32
}

// NewReplay begins with a canary of which nothing is known.
func NewReplay(spec *v1beta1.CanarySpec) *Replay {
	return &Replay{spec: spec, states: map[string]*v1beta1.MetricState{}}
}

// Asked is what came of asking for one metric: counts for a comparison, and else an answer.
type Asked struct {
	Metric  v1beta1.CanaryMetric
	Counted Counted
	Input   Input
}

// Look is what one look came to.
type Look struct {
	At     time.Time             `json:"at"`
	Checks []v1beta1.CheckStatus `json:"checks"`
	// FailedRounds so far.
	FailedRounds int32 `json:"failedRounds"`
	// RolledBack is why the run would have been rolled back now; empty if it would not.
	RolledBack string `json:"rolledBack,omitempty"`
}

// State is what is remembered of a metric.
func (r *Replay) State(metric string) *v1beta1.MetricState { return r.states[metric] }

// Guard is a look of the guard's.
func (r *Replay) Guard(in Counted) Look {
	check := r.compare(Guard(r.spec), in)
	look := Look{At: in.At, Checks: []v1beta1.CheckStatus{check}, FailedRounds: r.failed}
	if check.Verdict == v1beta1.VerdictFailed {
		look.RolledBack = check.Name + ": " + check.Message
	}
	return look
}

// Round is a round of checks.
func (r *Replay) Round(at time.Time, asked []Asked) Look {
	compared := make([]Compared, 0, len(asked))
	for _, a := range asked {
		if a.Metric.Comparison == nil {
			compared = append(compared, Compared{Check: Judge(a.Metric, a.Input)})
			continue
		}
		check := r.compare(a.Metric, a.Counted)
		compared = append(compared, Compared{Check: check, State: r.states[a.Metric.Name]})
	}
	look := Look{At: at}
	because := ""
	for i, c := range Joint(r.spec.Analysis.Metrics, compared) {
		look.Checks = append(look.Checks, c.Check)
		if r.fails(asked[i].Metric, c.Check.Verdict) {
			because = c.Check.Name + ": " + c.Check.Message
		}
	}
	if because != "" {
		r.failed++
	}
	look.FailedRounds = r.failed
	if threshold := max(r.spec.Analysis.Threshold, 1); because != "" && r.failed >= threshold {
		look.RolledBack = fmt.Sprintf("%d of %d failed rounds: %s", r.failed, threshold, because)
	}
	return look
}

func (r *Replay) compare(m v1beta1.CanaryMetric, in Counted) v1beta1.CheckStatus {
	check, state := Compare(m, r.states[m.Name], 0, in)
	r.states[m.Name] = &state
	return check
}

// fails says that a verdict is a failed check of the round.
func (r *Replay) fails(m v1beta1.CanaryMetric, verdict v1beta1.Verdict) bool {
	switch {
	case m.DryRun:
		return false
	case verdict == v1beta1.VerdictNoData:
		return m.OnNoData == v1beta1.Fail
	case verdict == v1beta1.VerdictErrored:
		return m.OnError == v1beta1.Fail
	case verdict != v1beta1.VerdictFailed:
		return false
	}
	if m.FailureLimit == 0 {
		return true
	}
	state := r.states[m.Name]
	if state == nil {
		state = &v1beta1.MetricState{Name: m.Name}
		r.states[m.Name] = state
	}
	state.Failures++
	return state.Failures > m.FailureLimit
}

// GuardInterval is between two looks of the guard's; zero where there is none.
func GuardInterval(spec *v1beta1.CanarySpec) time.Duration {
	const interval = 10 * time.Second // where the API server did not fill the default in
	g := spec.Analysis.Guard
	switch {
	case spec.SkipAnalysis || g != nil && g.Disabled:
		return 0
	case g != nil:
		return rollout.Duration(g.Interval, interval)
	}
	return interval
}
