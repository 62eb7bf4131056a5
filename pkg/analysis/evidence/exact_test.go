package evidence

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rounding is what an expectation of 1 may come out above it.
const rounding = 1e-9

func choose(n, k int) float64 {
	out := 1.0
	for i := range k {
		out *= float64(n-i) / float64(i+1)
	}
	return out
}

func binomial(n, k int, p float64) float64 {
	return choose(n, k) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
}

// expected enumerates all that n and m independent requests can do.
func expected(n, m int, canary, primary float64, e func(counts) float64) float64 {
	sum := 0.0
	for x := 0; x <= n; x++ {
		for y := 0; y <= m; y++ {
			c := counts{float64(x), float64(n), float64(y), float64(m)}
			sum += binomial(n, x, canary) * binomial(m, y, primary) * e(c)
		}
	}
	return sum
}

// TestWagersAreFair enumerates small windows: the expectation of every e-value is at most 1 wherever the null holds,
// at any frequency of bad requests and whatever was learned before.
func TestWagersAreFair(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 5}, {6, 2}, {1, 9}} {
		for _, null := range []float64{1, 1.25, 2} {
			for _, up := range []float64{1, -1} {
				for _, l := range []learned{{}, {Bad: 10, Requests: 150}, {Bad: 40, Requests: 100}, {Bad: 90, Requests: 100}} {
					for primary := 0.0; primary <= 1/null; primary += 1 / null / 8 {
						for _, off := range []float64{0, .3, .8} {
							// From the edge into the null: less for the canary, or more.
							canary := primary * null
							canary += off * (map[float64]float64{1: 0, -1: 1}[up] - canary)
							for k := range distances() {
								got := expected(size[0], size[1], canary, primary, func(c counts) float64 {
									logE := c.wagers(null, up, l)
									if logE == nil {
										return 1
									}
									return math.Exp(logE[k])
								})
								require.LessOrEqual(t, got, 1+rounding, "%v null %v up %v %v at %v, %v", size, null, up, l, canary, primary)
							}
						}
					}
				}
			}
		}
	}
	for _, c := range []counts{{4, 20, 30, 400}, {9, 20, 100, 400}} {
		logE := c.wagers(1.25, 1, learned{Bad: float32(c.primaryBad), Requests: float32(c.primary)})
		require.Greater(t, logSumAll(logE), math.Log(float64(len(logE))), "a canary that is worse is worth something")
	}
}

// TestRareIsExact: given how many requests were bad, the e-values of the rare form are 1 on average when the ratio is
// the null's, for any number of requests.
func TestRareIsExact(t *testing.T) {
	for _, bad := range []int{1, 2, 7} {
		for _, null := range []float64{.5, 1, 1.25, 3} {
			for _, r := range []float64{.01, .3, 9} {
				for _, d := range []float64{-3.2, -.1, .1, 3.2} {
					sum, p := 0.0, r*null/(1+r*null)
					for x := 0; x <= bad; x++ {
						c := counts{float64(x), 1e6 * r, float64(bad - x), 1e6}
						sum += binomial(bad, x, p) * math.Exp(c.rare(null, d))
					}
					require.InDelta(t, 1, sum, 1e-9)
				}
			}
		}
	}
}

// TestProjectIsNearest compares the closed form with a search.
func TestProjectIsNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		ratio := math.Exp(r.NormFloat64())
		canary, primary, n, m := r.Float64(), r.Float64(), 1+100*r.Float64(), 1+100*r.Float64()
		distance := func(t float64) float64 {
			return logRatio(n*canary, n, canary, ratio*t) + logRatio(m*primary, m, primary, t)
		}
		got := project(ratio, canary, primary, n, m)
		require.Less(t, got*ratio, 1.0)
		for _, factor := range []float64{.9, .999, 1.001, 1.1} {
			if other := got * factor; other*ratio < 1 && other < 1 {
				require.LessOrEqual(t, distance(got), distance(other)+1e-9)
			}
		}
	}
}

// outcomes are all ways in which n requests can fall into some buckets, with their probabilities.
func outcomes(n int, p []float64) (counts [][]float64, chances []float64) {
	if len(p) == 1 {
		return [][]float64{{float64(n)}}, []float64{math.Pow(p[0], float64(n))}
	}
	for x := 0; x <= n; x++ {
		rest, chance := outcomes(n-x, p[1:])
		for i := range rest {
			counts = append(counts, append([]float64{float64(x)}, rest[i]...))
			chances = append(chances, choose(n, x)*math.Pow(p[0], float64(x))*chance[i])
		}
	}
	return counts, chances
}

// dirichlet draws a distribution.
func dirichlet(r *rand.Rand, n int) []float64 {
	out, sum := make([]float64, n), 0.0
	for j := range out {
		out[j] = math.Pow(r.ExpFloat64(), 2)
		sum += out[j]
	}
	for j := range out {
		out[j] /= sum
	}
	return out
}

