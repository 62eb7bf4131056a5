package evidence

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// integrate sums a function over an interval by Simpson's rule.
func integrate(low, high float64, f func(float64) float64) float64 {
	const steps = 20000
	h := (high - low) / steps
	sum := f(low) + f(high)
	for i := 1; i < steps; i++ {
		sum += f(low+float64(i)*h) * float64(2+2*(i%2))
	}
	return sum * h / 3
}

// mixture is the e-value for x of n against a share, mixed over a Beta(a, b) of alternatives: Lindon and Malek's form,
// made of the wagers of this package.
func mixture(x, n, share, a, b float64) float64 {
	c := counts{x, share, n - x, 1 - share}
	logA, _ := math.Lgamma(a)
	logB, _ := math.Lgamma(b)
	logAB, _ := math.Lgamma(a + b)
	return integrate(1e-9, 1-1e-9, func(p float64) float64 {
		density := (a-1)*math.Log(p) + (b-1)*math.Log1p(-p) + logAB - logA - logB
		return math.Exp(density + c.rare(1, math.Log(p/(1-p)*(1-share)/share)))
	})
}

// TestPublishedCounts compares with what the examples of the Python package savvi print, with a prior of weight 100.
func TestPublishedCounts(t *testing.T) {
	// Two Poisson processes of which the second should have a fifth: 148 and 62 events, p = 0.0456, and an estimate of
	// 0.5162 for the logarithm of the ratio.
	require.InDelta(t, 0.0456, 1/mixture(62, 210, .2, 20, 80), 5e-5)
	o := odds{}.count(counts{62, 200, 148, 800}, 1)
	require.InDelta(t, 0.5162, math.Log(o.ratio(.05).Estimate), 5e-5)

	// Three groups of which 40, 129 and 233 come against shares of 0.1, 0.4 and 0.5: p = 0.0485. The first against the
	// rest, then the second against the third, are the same mixture.
	e := mixture(40, 402, .1, 10, 90) * mixture(129, 362, .4/.9, 40, 50)
	require.InDelta(t, 0.0485, 1/e, 5e-5)
}

// TestPublishedProportions compares with the unit tests of the R package safestats.
func TestPublishedProportions(t *testing.T) {
	// One request on each side, the canary's bad: at odds 3, conditionally, each window is worth 3/2.
	one := counts{1, 1, 0, 1}
	require.InDelta(t, 1.5, math.Exp(one.rare(1, math.Log(3))), 1e-12)

	// The same five times over, mixed over normal logarithms of the odds.
	for i, want := range []float64{1, 1.173516143432372, 1.520548430297116, 2.105509009062085, 3.057222176662974} {
		got := integrate(-12, 12, func(z float64) float64 {
			return math.Exp(float64(i+1)*one.rare(1, z)-z*z/2) / math.Sqrt(2*math.Pi)
		})
		require.InDelta(t, want, got, 1e-10)
	}

	// Uniform priors have learned 2/3 and 1/3 from the first such window; the second is worth 16/9.
	require.InDelta(t, 16./9, math.Exp(one.frequent(1, 2./3, 1./3)), 1e-12)
	require.InDelta(t, .5, project(1, .75, .25, 1, 1), 1e-12)
}

// TestSecondOpinion writes the same out of the probabilities themselves.
func TestSecondOpinion(t *testing.T) {
	c := counts{7, 150, 60, 3000}
	const null, d = 1.25, .7
	r := c.canary / c.primary
	p0, p1 := r*null/(1+r*null), r*null*math.Exp(d)/(1+r*null*math.Exp(d))
	require.InDelta(t, 7*math.Log(p1/p0)+60*math.Log((1-p1)/(1-p0)), c.rare(null, d), 1e-12)

	// Of a tolerance of 1, a tilt is the design's: both sides against their mean, weighted with the requests.
	q := []float64{.2, .5, .3}
	tilts, first := slower(q, 1, 10, 90)
	require.Equal(t, 1, first)
	rank, _ := scores(q)
	p, sum := make([]float64, 3), 0.0
	for j := range q {
		p[j] = q[j] * math.Exp(4*.2*rank[j])
		sum += p[j]
	}
	for j := range q {
		mean := (10*p[j]/sum + 90*q[j]) / 100
		require.InDelta(t, math.Log(p[j]/sum/mean), tilts[1].canary[j], 1e-12)
		require.InDelta(t, math.Log(q[j]/mean), tilts[1].primary[j], 1e-12)
	}

	// Signs of differences that are symmetric are fair whatever their size.
	s := scale{Size: 3, N: 2}
	up, down := s.signs(4), s.signs(-4)
	for k := range up {
		require.InDelta(t, 2, math.Exp(up[k])+math.Exp(down[k]), 1e-12)
	}
	require.InDelta(t, 1+.95*math.Tanh(2*4/1.5), math.Exp(up[2]), 1e-6)

	// Two neighbours of equal size: the chi-square of a table of two by two, of which it takes the mean out.
	chi2, ok := homogeneity(block{3, 40, 2, 1e9}, block{9, 60, 3, 1e9})
	require.True(t, ok)
	table := 0.0
	for _, cell := range [][2]float64{{3, 40 * .12}, {37, 40 * .88}, {9, 60 * .12}, {51, 60 * .88}} {
		table += (cell[0] - cell[1]) * (cell[0] - cell[1]) / cell[1]
	}
	require.InDelta(t, table*.99, chi2, 1e-6)

	// And of the primary alone: 9 of 400 after 4 of 500.
	a := alone{Last: [2]float32{4, 500}}.count(counts{0, 20, 9, 400}, .01)
	table = 0
	for _, cell := range [][2]float64{{4, 500 * 13. / 900}, {496, 500 * 887. / 900}, {9, 400 * 13. / 900}, {391, 400 * 887. / 900}} {
		table += (cell[0] - cell[1]) * (cell[0] - cell[1]) / cell[1]
	}
	require.InDelta(t, table, float64(a.Sum), 1e-5)
	require.Equal(t, alone{Sum: a.Sum, N: 1, Last: [2]float32{9, 400}}, a)
}

// TestPot follows the capital by hand.
func TestPot(t *testing.T) {
	ln := math.Log
	var p pot
	require.Zero(t, p.logCapital(true))
	p = p.play([]float64{ln(2), ln(4)}, true, ln(1000))
	require.InDelta(t, .2+.4*2+.4*4, math.Exp(p.logCapital(true)), 1e-6)
	p = p.play([]float64{ln(.5), ln(2)}, true, ln(1000))
	require.InDelta(t, .1+(.8+.05)*.5+(1.6+.05)*2, math.Exp(p.logCapital(true)), 1e-6)
	limited := p.play([]float64{ln(1e6), ln(1e3)}, true, ln(10))
	require.InDelta(t, 10*math.Exp(p.logCapital(true)), math.Exp(limited.logCapital(true)), 1e-4)
	poor := p.play([]float64{ln(1e-9), ln(1e-9)}, true, ln(10))
	require.InDelta(t, .2/3, math.Exp(poor.logCapital(true)), 1e-6)
	require.InDelta(t, ln(10), poor.play([]float64{50, 50}, true, ln(10)).logCapital(true), 1e-6)

	once := pot{}.play([]float64{ln(3)}, false, ln(1000)).play([]float64{ln(5)}, false, ln(1000))
	require.InDelta(t, 15, math.Exp(once.logCapital(false)), 1e-5)
	require.InDelta(t, ln(3), logSum(0, ln(2)), 1e-12)
}
