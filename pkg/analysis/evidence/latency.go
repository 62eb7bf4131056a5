package evidence

import "math"

const (
	// enoughSeen is how many requests of the primary must be known before its distribution is bet on.
	enoughSeen = 100
	// slack keeps the first of the merged buckets from holding all that the tolerance could move.
	slack = 0.9
	// deepest is the share of requests beyond which the tail's score grows no more.
	deepest = 1e-3
	// markShare is how many requests of the primary are slower than the mark, at most.
	markShare = 0.1
)

// A distribution is how long the primary's requests took of late.
type distribution struct {
	// Bounds of the buckets, without +Inf.
	Bounds []float64 `json:"bounds,omitempty"`
	// Counts has one more.
	Counts []float32 `json:"counts,omitempty"`
	// Mark is the first bound that at most a tenth of the requests exceeded when it was set.
	Mark float64 `json:"mark,omitempty"`
	// Difference of the mean scores in the last window, and its variance.
	Difference float32 `json:"difference,omitempty"`
	Variance   float32 `json:"variance,omitempty"`
}

func (d distribution) known() bool {
	n := float32(0)
	for _, c := range d.Counts {
		n += c
	}
	return n >= enoughSeen
}

// shares are the probabilities of the buckets, none of which is 0.
func (d distribution) shares() []float64 {
	q := make([]float64, len(d.Counts))
	n := 0.0
	for j, c := range d.Counts {
		q[j] = float64(c) + 0.5/float64(len(d.Counts))
		n += q[j]
	}
	for j := range q {
		q[j] /= n
	}
	return q
}

func (d distribution) learn(primary []float64) distribution {
	next := d
	next.Counts = make([]float32, len(primary))
	for j, c := range primary {
		next.Counts[j] = float32(c)
		if len(d.Counts) == len(primary) {
			next.Counts[j] += memory * d.Counts[j]
		}
	}
	return next
}

// mark is the bound for the ratio and the early pass.
func (d distribution) mark() float64 {
	q := d.shares()
	beyond := 1.0
	for j, bound := range d.Bounds {
		if beyond -= q[j]; beyond <= markShare {
			return bound
		}
	}
	return d.Bounds[len(d.Bounds)-1]
}

// scores say how slow a bucket is, from 0 to 1: by its rank, and by how far out in the tail it is.
func scores(q []float64) (rank, tail []float64) {
	before := 0.0
	for _, p := range q {
		beyond := 1 - before - p/2
		rank = append(rank, 1-beyond)
		tail = append(tail, math.Min(1, math.Log(math.Max(beyond, deepest))/math.Log(deepest)))
		before += p
	}
	return rank, tail
}

// merged is a distribution whose fastest buckets are one, and how many they were.
func merged(q []float64, tolerance float64) (out []float64, first int) {
	beyond := 1 - q[0]
	for first = 1; tolerance > 1 && beyond*tolerance > slack && first < len(q); first++ {
		beyond -= q[first]
	}
	out = append(out, 1-tailOf(q, first))
	return append(out, q[first:]...), first
}

func tailOf(q []float64, first int) float64 {
	sum := 0.0
	for _, p := range q[first:] {
		sum += p
	}
	return sum
}

// A tilt is one alternative: what canary's and primary's buckets are multiplied with, in logarithms.
type tilt struct{ canary, primary []float64 }

// slower makes the alternatives for a canary that is slower than tolerated. The null is that beyond no bound there is
// more than tolerance times the primary's share of requests. On its edge, the canary's distribution is the primary's
// with all buckets but the first multiplied by the tolerance; the alternative tilts that by exp(4·eta·score). The
// nearest point of the edge is then found as for two proportions, in the first bucket or not, and within the rest by
// mixing. Where the likelihood ratio would not grow with the latency, which the proof needs, there is no wager.
func slower(q []float64, tolerance, n, m float64) (tilts []tilt, first int) {
	q, first = merged(q, tolerance) // of which nothing may be left but the first
	rank, tail := scores(q)
	rest := tailOf(q, 1)
	for _, score := range [][]float64{rank, tail} {
		for _, eta := range []float64{.1, .2, .4, .8} {
			t := tilt{make([]float64, len(q)), make([]float64, len(q))}
			tilts = append(tilts, t)
			if rest < 1e-9 || tolerance*rest >= 1 {
				continue
			}
			p := []float64{(1 - tolerance*rest) * math.Exp(4*eta*score[0])}
			sum := p[0]
			for j := 1; j < len(q); j++ {
				p = append(p, tolerance*q[j]*math.Exp(4*eta*score[j]))
				sum += p[j]
			}
			for j := range p {
				p[j] /= sum
			}
			base := project(tolerance, 1-p[0], rest, n, m)
			mixed := n*(1-p[0]) + m*rest
			t.canary[0], t.primary[0] = math.Log(p[0]/(1-tolerance*base)), math.Log(q[0]/(1-base))
			for j := 1; j < len(q); j++ {
				edge := base * (n*p[j] + m*q[j]) / mixed
				t.canary[j], t.primary[j] = math.Log(p[j]/(tolerance*edge)), math.Log(q[j]/edge)
			}
			if !rising(t.canary) {
				clear(t.canary)
				clear(t.primary)
			}
		}
	}
	return tilts, first
}

// logE is what a window makes of a tilt.
func (t tilt) logE(canary, primary []float64, first int) float64 {
	sum := 0.0
	for j := range canary {
		at := max(0, j-first+1)
		sum += canary[j]*t.canary[at] + primary[j]*t.primary[at]
	}
	return sum
}

// difference of the mean scores of a window, and its variance if requests are independent.
func difference(q, canary, primary []float64) (diff, variance float64) {
	rank, tail := scores(q)
	n, m := tailOf(canary, 0), tailOf(primary, 0)
	mean, square := 0.0, 0.0
	for j := range q {
		s := (rank[j] + tail[j]) / 2
		diff += s * (canary[j]/n - primary[j]/m)
		mean += s * (canary[j] + primary[j]) / (n + m)
		square += s * s * (canary[j] + primary[j]) / (n + m)
	}
	return diff, math.Max(0, square-mean*mean) * (1/n + 1/m)
}

// rising allows for rounding, where two buckets have the same score.
func rising(v []float64) bool {
	for j := 1; j < len(v); j++ {
		if v[j] < v[j-1]-1e-12 {
			return false
		}
	}
	return true
}
