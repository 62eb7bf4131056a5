// Package course remembers how the run of a Canary went, for who draws it: the weight, and every check with its values.
// The status holds the present only, so a course knows what it was shown, and says since when. It keeps the last Most
// points of each line. Pure: it is shown objects and times, and reads no clock.
package course

import (
	"math"
	"slices"
	"strconv"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Most is the number of points that are kept of a weight or of a check.
const Most = 240

// Weight is the canary's share of the traffic, in percent, from a time on.
type Weight struct {
	At     time.Time
	Weight int32
}

// Sample is one answer of a check.
type Sample struct {
	At time.Time
	// Value that was judged: for a comparison the logarithm of its evidence, to base 10. It counts where Known.
	Value   float64
	Known   bool
	Verdict v1beta1.Verdict
}

// Course is how one run went. The zero value knows nothing yet. It is for one goroutine at a time.
type Course struct {
	// Run is the ID of the run, empty before the first.
	Run string
	// Since is when the course was first shown the run: what was before is not known.
	Since time.Time
	// Weights that it had.
	Weights []Weight
	// Revision under test.
	Revision string
	checks   map[string][]Sample
}

// See is shown a Canary as it is at a time. A new run begins a new course; the end of a run leaves the last one, with
// the weight that the end brought. It says whether there is something new in it.
func (c *Course) See(canary *v1beta1.Canary, at time.Time) bool {
	st := &canary.Status
	if st.Run == nil {
		return c.Run != "" && c.weigh(st, at)
	}
	news := false
	if st.Run.ID != c.Run {
		*c = Course{Run: st.Run.ID, Since: at, checks: map[string][]Sample{}}
		news = true
	}
	if st.Canary != nil {
		c.Revision = st.Canary.Hash
	}
	news = c.weigh(st, at) || news
	for _, check := range st.Checks {
		if check.At.Time.Before(st.Run.StartedAt.Time) {
			continue // of the run before
		}
		samples := c.checks[check.Name]
		if n := len(samples); n > 0 && !samples[n-1].differs(check) {
			continue
		}
		c.checks[check.Name] = keep(append(samples, sampleOf(check)))
		news = true
	}
	return news
}

func (c *Course) weigh(st *v1beta1.CanaryStatus, at time.Time) bool {
	if n := len(c.Weights); n > 0 && c.Weights[n-1].Weight == st.Weight {
		return false
	}
	if st.WeightSince != nil && st.Weight > 0 {
		at = st.WeightSince.Time
	}
	if n := len(c.Weights); n > 0 && at.Before(c.Weights[n-1].At) {
		at = c.Weights[n-1].At // the clock here and the operator's that wrote it differ
	}
	c.Weights = keep(append(c.Weights, Weight{at, st.Weight}))
	return true
}

// Checks are the names of all checks that it has answers of.
func (c *Course) Checks() []string {
	names := make([]string, 0, len(c.checks))
	for name := range c.checks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check is what a check answered, the oldest first. It is not to be changed.
func (c *Course) Check(name string) []Sample { return c.checks[name] }

// Clone is a course of its own.
func (c *Course) Clone() *Course {
	clone := *c
	clone.Weights = slices.Clone(c.Weights)
	clone.checks = make(map[string][]Sample, len(c.checks))
	for name, samples := range c.checks {
		clone.checks[name] = slices.Clone(samples)
	}
	return &clone
}

// differs says that a status has another answer than this one. Times of a status are whole seconds, in which a
// check may answer twice.
func (s Sample) differs(check v1beta1.CheckStatus) bool {
	now := sampleOf(check)
	return !s.At.Equal(now.At) || s.Value != now.Value || s.Verdict != now.Verdict
}

func sampleOf(check v1beta1.CheckStatus) Sample {
	s := Sample{At: check.At.Time, Verdict: check.Verdict}
	text := check.Value
	if check.Evidence != nil {
		text = check.Evidence.Value
	}
	v, err := strconv.ParseFloat(text, 64)
	if check.Evidence != nil {
		v = math.Log10(v)
	}
	if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		s.Value, s.Known = v, true
	}
	return s
}

// keep is the last Most of a line, in an array that does not grow.
func keep[T any](all []T) []T {
	if len(all) <= Most {
		return all
	}
	return slices.Delete(all, 0, len(all)-Most)
}
