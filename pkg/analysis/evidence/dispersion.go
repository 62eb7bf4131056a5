package evidence

import "math"

const (
	// firstDispersion is what bursts are taken for before anything is known, and priorBlocks how many observations
	// that belief is worth.
	firstDispersion = 3
	priorBlocks     = 1
	// mostSurprise bounds what one observation can say: the moment in which a canary turns bad is not a burst.
	mostSurprise = 25
)

// A dispersion is how much more the split of bad requests varies from one block of windows to the next than it would
// if requests failed independently. Neighbours are compared, so that a canary that is worse all the time is no
// variation.
type dispersion struct {
	Sum float32 `json:"sum,omitempty"`
	N   float32 `json:"n,omitempty"`
	// Last is the block that the next is compared with, Open the one that is being filled.
	Last []float32 `json:"last,omitempty"`
	Open []float32 `json:"open,omitempty"`
}

// factor is what the logarithms of e-values are divided by.
func (d dispersion) factor() float64 {
	return math.Max(1, (firstDispersion*priorBlocks+float64(d.Sum))/(priorBlocks+float64(d.N)))
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
