package evidence

import (
	"math"
	"slices"
	"time"
)

// mostCounted is what a window may count; above it, whole numbers are no longer exact.
const mostCounted = 1 << 53

// A Window is what canary and primary did between two instants. Windows do not overlap, and a change of the weight
// ends one.
type Window struct {
	Start, End time.Time
	// Weight is the share of requests that the canary was to get, from 0 to 1. Only Split asks for it.
	Weight float64
	// Canary and Primary are what was counted.
	Canary, Primary Sample
}

// A Sample is what one side counted within a window.
type Sample struct {
	// Requests that were answered.
	Requests float64
	// Bad are those of them that failed, for Errors.
	Bad float64
	// Sum of the values of all requests, for Mean.
	Sum float64
	// Buckets of a histogram, ascending and cumulative as Prometheus has them, for Latency. The last bound is +Inf.
	Buckets []Bucket
}

// A Bucket tells how many requests took no longer than a bound, or how many have since counting began.
type Bucket struct {
	Le, Count float64
}

// nothing is a sample of no request, with the same buckets.
func (s Sample) nothing() Sample {
	var none Sample
	for _, b := range s.Buckets {
		none.Buckets = append(none.Buckets, Bucket{Le: b.Le})
	}
	return none
}

// counted tells whether a number is one that something can be counted to.
func counted(v float64) bool { return v >= 0 && v <= mostCounted }

// readable tells whether a sample is free of what no counter says.
func (s Sample) readable() bool {
	if !counted(s.Requests) || !counted(s.Bad) || s.Bad > s.Requests || !(math.Abs(s.Sum) <= mostCounted) {
		return false
	}
	for i, b := range s.Buckets {
		if !counted(b.Count) || math.IsNaN(b.Le) || math.IsInf(b.Le, -1) {
			return false
		}
		if i > 0 && (b.Le <= s.Buckets[i-1].Le || b.Count < s.Buckets[i-1].Count) {
			return false
		}
	}
	return len(s.Buckets) == 0 || math.IsInf(s.Buckets[len(s.Buckets)-1].Le, 1)
}

// beyond counts the requests that took longer than a bound, and all; without such a bucket there is no telling.
func (s Sample) beyond(bound float64) (slow, all float64, ok bool) {
	at := slices.IndexFunc(s.Buckets, func(b Bucket) bool { return b.Le == bound })
	if at < 0 {
		return 0, 0, false
	}
	all = s.Buckets[len(s.Buckets)-1].Count
	return all - s.Buckets[at].Count, all, true
}

// split counts a histogram into the spaces between the given bounds, the last of which is open.
func (s Sample) split(bounds []float64) []float64 {
	counts := make([]float64, 0, len(bounds)+1)
	before := 0.0
	for _, b := range s.Buckets {
		if slices.Contains(bounds, b.Le) || math.IsInf(b.Le, 1) {
			counts = append(counts, b.Count-before)
			before = b.Count
		}
	}
	return counts
}

// commonBounds are the bounds that both sides have, without +Inf: a new revision may come with other buckets.
func (w Window) commonBounds() []float64 {
	var bounds []float64
	for _, b := range w.Canary.Buckets {
		has := func(other Bucket) bool { return other.Le == b.Le }
		if !math.IsInf(b.Le, 1) && slices.ContainsFunc(w.Primary.Buckets, has) {
			bounds = append(bounds, b.Le)
		}
	}
	return bounds
}
