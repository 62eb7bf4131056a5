package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func moment(seconds float64) time.Time {
	return time.Unix(1e9, 0).Add(time.Duration(math.Round(1000*seconds)) * time.Millisecond)
}

// A run of two steps of ten seconds, as a watch sees it that is a tenth of a second behind the operator's clock.
func goodRun() (course, []mark) {
	status := func(at float64, phase v1beta1.Phase, weight, step int32, traffic float64) mark {
		m := mark{Seen: moment(at + 0.1), Phase: phase, Weight: weight, Run: "b-1", Step: step, Begun: moment(at),
			WeightSince: moment(at), Last: "a-1", Outcome: v1beta1.OutcomePromoted}
		if traffic > 0 {
			m.Traffic = moment(traffic)
		}
		return m
	}
	judged := func(m mark) mark { m.Round = 1; return m }
	end := status(45, v1beta1.PhaseFinalising, 100, -1, 0)
	end.Run, end.Last = "", "b-1"
	done := end
	done.Phase, done.Weight, done.Seen = v1beta1.PhaseSucceeded, 0, moment(50)
	return course{weights: []int32{10, 50}, interval: 10 * time.Second, settle: 5 * time.Second}, []mark{
		status(1, v1beta1.PhaseProgressing, 0, 0, 0),
		status(3, v1beta1.PhaseProgressing, 10, 0, 3),
		status(13.2, v1beta1.PhaseProgressing, 50, 1, 13.2),
		judged(status(24.2, v1beta1.PhasePromoting, 50, 1, 13.2)),
		status(26, v1beta1.PhasePromoting, 100, 1, 13.2),
		end, done,
	}
}

func TestLateness(t *testing.T) {
	planned, marks := goodRun()
	assert.Equal(t, []late{
		{Decided: 200 * time.Millisecond, Seen: 300 * time.Millisecond},
		{Decided: time.Second, Seen: 1100 * time.Millisecond},
	}, planned.lateness(marks))
	at, ok := noticed(marks)
	assert.True(t, ok)
	assert.Equal(t, moment(1.1), at)

	planned.settle = 12 * time.Second
	assert.Equal(t, -1800*time.Millisecond, planned.lateness(marks)[0].Decided, "a settle time that is longer counts")

	planned.settle = 0
	held := slices.Insert(slices.Clone(marks), 2, marks[1])
	held[2].Round, held[2].Seen = 1, moment(13.1)
	held[3].Begun, held[3].Seen = moment(23.3), moment(23.4)
	assert.Equal(t, 10300*time.Millisecond, planned.lateness(held)[0].Decided, "a round without an answer makes a step late")
	assert.Len(t, planned.lateness(held), 2)
	assert.Equal(t, 1, repeated(held))
	assert.Zero(t, repeated(marks))
	assert.True(t, holds(held[:3]))
	assert.False(t, holds(held[:2]))

	assert.Empty(t, planned.lateness(nil))
	_, ok = noticed(marks[5:])
	assert.False(t, ok)
}

func TestSequence(t *testing.T) {
	planned, marks := goodRun()
	assert.Empty(t, planned.wrong(marks))
	assert.True(t, over(marks))
	for _, c := range []struct {
		name   string
		change func([]mark) []mark
		said   []string
	}{
		{"a step is left out", func(m []mark) []mark { return slices.Delete(m, 0, 2) }, []string{"step 2 came after step 0"}},
		{"the last step is left out", func(m []mark) []mark { return slices.Delete(m, 2, 3) }, []string{"step 1 of 2 was the last"}},
		{"a step comes twice", func(m []mark) []mark { return slices.Insert(m, 3, m[1], m[2]) },
			[]string{"step 1 came again after step 2"}},
		{"a step begins anew", func(m []mark) []mark {
			again := m[2]
			again.Traffic = moment(20)
			return slices.Insert(m, 3, again)
		}, []string{"step 2 began anew"}},
		{"another weight", func(m []mark) []mark { m[1].Weight = 20; return m }, []string{"step 1 had weight 20"}},
		{"a second run", func(m []mark) []mark { m[3].Run = "c-1"; return m },
			[]string{"run b-1 was followed by run c-1", "run c-1 was followed by run b-1"}},
		{"no end", func(m []mark) []mark { return m[:5] }, []string{"its run did not end"}},
		{"another outcome", func(m []mark) []mark {
			m[6].Outcome, m[6].Message = v1beta1.OutcomeRolledBack, "errors: 7"
			return m
		}, []string{"it ended RolledBack: errors: 7"}},
		{"not in the history", func(m []mark) []mark { m[6].Last = "a-1"; return m },
			[]string{"run b-1 is not the last of the history, which is a-1"}},
		{"traffic is left", func(m []mark) []mark { m[6].Weight = 100; return m }, []string{"it ended with weight 100"}},
		{"nothing was seen", func([]mark) []mark { return nil }, []string{"step 0 of 2 was the last", "its run did not end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, marks := goodRun()
			assert.Equal(t, c.said, planned.wrong(c.change(marks)))
		})
	}
}

func TestSpread(t *testing.T) {
	var all []time.Duration
	for i := 200; i > 0; i-- {
		all = append(all, time.Duration(i)*time.Millisecond)
	}
	assert.Equal(t, spread{Number: 200, P50: 100, P99: 198, Max: 200}, spreadOf(all))
	assert.Equal(t, spread{Number: 1, P50: 7, P99: 7, Max: 7}, spreadOf([]time.Duration{7 * time.Millisecond}))
	assert.Equal(t, spread{}, spreadOf(nil))
}
