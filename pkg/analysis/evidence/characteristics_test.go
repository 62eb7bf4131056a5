package evidence_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis/evidence"
)

var (
	rewrite = flag.Bool("rewrite", false, "write the tables of docs/analysis.md anew")
	full    = flag.Bool("full", false, "compare all rows of docs/analysis.md, not just some")
)

const document = "../../../docs/analysis.md"

// A row of a table is made of its own stream of chance, so that it may be made alone.
type row struct {
	name  string
	quick bool // it is compared in every run
	cells func() []string
}

// A table stands in the document between two comments with its name.
type table struct {
	name string
	head []string
	rows []row
}

// TestCharacteristics makes the tables of docs/analysis.md: some rows and compares them, all of them with -full, and
// writes them with
//
//	go test ./pkg/analysis/evidence -run Characteristics -rewrite
func TestCharacteristics(t *testing.T) {
	if runtime.GOARCH != "amd64" && !*rewrite {
		t.Skip("other processors round otherwise, and chance takes other ways")
	}
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	text := string(content)
	for _, table := range []table{falseAlarms(), errorsFound(), latencyFound(), otherFindings()} {
		begin, end := "<!-- "+table.name+" -->\n", "<!-- end of "+table.name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		require.True(t, ok, "the document has a place for the %s", table.name)
		there, after, ok := strings.Cut(rest, end)
		require.True(t, ok)
		made := line(table.head) + "|" + strings.Repeat("---|", len(table.head)) + "\n"
		for _, row := range table.rows {
			if !*rewrite && !*full && !row.quick {
				continue
			}
			made += line(append([]string{row.name}, row.cells()...))
		}
		if *rewrite {
			text = before + begin + made + end + after
			continue
		}
		for made := range strings.Lines(made) {
			require.Contains(t, there, made, "%s: write it anew with -rewrite", table.name)
		}
	}
	if *rewrite {
		require.NoError(t, os.WriteFile(document, []byte(text), 0o644))
	}
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func percent(part, of int) string {
	v := 100 * float64(part) / float64(of)
	if part == 0 || v >= 10 {
		return fmt.Sprintf("%.0f %%", v)
	}
	return fmt.Sprintf("%.1f %%", v)
}

// A judge looks at every window of a stream until it says that the canary is bad.
type judge func(evidence.Window) bool

func byEvidence(test evidence.Test) judge {
	var s evidence.State
	return func(w evidence.Window) bool {
		var fate evidence.Fate
		if s, fate = test.Update(s, w); fate != evidence.Counted {
			panic("a window of a stream is " + fate)
		}
		return test.Result(s).Verdict == evidence.Fail
	}
}

// byThreshold is the usual rule: a look each minute, and five at which the canary alone was out of its range.
func byThreshold(each int, bad func(evidence.Sample) bool) judge {
	var sum evidence.Sample
	windows, failed := 0, 0
	return func(w evidence.Window) bool {
		sum.Requests += w.Canary.Requests
		sum.Bad += w.Canary.Bad
		if sum.Buckets == nil {
			sum.Buckets = slices.Clone(w.Canary.Buckets)
			for i := range sum.Buckets {
				sum.Buckets[i].Count = 0
			}
		}
		for i, b := range w.Canary.Buckets {
			sum.Buckets[i].Count += b.Count
		}
		if windows++; windows%each > 0 {
			return failed >= 5
		}
		if bad(sum) {
			failed++
		}
		sum = evidence.Sample{}
		return failed >= 5
	}
}

func below99(s evidence.Sample) bool { return s.Bad > 0.01*s.Requests }

// above500 is a 99th percentile of more than half a second, by the interpolation of Prometheus.
func above500(s evidence.Sample) bool {
	at := 0.99 * s.Buckets[len(s.Buckets)-1].Count
	count, bound := 0.0, 0.0
	for _, b := range s.Buckets {
		if b.Count >= at && b.Count > count {
			return bound+(b.Le-bound)*(at-count)/(b.Count-count) > 0.5
		}
		count, bound = b.Count, b.Le
	}
	return false
}

// byRepeatedZ is a test of two proportions at 5 %, one-sided, of all that was counted, repeated at every look.
func byRepeatedZ() judge {
	var x, n, y, m float64
	return func(w evidence.Window) bool {
		x, n, y, m = x+w.Canary.Bad, n+w.Canary.Requests, y+w.Primary.Bad, m+w.Primary.Requests
		p := (x + y) / (n + m)
		return (x/n-y/m)/math.Sqrt(p*(1-p)*(1/n+1/m)) > 1.645
	}
}

// An outcome is when a judge spoke, in windows, if it did, and what the canary had done until then.
type outcome struct {
	spoke      bool
	at         int
	hurt, seen float64
}

// lives runs a stream many times past judges.
func lives(s stream, runs, windows int, judges ...func() judge) [][]outcome {
	all := make([][]outcome, len(judges))
	for run := range runs {
		r := rand.New(rand.NewPCG(uint64(run), 1))
		out, open := make([]outcome, len(judges)), len(judges)
		var listening []judge
		for _, j := range judges {
			listening = append(listening, j())
		}
		for i := 0; i < windows && open > 0; i++ {
			w := s.next(r, i)
			for k, j := range listening {
				if out[k].spoke {
					continue
				}
				out[k].hurt += w.Canary.Bad - s.base(i)*w.Canary.Requests
				out[k].seen += w.Canary.Requests
				if j(w) {
					out[k].spoke, out[k].at = true, i+1
					open--
				}
			}
		}
		for k := range judges {
			all[k] = append(all[k], out[k])
		}
	}
	return all
}

func spoken(all []outcome) string {
	n := 0
	for _, o := range all {
		if o.spoke {
			n++
		}
	}
	return percent(n, len(all))
}

// when is the median and the 90th percentile of the time until a judge spoke.
func when(all []outcome, window time.Duration) string {
	at := func(share float64) string {
		times := make([]float64, len(all))
		for i, o := range all {
			times[i] = math.Inf(1)
			if o.spoke {
				times[i] = float64(o.at)
			}
		}
		slices.Sort(times)
		v := times[int(share*float64(len(times)-1))]
		if math.IsInf(v, 1) {
			return "–"
		}
		return (time.Duration(v) * window).String()
	}
	return at(.5) + ", " + at(.9)
}

func median(all []outcome, of func(outcome) float64) string {
	values := make([]float64, len(all))
	for i, o := range all {
		values[i] = of(o)
	}
	slices.Sort(values)
	return fmt.Sprintf("%.0f", math.Max(0, values[len(values)/2]))
}

// usual is the application of the tables: 2000 requests a minute of which 1 % fail, and a canary with 5 % of them.
func usual() stream {
	return stream{perMinute: 2000, window: time.Minute, weight: always(.05), base: always(.01), ratio: 1, burst: 1}
}

func falseAlarms() table {
	compare := evidence.Test{Kind: evidence.Errors, Tolerance: 1.25, Alpha: .05}
	alarms := func(test evidence.Test, equal, edge stream) func() []string {
		return func() []string {
			judged := func() judge { return byEvidence(test) }
			var cells []string
			for _, s := range []stream{equal, edge} {
				cells = append(cells, spoken(lives(s, 1000, 32, judged)[0]), spoken(lives(s, 300, 500, judged)[0]))
			}
			if test.Kind != evidence.Errors {
				return append(cells, "", "")
			}
			others := lives(equal, 1000, 32, byRepeatedZ, func() judge { return byThreshold(1, below99) })
			return append(cells, spoken(others[0]), spoken(others[1]))
		}
	}
	errors := func(name string, quick bool, change func(*stream)) row {
		equal := usual()
		change(&equal)
		edge := equal
		edge.ratio = 1.25
		return row{name, quick, alarms(compare, equal, edge)}
	}
	bursts := func(size float64) row {
		return errors(fmt.Sprintf("bursts of %.0f", size), size == 10, func(s *stream) { s.burst = size })
	}
	slow, asSlow := usual(), usual()
	slow.slower, asSlow.slower = 1, 1.05
	other := func(kind evidence.Kind) evidence.Test { return evidence.Test{Kind: kind, Tolerance: 1.25, Alpha: .05} }
	mean, asMean := slow, slow
	asMean.slower = 1.25
	off := usual()
	off.off = 1.25
	return table{"false alarms", []string{"stream", "equal, 32 looks", "500 looks", "as bad as tolerated, 32 looks", "500 looks",
		"repeated z-test, equal, 32 looks", "threshold rule, equal, 32 looks"}, []row{
		errors("independent errors", true, func(*stream) {}),
		errors("of which there are many (20 %)", false, func(s *stream) { s.base = always(.2) }),
		bursts(3), bursts(5), bursts(10), bursts(30),
		errors("a base rate that drifts, 0.3 % to 3 %", false, func(s *stream) {
			s.base = func(i int) float64 { return .01 * math.Pow(3.2, math.Sin(float64(i)/5)) }
		}),
		errors("a weight of 5, 10, 25, 50 %", false, func(s *stream) {
			s.weight = func(i int) float64 { return []float64{.05, .1, .25, .5}[min(3, i/8)] }
		}),
		{"latencies", false, alarms(other(evidence.Latency), slow, asSlow)},
		{"means", false, alarms(other(evidence.Mean), mean, asMean)},
		{"the split, its odds off by 1.25", false, alarms(other(evidence.Split), usual(), off)},
	}}
}

// found are the cells of a canary that is worse, by evidence in windows of 10 s and by the threshold rule.
func found(test evidence.Test, s stream, bad func(evidence.Sample) bool, hurt func(outcome) float64) []string {
	s.window = 10 * time.Second
	all := lives(s, 200, 360, func() judge { return byEvidence(test) }, func() judge { return byThreshold(6, bad) })
	var cells []string
	for _, one := range all {
		cells = append(cells, spoken(one), when(one, s.window), median(one, hurt))
	}
	return cells
}

func foundHead(first, hurt string) []string {
	return []string{first, "found within an hour", "after (median, 90 %)", hurt,
		"threshold rule: found", "after (median, 90 %)", hurt}
}

func errorsFound() table {
	out := table{name: "errors found", head: foundHead("requests a minute, share that fails, times as many", "users hurt (median)")}
	test := evidence.Test{Kind: evidence.Errors, Tolerance: 1.25, Alpha: .05}
	add := func(perMinute, base float64, ratios ...float64) {
		for _, ratio := range ratios {
			s := usual()
			s.perMinute, s.base, s.ratio = perMinute, always(base), ratio
			out.rows = append(out.rows, row{fmt.Sprintf("%.0f, %g %%, %g×", perMinute, 100*base, ratio),
				perMinute == 2000 && ratio >= 5, func() []string {
					return found(test, s, below99, func(o outcome) float64 { return o.hurt })
				}})
		}
	}
	for _, perMinute := range []float64{100, 2000, 100_000} {
		add(perMinute, .002, 1, 1.5, 2, 3, 5, 20)
	}
	add(2000, .01, 1, 1.5, 2, 3, 5, 20)
	add(2000, .1, 1, 1.5, 2, 3, 5)
	return out
}

func latencyFound() table {
	out := table{name: "latencies found", head: foundHead("requests a minute, times as slow", "requests so slow (median)")}
	for _, perMinute := range []float64{100, 2000, 100_000} {
		for _, factor := range []float64{1, 1.1, 1.2, 1.5, 2} {
			s := usual()
			s.perMinute, s.slower = perMinute, factor
			test := evidence.Test{Kind: evidence.Latency, Tolerance: 1.25, Alpha: .05}
			out.rows = append(out.rows, row{fmt.Sprintf("%.0f, %g×", perMinute, factor), perMinute == 2000 && factor == 2,
				func() []string { return found(test, s, above500, func(o outcome) float64 { return o.seen }) }})
		}
	}
	return out
}

// otherFindings are what does not fit into the tables above: one verdict, and when it came.
func otherFindings() table {
	one := func(name string, quick bool, test evidence.Test, s stream, windows int, judged func(evidence.Test) judge) row {
		return row{name, quick, func() []string {
			all := lives(s, 200, windows, func() judge { return judged(test) })[0]
			return []string{spoken(all), when(all, s.window)}
		}}
	}
	errors := evidence.Test{Kind: evidence.Errors, Tolerance: 1.25, Alpha: .05}
	passes := evidence.Test{Kind: evidence.Errors, Tolerance: 1.25, Alpha: .05, Limit: 2, Beta: .05}
	pass := func(test evidence.Test) judge {
		var s evidence.State
		return func(w evidence.Window) bool {
			s, _ = test.Update(s, w)
			return test.Result(s).Verdict == evidence.Pass
		}
	}
	with := func(change func(*stream)) stream {
		s := usual()
		s.window = 10 * time.Second
		change(&s)
		return s
	}
	late := func(ratio float64) stream {
		return with(func(s *stream) { s.late, s.ratio = 180, ratio })
	}
	mean := evidence.Test{Kind: evidence.Mean, Tolerance: 1.25, Alpha: .05}
	bound := evidence.Test{Kind: evidence.Latency, Tolerance: 1.25, Alpha: .05, Bound: .25}
	strict := evidence.Test{Kind: evidence.Latency, Tolerance: 1, Alpha: .05}
	slow := with(func(s *stream) { s.slower = 1.1 })
	slower := with(func(s *stream) { s.slower = 1.2 })
	split := evidence.Test{Kind: evidence.Split, Tolerance: 1.25, Alpha: .05}
	return table{"other findings", []string{"what", "found", "after (median, 90 %)"}, []row{
		one("bad from the 31st minute on, 5×", true, errors, late(5), 540, byEvidence),
		one("bad from the 31st minute on, 20×", false, errors, late(20), 540, byEvidence),
		one("early pass, weight 5 %, limit 2×", false, passes, with(func(*stream) {}), 360, pass),
		one("early pass, weight 50 %", true, passes, with(func(s *stream) { s.weight = always(.5) }), 360, pass),
		one("early pass, weight 5 %, 100000 requests a minute", false, passes,
			with(func(s *stream) { s.perMinute = 100_000 }), 360, pass),
		one("early pass of a canary at the limit, weight 50 %", false, passes,
			with(func(s *stream) { s.weight, s.ratio = always(.5), 2 }), 360, pass),
		one("latencies, 1.1× as slow, tolerance 1", false, strict, slow, 360, byEvidence),
		one("latencies, 1.1× as slow, by the bound 0.25 s", false, bound, slow, 360, byEvidence),
		one("latencies, 1.2× as slow, by the bound 0.25 s", false, bound, slower, 360, byEvidence),
		one("means, 1.5× as slow", false, mean, with(func(s *stream) { s.slower = 1.5 }), 360, byEvidence),
		one("means, 2× as slow", false, mean, with(func(s *stream) { s.slower = 2 }), 360, byEvidence),
		one("a split of twice the odds", false, split, with(func(s *stream) { s.off = 2 }), 360, byEvidence),
		one("a split of no requests", false, split, with(func(s *stream) { s.off = 1e-9 }), 360, byEvidence),
	}}
}
