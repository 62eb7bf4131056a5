package traffic

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// mostErrors is how many different errors are told, and longestError how much of each, in bytes.
	mostErrors, longestError = 5, 200
	// enough of the rate that was asked is as good as all of it.
	enough = 0.95
)

// Report is what came of a load. Times are in milliseconds.
type Report struct {
	// Requests that were sent, and those of them that succeeded.
	Requests  int64 `json:"requests"`
	Succeeded int64 `json:"succeeded"`
	// AskedRate and AchievedRate are in requests a second. Nothing was asked where it is 0.
	AskedRate    float64 `json:"askedRate,omitempty"`
	AchievedRate float64 `json:"achievedRate"`
	// Seconds that were sent in.
	Seconds float64 `json:"seconds"`
	// Latency from when a request was sent to the end of its answer.
	Latency Times `json:"latency"`
	// Lateness from when a request should have been sent to when it was.
	Lateness *Times `json:"lateness,omitempty"`
	// Answers by their outcome.
	Answers map[string]int64 `json:"answers"`
	// Errors are the first different ones.
	Errors []string `json:"errors,omitempty"`
}

// Times are milliseconds.
type Times struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// SuccessRate is the percentage of requests that succeeded; 0 where none was sent.
func (r *Report) SuccessRate() float64 {
	if r.Requests == 0 {
		return 0
	}
	return 100 * float64(r.Succeeded) / float64(r.Requests)
}

// Behind says that the rate was not kept.
func (r *Report) Behind() bool { return r.AchievedRate < enough*r.AskedRate }

// String is the report in one sentence.
func (r *Report) String() string {
	said := fmt.Sprintf("%d requests in %.1fs, %.4g a second", r.Requests, r.Seconds, r.AchievedRate)
	if r.AskedRate > 0 {
		said += fmt.Sprintf(" of %.4g asked", r.AskedRate)
	}
	said += fmt.Sprintf(", %.4g%% succeeded, half within %.4gms, 99%% within %.4gms", r.SuccessRate(), r.Latency.P50, r.Latency.P99)
	if r.Behind() {
		said += fmt.Sprintf("; the rate was not kept, 1%% were sent more than %.4gms late", r.Lateness.P99)
	}
	if len(r.Errors) > 0 {
		said += "; " + r.Errors[0]
	}
	return said
}

// tally is a report that grows.
type tally struct {
	pace              Pace
	plan              pacer
	start             time.Time
	last, end         time.Duration // when the last request was sent, and when the last answer came
	latency, lateness vegeta.LatencyMetrics
	Report
}

func newTally(p Pace, plan pacer) *tally {
	return &tally{pace: p, plan: plan, start: time.Now(), Report: Report{AskedRate: p.Rate, Answers: map[string]int64{}}}
}

func (t *tally) add(r *vegeta.Result) Answer {
	a := outcome(r)
	sent := r.Timestamp.Sub(t.start)
	t.last, t.end = max(t.last, sent), max(t.end, sent+r.Latency)
	t.latency.Add(r.Latency)
	t.lateness.Add(max(sent-t.plan.due(r.Seq), 0))
	t.Requests++
	t.Answers[a.Outcome]++
	if a.OK {
		t.Succeeded++
	} else {
		t.note(r)
	}
	return a
}

// note keeps an error, if it is one of the first.
func (t *tally) note(r *vegeta.Result) {
	why := r.Error
	if said := r.Headers.Get(messageHeader); said != "" {
		why += ": " + said
	}
	// What net/http says begins with the URL, which may have a secret.
	if _, after, ok := strings.Cut(why, `": `); ok {
		why = after
	}
	if len(why) > longestError {
		why = strings.ToValidUTF8(why[:longestError], "") + "…"
	}
	if len(t.Errors) < mostErrors && !slices.Contains(t.Errors, why) {
		t.Errors = append(t.Errors, why)
	}
}

// report closes the account. The time that was sent in goes to where the next request would have been due.
func (t *tally) report(now time.Time) *Report {
	window := t.end
	if t.pace.Rate > 0 {
		window = t.last + t.plan.due(1)
		if t.pace.Duration > 0 && (t.pace.Requests == 0 || t.Requests < t.pace.Requests) {
			window = max(window, min(t.pace.Duration, now.Sub(t.start)))
		}
		t.Lateness = timesOf(&t.lateness, t.Requests)
	}
	t.Seconds = window.Seconds()
	if t.Requests > 0 {
		t.AchievedRate = float64(t.Requests) / t.Seconds
		t.Latency = *timesOf(&t.latency, t.Requests)
	}
	return &t.Report
}

func timesOf(m *vegeta.LatencyMetrics, count int64) *Times {
	if count == 0 {
		return &Times{}
	}
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Millisecond)*1e3) / 1e3 }
	return &Times{
		Mean: ms(m.Total / time.Duration(count)), P50: ms(m.Quantile(0.5)), P90: ms(m.Quantile(0.9)), P99: ms(m.Quantile(0.99)),
		Max: ms(m.Max),
	}
}
