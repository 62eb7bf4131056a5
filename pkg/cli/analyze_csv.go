package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/analysis"
	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// analyzeFile judges the windows of a file.
func (c *cli) analyzeFile(canary *v1beta1.Canary, file string) (*replayed, error) {
	content, err := c.content(file)
	if err != nil {
		return nil, err
	}
	windows, err := readWindows(shown(file), content)
	if err != nil {
		return nil, err
	}
	r := &replayed{Canary: canary.Name, From: windows[0].Window.Start, To: windows[len(windows)-1].Window.End}
	judge := analysis.NewReplay(&canary.Spec)
	for _, w := range windows {
		if analysis.GuardInterval(&canary.Spec) > 0 && r.add(judge.Guard(w)) {
			break
		}
		var asked []analysis.Asked
		for _, m := range canary.Spec.Analysis.Metrics {
			asked = append(asked, analysis.Asked{Metric: m, Counted: countedOf(m, w), Input: inputOf(m, w)})
		}
		r.Rounds++
		if r.add(judge.Round(w.At, asked)) {
			break
		}
	}
	return r, nil
}

var errNotInFile = errors.New("a file of windows has requests and bad ones alone")

// countedOf is what a window says of a comparison.
func countedOf(m v1beta1.CanaryMetric, w analysis.Counted) analysis.Counted {
	if m.TemplateRef != nil || m.Name == v1beta1.RequestDuration {
		w.Err = errNotInFile
	}
	return w
}

// inputOf is what a window says of a threshold or a condition.
func inputOf(m v1beta1.CanaryMetric, w analysis.Counted) analysis.Input {
	in := analysis.Input{Weight: w.Weight, At: w.At, Elapsed: w.Window.End.Sub(w.Window.Start)}
	if m.TemplateRef != nil || m.Name != v1beta1.RequestSuccessRate {
		in.Err = errNotInFile
		return in
	}
	rate := func(s evidence.Sample) analysis.Answer {
		const percent = 100
		if s.Requests == 0 {
			return analysis.Answer{}
		}
		return analysis.Answer{Values: []float64{percent * (1 - s.Bad/s.Requests)}}
	}
	in.Answer, in.Baseline = rate(w.Window.Canary), rate(w.Window.Primary)
	return in
}

// windowColumns are those of a file of windows, those that it must have first.
func windowColumns() (needed, more []string) {
	return []string{"end", "canary_requests", "canary_bad", "primary_requests", "primary_bad"}, []string{"start", "weight"}
}

// readWindows reads a file, and names the line of what it cannot read.
func readWindows(file string, content []byte) ([]analysis.Counted, error) {
	reader := csv.NewReader(bytes.NewReader(content))
	reader.TrimLeadingSpace = true
	names, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("%s is no file of windows: %w", file, err)
	}
	needed, more := windowColumns()
	at := map[string]int{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(needed, name) && !slices.Contains(more, name) {
			return nil, fmt.Errorf("%s: column %q is none of %s", file, name, words.And(append(slices.Clone(needed), more...)))
		}
		at[name] = i
	}
	for _, name := range needed {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("%s has no column %s; it needs %s", file, name, words.And(needed))
		}
	}
	var windows []analysis.Counted
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := reader.FieldPos(0)
		w, err := readWindow(at, fields, windows)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		windows = append(windows, w)
	}
	if len(windows) == 0 {
		return nil, fmt.Errorf("%s has no window", file)
	}
	return windows, nil
}

// readWindow is one line. A window without a start begins where the one before it ends, and the first a minute before its
// end.
func readWindow(at map[string]int, fields []string, before []analysis.Counted) (analysis.Counted, error) {
	var failed error
	number := func(name string) float64 {
		i, ok := at[name]
		if !ok {
			return 0
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(fields[i]), 64)
		if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			failed = errors.Join(failed, fmt.Errorf("%s %q is not a number of 0 or more", name, fields[i]))
		}
		return v
	}
	instant := func(name string) time.Time {
		v, err := instantOf(fields[at[name]])
		failed = errors.Join(failed, err)
		return v
	}
	w := analysis.Counted{Window: evidence.Window{
		End:     instant("end"),
		Canary:  evidence.Sample{Requests: number("canary_requests"), Bad: number("canary_bad")},
		Primary: evidence.Sample{Requests: number("primary_requests"), Bad: number("primary_bad")},
	}}
	const all = 100
	weight := number("weight")
	_, hasStart := at["start"]
	switch {
	case hasStart:
		w.Window.Start = instant("start")
	case len(before) > 0:
		w.Window.Start = before[len(before)-1].Window.End
	default:
		w.Window.Start = w.Window.End.Add(-time.Minute)
	}
	switch {
	case failed != nil:
	case weight > all:
		failed = fmt.Errorf("weight %v is not a percentage", weight)
	case w.Window.Canary.Bad > w.Window.Canary.Requests || w.Window.Primary.Bad > w.Window.Primary.Requests:
		failed = fmt.Errorf("more requests are bad than there are")
	case !w.Window.Start.Before(w.Window.End):
		failed = fmt.Errorf("the window does not end after it begins")
	case len(before) > 0 && w.Window.Start.Before(before[len(before)-1].Window.End):
		failed = fmt.Errorf("the window begins before the one above it ends")
	}
	w.Weight, w.At = int32(weight), w.Window.End
	return w, failed
}

// instantOf reads a time, or seconds since 1970.
func instantOf(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 || seconds > 1e11 {
		return time.Time{}, fmt.Errorf("%q is no time; write it as in 2026-11-27T20:15:00Z, or in seconds", text)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil //nolint:mnd // milliseconds
}
