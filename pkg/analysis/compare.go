package analysis

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// Counted is what was counted of canary and primary since the last look.
type Counted struct {
	// Query that was sent.
	Query string
	// Past are windows before the canary had any traffic, oldest first. Of these, what the primary did tells how errors
	// come in bursts.
	Past []evidence.Window
	// Window that was counted, with durations in milliseconds. One that is empty adds nothing.
	Window evidence.Window
	// Weight of the canary in percent, all through the window.
	Weight int32
	// Err is why there is none. One with a method NoData that says so is an answer without counts.
	Err error
	// At is when it was asked.
	At time.Time
}

// Compare adds what was counted to the evidence of the run, and judges the canary by all of it. Was is what the last
// look left, nil for the first in a run; what it gives is for the next. A step passes once enough requests of the
// canary's were counted in it, as long as the evidence does not speak against it.
func Compare(
	m v1beta1.CanaryMetric, was *v1beta1.MetricState, step int32, in Counted,
) (v1beta1.CheckStatus, v1beta1.MetricState) {
	c := v1beta1.CheckStatus{Name: m.Name, Query: shorten(in.Query), At: metav1.NewTime(in.At)}
	next := v1beta1.MetricState{Name: m.Name, Step: step}
	test, state := testOf(m), stateOf(was)
	if was != nil {
		next.Before, next.Failures = was.Before, was.Failures
	}
	if was != nil && was.Step != step {
		next.Before = counted(test, state.Canary, state.Primary)
	}
	if len(in.Past) > 0 && New(was) {
		state = test.Learn(state, in.Past)
	}
	lacks := in.Err
	in.Window.Weight = float64(in.Weight) / percent
	if lacks == nil && comparable(test, in.Window) {
		var fate evidence.Fate
		if state, fate = test.Update(state, in.Window); fate == evidence.Unreadable {
			lacks = unreadable(m, in.Window)
		}
	}
	next.Evidence = textOf(state)
	if lacks != nil {
		c.Verdict, c.Message = v1beta1.VerdictErrored, lacks.Error()
		if none, ok := errors.AsType[noData](lacks); ok && none.NoData() {
			c.Verdict = v1beta1.VerdictNoData
		}
		return c, next
	}
	result := test.Result(state)
	c.Evidence = shown(result)
	c.Value, c.Baseline = values(test, result)
	n := counted(test, result.Canary, result.Primary) - next.Before
	switch least := int64(leastOf(m)); {
	case result.Verdict == evidence.Fail && test.Kind == evidence.Split: // the route is to blame, and not the canary
		c.Verdict, c.Message = v1beta1.VerdictErrored, told(m, result)
	case result.Verdict == evidence.Fail:
		c.Verdict, c.Message = v1beta1.VerdictFailed, told(m, result)
	case n < least:
		c.Verdict = v1beta1.VerdictNoData
		c.Message = fmt.Sprintf("%d of the %d requests that the canary needs at this step were counted", n, least)
	case result.Primary.Requests == 0:
		c.Verdict, c.Message = v1beta1.VerdictNoData, "no requests of the primary's were counted to compare with"
	default:
		c.Verdict, c.Message = v1beta1.VerdictPassed, told(m, result)
	}
	return c, next
}

// counted are the requests that a step waits for: the canary's, and of a split those of both.
func counted(t evidence.Test, canary, primary evidence.Totals) int64 {
	n := canary.Requests
	if t.Kind == evidence.Split {
		n += primary.Requests
	}
	return int64(n)
}

// comparable says that a window has something to say. Where one side has no histogram yet, because nobody has asked it
// anything, the next window takes in this one.
func comparable(t evidence.Test, w evidence.Window) bool {
	if t.Kind == evidence.Latency && (len(w.Canary.Buckets) == 0 || len(w.Primary.Buckets) == 0) {
		return false
	}
	return w.End.After(w.Start)
}

