package evidence_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis/evidence"
)

// tests are one of each kind, with an early pass where there is one.
func tests() map[string]evidence.Test {
	pass := evidence.Test{Tolerance: 1.25, Alpha: .05, Limit: 2, Beta: .05}
	with := func(kind evidence.Kind) evidence.Test { pass.Kind = kind; return pass }
	bound := with(evidence.Latency)
	bound.Bound = .5
	return map[string]evidence.Test{
		"errors": with(evidence.Errors), "latency": with(evidence.Latency), "bound": bound, "mean": with(evidence.Mean),
		"split": {Kind: evidence.Split, Tolerance: 1.2, Alpha: .05},
	}
}

// loads are an application with errors, and one with latencies.
func loads() []stream {
	errors := stream{perMinute: 3000, window: time.Minute, weight: always(.2), base: always(.02), ratio: 1, burst: 1}
	latencies := errors
	latencies.slower = 1
	frequent := errors
	frequent.base = always(.2)
	return []stream{errors, frequent, latencies}
}

func at(second int) time.Time { return time.Unix(1_700_000_000+int64(second), 0) }

func failures(from, to int, canaryBad, canary, primaryBad, primary float64) evidence.Window {
	return evidence.Window{Start: at(from), End: at(to), Canary: evidence.Sample{Requests: canary, Bad: canaryBad},
		Primary: evidence.Sample{Requests: primary, Bad: primaryBad}}
}

// TestStateIsExact: what was kept and read again decides as if it had never been away.
func TestStateIsExact(t *testing.T) {
	for name, test := range tests() {
		for i, load := range loads() {
			load.ratio, load.slower = 1.5, load.slower*1.2
			r := rand.New(rand.NewPCG(1, uint64(i)))
			var here, there evidence.State
			for w := range 40 {
				window := load.next(r, w)
				here, _ = test.Update(here, window)
				there, _ = test.Update(there, window)
				kept, err := json.Marshal(there)
				require.NoError(t, err)
				require.Less(t, len(kept), 1600, "%s: a state is small", name)
				there = evidence.State{}
				require.NoError(t, json.Unmarshal(kept, &there))
				require.Equal(t, here, there, "%s after %d windows", name, w+1)
				require.Equal(t, test.Result(here), test.Result(there))
			}
		}
	}
}

// TestNoWindowCountsTwice, and none that overlaps with what was counted.
func TestNoWindowCountsTwice(t *testing.T) {
	test := tests()["errors"]
	s, fate := test.Update(evidence.State{}, failures(0, 60, 9, 100, 10, 1900))
	require.Equal(t, evidence.Counted, fate)
	require.Equal(t, at(60).UTC(), s.End())
	for name, w := range map[string]evidence.Window{
		"the same":        failures(0, 60, 9, 100, 10, 1900),
		"overlapping":     failures(59, 120, 9, 100, 10, 1900),
		"of long ago":     failures(-60, 0, 9, 100, 10, 1900),
		"of no length":    failures(60, 60, 9, 100, 10, 1900),
		"that runs back":  failures(120, 60, 9, 100, 10, 1900),
		"without a time":  {Canary: evidence.Sample{Requests: 1}, Primary: evidence.Sample{Requests: 1}},
		"around the last": failures(-1, 61, 9, 100, 10, 1900),
	} {
		again, fate := test.Update(s, w)
		assert.Equal(t, evidence.Repeated, fate, name)
		assert.Equal(t, s, again, name)
	}
	_, fate = test.Update(s, failures(60, 120, 9, 100, 10, 1900))
	require.Equal(t, evidence.Counted, fate)
}

