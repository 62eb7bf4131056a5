package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/course"
	"weir.dev/weir/pkg/words"
)

// chart is a picture in lines and points, in the units of its own box. All of it are numbers that were computed here,
// but for the texts, which a template escapes.
type chart struct {
	Title         string
	Width, Height int
	// Line is the path of the values, and Points what is told of each.
	Line   string
	Points []point
	// Bounds are horizontal lines.
	Bounds []mark
	// Begin and End are the times at both ends, Top and Bottom the values.
	Begin, End, Top, Bottom string
}

// Boxed is the width and the height with room for the points at the edge.
func (c *chart) Boxed() string { return fmt.Sprintf("%d %d", c.Width+2*edge, c.Height+2*edge) }

// edge is the room around a chart.
const edge = 4

type point struct {
	X, Y        string
	Tone, Title string
}

type mark struct {
	Y    string
	Text string
}

// scale puts values of a range into a length.
type scale struct{ from, to, length float64 }

func (s scale) at(v float64) float64 {
	if s.to <= s.from {
		return s.length / 2 //nolint:mnd // one value lies in the middle
	}
	return (v - s.from) / (s.to - s.from) * s.length
}

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func times(from, to time.Time, width int) func(time.Time) float64 {
	s := scale{0, to.Sub(from).Seconds(), float64(width)}
	return func(t time.Time) float64 { return s.at(min(max(t.Sub(from).Seconds(), 0), s.to)) }
}

// weightChart draws the canary's share over the time of a run, in steps. While the run is on it goes on until now.
func weightChart(run *course.Course, now time.Time, on bool) *chart {
	const width, height, all = 600, 100, 100
	c := &chart{Title: "the canary's share of the traffic", Width: width, Height: height, Top: "100 %", Bottom: "0 %"}
	weights := run.Weights
	if len(weights) == 0 {
		return nil
	}
	from, to := weights[0].At, weights[len(weights)-1].At
	if on {
		to = now
	}
	x := times(from, to, width)
	y := scale{0, all, height}
	up := func(w int32) float64 { return height - y.at(float64(w)) }
	var line strings.Builder
	for i, w := range weights {
		if i == 0 {
			fmt.Fprintf(&line, "M%s %s", coordinate(x(w.At)), coordinate(up(w.Weight)))
		} else {
			fmt.Fprintf(&line, "H%sV%s", coordinate(x(w.At)), coordinate(up(w.Weight)))
		}
		c.Points = append(c.Points, point{coordinate(x(w.At)), coordinate(up(w.Weight)), "busy",
			w.At.UTC().Format(time.TimeOnly) + ": " + percent(w.Weight)})
	}
	fmt.Fprintf(&line, "H%s", coordinate(x(to)))
	c.Line, c.Begin, c.End = line.String(), from.UTC().Format(time.TimeOnly), to.UTC().Format(time.TimeOnly)
	return c
}

// checkChart draws what a check answered, with its bounds. Of a comparison it is the evidence, on a logarithmic scale.
func checkChart(name string, samples []course.Sample, bound words.Bound, logarithmic bool) *chart {
	const width, height = 260, 48
	c := &chart{Title: "the course of " + name, Width: width, Height: height}
	low, high, known := extent(samples, bound)
	if !known {
		return nil
	}
	number := func(v float64) string {
		if logarithmic {
			v = math.Pow(10, v) //nolint:mnd // the base of a course's logarithms
		}
		return number(v)
	}
	x := times(samples[0].At, samples[len(samples)-1].At, width)
	y := scale{low, high, height}
	up := func(v float64) float64 { return height - y.at(v) }
	var line strings.Builder
	pen := "M"
	for _, s := range samples {
		if !s.Known { // a gap
			pen = "M"
			continue
		}
		fmt.Fprintf(&line, "%s%s %s", pen, coordinate(x(s.At)), coordinate(up(s.Value)))
		pen = "L"
		c.Points = append(c.Points, point{coordinate(x(s.At)), coordinate(up(s.Value)), toneOfVerdict(s.Verdict),
			fmt.Sprintf("%s: %s, %s", s.At.UTC().Format(time.TimeOnly), number(s.Value), s.Verdict)})
	}
	c.Line = line.String()
	for _, b := range []*float64{bound.Min, bound.Max} {
		if b != nil {
			c.Bounds = append(c.Bounds, mark{coordinate(up(*b)), number(*b)})
		}
	}
	c.Begin, c.End = samples[0].At.UTC().Format(time.TimeOnly), samples[len(samples)-1].At.UTC().Format(time.TimeOnly)
	c.Top, c.Bottom = number(high), number(low)
	return c
}

// extent is the smallest and the largest of values and bounds; false where no value is known.
func extent(samples []course.Sample, bound words.Bound) (low, high float64, known bool) {
	take := func(v float64) {
		if !known {
			low, high, known = v, v, true
		}
		low, high = min(low, v), max(high, v)
	}
	for _, s := range samples {
		if s.Known {
			take(s.Value)
		}
	}
	if known {
		for _, b := range []*float64{bound.Min, bound.Max} {
			if b != nil {
				take(*b)
			}
		}
	}
	return low, high, known
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
