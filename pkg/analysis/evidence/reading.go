package evidence

import (
	"slices"
	"time"
)

// A Reading is what the counters of one side say at one instant, by series: a pod, or whatever begins to count at
// zero on its own.
type Reading struct {
	At     time.Time
	Series map[string]Counters
}

// Counters are what one series has counted since it began.
type Counters struct {
	// Since is when it began to count at zero, if that is known.
	Since time.Time
	Sample
}

// Between is what one side counted between two readings of it. Each series is taken for itself, because the sum over
// pods falls when one of them is gone. A series with any counter that went back has begun anew, and counts from zero,
// as Prometheus has it. One that the first reading does not have counts from zero if it began after that; else nobody
// knows what of it lies within, and it counts from the second reading on. The same goes for one whose buckets have
// changed. What a series counted after its last reading is lost.
func Between(before, after Reading) Sample {
	var sum Sample
	for name, now := range after.Series {
		then, known := before.Series[name]
		switch {
		case known && now.wentBack(then):
			sum = sum.plus(now.Sample)
		case known && now.sameBuckets(then):
			sum = sum.plus(now.minus(then.Sample))
		case !known && !now.Since.IsZero() && !now.Since.Before(before.At):
			sum = sum.plus(now.Sample)
		}
	}
	return sum
}

func (c Counters) wentBack(then Counters) bool {
	if c.Requests < then.Requests || c.Bad < then.Bad || c.Sum < then.Sum {
		return true
	}
	if !c.sameBuckets(then) {
		return false
	}
	for i, b := range c.Buckets {
		if b.Count < then.Buckets[i].Count {
			return true
		}
	}
	return false
}

func (c Counters) sameBuckets(then Counters) bool {
	return slices.EqualFunc(c.Buckets, then.Buckets, func(a, b Bucket) bool { return a.Le == b.Le })
}

func (s Sample) minus(t Sample) Sample {
	out := Sample{Requests: s.Requests - t.Requests, Bad: s.Bad - t.Bad, Sum: s.Sum - t.Sum}
	for i, b := range s.Buckets {
		out.Buckets = append(out.Buckets, Bucket{Le: b.Le, Count: b.Count - t.Buckets[i].Count})
	}
	return out
}

// plus adds histograms by the bounds that both have.
func (s Sample) plus(t Sample) Sample {
	out := Sample{Requests: s.Requests + t.Requests, Bad: s.Bad + t.Bad, Sum: s.Sum + t.Sum}
	if len(s.Buckets) == 0 || len(t.Buckets) == 0 {
		out.Buckets = slices.Concat(s.Buckets, t.Buckets)
		return out
	}
	for _, b := range s.Buckets {
		if at := slices.IndexFunc(t.Buckets, func(o Bucket) bool { return o.Le == b.Le }); at >= 0 {
			out.Buckets = append(out.Buckets, Bucket{Le: b.Le, Count: b.Count + t.Buckets[at].Count})
		}
	}
	return out
}
