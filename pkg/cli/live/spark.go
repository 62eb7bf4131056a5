package live

import (
	"math"
	"strings"

	"weir.dev/weir/pkg/course"
	"weir.dev/weir/pkg/words"
)

// sparks draws the last values of a check, a character each in the colour of its verdict, so that the bound lies in the
// middle: what is in the lower half is below it. Without a bound the values fill the height. A space is an answer without
// a value.
func (s styles) sparks(samples []course.Sample, bound words.Bound, width int) string {
	if len(samples) > width {
		samples = samples[len(samples)-width:]
	}
	level := levels(samples, bound)
	var drawn strings.Builder
	for _, sample := range samples {
		mark := ' '
		if sample.Known {
			mark = []rune("▁▂▃▄▅▆▇█")[level(sample.Value)]
		}
		drawn.WriteString(s.verdict(sample.Verdict).Render(string(mark)))
	}
	return drawn.String()
}

// levels turns values into heights from 0 to 7. Accepted are, of a bound below, 4 and more; of one above, 3 and less;
// of two, from 2 to 5.
func levels(samples []course.Sample, bound words.Bound) func(float64) int {
	const top, half = 7, 4
	low, high := span(samples)
	clamp := func(v float64, least, most int) int {
		return min(max(int(math.Floor(v)), least), most)
	}
	switch {
	case bound.Min != nil && bound.Max != nil:
		const least, most = 2, 5
		wide := *bound.Max - *bound.Min
		return func(v float64) int {
			switch {
			case v < *bound.Min:
				return clamp(least+(v-*bound.Min)/max(wide, 1e-9), 0, least-1)
			case v > *bound.Max:
				return clamp(most+1+(v-*bound.Max)/max(wide, 1e-9), most+1, top)
			}
			return clamp(least+(v-*bound.Min)/max(wide, 1e-9)*half, least, most)
		}
	case bound.Min != nil:
		far := max(high-*bound.Min, *bound.Min-low, 1e-9)
		return func(v float64) int {
			if v >= *bound.Min {
				return clamp(half+(v-*bound.Min)/far*half, half, top)
			}
			return clamp(half-(*bound.Min-v)/far*half, 0, half-1)
		}
	case bound.Max != nil:
		far := max(high-*bound.Max, *bound.Max-low, 1e-9)
		return func(v float64) int {
			if v > *bound.Max {
				return clamp(half+(v-*bound.Max)/far*half, half, top)
			}
			return clamp(half-(*bound.Max-v)/far*half, 0, half-1)
		}
	}
	return func(v float64) int { return clamp((v-low)/max(high-low, 1e-9)*top, 0, top) }
}

// span is the smallest and the largest value.
func span(samples []course.Sample) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range samples {
		if s.Known {
			low, high = min(low, s.Value), max(high, s.Value)
		}
	}
	return low, high
}
