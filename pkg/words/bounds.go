package words

import (
	"math"
	"strconv"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Bound is what a check is held to. Min and Max are numbers to draw a value against, nil where there are none.
type Bound struct {
	Min, Max *float64
	// Text is the bound in a few characters, as in ">= 99".
	Text string
}

// BoundOf is what a check is held to by the spec. A comparison is held to the evidence that it needs, of which
// course.Sample has the logarithm.
func BoundOf(c *v1beta1.Canary, check v1beta1.CheckStatus) Bound {
	if e := check.Evidence; e != nil {
		bound := Bound{Text: "evidence < " + e.Needed}
		if needed, err := strconv.ParseFloat(e.Needed, 64); err == nil && needed > 0 {
			most := math.Log10(needed)
			bound.Max = &most
		}
		return bound
	}
	for _, m := range c.Spec.Analysis.Metrics {
		if m.Name != check.Name {
			continue
		}
		switch r := m.ThresholdRange; {
		case m.Condition != "":
			return Bound{Text: m.Condition}
		case m.Comparison != nil:
			return Bound{Text: "comparison"}
		case r == nil:
		case r.Min != nil && r.Max != nil:
			return Bound{Min: r.Min, Max: r.Max, Text: number(*r.Min) + " to " + number(*r.Max)}
		case r.Min != nil:
			return Bound{Min: r.Min, Text: ">= " + number(*r.Min)}
		case r.Max != nil:
			return Bound{Max: r.Max, Text: "<= " + number(*r.Max)}
		}
	}
	return Bound{}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
