package evidence

import "math"

const (
	// firstDispersion is what bursts are taken for before anything is known. That belief is worth one observation.
	firstDispersion = 3
	// mostDispersion is what the primary alone can make of it. Its errors also vary with what both sides have in
	// common, which is no trouble to a comparison.
	mostDispersion = 10
	// enoughDue is how many bad requests the primary is expected to have in a block.
	enoughDue = 2
	// mostSurprise bounds what one observation can say: the moment in which a canary turns bad is not a burst.
	mostSurprise = 25
)

// A dispersion is how much more the split of bad requests varies from one block of windows to the next than it would
// if requests failed independently. Neighbours are compared, so that a canary that is worse all the time is no
// variation. A canary with few requests says little for long; until it does, the primary's errors alone are asked
// whether they come in bursts.
type dispersion struct {
	Sum float32 `json:"sum,omitempty"`
	N   float32 `json:"n,omitempty"`
	// Last is the block that the next is compared with, Open the one that is being filled.
	Last []float32 `json:"last,omitempty"`
	Open []float32 `json:"open,omitempty"`
	// Alone is the same for the primary by itself.
	Alone alone `json:"alone,omitzero"`
}

// alone is how the primary's share of bad requests varies from one block to the next.
type alone struct {
	Sum float32 `json:"sum,omitempty"`
	N   float32 `json:"n,omitempty"`
	// Last and Open are blocks, of bad requests and all.
	Last [2]float32 `json:"last,omitzero"`
	Open [2]float32 `json:"open,omitzero"`
}

// factor is what the logarithms of e-values are divided by.
func (d dispersion) factor() float64 {
	prior := (firstDispersion + float64(d.Alone.Sum)) / (1 + float64(d.Alone.N))
	prior = math.Max(1, math.Min(prior, mostDispersion))
	return math.Max(1, (prior+float64(d.Sum))/(1+float64(d.N)))
}

// count fills the open block of the primary. It is full when, by the share that was learned before, enough bad requests
// were due in it; how many there were has no say in that.
func (a alone) count(c counts, share float64) alone {
	a.Open[0] += float32(c.primaryBad)
	a.Open[1] += float32(c.primary)
	if c.bad() <= 0 || float64(a.Open[1])*share < enoughDue {
		return a
	}
	x, n := float64(a.Open[0]), float64(a.Open[1])
	y, m := float64(a.Last[0]), float64(a.Last[1])
	if rate := (x + y) / (n + m); m > 0 && rate > 0 && rate < 1 {
		off := x - n*rate // and -off in the other
		a.Sum += float32(math.Min(mostSurprise, off*off*(1/n+1/m)/(rate*(1-rate))))
		a.N++
	}
	a.Last, a.Open = a.Open, [2]float32{}
	return a
}

func (d dispersion) observe(chi2, most float64) dispersion {
	d.Sum += float32(math.Min(chi2, most))
	d.N++
	return d
}

// block is a few windows: what was bad at the canary's and altogether, how much of it would be the canary's if it were
// like the primary, and the requests.
type block struct{ canary, bad, due, requests float64 }

func blockOf(v []float32) block {
	if len(v) != 4 {
		return block{}
	}
	return block{float64(v[0]), float64(v[1]), float64(v[2]), float64(v[3])}
}

func (b block) stored() []float32 {
	return []float32{float32(b.canary), float32(b.bad), float32(b.due), float32(b.requests)}
}

// count fills the open block, and when one more bad request would be due to the canary in it, compares it with the
// last. When a block is full does not depend on whose the bad requests were.
func (d dispersion) count(c counts, most float64) dispersion {
	if c.bad() <= 0 || !c.comparable() {
		return d
	}
	open := blockOf(d.Open)
	open.canary += c.canaryBad
	open.bad += c.bad()
	open.due += c.bad() * c.canary / (c.canary + c.primary)
	open.requests += c.canary + c.primary
	if open.due < 1 {
		d.Open = open.stored()
		return d
	}
	if chi2, ok := homogeneity(blockOf(d.Last), open); ok {
		d = d.observe(chi2, most)
	}
	d.Last, d.Open = open.stored(), nil
	return d
}

// homogeneity is Pearson's chi-square, of one degree of freedom, for the same ratio in both blocks. With fewer than
// two bad requests at one side it says nothing about bursts.
func homogeneity(a, b block) (chi2 float64, ok bool) {
	canary, bad := a.canary+b.canary, a.bad+b.bad
	if a.bad <= 0 || b.bad <= 0 || canary < 2 || bad-canary < 2 {
		return 0, false
	}
	up, down := 0.0, 0.0 // Mantel and Haenszel's estimate of the ratio
	for _, x := range []block{a, b} {
		p := x.due / x.bad
		up += x.canary * (1 - p)
		down += (x.bad - x.canary) * p
	}
	if up <= 0 || down <= 0 {
		return 0, false
	}
	for _, x := range []block{a, b} {
		odds := x.due / (x.bad - x.due) * up / down
		p := odds / (1 + odds)
		chi2 += (x.canary - x.bad*p) * (x.canary - x.bad*p) / (x.bad * p * (1 - p))
	}
	chi2 *= (bad - 1) / bad
	if share := bad / (a.requests + b.requests); share < 1 {
		chi2 /= 1 - share // proportions vary less than counts
	}
	return chi2, !math.IsNaN(chi2) && !math.IsInf(chi2, 0)
}
