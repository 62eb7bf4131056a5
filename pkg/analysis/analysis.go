// Package analysis judges: definitions and numbers in, a verdict with its reason out. It is pure, and it
// never takes what is not a number for one.
package analysis

import (
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
	// Err is why it could not be asked.
	Err error
	// At is when it was asked.
	At time.Time
}

// Judge compares the answer with the metric's range. One number within it, bounds included, passes. No
// series, NaN and infinity are no data. Several series, and a query that could not be asked, are errors.
func Judge(m v1beta1.CanaryMetric, in Input) v1beta1.CheckStatus {
	c := v1beta1.CheckStatus{Name: m.Name, Query: shorten(in.Query), At: metav1.NewTime(in.At)}
	switch {
	case in.Err != nil:
		c.Verdict, c.Message = v1beta1.VerdictErrored, in.Err.Error()
	case len(in.Values) == 0:
		c.Verdict, c.Message = v1beta1.VerdictNoData, "the query gave no data"
	case len(in.Values) > 1:
		c.Verdict = v1beta1.VerdictErrored
		c.Message = fmt.Sprintf("the query gave %d series where one is needed; aggregate them, for example with sum()", len(in.Values))
	case math.IsNaN(in.Values[0]) || math.IsInf(in.Values[0], 0):
		c.Verdict, c.Message = v1beta1.VerdictNoData, "the query gave "+number(in.Values[0])
	default:
		c.Value = number(in.Values[0])
		c.Verdict, c.Message = compare(m.ThresholdRange, in.Values[0])
	}
	return c
}

func compare(r v1beta1.ThresholdRange, v float64) (v1beta1.Verdict, string) {
	switch {
	case r.Min != nil && v < *r.Min:
		return v1beta1.VerdictFailed, fmt.Sprintf("%s is below the minimum %s", number(v), number(*r.Min))
	case r.Max != nil && v > *r.Max:
		return v1beta1.VerdictFailed, fmt.Sprintf("%s is above the maximum %s", number(v), number(*r.Max))
	case r.Min == nil && r.Max == nil:
		return v1beta1.VerdictErrored, "the metric has no thresholdRange to be compared with"
	case r.Min == nil:
		return v1beta1.VerdictPassed, fmt.Sprintf("%s is not above the maximum %s", number(v), number(*r.Max))
	case r.Max == nil:
		return v1beta1.VerdictPassed, fmt.Sprintf("%s is not below the minimum %s", number(v), number(*r.Min))
	}
	return v1beta1.VerdictPassed, fmt.Sprintf("%s is within %s and %s", number(v), number(*r.Min), number(*r.Max))
}

// number writes a value with as many digits as people read.
func number(v float64) string {
	const digits = 6
	if v != 0 && math.Abs(v) >= 1 && math.Abs(v) < 1e9 {
		s := strconv.FormatFloat(v, 'f', 3, 64)
		return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return strconv.FormatFloat(v, 'g', digits, 64)
}

func shorten(query string) string {
	if len(query) <= longestQuery {
		return query
	}
	return strings.ToValidUTF8(query[:longestQuery], "") + "…"
}
