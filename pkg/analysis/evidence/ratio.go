package evidence

import "math"

// The ratios that a confidence sequence tells apart: from 1/16 to 16, four to an octave.
const (
	octaves   = 4
	perOctave = 4
	ratios    = 2*octaves*perOctave + 1
)

func ratioAt(g int) float64 { return math.Exp2(float64(g)/perOctave - octaves) }

// A Ratio estimates how many times the primary's share of bad requests the canary's is. Zero stands for what is not
// known: no estimate, no bound.
type Ratio struct {
	Estimate, Low, High float64
}

// odds are what is kept of all windows for the ratio: the tempered log-likelihood of each of some ratios less that of
// 1, and the sums of Mantel and Haenszel.
type odds struct {
	Likelihoods []float32 `json:"likelihoods,omitempty"`
	Canary      float32   `json:"canary,omitempty"`
	Primary     float32   `json:"primary,omitempty"`
}

func (o odds) count(c counts, temper float64) odds {
	if c.bad() <= 0 || !c.comparable() {
		return o
	}
	next := odds{Likelihoods: make([]float32, ratios)}
	copy(next.Likelihoods, o.Likelihoods)
	for g := range next.Likelihoods {
		l := c.rare(1, math.Log(ratioAt(g))) / temper
		next.Likelihoods[g] = stored(float64(next.Likelihoods[g]) + l)
	}
	next.Canary = o.Canary + float32(c.canaryBad*c.primary/(c.canary+c.primary))
	next.Primary = o.Primary + float32(c.primaryBad*c.canary/(c.canary+c.primary))
	return next
}

// ratio inverts, for each ratio, the test by the even mixture over all of them. Below one that is out on the lower side
// all are, and above one on the upper, because the logarithm of the likelihood is concave in that of the ratio.
func (o odds) ratio(alpha float64) Ratio {
	var r Ratio
	if o.Canary > 0 && o.Primary > 0 {
		r.Estimate = float64(o.Canary) / float64(o.Primary)
	}
	if len(o.Likelihoods) != ratios {
		return r
	}
	mixture := logSumAll(o.Likelihoods) - math.Log(ratios)
	out := func(g int) bool { return mixture-float64(o.Likelihoods[g]) >= -math.Log(alpha) }
	for g := 0; g < ratios && out(g); g++ {
		r.Low = ratioAt(g)
	}
	for g := ratios - 1; g >= 0 && out(g); g-- {
		r.High = ratioAt(g)
	}
	return r
}