func TestUnreadableWindows(t *testing.T) {
	good := evidence.Sample{Requests: 10, Bad: 1, Sum: 1,
		Buckets: []evidence.Bucket{{Le: .5, Count: 3}, {Le: math.Inf(1), Count: 4}}}
	for name, change := range map[string]func(*evidence.Sample){
		"NaN":                 func(s *evidence.Sample) { s.Requests = math.NaN() },
		"infinite":            func(s *evidence.Sample) { s.Bad = math.Inf(1) },
		"negative":            func(s *evidence.Sample) { s.Bad = -1 },
		"more bad than all":   func(s *evidence.Sample) { s.Bad = 11 },
		"a sum of NaN":        func(s *evidence.Sample) { s.Sum = math.NaN() },
		"falling buckets":     func(s *evidence.Sample) { s.Buckets[0].Count = 5 },
		"bounds out of order": func(s *evidence.Sample) { s.Buckets[1].Le = .1 },
		"a bound of NaN":      func(s *evidence.Sample) { s.Buckets[0].Le = math.NaN() },
		"no last bucket":      func(s *evidence.Sample) { s.Buckets = s.Buckets[:1] },
	} {
		for kind, test := range tests() {
			w := evidence.Window{Start: at(0), End: at(1), Weight: .1, Canary: good, Primary: good}
			w.Canary.Buckets = append([]evidence.Bucket(nil), good.Buckets...)
			before, fate := test.Update(evidence.State{}, w)
			require.Equal(t, evidence.Counted, fate)
			change(&w.Canary)
			w.Start, w.End = at(1), at(2)
			after, fate := test.Update(before, w)
			assert.Equal(t, evidence.Unreadable, fate, "%s, %s", kind, name)
			assert.Equal(t, before, after)
		}
	}
	w := failures(0, 1, 0, 10, 0, 10)
	_, fate := tests()["latency"].Update(evidence.State{}, w)
	assert.Equal(t, evidence.Unreadable, fate, "without buckets")
	_, fate = tests()["bound"].Update(evidence.State{}, w)
	assert.Equal(t, evidence.Unreadable, fate, "without the bound")
	w.Weight = 1.5
	_, fate = tests()["split"].Update(evidence.State{}, w)
	assert.Equal(t, evidence.Unreadable, fate, "without a weight")
}

// TestImprovementNeverAlarms: windows in which the canary did no worse than tolerated, as counted, are never evidence
// against it, whatever happened to the primary meanwhile and whatever came before.
func TestImprovementNeverAlarms(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, test := range tests() {
		if test.Kind == evidence.Split {
			continue
		}
		for run := range 200 {
			var s evidence.State
			before := test.Result(s).Evidence
			for w := range 12 {
				window := loads()[run%3].next(r, w)
				bad := math.Floor(r.Float64() * r.Float64() * window.Primary.Requests)
				window.Primary.Bad = bad
				share := r.Float64() * test.Tolerance * bad / window.Primary.Requests
				window.Canary.Bad = math.Floor(math.Min(1, share) * window.Canary.Requests)
				window.Primary.Buckets = histogram(r, 3000, math.Exp(r.NormFloat64()/2))
				window.Canary.Buckets = faster(r, window.Primary.Buckets)
				window.Primary.Sum = r.ExpFloat64() * window.Primary.Requests
				window.Canary.Sum = window.Primary.Sum / window.Primary.Requests * window.Canary.Requests * r.Float64()
				s, _ = test.Update(s, window)
				now := test.Result(s)
				require.LessOrEqual(t, now.Evidence, before+1e-6, "%s, run %d, window %d", name, run, w)
				require.NotEqual(t, evidence.Fail, now.Verdict)
				before = now.Evidence
			}
		}
	}
}

// faster is a histogram of a fifth of the requests that has, beyond every bound, no larger share than the given one.
func faster(r *rand.Rand, buckets []evidence.Bucket) []evidence.Bucket {
	all := buckets[len(buckets)-1].Count
	canary := math.Floor(all / 5)
	out := make([]evidence.Bucket, len(buckets))
	least := 0.0
	for i, b := range buckets {
		within := math.Ceil(canary * b.Count / all)
		least = math.Max(least, within+math.Floor(r.Float64()*(canary-within)))
		out[i] = evidence.Bucket{Le: b.Le, Count: least}
	}
	out[len(out)-1].Count = canary
	return out
}

