package evidence

import (
	"math"
	"slices"
)

// A Verdict is what the evidence says.
type Verdict string

// The verdicts.
const (
	Hold Verdict = "hold" // not enough is known
	Pass Verdict = "pass" // the canary is not as bad as the limit
	Fail Verdict = "fail" // the canary is worse than tolerated
)

// A Result is the evidence after some windows.
type Result struct {
	Verdict Verdict
	// Evidence is the natural logarithm of the e-value against a canary as good as tolerated; Needed is when it fails.
	Evidence, Needed float64
	// PassEvidence is that against a canary as bad as the limit; PassNeeded, if not zero, is when it passes.
	PassEvidence, PassNeeded float64
	// Ratio of the shares of bad requests: failed, slower than the bound or the mark. Of a split, that of the odds to
	// what they should be. Of means it has no bounds.
	Ratio Ratio
	// Mark is the bound of a bucket that Ratio is about, when distributions are compared.
	Mark float64
	// Dispersion is what the evidence of the next window is divided by.
	Dispersion      float64
	Windows         int
	Canary, Primary Totals
}

// Result reads a state. It changes nothing, and may be asked for as often as one likes.
func (t Test) Result(s State) Result {
	if s.Of != t.identity() {
		s = State{}
	}
	r := Result{Verdict: Hold, Needed: -math.Log(t.Alpha), Windows: s.Windows, Canary: s.Canary, Primary: s.Primary,
		Mark: s.Distribution.Mark, Dispersion: s.Dispersion.factor(), Ratio: s.Odds.ratio(t.Alpha)}
	r.Evidence, r.PassEvidence = s.Fail.logCapital(true), s.Pass.logCapital(false)
	switch t.Kind {
	case Split:
		r.Evidence = logSum(r.Evidence, s.Less.logCapital(true)) - math.Ln2
	case Mean:
		r.Dispersion = 1
		if s.Scale.Primary > 0 {
			r.Ratio = Ratio{Estimate: float64(s.Scale.Canary) / float64(s.Scale.Primary)}
		}
	}
	if t.Limit > 0 {
		r.PassNeeded = -math.Log(t.Beta)
	}
	requests := s.Canary.Requests
	if t.Kind == Split {
		requests += s.Primary.Requests // a canary that gets none is what it is about
	}
	if requests < t.MinRequests {
		return r
	}
	if r.Evidence >= r.Needed {
		r.Verdict = Fail
	} else if t.Limit > 0 && r.PassEvidence >= r.PassNeeded {
		r.Verdict = Pass
	}
	return r
}

// A Part is one of several results, and what it weighs.
type Part struct {
	Result Result
	Weight float64
}

// Combine weighs several results of one canary: the mean of their e-values is one too, however they depend on each
// other. Their weights are taken relative to their sum; what weighs nothing is left out. It passes when all pass.
func Combine(alpha float64, parts ...Part) Result {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return !(p.Weight > 0) || math.IsInf(p.Weight, 0) })
	out := Result{Verdict: Hold, Needed: -math.Log(alpha)}
	if len(parts) == 0 {
		return out
	}
	var logs, weights []float64
	passed := true
	for _, p := range parts {
		weights = append(weights, math.Log(p.Weight))
		logs = append(logs, p.Result.Evidence+math.Log(p.Weight))
		passed = passed && p.Result.Verdict == Pass
	}
	out.Evidence = logSumAll(logs) - logSumAll(weights)
	if out.Evidence >= out.Needed {
		out.Verdict = Fail
	} else if passed {
		out.Verdict = Pass
	}
	return out
}
