package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBounds(t *testing.T) {
	for _, b := range bounds(&report{Canaries: 7}) {
		assert.Empty(t, b.Value, b.What)
		assert.False(t, b.Met, "%s: what was not measured is not met", b.What)
	}
	good := func() *report {
		return &report{
			Canaries:  10000,
			Rest:      &costs{Seconds: 600, CPUSeconds: 6, HighestResidentMiB: 300},
			Revisions: spread{Number: 100, P99: 1000},
			Start:     &startReport{CachesSeconds: 60, LooksSeconds: 70, Served: spread{Number: 5, Max: 5000}},
			Waves: []*waveReport{
				{Kind: asTheyAre, Releases: 500, Late: spread{P99: 1000}, WritesARun: 25},
				{Kind: hanging, Late: spread{P99: 1000}, Held: 167, AskHanging: 167},
				{Kind: killed, Kill: &killReport{Runs: 480, Continued: spread{Number: 480, Max: 20000}}},
			},
			Soak: &soakReport{Runs: 100000, Heap: growth{Share: 0.02}, Resident: growth{Share: 0.02}},
		}
	}
	for _, b := range bounds(good()) {
		assert.True(t, b.Met, "%s: %s", b.What, b.Value)
	}
	for name, c := range map[string]struct {
		change func(*report)
		unmet  string
	}{
		"memory":            {func(r *report) { r.Rest.HighestResidentMiB++ }, "301 MiB"},
		"requests":          {func(r *report) { r.Rest.Others = 1 }, "1 in 600 s"},
		"CPU":               {func(r *report) { r.Rest.CPUSeconds = 7 }, "1.17 %"},
		"start":             {func(r *report) { r.Start.CachesSeconds++ }, "61.0 s; looked at: 70.0 s"},
		"served":            {func(r *report) { r.Start.Served.Max += 100 }, "5.1 s"},
		"a step is late":    {func(r *report) { r.Waves[0].Late.P99 = 1100 }, "1.10 s"},
		"a step is missing": {func(r *report) { r.Waves[0].Wrong = map[string]int{"step 3 came after step 1": 1} }, "1.00 s"},
		"one does not hold": {func(r *report) { r.Waves[1].Held-- }, "1.00 s; 166 of 167 hold"},
		"writes":            {func(r *report) { r.Waves[0].WritesARun = 25.04 }, "25.0"},
		"noticed late":      {func(r *report) { r.Revisions.P99 = 1100 }, "1.10 s, of 100"},
		"outage":            {func(r *report) { r.Waves[2].Kill.Continued.Max = 20100 }, "20.1 s; 480 of 480 runs; 0 wrong"},
		"a step is doubled": {func(r *report) { r.Waves[2].Wrong = map[string]int{"step 2 began anew": 2} },
			"20.0 s; 480 of 480 runs; 2 wrong"},
		"series": {func(r *report) { r.Soak.Series.Growth = 1 },
			"heap +2.0 %, resident +2.0 %, +0.0 goroutines, +1.0 series"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(r)
			var unmet []string
			for _, b := range bounds(r) {
				if !b.Met {
					unmet = append(unmet, b.Value)
				}
			}
			assert.Equal(t, []string{c.unmet}, unmet)
		})
	}
}

func TestGrowth(t *testing.T) {
	var samples []sample
	for i := range 100 {
		s := sample{Runs: 100 * (i + 1), HeapMiB: 40, Goroutines: 50, Series: 300}
		if i < 30 {
			s.HeapMiB = float64(10 + i) // at the beginning it fills its caches
		}
		if i%2 == 0 {
			s.Goroutines++
		}
		s.Series += i
		samples = append(samples, s)
	}
	r := &soakReport{Samples: samples}
	r.fit()
	assert.InDelta(t, 0, r.Heap.Growth, 1e-9, "the first half does not count")
	assert.InDelta(t, 0, r.Goroutines.Growth, 0.1, "it goes up and down")
	assert.InDelta(t, 49, r.Series.Growth, 1e-6)
	assert.InDelta(t, 49/374.5, r.Series.Share, 1e-6)
	assert.Equal(t, growth{}, growthOf(samples[:4], func(s sample) float64 { return s.HeapMiB }), "two say nothing")
}

func TestParts(t *testing.T) {
	o := options{canaries: 10, releases: 3, operators: 1, rest: 1, parts: "all", output: "table"}
	names, err := o.chosen()
	require.NoError(t, err)
	assert.Equal(t, partNames(), names)
	o.parts = "start,rest"
	o.soak, o.kill = 100, true
	names, err = o.chosen()
	require.NoError(t, err)
	var all []string
	for _, p := range (&measurement{options: o}).parts(names) {
		all = append(all, p.name)
	}
	assert.Equal(t, []string{"adoption", "rest", "start", "killed", "soak"}, all)
	o.parts = "none"
	names, err = o.chosen()
	require.NoError(t, err)
	assert.Empty(t, names)
	o.parts = "rest,sleep"
	_, err = o.chosen()
	require.ErrorContains(t, err, `-parts has no "sleep"`)
	o.parts, o.releases = "all", 11
	_, err = o.chosen()
	assert.ErrorContains(t, err, "want -releases between 1 and the 10 of -canaries")
}

func TestReportPrints(t *testing.T) {
	r := &report{Canaries: 3, Waves: []*waveReport{{Kind: killed, Releases: 2, Kill: &killReport{Runs: 2}}},
		Start: &startReport{CachesSeconds: 2.5}, Soak: &soakReport{Samples: []sample{{Runs: 100}}}}
	r.Bounds = bounds(r)
	var table, json bytes.Buffer
	require.NoError(t, r.print(&table, "table"))
	require.NoError(t, r.print(&json, "json"))
	for _, said := range []string{"2 releases at once: killed", "the leader was killed", "caches are filled", "not measured"} {
		assert.Contains(t, table.String(), said)
	}
	assert.False(t, strings.Contains(table.String(), "At rest"), "what was not measured is left out")
	assert.Contains(t, json.String(), `"cachesSeconds": 2.5`)
	assert.NotContains(t, json.String(), `"revisions"`)
}