// TestEmptyWindows: time in which nothing happens may be cut as one likes.
func TestEmptyWindows(t *testing.T) {
	for name, test := range tests() {
		for _, load := range loads() {
			var whole, cut evidence.State
			r := rand.New(rand.NewPCG(7, 8))
			second := 0
			for w := range 15 {
				window := load.next(r, w)
				window.Start, window.End = at(second), at(second+60)
				whole, _ = test.Update(whole, window)
				cut, _ = test.Update(cut, window)
				second += 60

				idle := evidence.Window{Weight: .2, Canary: empty(window.Canary), Primary: empty(window.Primary)}
				idle.Start, idle.End = at(second), at(second+60)
				whole, _ = test.Update(whole, idle)
				for i := range 6 {
					idle.Start, idle.End = at(second+10*i), at(second+10*i+10)
					cut, _ = test.Update(cut, idle)
				}
				second += 60
			}
			a, b := test.Result(whole), test.Result(cut)
			a.Windows, b.Windows = 0, 0
			require.Equal(t, a, b, name)
		}
	}
	// Of rare errors, windows without any may also have requests.
	test := tests()["errors"]
	a, _ := test.Update(evidence.State{}, failures(0, 60, 3, 100, 10, 1900))
	b, _ := test.Update(a, failures(60, 120, 0, 100, 0, 1900))
	c, _ := test.Update(a, failures(60, 90, 0, 30, 0, 1000))
	c, _ = test.Update(c, failures(90, 120, 0, 70, 0, 900))
	c.Windows = b.Windows
	require.Equal(t, b, c)
	require.Equal(t, test.Result(a).Evidence, test.Result(b).Evidence)
}

func empty(s evidence.Sample) (out evidence.Sample) {
	for _, b := range s.Buckets {
		out.Buckets = append(out.Buckets, evidence.Bucket{Le: b.Le})
	}
	return out
}

// TestOneWindowNeverSuffices, however bad; two do. It is so at the beginning, and after a long good time.
func TestOneWindowNeverSuffices(t *testing.T) {
	test := tests()["errors"]
	for _, good := range []int{0, 100} {
		var s evidence.State
		second := 0
		for range good {
			s, _ = test.Update(s, failures(second, second+10, 1, 1000, 19, 19000))
			second += 10
		}
		require.Equal(t, evidence.Hold, verdict(test, s))
		s, _ = test.Update(s, failures(second, second+10, 1000, 1000, 19, 19000))
		require.Equal(t, evidence.Hold, verdict(test, s))
		s, _ = test.Update(s, failures(second+10, second+20, 1000, 1000, 19, 19000))
		require.Equal(t, evidence.Fail, verdict(test, s))
	}
}

func verdict(test evidence.Test, s evidence.State) evidence.Verdict {
	// The early pass of a good time would hide what the test is about.
	r := test.Result(s)
	if r.Verdict == evidence.Pass {
		return evidence.Hold
	}
	return r.Verdict
}

func TestVerdicts(t *testing.T) {
	test := tests()["errors"]
	test.MinRequests = 500
	var s evidence.State
	for w := range 4 {
		s, _ = test.Update(s, failures(w*60, w*60+60, 50, 100, 19, 1900))
	}
	require.Equal(t, evidence.Hold, test.Result(s).Verdict, "too few requests")
	require.Greater(t, test.Result(s).Evidence, test.Result(s).Needed)
	s, _ = test.Update(s, failures(240, 300, 50, 100, 19, 1900))
	got := test.Result(s)
	require.Equal(t, evidence.Fail, got.Verdict)
	require.InDelta(t, 50, got.Ratio.Estimate, .001)
	require.Equal(t, evidence.Totals{Requests: 500, Bad: 250}, got.Canary)
	require.Greater(t, got.Ratio.Low, 10.0)
	require.Zero(t, got.Ratio.High, "beyond 16 there is no telling")

	s = evidence.State{}
	passed := 0
	for w := range 60 {
		s, _ = test.Update(s, failures(w*60, w*60+60, 10, 1000, 190, 19000))
		if passed == 0 && test.Result(s).Verdict == evidence.Pass {
			passed = w + 1
		}
	}
	require.Positive(t, passed, "a canary like the primary passes early")
	got = test.Result(s)
	require.InDelta(t, 1, got.Ratio.Estimate, 1e-5)
	require.Less(t, got.Ratio.Low, 1.0)
	require.Less(t, got.Ratio.High, 2.0)
	require.Greater(t, got.Ratio.High, 1.0)

	other := test
	other.Tolerance = 1.5
	require.Zero(t, other.Result(s).Windows, "evidence for one question is none for another")
	s, _ = other.Update(s, failures(0, 60, 1, 1000, 19, 19000))
	require.Equal(t, 1, other.Result(s).Windows)
}