// Guard is the metric that the guard of a spec stands for.
func Guard(spec *v1beta1.CanarySpec) v1beta1.CanaryMetric {
	const tolerance, confidence = 2, 0.999 // where the API server did not fill the defaults in
	m := v1beta1.CanaryMetric{Name: rollout.GuardCheck, Comparison: &v1beta1.Comparison{
		Tolerance: tolerance, Confidence: confidence, MinRequests: new(int32(0)),
	}}
	if g := spec.Analysis.Guard; g != nil && g.Tolerance > 0 {
		m.Comparison.Tolerance = g.Tolerance
	}
	if g := spec.Analysis.Guard; g != nil && g.Confidence > 0 {
		m.Comparison.Confidence = g.Confidence
	}
	return m
}

// Since is when the window begins that is to be counted next: where the last one ended, or when the step's traffic came
// in force, for a change of the weight ends a window.
func Since(was *v1beta1.MetricState, traffic time.Time) time.Time {
	if end := stateOf(was).End(); end.After(traffic) {
		return end
	}
	return traffic
}

// PastWindows are how many of the windows before a run are looked at. With nothing known of bursts, evidence is taken
// for a third; a dozen windows of the primary alone make up for most of that.
const PastWindows = 12

// New says that nothing was counted in this run yet, so that the past is of use.
func New(was *v1beta1.MetricState) bool { return stateOf(was).Windows == 0 }

// KindOf is what a metric's comparison compares.
func KindOf(m v1beta1.CanaryMetric) evidence.Kind {
	switch {
	case m.Comparison != nil && m.Comparison.Kind != "":
		return evidence.Kind(m.Comparison.Kind)
	case m.TemplateRef != nil:
		return evidence.Errors
	case m.Name == v1beta1.RequestDuration:
		return evidence.Latency
	case m.Name == v1beta1.RequestShare:
		return evidence.Split
	}
	return evidence.Errors
}

func testOf(m v1beta1.CanaryMetric) evidence.Test {
	t := evidence.Test{Kind: KindOf(m), Tolerance: m.Comparison.Tolerance, Alpha: 1 - m.Comparison.Confidence}
	if m.Comparison.Limit > 0 && t.Kind != evidence.Split {
		t.Limit, t.Beta = m.Comparison.Limit, t.Alpha
	}
	if t.Kind == evidence.Latency {
		t.Bound = float64(rollout.Duration(m.Comparison.Bound, 0)) / float64(time.Millisecond)
	}
	return t
}

// leastOf is how many requests of the canary's a step waits for.
func leastOf(m v1beta1.CanaryMetric) int32 {
	const least = 20 // where the API server did not fill the default in
	if n := m.Comparison.MinRequests; n != nil {
		return *n
	}
	return least
}

// stateOf is the state that was left. One that cannot be read, because somebody has changed it, is forgotten.
func stateOf(was *v1beta1.MetricState) evidence.State {
	var s evidence.State
	if was == nil || json.Unmarshal([]byte(was.Evidence), &s) != nil {
		return evidence.State{}
	}
	return s
}

func textOf(s evidence.State) string {
	text, err := json.Marshal(s)
	if err != nil { // not of finite numbers, and a state has no others
		return ""
	}
	return string(text)
}

// unreadable says why a window cannot be counted: that a bound is none of the histogram's is what happens to people.
func unreadable(m v1beta1.CanaryMetric, w evidence.Window) error {
	if m.Comparison.Bound == "" {
		return errors.New("the answer has counts that no counter has")
	}
	var bounds []string
	for _, b := range w.Canary.Buckets {
		if !math.IsInf(b.Le, 1) {
			bounds = append(bounds, (time.Duration(b.Le * float64(time.Millisecond))).String())
		}
	}
	return fmt.Errorf("no bucket of the histogram ends at comparison.bound %s; set one of %s, or leave it out",
		m.Comparison.Bound, strings.Join(bounds, ", "))
}