// asSlow makes of a primary's distribution one of a canary's at the edge of what is tolerated, or within it.
func asSlow(r *rand.Rand, primary []float64, tolerance float64, edge bool) []float64 {
	out := make([]float64, len(primary))
	beyond, before := 0.0, 0.0
	for j := len(primary) - 1; j >= 0; j-- {
		beyond += primary[j]
		now := math.Min(1, tolerance*beyond)
		if !edge && j > 0 {
			now = before + (now-before)*r.Float64()
		}
		if j == 0 {
			now = 1
		}
		out[j], before = now-before, now
	}
	return out
}

// TestTiltsAreFair enumerates windows of four buckets, for primaries of all sorts and whatever was learned of them:
// canaries that are just as slow as tolerated at every bound, and such that are not.
func TestTiltsAreFair(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	wagers, exact := 0, 0.0
	for range 150 {
		tolerance := []float64{1, 1.1, 1.25, 2}[r.IntN(4)]
		n, m := 1+r.IntN(3), 1+r.IntN(3)
		q, primary := dirichlet(r, 4), dirichlet(r, 4)
		tilts, first := slower(q, tolerance, float64(n), float64(m))
		for _, edge := range []bool{true, false} {
			canary := asSlow(r, primary, tolerance, edge)
			xs, px := outcomes(n, canary)
			ys, py := outcomes(m, primary)
			for _, tilt := range tilts {
				sum := 0.0
				for i, x := range xs {
					for j, y := range ys {
						sum += px[i] * py[j] * math.Exp(tilt.logE(x, y, first))
					}
				}
				require.LessOrEqual(t, sum, 1+rounding, "tolerance %v, %v learned of %v", tolerance, q, primary)
				if tilt.canary[len(tilt.canary)-1] > 0 {
					wagers++
				}
				exact = max(exact, sum)
			}
		}
	}
	require.Greater(t, wagers, 900, "most tilts are wagers")
	require.Greater(t, exact, .999, "on the edge they are nearly fair")
}

// TestProcesses plays whole tests over all that can happen in a few small windows, through Update: stakes, limits,
// tempering, the choice of the form and all that is learned on the way. The expectation of the capital is at most 1
// after every window.
func TestProcesses(t *testing.T) {
	third := []float64{.5, .3, .2}
	histogram := func(x []float64) (s Sample) {
		sum := 0.0
		for j, le := range []float64{1, 2, math.Inf(1)} {
			sum += x[j]
			s.Buckets = append(s.Buckets, Bucket{le, sum})
		}
		return s
	}
	failures := func(n int, p float64) (out []Sample, chances []float64) {
		for x := 0; x <= n; x++ {
			out, chances = append(out, Sample{Requests: float64(n), Bad: float64(x)}), append(chances, binomial(n, x, p))
		}
		return out, chances
	}
	slow := func(n int, p []float64) (out []Sample, chances []float64) {
		xs, chances := outcomes(n, p)
		for _, x := range xs {
			out = append(out, histogram(x))
		}
		return out, chances
	}
	means := func(around float64) ([]Sample, []float64) { // symmetric
		var out []Sample
		for _, off := range []float64{-3, -1, 1, 3} {
			out = append(out, Sample{Requests: 1, Sum: around + off})
		}
		return out, []float64{.2, .3, .3, .2}
	}
	type possible struct {
		window Window
		chance float64
	}
	pairs := func(canaries []Sample, px []float64, primaries []Sample, py []float64) (out []possible) {
		for i, x := range canaries {
			for j, y := range primaries {
				out = append(out, possible{Window{Canary: x, Primary: y}, px[i] * py[j]})
			}
		}
		return out
	}
	erring := func(p, q float64) []possible {
		xs, px := failures(2, p)
		ys, py := failures(3, q)
		return pairs(xs, px, ys, py)
	}
	slowly := func(p, q []float64) []possible {
		xs, px := slow(2, p)
		ys, py := slow(2, q)
		return pairs(xs, px, ys, py)
	}
	meaning := func(canary, primary float64) []possible {
		xs, px := means(canary)
		ys, py := means(primary)
		return pairs(xs, px, ys, py)
	}
	shared := func(n int, odds float64) (out []possible) {
		for x := 0; x <= n; x++ {
			w := Window{Weight: .25, Canary: Sample{Requests: float64(x)}, Primary: Sample{Requests: float64(n - x)}}
			out = append(out, possible{w, binomial(n, x, odds/(1+odds))})
		}
		return out
	}
	for name, c := range map[string]struct {
		test     Test
		start    State
		possible []possible
		windows  int
		pass     bool
	}{
		"errors": {Test{Kind: Errors, Tolerance: 1.5, Alpha: .3}, State{}, erring(.45, .3), 4, false},
		"frequent errors": {Test{Kind: Errors, Tolerance: 1.5, Alpha: .3}, State{Learned: learned{Bad: 11, Requests: 30}},
			erring(.45, .3), 4, false},
		"as bad as the limit": {Test{Kind: Errors, Tolerance: 1, Alpha: .3, Limit: 2, Beta: .3}, State{},
			erring(.6, .3), 4, true},
		"latency": {Test{Kind: Latency, Tolerance: 1.25, Alpha: .3},
			State{Distribution: distribution{Bounds: []float64{1, 2}, Counts: []float32{60, 50, 10}}},
			slowly([]float64{.375, .375, .25}, third), 3, false},
		"latency by a bound": {Test{Kind: Latency, Bound: 2, Tolerance: 1, Alpha: .3}, State{}, slowly(third, third), 3, false},
		"mean":               {Test{Kind: Mean, Tolerance: 2, Alpha: .3}, State{}, meaning(20, 10), 4, false},
		"split":              {Test{Kind: Split, Tolerance: 1.5, Alpha: .3}, State{}, shared(8, .5), 5, false},
		"split of too few":   {Test{Kind: Split, Tolerance: 1.5, Alpha: .3}, State{}, shared(8, 1./4.5), 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.start.Of = c.test.identity()
			largest := 0.0
			var play func(s State, window int, chance float64, capital []float64)
			play = func(s State, window int, chance float64, capital []float64) {
				r := c.test.Result(s)
				e := math.Exp(r.Evidence)
				if c.pass {
					e = math.Exp(r.PassEvidence)
				}
				capital[window] += chance * e
				largest = max(largest, e)
				if window == c.windows {
					return
				}
				at := time.Unix(int64(window), 0)
				for _, p := range c.possible {
					p.window.Start, p.window.End = at, at.Add(time.Second)
					next, fate := c.test.Update(s, p.window)
					require.Equal(t, Counted, fate)
					play(next, window+1, chance*p.chance, capital)
				}
			}
			capital := make([]float64, c.windows+1)
			play(c.start, 0, 1, capital)
			for window, got := range capital {
				require.LessOrEqual(t, got, 1+1e-6, "after window %d", window) // states are rounded to seven digits
			}
			require.Greater(t, largest, 1.5, "somebody can win")
		})
	}
}