func TestSplitIsChecked(t *testing.T) {
	test := tests()["split"]
	for share, want := range map[float64]evidence.Verdict{
		.2: evidence.Hold, .22: evidence.Hold, .19: evidence.Hold, .5: evidence.Fail, .05: evidence.Fail, 0: evidence.Fail,
		1: evidence.Fail,
	} {
		var s evidence.State
		for w := range 20 {
			n := 2000.0
			window := failures(w*60, w*60+60, 0, n*share, 0, n*(1-share))
			window.Weight = .2
			s, _ = test.Update(s, window)
		}
		require.Equal(t, want, test.Result(s).Verdict, "a share of %v", share)
	}
}

func TestCombine(t *testing.T) {
	result := func(e float64, v evidence.Verdict) evidence.Result {
		return evidence.Result{Evidence: math.Log(e), Verdict: v}
	}
	of := func(parts ...evidence.Part) evidence.Result { return evidence.Combine(.05, parts...) }
	half := evidence.Part{Result: result(.5, evidence.Hold), Weight: 1}
	got := of(evidence.Part{Result: result(39, evidence.Fail), Weight: 1}, half)
	require.InDelta(t, 39.5/2, math.Exp(got.Evidence), 1e-9)
	require.Equal(t, evidence.Hold, got.Verdict)
	got = of(evidence.Part{Result: result(60, evidence.Fail), Weight: 2}, half)
	require.Equal(t, evidence.Fail, got.Verdict)
	passed, failed := result(1, evidence.Pass), result(1e9, evidence.Fail)
	got = of(evidence.Part{Result: passed, Weight: .3}, evidence.Part{Result: passed, Weight: .7},
		evidence.Part{Result: failed}, evidence.Part{Result: failed, Weight: math.NaN()})
	require.Equal(t, evidence.Pass, got.Verdict)
	require.Equal(t, evidence.Hold, of().Verdict)
	huge := evidence.Result{Evidence: 1e6}
	require.InDelta(t, 1e6, of(evidence.Part{Result: huge, Weight: 1}, evidence.Part{Result: huge, Weight: 1}).Evidence, 1e-6)
}

func TestCheckRefuses(t *testing.T) {
	for name, test := range tests() {
		require.NoError(t, test.Check(), name)
	}
	for name, change := range map[string]func(*evidence.Test){
		"kind":           func(t *evidence.Test) { t.Kind = "" },
		"tolerance":      func(t *evidence.Test) { t.Tolerance = .5 },
		"NaN":            func(t *evidence.Test) { t.Tolerance = math.NaN() },
		"alpha":          func(t *evidence.Test) { t.Alpha = 0 },
		"limit":          func(t *evidence.Test) { t.Limit = 1.1 },
		"beta":           func(t *evidence.Test) { t.Beta = 1 },
		"bound":          func(t *evidence.Test) { t.Bound = 1 },
		"min":            func(t *evidence.Test) { t.MinRequests = -1 },
		"pass of splits": func(t *evidence.Test) { t.Kind = evidence.Split },
	} {
		test := tests()["errors"]
		change(&test)
		require.Error(t, test.Check(), name)
		_, fate := test.Update(evidence.State{}, failures(0, 1, 1, 2, 1, 2))
		require.Equal(t, evidence.Unreadable, fate, name)
	}
}

// finite finds what JSON could not keep.
func finite(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%v", f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := finite(v.Field(i)); err != nil {
				return fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := finite(v.Index(i)); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	}
	return nil
}

// FuzzUpdate: whatever windows say, and whatever a state was made into, all numbers stay finite.
func FuzzUpdate(f *testing.F) {
	f.Add(uint64(1), 5., 100., 10., 1900., .05, 1.25, 2., []byte(`{}`))
	f.Add(uint64(2), 0., 0., 0., 0., 0., 1., 1., []byte(`{"of":"?","fail":{"starts":-1,"stakes":[1e38]}}`))
	f.Add(uint64(3), 9e15, 9e15, 9e15, 9e15, 1., 1000., 1000., []byte(`{"learned":{"bad":3,"requests":2}}`))
	f.Add(uint64(4), 1e-300, 1e-300, 1e-320, 9e15, 1e-300, 1.1, 1.1, []byte(`{"odds":{"canary":-1}}`))
	f.Add(uint64(5), math.NaN(), math.Inf(1), -1., 0., .5, 2., 3., []byte(`{"distribution":{"counts":[1]}}`))
	f.Fuzz(throw)
}

