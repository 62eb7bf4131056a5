package cli

import (
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// scenario is an application under load, and a plan for its releases.
type scenario struct {
	spec             *v1beta1.CanarySpec
	perMinute, share float64
	runs             int
}

// played is what became of one release.
type played struct {
	rolledBack, promoted bool
	after                time.Duration
	hurt                 float64
}

// play releases what fails so many times as often, again and again. The same question gives the same answer.
func (s scenario) play(times float64) plannedRelease {
	var rolledBack, promoted, hurt []float64
	for i := range s.runs {
		r := &release{scenario: s, times: times, chance: rand.NewPCG(uint64(i), uint64(times*1000))} //nolint:gosec // small
		switch p := r.run(); {
		case p.rolledBack:
			rolledBack, hurt = append(rolledBack, p.after.Seconds()), append(hurt, p.hurt)
		case p.promoted:
			promoted = append(promoted, p.after.Seconds())
		}
	}
	const percent, half, most = 100, 0.5, 0.9
	at := func(seconds []float64, q float64) *metav1.Duration {
		if len(seconds) == 0 {
			return nil
		}
		return &metav1.Duration{Duration: time.Duration(quantile(seconds, q) * float64(time.Second))}
	}
	return plannedRelease{
		Times: times, RolledBack: percent * float64(len(rolledBack)) / float64(s.runs),
		Promoted: percent * float64(len(promoted)) / float64(s.runs),
		After:    at(rolledBack, half), AfterMost: at(rolledBack, most),
		Hurt: quantile(hurt, half), HurtMost: quantile(hurt, most), Takes: at(promoted, half),
	}
}

// quantile of numbers, by the nearest rank; 0 of none.
func quantile(of []float64, q float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[min(len(of)-1, int(q*float64(len(of))))]
}

// release is one that is being played.
type release struct {
	scenario
	times  float64
	chance rand.Source
	now    time.Duration
	hurt   float64
	// past is what the primary did before, in windows of that length.
	past   map[time.Duration][]evidence.Window
	guard  *v1beta1.MetricState
	states map[string]*v1beta1.MetricState
	failed int32
	// notWorse says that the last round's comparison has shown the canary not to be as bad as its limit.
	notWorse bool
}

// planSettle is how long a split takes to come in force.
const planSettle = 5 * time.Second

// longestPlay is where a release that no longer gets on is given up: it waits for requests that do not come.
const longestPlay = 24 * time.Hour

func (r *release) run() played {
	r.states = map[string]*v1beta1.MetricState{}
	r.past = map[time.Duration][]evidence.Window{}
	for i, step := range rollout.Steps(r.spec) {
		if r.step(int32(i), step) { //nolint:gosec // 100 steps at most
			return played{rolledBack: true, after: r.now, hurt: r.hurt}
		}
		if r.now >= longestPlay {
			return played{after: r.now, hurt: r.hurt}
		}
	}
	return played{promoted: true, after: r.now, hurt: r.hurt}
}

// step plays a step, and says whether the release was rolled back in it.
func (r *release) step(index int32, step rollout.Step) bool {
	r.now += planSettle
	began, judged, passed := r.now, r.now, int32(0)
	every := analysis.GuardInterval(r.spec)
	nextGuard := r.now + every
	var sinceRound, sinceGuard evidence.Window
	for r.now < longestPlay {
		due := judged + step.Dwell
		to := due
		watched := every > 0 && step.Split.Weight > 0
		if watched {
			to = min(due, nextGuard)
		}
		w := r.traffic(step.Split.Weight, to)
		sinceRound, sinceGuard = plus(sinceRound, w), plus(sinceGuard, w)
		if watched && r.now == nextGuard {
			check, state := analysis.Compare(analysis.Guard(r.spec), r.guard, index, r.counted(sinceGuard, every))
			r.guard, sinceGuard, nextGuard = &state, evidence.Window{}, r.now+every
			if check.Verdict == v1beta1.VerdictFailed {
				return true
			}
		}
		if r.now < due {
			continue
		}
		judged = r.now
		ok, rolledBack := r.round(index, step, sinceRound)
		sinceRound = evidence.Window{}
		if rolledBack {
			return true
		}
		if ok {
			passed++
		}
		if ok && passed >= step.Rounds && (r.now-began >= step.Pause || r.proven(r.now-began)) {
			return false
		}
	}
	return false
}

// round judges the checks of errors, and says whether the round passed, and whether it was one too many that did not.
func (r *release) round(index int32, step rollout.Step, w evidence.Window) (ok, rolledBack bool) {
	ok, failed := true, false
	for _, m := range r.spec.Analysis.Metrics {
		if m.Name != v1beta1.RequestSuccessRate || m.DryRun || step.Checks != nil && !slices.Contains(step.Checks, m.Name) {
			continue
		}
		var check v1beta1.CheckStatus
		if m.Comparison != nil {
			var state v1beta1.MetricState
			check, state = analysis.Compare(m, r.states[m.Name], index, r.counted(w, step.Dwell))
			r.states[m.Name] = &state
			r.notWorse = check.Evidence != nil && check.Evidence.NotWorse
		} else {
			check = analysis.Judge(m, r.input(w, step))
		}
		failed = failed || check.Verdict == v1beta1.VerdictFailed
		ok = ok && check.Verdict == v1beta1.VerdictPassed
	}
	if failed {
		r.failed++
	}
	return ok, r.failed >= max(r.spec.Analysis.Threshold, 1)
}

// counted is a window, with those before the release.
func (r *release) counted(w evidence.Window, length time.Duration) analysis.Counted {
	if r.past[length] == nil {
		for i := range analysis.PastWindows {
			at := func(n int) time.Time { return began().Add(time.Duration(n-analysis.PastWindows) * length) }
			r.past[length] = append(r.past[length], evidence.Window{
				Start: at(i), End: at(i + 1), Primary: r.sample(r.perMinute*length.Minutes(), r.share),
			})
		}
	}
	return analysis.Counted{Past: r.past[length], Window: w} // what was counted before is not counted again
}

// proven says that a pause may end before its time.
func (r *release) proven(lasted time.Duration) bool {
	a := &r.spec.Analysis
	return a.Pace == v1beta1.PaceAdaptive && r.notWorse &&
		lasted >= rollout.Duration(a.MinStep, rollout.Duration(a.Interval, time.Minute))
}

// input is what a query would have given.
func (r *release) input(w evidence.Window, step rollout.Step) analysis.Input {
	success := func(s evidence.Sample) analysis.Answer {
		const percent = 100
		if s.Requests == 0 {
			return analysis.Answer{}
		}
		return analysis.Answer{Values: []float64{percent * (1 - s.Bad/s.Requests)}}
	}
	return analysis.Input{Answer: success(w.Canary), Baseline: success(w.Primary), Weight: step.Split.Weight}
}

// began is when a release is played; any time will do.
func began() time.Time { return time.Unix(1<<30, 0) }

// traffic goes by until then, at a weight.
func (r *release) traffic(weight int32, to time.Duration) evidence.Window {
	const all = 100
	minutes := (to - r.now).Minutes()
	at := func(d time.Duration) time.Time { return began().Add(d) }
	w := evidence.Window{Start: at(r.now), End: at(to)}
	w.Canary = r.sample(r.perMinute*minutes*float64(weight)/all, r.share*r.times)
	w.Primary = r.sample(r.perMinute*minutes*float64(all-weight)/all, r.share)
	r.hurt += w.Canary.Bad
	r.now = to
	return w
}

func (r *release) sample(requests, share float64) evidence.Sample {
	draw := func(mean float64) float64 {
		if mean <= 0 {
			return 0
		}
		return distuv.Poisson{Lambda: mean, Src: r.chance}.Rand()
	}
	bad := draw(requests * share)
	return evidence.Sample{Bad: bad, Requests: bad + draw(requests*(1-share))}
}

// plus joins two windows that follow each other.
func plus(a, b evidence.Window) evidence.Window {
	if a.End.IsZero() {
		return b
	}
	sum := func(x, y evidence.Sample) evidence.Sample {
		return evidence.Sample{Requests: x.Requests + y.Requests, Bad: x.Bad + y.Bad}
	}
	return evidence.Window{Start: a.Start, End: b.End, Canary: sum(a.Canary, b.Canary), Primary: sum(a.Primary, b.Primary)}
}
