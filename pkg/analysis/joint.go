package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Compared is what came of one comparison.
type Compared struct {
	Check v1beta1.CheckStatus
	State *v1beta1.MetricState
}

// Joint judges the comparisons that have a weight together, once all of them have been asked. The mean of e-values is one
// too, however they depend on each other: so the error probability holds for all of them at once. Each gets the verdict
// of all, with what they amount to, but where it has no answer; what it knew before counts all the same. Checks of other
// metrics are left as they are.
func Joint(metrics []v1beta1.CanaryMetric, asked []Compared) []Compared {
	weighted := slices.DeleteFunc(slices.Clone(metrics), func(m v1beta1.CanaryMetric) bool {
		return m.Weight == 0 || m.Comparison == nil
	})
	if len(weighted) < 2 { //nolint:mnd // one alone is judged alone
		return asked
	}
	alpha := 1.0
	var parts []evidence.Part
	var names []string
	var at []int
	for _, m := range weighted {
		i := slices.IndexFunc(asked, func(c Compared) bool { return c.Check.Name == m.Name })
		if i < 0 {
			return asked
		}
		alpha = min(alpha, 1-m.Comparison.Confidence)
		parts = append(parts, evidence.Part{Result: testOf(m).Result(stateOf(asked[i].State)), Weight: float64(m.Weight)})
		names, at = append(names, m.Name), append(at, i)
	}
	all := evidence.Combine(alpha, parts...)
	amounts := fmt.Sprintf("; the evidence of %s together is %s of the %s needed", strings.Join(names, " and "),
		brief(math.Exp(min(all.Evidence, mostLogEvidence))), brief(math.Exp(all.Needed)))
	asked = slices.Clone(asked)
	for _, i := range at {
		c := &asked[i].Check
		if c.Evidence == nil {
			continue
		}
		switch {
		case all.Verdict == evidence.Fail:
			c.Verdict = v1beta1.VerdictFailed
		case c.Verdict == v1beta1.VerdictFailed:
			c.Verdict = v1beta1.VerdictPassed
		}
		c.Message += amounts
	}
	return asked
}