// TestThrow throws what the fuzzer would, without building it.
func TestThrow(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	value := func() float64 { return math.Exp(40*r.NormFloat64()) * float64(r.IntN(5)-1) }
	for seed := range 1500 {
		var kept []byte
		if seed%2 == 0 {
			kept = fmt.Appendf(nil, `{"fail":{"starts":%d,"stakes":[%g,%g]},"learned":{"bad":%g,"requests":%g},"windows":3,`+
				`"distribution":{"bounds":[0.1,0.5,2],"counts":[%g,1,1,1],"mark":%g,"variance":%g},`+
				`"scale":{"size":%g,"n":%g},"dispersion":{"sum":%g,"last":[%g,1,1,1]},"odds":{"likelihoods":[%g]}}`, r.IntN(3)-1,
				value(), value(), value(), value(), value(), value(), value(), value(), value(), value(), value(), value())
		}
		throw(t, uint64(seed), value(), value(), value(), value(), r.Float64(), 1+r.ExpFloat64(), 3+r.ExpFloat64(), kept)
	}
}

func throw(t *testing.T, seed uint64, a, b, c, d, weight, tolerance, limit float64, kept []byte) {
	var start evidence.State
	if json.Unmarshal(kept, &start) != nil {
		start = evidence.State{}
	}
	for name, test := range tests() {
		test.Tolerance = tolerance
		if test.Limit > 0 {
			test.Limit = limit
		}
		empty, _ := test.Update(evidence.State{}, evidence.Window{})
		s := start
		s.Of, s.Until = empty.Of, 0 // as if it were of this test
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func() float64 { return []float64{a, b, c, d, 0, 1, 1e3}[r.IntN(7)] }
		side := func() evidence.Sample {
			s := evidence.Sample{Requests: pick(), Bad: pick(), Sum: pick()}
			s.Bad = math.Min(s.Bad, s.Requests)
			for i, le := range []float64{.1, .5, 2, math.Inf(1)} {
				s.Buckets = append(s.Buckets, evidence.Bucket{Le: le, Count: math.Abs(pick())})
				if i > 0 && r.IntN(20) > 0 {
					s.Buckets[i].Count += s.Buckets[i-1].Count
				}
			}
			return s
		}
		for w := range 12 {
			s, _ = test.Update(s, evidence.Window{Start: at(w), End: at(w + 1), Weight: weight, Canary: side(), Primary: side()})
			require.NoError(t, finite(reflect.ValueOf(s)), "%s, %d", name, seed)
			require.NoError(t, finite(reflect.ValueOf(test.Result(s))), "%s, %d", name, seed)
			_, err := json.Marshal(s)
			require.NoError(t, err)
		}
	}
}

// TestBurstsAreSeen: what the evidence is divided by follows the size of bursts, and neither a canary that is worse nor
// a base rate that drifts is taken for one.
func TestBurstsAreSeen(t *testing.T) {
	test := tests()["errors"]
	dispersion := func(change func(*stream)) float64 {
		sum := 0.0
		for run := range 20 {
			s := usual()
			s.perMinute, s.weight = 10_000, always(.2)
			change(&s)
			var state evidence.State
			r := rand.New(rand.NewPCG(uint64(run), 13))
			for w := range 40 {
				state, _ = test.Update(state, s.next(r, w))
			}
			sum += test.Result(state).Dispersion
		}
		return sum / 20
	}
	require.InDelta(t, 1.1, dispersion(func(*stream) {}), .2)
	require.InDelta(t, 1.1, dispersion(func(s *stream) { s.ratio = 5 }), .2)
	require.InDelta(t, 1.3, dispersion(func(s *stream) {
		s.base = func(w int) float64 { return .01 * math.Exp(math.Sin(float64(w))) }
	}), .3)
	require.InDelta(t, 5, dispersion(func(s *stream) { s.burst = 5 }), 1.5)
	require.InDelta(t, 10, dispersion(func(s *stream) { s.burst = 10 }), 3)
}
