package evidence

import (
	"fmt"
	"math"
	"slices"
)

// A Kind is what is compared.
type Kind string

// The kinds of comparison.
const (
	// Errors compares the shares of requests that failed.
	Errors Kind = "errors"
	// Latency compares the shares of requests slower than Bound or, without one, the distributions.
	Latency Kind = "latency"
	// Mean compares the means of any value that is bad when it is large.
	Mean Kind = "mean"
	// Split compares the canary's share of all requests with the weight. Its failure is one of the route.
	Split Kind = "split"
)

// A Test is a question about canary and primary.
type Test struct {
	Kind Kind
	// Tolerance is how many times as bad as the primary the canary may be: a ratio of shares, or of means. For Split
	// the odds may be off by so much in either direction. It is 1 or more.
	Tolerance float64
	// Bound, for Latency, is the bound of a bucket beyond which a request is bad.
	Bound float64
	// Alpha is how probable it may be that a canary as good as tolerated fails, however often one looks.
	Alpha float64
	// Limit is a ratio, and Beta how probable it may be that a canary as bad as that passes early. With none, none does.
	Limit, Beta float64
	// MinRequests of the canary's, or for Split of both, are needed for any verdict.
	MinRequests float64
}

// Check says what is wrong with a test.
func (t Test) Check() error {
	chance := func(p float64) bool { return p > 0 && p < 1 }
	switch {
	case t.Kind != Errors && t.Kind != Latency && t.Kind != Mean && t.Kind != Split:
		return fmt.Errorf("%q is no kind of comparison", t.Kind)
	case !(t.Tolerance >= 1 && t.Tolerance <= 1000):
		return fmt.Errorf("the tolerance %v is not from 1 to 1000", t.Tolerance)
	case !chance(t.Alpha):
		return fmt.Errorf("the error probability %v is not between 0 and 1", t.Alpha)
	case t.Limit != 0 && !(t.Limit >= t.Tolerance && t.Limit <= 1000 && chance(t.Beta)):
		return fmt.Errorf("the limit %v is not from the tolerance %v to 1000, or its error probability %v not between 0 and 1",
			t.Limit, t.Tolerance, t.Beta)
	case t.Limit != 0 && t.Kind == Split:
		return fmt.Errorf("a split is not passed early")
	case !(t.Bound >= 0) || math.IsInf(t.Bound, 0) || t.Bound != 0 && t.Kind != Latency:
		return fmt.Errorf("the bound %v is none of a latency", t.Bound)
	case !(t.MinRequests >= 0) || math.IsInf(t.MinRequests, 0):
		return fmt.Errorf("%v is no number of requests", t.MinRequests)
	}
	return nil
}

// identity is what a state belongs to: evidence for one question is none for another.
func (t Test) identity() string {
	return fmt.Sprintf("%s/%v/%v/%v/%v/%v", t.Kind, t.Tolerance, t.Bound, t.Alpha, t.Limit, t.Beta)
}

// A Fate is what became of a window.
type Fate string

// The fates of a window.
const (
	Counted    Fate = "counted"
	Repeated   Fate = "repeated"   // it begins before the end of the last that was counted, or has no length
	Unreadable Fate = "unreadable" // it has what no counter counts, or lacks what the test asks for, or Check refuses that
)

// Update counts a window, once: a window that begins before the end of the last one changes nothing, and neither does
// one that cannot be read. A state of another test is put away.
func (t Test) Update(s State, w Window) (State, Fate) {
	if s.Of != t.identity() || !s.sound() {
		s = State{Of: t.identity()}
	}
	start, end := w.Start.UnixMilli(), w.End.UnixMilli()
	if start < s.Until || end <= start {
		return s, Repeated
	}
	if t.Check() != nil || !w.Canary.readable() || !w.Primary.readable() {
		return s, Unreadable
	}
	next, ok := s, false
	switch t.Kind {
	case Errors:
		next, ok = t.failed(s, counts{w.Canary.Bad, w.Canary.Requests, w.Primary.Bad, w.Primary.Requests}), true
	case Latency:
		next, ok = t.latency(s, w)
	case Mean:
		next, ok = t.mean(s, w)
	case Split:
		next, ok = t.shared(s, w)
	}
	if !ok {
		return s, Unreadable
	}
	next.Windows++
	next.Until = end
	return next, Counted
}

// Learn takes from windows before the canary had any traffic, oldest first, what the primary tells of bursts and of how
// often requests are bad. They are no evidence and are not counted. A window that cannot be read teaches nothing.
func (t Test) Learn(s State, past []Window) State {
	for _, w := range past {
		w.Canary = w.Primary.nothing()
		s, _ = t.Update(s, w)
	}
	s.Windows, s.Canary, s.Primary = 0, Totals{}, Totals{}
	return s
}

// limit is how far one window may take the evidence.
func limit(chance float64) float64 { return -twoWindows * math.Log(chance) }

func tempered(logE []float64, by float64) []float64 {
	for k := range logE {
		logE[k] /= by
	}
	return logE
}

