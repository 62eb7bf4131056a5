package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/analysis/evidence"
)

func counters(requests, bad float64) evidence.Counters {
	return evidence.Counters{Sample: evidence.Sample{Requests: requests, Bad: bad}}
}

func reading(second int, series map[string]evidence.Counters) evidence.Reading {
	return evidence.Reading{At: at(second), Series: series}
}

func TestBetween(t *testing.T) {
	born := counters(30, 3)
	born.Since = at(5)
	old := counters(3000, 300)
	old.Since = at(-500)
	for name, c := range map[string]struct {
		before, after map[string]evidence.Counters
		want          evidence.Sample
	}{
		"one pod": {map[string]evidence.Counters{"a": counters(100, 1)}, map[string]evidence.Counters{"a": counters(160, 4)},
			evidence.Sample{Requests: 60, Bad: 3}},
		"restarted": {map[string]evidence.Counters{"a": counters(100, 1)}, map[string]evidence.Counters{"a": counters(40, 2)},
			evidence.Sample{Requests: 40, Bad: 2}},
		"restarted, seen by one counter": {map[string]evidence.Counters{"a": counters(10, 5)},
			map[string]evidence.Counters{"a": counters(40, 2)}, evidence.Sample{Requests: 40, Bad: 2}},
		"one gone, which a sum would take for a restart": {
			map[string]evidence.Counters{"a": counters(1000, 9), "b": counters(100, 1)},
			map[string]evidence.Counters{"b": counters(150, 2)}, evidence.Sample{Requests: 50, Bad: 1}},
		"one new": {map[string]evidence.Counters{"a": counters(100, 1)},
			map[string]evidence.Counters{"a": counters(110, 1), "b": born}, evidence.Sample{Requests: 40, Bad: 3}},
		"one not seen before": {map[string]evidence.Counters{"a": counters(100, 1)},
			map[string]evidence.Counters{"a": counters(110, 1), "b": counters(3000, 300)}, evidence.Sample{Requests: 10}},
		"one not seen before, and old": {nil, map[string]evidence.Counters{"b": old}, evidence.Sample{}},
		"nothing":                      {nil, nil, evidence.Sample{}},
	} {
		require.Equal(t, c.want, evidence.Between(reading(0, c.before), reading(10, c.after)), name)
	}
}

func TestBetweenHistograms(t *testing.T) {
	of := func(buckets ...evidence.Bucket) map[string]evidence.Counters {
		return map[string]evidence.Counters{"a": {Sample: evidence.Sample{Buckets: buckets}}}
	}
	last := math.Inf(1)
	got := evidence.Between(reading(0, of(evidence.Bucket{Le: 1, Count: 5}, evidence.Bucket{Le: last, Count: 9})),
		reading(10, of(evidence.Bucket{Le: 1, Count: 8}, evidence.Bucket{Le: last, Count: 19})))
	require.Equal(t, []evidence.Bucket{{Le: 1, Count: 3}, {Le: last, Count: 10}}, got.Buckets)
	got = evidence.Between(reading(0, of(evidence.Bucket{Le: 1, Count: 5}, evidence.Bucket{Le: last, Count: 9})),
		reading(10, of(evidence.Bucket{Le: 1, Count: 4}, evidence.Bucket{Le: last, Count: 19})))
	require.Equal(t, []evidence.Bucket{{Le: 1, Count: 4}, {Le: last, Count: 19}}, got.Buckets, "a restart")
	got = evidence.Between(reading(0, of(evidence.Bucket{Le: 1, Count: 5}, evidence.Bucket{Le: last, Count: 9})),
		reading(10, of(evidence.Bucket{Le: 2, Count: 8}, evidence.Bucket{Le: last, Count: 19})))
	require.Empty(t, got.Buckets, "other buckets")

	both := of(evidence.Bucket{Le: 1, Count: 4}, evidence.Bucket{Le: 2, Count: 5}, evidence.Bucket{Le: last, Count: 6})
	both["b"] = of(evidence.Bucket{Le: 2, Count: 7}, evidence.Bucket{Le: 3, Count: 8}, evidence.Bucket{Le: last, Count: 9})["a"]
	for name, c := range both {
		c.Since = at(1)
		both[name] = c
	}
	got = evidence.Between(reading(0, nil), reading(10, both))
	require.Equal(t, []evidence.Bucket{{Le: 2, Count: 12}, {Le: last, Count: 15}}, got.Buckets, "by the bounds that both have")
}

// TestResetsLoseLittle counts random lives of pods: what a window has is never more than what happened in it, and
// without restarts it is all.
func TestResetsLoseLittle(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		happened, restarted := 0.0, false
		before, after := map[string]evidence.Counters{}, map[string]evidence.Counters{}
		for _, pod := range []string{"a", "b", "c"} {
			count := float64(r.IntN(50))
			before[pod] = counters(count, math.Floor(count/3))
			if r.IntN(4) == 0 {
				happened += float64(r.IntN(20)) // before the end, unseen
				count, restarted = 0, true
			}
			more := float64(r.IntN(50))
			happened += more
			after[pod] = counters(count+more, math.Floor((count+more)/3))
		}
		got := evidence.Between(reading(0, before), reading(10, after))
		require.LessOrEqual(t, got.Bad, got.Requests)
		require.LessOrEqual(t, got.Requests, happened)
		if !restarted {
			require.Equal(t, happened, got.Requests)
		}
	}
}
