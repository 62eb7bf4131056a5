package analysis

import (
	"fmt"
	"math"
	"time"

	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func shown(r evidence.Result) *v1beta1.EvidenceStatus {
	s := &v1beta1.EvidenceStatus{
		Value: brief(math.Exp(min(r.Evidence, mostLogEvidence))), Needed: brief(math.Exp(r.Needed)), Windows: int32(r.Windows),
		Canary: counts(r.Canary), Primary: counts(r.Primary), NotWorse: r.Verdict == evidence.Pass,
	}
	if r.Ratio.Estimate > 0 {
		s.Ratio = brief(r.Ratio.Estimate)
	}
	return s
}

// mostLogEvidence bounds what is written of evidence that nobody would count any more.
const mostLogEvidence = 30

func counts(t evidence.Totals) v1beta1.CountStatus {
	return v1beta1.CountStatus{Requests: int64(math.Round(t.Requests)), Bad: int64(math.Round(t.Bad))}
}

// share is the percentage of bad requests; nothing where there are none at all.
func share(t evidence.Totals) string {
	if t.Requests == 0 {
		return ""
	}
	return brief(percent * t.Bad / t.Requests)
}

const percent = 100

// brief writes a number as people read it.
func brief(v float64) string {
	const large, digits = 100, 2
	if v >= large {
		return plain(math.Round(v))
	}
	rounded := math.Pow(10, digits) //nolint:mnd // decimal places
	if v != 0 {
		rounded = math.Pow(10, digits-1-math.Floor(math.Log10(math.Abs(v))))
	}
	return plain(math.Round(v*rounded) / rounded)
}

// values are what people compare: the percentages of bad requests, and of a split the canary's share of them all.
func values(t evidence.Test, r evidence.Result) (canary, primary string) {
	switch t.Kind {
	case evidence.Mean: // of which only the ratio is kept
		return "", ""
	case evidence.Split:
		all := r.Canary.Requests + r.Primary.Requests
		return share(evidence.Totals{Requests: all, Bad: r.Canary.Requests}), ""
	}
	return share(r.Canary), share(r.Primary)
}

// told says what was counted and what it amounts to.
func told(m v1beta1.CanaryMetric, r evidence.Result) string {
	var text string
	ratio := brief(r.Ratio.Estimate)
	tolerated := plain(m.Comparison.Tolerance)
	than := "times as many"
	switch KindOf(m) {
	case evidence.Split:
		got, _ := values(evidence.Test{Kind: evidence.Split}, r)
		text = fmt.Sprintf("the canary got %s %% of %.0f requests", got, r.Canary.Requests+r.Primary.Requests)
		if r.Ratio.Estimate > 0 {
			text += fmt.Sprintf("; its odds are %s times those of its weight, and %s are tolerated either way", ratio, tolerated)
		}
	case evidence.Mean:
		than = "times as much"
		text = fmt.Sprintf("%.0f of the canary's and %.0f of the primary's were counted", r.Canary.Requests, r.Primary.Requests)
		if r.Ratio.Estimate > 0 {
			text += fmt.Sprintf("; the canary's mean is %s times the primary's, and %s are tolerated", ratio, tolerated)
		}
	default:
		text = fmt.Sprintf("%s %% of %.0f requests %s, of the primary's %.0f %s %%", share(r.Canary), r.Canary.Requests,
			badInWords(m, r), r.Primary.Requests, share(r.Primary))
		if r.Ratio.Estimate > 0 {
			text += fmt.Sprintf("; that is %s times as many, and %s are tolerated", ratio, tolerated)
		}
	}
	e := shown(r)
	text = fmt.Sprintf("%s; the evidence is %s of the %s needed", text, e.Value, e.Needed)
	if e.NotWorse {
		text += fmt.Sprintf("; it was shown to be less than %s %s", plain(m.Comparison.Limit), than)
	}
	return text
}

// badInWords is what happened to the bad ones among the requests.
func badInWords(m v1beta1.CanaryMetric, r evidence.Result) string {
	switch {
	case KindOf(m) == evidence.Latency && m.Comparison.Bound != "":
		return "took longer than " + m.Comparison.Bound
	case KindOf(m) == evidence.Latency && r.Mark > 0:
		return "took longer than " + (time.Duration(r.Mark * float64(time.Millisecond))).String()
	case KindOf(m) == evidence.Latency:
		return "were the slow ones"
	case m.TemplateRef != nil:
		return "were bad"
	}
	return "failed"
}
