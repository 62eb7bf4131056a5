// Package analysis judges: definitions and numbers in, a verdict with its reason out. It is pure, and it
// never takes what is not a number for one.
package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// longestQuery is how much of a query a status keeps.
const longestQuery = 1024

// Input is what came of asking for one metric.
type Input struct {
	// Query that was sent.
	Query string
	// Values of the series that it gave.
	Values []float64
	// Err is why there are no values. One with a method NoData that says so is an answer without a number.
	Err error
	// At is when it was asked.
	At time.Time
}

// noData is how an error says that there was an answer, but no number in it.
type noData interface {
	error
	NoData() bool
}

// Judge compares the answer with the metric's range. One number within it, bounds included, passes. No
// series, NaN and infinity are no data. Several series, and a query that could not be asked, are errors.
// What no data and errors mean for the run (onNoData, onError) is for package rollout to say.
func Judge(m v1beta1.CanaryMetric, in Input) v1beta1.CheckStatus {
	c := v1beta1.CheckStatus{Name: m.Name, Query: shorten(in.Query), At: metav1.NewTime(in.At)}
	switch {
	case in.Err != nil:
		c.Verdict, c.Message = v1beta1.VerdictErrored, in.Err.Error()
		if lacks, ok := errors.AsType[noData](in.Err); ok && lacks.NoData() {
			c.Verdict = v1beta1.VerdictNoData
		}
	case len(in.Values) == 0:
		c.Verdict, c.Message = v1beta1.VerdictNoData, "the query gave no data"
	case len(in.Values) > 1:
		c.Verdict = v1beta1.VerdictErrored
		c.Message = fmt.Sprintf("the query gave %d series where one is needed; "+
			"aggregate them, for example with sum()", len(in.Values))
	case math.IsNaN(in.Values[0]) || math.IsInf(in.Values[0], 0):
		c.Verdict, c.Message = v1beta1.VerdictNoData, fmt.Sprintf("the query gave %v", in.Values[0])
	default:
		c.Value = number(in.Values[0], m.ThresholdRange)
		c.Verdict, c.Message = compare(m.ThresholdRange, in.Values[0], c.Value)
	}
	return c
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

func shorten(query string) string {
	if len(query) <= longestQuery {
		return query
	}
	return strings.ToValidUTF8(query[:longestQuery], "") + "…"
}