// failed compares shares of bad requests.
func (t Test) failed(s State, c counts) State {
	by, share := s.Dispersion.factor(), s.Learned.share()
	if e := c.wagers(t.Tolerance, 1, s.Learned); e != nil {
		s.Fail = s.Fail.play(tempered(e, by), true, limit(t.Alpha))
	}
	s = t.passing(s, c, by)
	s.Dispersion = s.Dispersion.count(c, mostSurprise)
	s.Dispersion.Alone = s.Dispersion.Alone.count(c, share)
	s.total(c)
	return s
}

// passing plays against the limit, and keeps what is known of the ratio.
func (t Test) passing(s State, c counts, by float64) State {
	if t.Limit > 0 {
		if e := c.wagers(t.Limit, -1, s.Learned); e != nil {
			s.Pass = s.Pass.play(tempered(e, by), false, limit(t.Beta))
		}
	}
	s.Odds = s.Odds.count(c, by)
	s.Learned = s.Learned.learn(c)
	return s
}

// latency compares by the bound or, without one, distributions.
func (t Test) latency(s State, w Window) (State, bool) {
	if t.Bound > 0 {
		slow, n, ok := w.Canary.beyond(t.Bound)
		primarySlow, m, known := w.Primary.beyond(t.Bound)
		return t.failed(s, counts{slow, n, primarySlow, m}), ok && known
	}
	bounds := w.commonBounds()
	if len(bounds) == 0 {
		return s, false
	}
	if !slices.Equal(bounds, s.Distribution.Bounds) {
		// Other buckets: what was learned of the old ones is of no use. The evidence stays.
		s.Distribution = distribution{Bounds: bounds}
		s.Odds, s.Pass, s.Learned = odds{}, pot{}, learned{}
	}
	return t.distributed(s, w, w.Canary.split(bounds), w.Primary.split(bounds)), true
}

func (t Test) distributed(s State, w Window, canary, primary []float64) State {
	n, m := tailOf(canary, 0), tailOf(primary, 0)
	d := s.Distribution
	c := counts{canary: n, primary: m}
	if d.known() {
		if d.Mark == 0 {
			d.Mark = d.mark()
		}
		c.canaryBad, _, _ = w.Canary.beyond(d.Mark)
		c.primaryBad, _, _ = w.Primary.beyond(d.Mark)
	}
	if by := s.Dispersion.factor(); d.known() && c.comparable() {
		q := d.shares()
		tilts, first := slower(q, t.Tolerance, n, m)
		logE := make([]float64, len(tilts))
		for k, tilt := range tilts {
			logE[k] = tilt.logE(canary, primary, first) / by
		}
		s.Fail = s.Fail.play(logE, true, limit(t.Alpha))
		s = t.passing(s, c, by)
		diff, variance := difference(q, canary, primary)
		if v := variance + float64(d.Variance); d.Variance > 0 && variance > 0 {
			moved := diff - float64(d.Difference)
			s.Dispersion = s.Dispersion.observe(moved*moved/v, mostSurprise)
		}
		d.Difference, d.Variance = float32(diff), float32(variance)
	}
	s.Distribution = d
	if m > 0 {
		s.Distribution = d.learn(primary)
	}
	s.total(c)
	return s
}

// mean compares the means of each window, which is one observation however many requests it has.
func (t Test) mean(s State, w Window) (State, bool) {
	c := counts{canary: w.Canary.Requests, primary: w.Primary.Requests}
	s.total(c)
	if !c.comparable() {
		return s, true
	}
	canary, primary := w.Canary.Sum/c.canary, w.Primary.Sum/c.primary
	if canary < 0 || primary < 0 {
		return s, false
	}
	worse, better := canary-t.Tolerance*primary, t.Limit*primary-canary
	if e := s.Scale.signs(worse); e != nil {
		s.Fail = s.Fail.play(e, true, limit(t.Alpha))
	}
	s.Scale = s.Scale.learn(worse, canary, primary)
	if t.Limit > 0 {
		if e := s.PassScale.signs(better); e != nil {
			s.Pass = s.Pass.play(e, false, limit(t.Beta))
		}
		s.PassScale = s.PassScale.learn(better, canary, primary)
	}
	return s, true
}

// shared compares requests with the weight: as many should be the canary's as if each fell to it by the weight.
func (t Test) shared(s State, w Window) (State, bool) {
	if !(w.Weight >= 0 && w.Weight <= 1) {
		return s, false
	}
	c := counts{w.Canary.Requests, w.Weight, w.Primary.Requests, 1 - w.Weight}
	by := s.Dispersion.factor()
	more, less := c.wagers(t.Tolerance, 1, learned{}), c.wagers(1/t.Tolerance, -1, learned{})
	if more != nil {
		s.Fail = s.Fail.play(tempered(more, by), true, limit(t.Alpha))
		s.Less = s.Less.play(tempered(less, by), true, limit(t.Alpha))
	}
	s.Dispersion = s.Dispersion.count(c, math.MaxFloat32)
	s.Odds = s.Odds.count(c, by)
	s.total(counts{canary: w.Canary.Requests, primary: w.Primary.Requests})
	return s, true
}
