// Package analysis judges: definitions and numbers in, a verdict with its reason out. It is pure, and it
// never takes what is not a number for one.
package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// longestQuery is how much of a query a status keeps.
const longestQuery = 1024

// longestAnswer is how much of what came of it.
const longestAnswer = 256

// Answer is what came of one query.
type Answer struct {
	// Values of the series that it gave, and what the server calls them.
	Values []float64
	Series []string
	// Err is why there are no values. One with a method NoData that says so is an answer without a number.
	Err error
}

// Input is what came of asking for one metric.
type Input struct {
	// Query that was sent.
	Query string
	// Answer of the canary.
	Answer
	// Baseline is that of the primary, where the condition asks for one.
	Baseline Answer
	// Weight of the canary in percent, and Elapsed since the step's traffic came in force.
	Weight  int32
	Elapsed time.Duration
	// At is when it was asked.
	At time.Time
}

// noData is how an error says that there was an answer, but no number in it.
type noData interface {
	error
	NoData() bool
}

// Judge judges the answer by the metric's range or its condition. One finite number is judged; no series, NaN and
// infinity are no data; several series, unless the metric reduces them, and a query that could not be asked, are errors.
// What no data and errors mean for the run (onNoData, onError) is for package rollout to say.
func Judge(m v1beta1.CanaryMetric, in Input) v1beta1.CheckStatus {
	c := v1beta1.CheckStatus{Name: m.Name, Query: shorten(in.Query), Answer: in.inWords(), At: metav1.NewTime(in.At)}
	value, verdict, why := in.one(m.Reduce, "the query")
	if verdict != v1beta1.VerdictPassed {
		c.Verdict, c.Message = verdict, why
		return c
	}
	if m.Condition != "" {
		return conditioned(m, in, value, c)
	}
	var accepted v1beta1.ThresholdRange
	if m.ThresholdRange != nil {
		accepted = *m.ThresholdRange
	}
	c.Value = number(value, accepted)
	c.Verdict, c.Message = compare(accepted, value, c.Value)
	return c
}

// inWords is the answer as it came, shortened.
func (a Answer) inWords() string {
	const most = 8
	var parts []string
	for i, v := range a.Values {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(a.Values)-most))
			break
		}
		series := ""
		if i < len(a.Series) && a.Series[i] != "" && a.Series[i] != "{}" {
			series = a.Series[i] + " "
		}
		parts = append(parts, series+plain(v))
	}
	return cut(strings.Join(parts, "; "), longestAnswer)
}

// one is the value of an answer, or the verdict that it has none, and why. What was asked begins the sentence.
func (a Answer) one(reduce, what string) (float64, v1beta1.Verdict, string) {
	if a.Err != nil {
		if lacks, ok := errors.AsType[noData](a.Err); ok && lacks.NoData() {
			return 0, v1beta1.VerdictNoData, a.Err.Error()
		}
		return 0, v1beta1.VerdictErrored, a.Err.Error()
	}
	if len(a.Values) == 0 {
		return 0, v1beta1.VerdictNoData, what + " gave no data"
	}
	if len(a.Values) > 1 && reduce == "" {
		return 0, v1beta1.VerdictErrored, fmt.Sprintf("%s gave %d series where one is needed; "+
			"aggregate them, for example with sum(), or set reduce", what, len(a.Values))
	}
	v := reduced(a.Values, reduce)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, v1beta1.VerdictNoData, fmt.Sprintf("%s gave %v", what, v)
	}
	return v, v1beta1.VerdictPassed, ""
}

// reduced makes one of several values. One that is not a number makes it none, whatever the others are.
func reduced(values []float64, how string) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch how {
	case "max":
		return slices.Max(values)
	case "min":
		return slices.Min(values)
	case "mean":
		return sum / float64(len(values))
	}
	return sum
}

func compare(r v1beta1.ThresholdRange, v float64, value string) (v1beta1.Verdict, string) {
	switch {
	case r.Min == nil && r.Max == nil:
		return v1beta1.VerdictErrored, "the metric has no thresholdRange to be compared with"
	case r.Min != nil && v < *r.Min:
		return v1beta1.VerdictFailed, fmt.Sprintf("%s is below the minimum %s", value, plain(*r.Min))
	case r.Max != nil && v > *r.Max:
		return v1beta1.VerdictFailed, fmt.Sprintf("%s is above the maximum %s", value, plain(*r.Max))
	case r.Min == nil:
		return v1beta1.VerdictPassed, fmt.Sprintf("%s is not above the maximum %s", value, plain(*r.Max))
	case r.Max == nil:
		return v1beta1.VerdictPassed, fmt.Sprintf("%s is not below the minimum %s", value, plain(*r.Min))
	}
	return v1beta1.VerdictPassed, fmt.Sprintf("%s is within %s and %s", value, plain(*r.Min), plain(*r.Max))
}

// number writes a value with as many digits as people read, or with all of them where it would otherwise
// seem to lie on the other side of a bound.
func number(v float64, r v1beta1.ThresholdRange) string {
	const digits = 6
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return plain(v)
	}
	for _, bound := range []*float64{r.Min, r.Max} {
		if bound != nil && cmp.Compare(v, *bound) != cmp.Compare(rounded, *bound) {
			return plain(v)
		}
	}
	return plain(rounded)
}

// plain writes a value exactly, without an exponent where people do without.
func plain(v float64) string {
	if v == 0 || math.Abs(v) >= 1e-6 && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func shorten(query string) string { return cut(query, longestQuery) }

func cut(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}
