package evidence_test

import (
	"math"
	"math/rand/v2"
	"time"

	"weir.dev/weir/pkg/analysis/evidence"
)

// poisson draws a count: by the gaps between events where it is small, else by Hörmann's transformed rejection (1993).
func poisson(r *rand.Rand, mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if mean < 12 {
		n, product := -1.0, 1.0
		for limit := math.Exp(-mean); product > limit; n++ {
			product *= r.Float64()
		}
		return n
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	inverse := 1.1239 + 1.1328/(b-3.4)
	squeeze := 0.9277 - 3.6224/(b-2)
	for {
		u, v := r.Float64()-0.5, r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= squeeze {
			return k
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		lgamma, _ := math.Lgamma(k + 1)
		if math.Log(v)+math.Log(inverse)-math.Log(a/(us*us)+b) <= k*math.Log(mean)-mean-lgamma {
			return k
		}
	}
}

// A stream is an application under load: how much, how bad, how the canary differs.
type stream struct {
	perMinute float64
	window    time.Duration
	weight    func(window int) float64
	base      func(window int) float64 // share of the primary's requests that fail
	ratio     float64                  // of the canary's share to that
	burst     float64                  // failures come so many at a time
	late      int                      // the window from which on the canary differs
	slower    float64                  // how many times as long the canary's requests take; 0 for no latencies
	off       float64                  // how many times the odds of the weight the canary's requests have; 0 for once
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

func (s stream) side(r *rand.Rand, n, share, factor float64) evidence.Sample {
	bad := poisson(r, n*share/s.burst) * s.burst
	sample := evidence.Sample{Requests: bad + poisson(r, n*(1-share)), Bad: bad}
	if factor > 0 {
		sample = evidence.Sample{Buckets: histogram(r, n, factor)}
		for i, b := range sample.Buckets {
			// The sum, as if all took as long as the middle of the bucket.
			before, low := 0.0, 0.0
			if i > 0 {
				before, low = sample.Buckets[i-1].Count, sample.Buckets[i-1].Le
			}
			sample.Sum += (b.Count - before) * (low + math.Min(b.Le, 2*low)) / 2
		}
		sample.Requests = sample.Buckets[len(sample.Buckets)-1].Count
	}
	return sample
}

// bounds are the default ones of Prometheus's clients, in seconds.
func bounds() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, math.Inf(1)}
}

// beyond is how many requests take longer than a bound: latencies are lognormal about 80 ms, 99 % below 0.4 s.
func beyond(bound, factor float64) float64 {
	return math.Erfc(math.Log(bound/(0.08*factor))/(0.7*math.Sqrt2)) / 2
}

func histogram(r *rand.Rand, n, factor float64) []evidence.Bucket {
	var out []evidence.Bucket
	before, count := 1.0, 0.0
	for _, le := range bounds() {
		after := beyond(le, factor)
		count += poisson(r, n*(before-after))
		out = append(out, evidence.Bucket{Le: le, Count: count})
		before = after
	}
	return out
}

// next is the window with a number, beginning with 0.
func (s stream) next(r *rand.Rand, i int) evidence.Window {
	start := time.Unix(1_700_000_000, 0).Add(time.Duration(i) * s.window)
	n, w, base := s.perMinute*s.window.Minutes(), s.weight(i), s.base(i)
	ratio, share := s.ratio, w
	if i < s.late {
		ratio = 1
	}
	if s.off > 0 {
		share = w * s.off / (1 - w + w*s.off)
	}
	return evidence.Window{
		Start: start, End: start.Add(s.window), Weight: w,
		Canary:  s.side(r, n*share, math.Min(1, base*ratio), s.slower),
		Primary: s.side(r, n*(1-share), base, math.Min(s.slower, 1)),
	}
}