// TestPredictable: what is bet on a window, in which form, by which scale and divided by what, is what the state says
// that was there before it. Windows that would have changed all of that make no difference.
func TestPredictable(t *testing.T) {
	at := time.Unix(1e9, 0)
	window := Window{Start: at, End: at.Add(time.Minute),
		Canary:  Sample{Requests: 100, Bad: 40, Sum: 900, Buckets: []Bucket{{1, 10}, {2, 60}, {math.Inf(1), 100}}},
		Primary: Sample{Requests: 400, Bad: 90, Sum: 400, Buckets: []Bucket{{1, 200}, {2, 390}, {math.Inf(1), 400}}}}
	before := State{
		Learned:      learned{Bad: 9, Requests: 100}, // one less than for the other form
		Dispersion:   dispersion{Sum: 2, N: 1, Last: []float32{1, 100, 20, 1000}, Alone: alone{Last: [2]float32{9, 900}}},
		Distribution: distribution{Bounds: []float64{1, 2}, Counts: []float32{60, 50, 10}, Variance: 1e-6},
		Scale:        scale{Size: 2, N: 1},
		Fail:         pot{Starts: 1, Stakes: []float32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	}
	errors := counts{40, 100, 90, 400}
	play := func(s State, logE []float64, by float64) pot {
		return s.Fail.play(tempered(logE, by), true, limit(.05))
	}
	for kind, bet := range map[Kind]func(Test, State) pot{
		Errors: func(test Test, s State) pot {
			require.False(t, s.Learned.isFrequent(test.Tolerance))
			require.True(t, s.Learned.learn(errors).isFrequent(test.Tolerance))
			return play(s, errors.wagers(test.Tolerance, 1, s.Learned), s.Dispersion.factor())
		},
		Latency: func(test Test, s State) pot {
			tilts, first := slower(s.Distribution.shares(), test.Tolerance, 100, 400)
			var logE []float64
			for _, tilt := range tilts {
				logE = append(logE, tilt.logE([]float64{10, 50, 40}, []float64{200, 190, 10}, first))
			}
			return play(s, logE, s.Dispersion.factor())
		},
		Mean: func(test Test, s State) pot { return play(s, s.Scale.signs(9-test.Tolerance), 1) },
	} {
		test := Test{Kind: kind, Tolerance: 1.25, Alpha: .05}
		s := before
		s.Of = test.identity()
		if kind != Errors {
			s.Fail = pot{}
		}
		after, fate := test.Update(s, window)
		require.Equal(t, Counted, fate)
		require.Equal(t, bet(test, s), after.Fail, kind)
		if kind != Mean {
			require.NotEqual(t, s.Dispersion.factor(), after.Dispersion.factor())
		}
	}
}
