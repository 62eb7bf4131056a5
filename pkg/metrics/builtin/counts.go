package builtin

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir.dev/weir/pkg/analysis/evidence"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
)

// The label by which the series of a query of counts are told apart, and what it says: of which source, of whom, what.
const (
	countLabel = "weir"
	allOf      = "all"
	badOf      = "bad"
	sumOf      = "sum"
	// own is the place of a template's counters, behind all sources, whose unit is whatever it is.
	own = 99
)

// Reading is what the counters beneath a built-in metric say at one instant. Each source is read for itself.
type Reading struct {
	At time.Time
	// sources by their place in the list, of canary and primary.
	sources map[int]*pair
}

type pair struct{ canary, primary evidence.Reading }

// Counts is the PromQL of the counters that a comparison of a built-in metric needs, of canary and primary: of all
// requests and of the failed ones, of a histogram, of all requests and the sum of their durations, or of all requests
// alone. What Prometheus answers is for ReadingOf. An error is of the kind Rejected.
func Counts(kind evidence.Kind, canary, primary metrics.Vars) (string, error) {
	var one func(source) map[string]string
	switch kind {
	case evidence.Errors:
		one = countedErrors
	case evidence.Latency:
		one = countedDurations
	case evidence.Mean:
		one = countedSums
	case evidence.Split:
		one = countedRequests
	default:
		return "", metrics.Rejectedf("a comparison of kind %q counts nothing", kind)
	}
	var parts []string
	for _, v := range []metrics.Vars{canary, primary} {
		sources, err := sourcesOf(v)
		if err != nil {
			return "", err
		}
		for i, s := range sources {
			parts = append(parts, labelled(i, v.Revision, one(s))...)
		}
	}
	return strings.Join(parts, "\nor\n"), nil
}

// Asked are the queries of a template that a metric is asked by: its counters for a comparison of a kind, none of a Job, and
// else its query. An error says that it has not what that takes, and is of the kind Rejected.
func Asked(m v1beta1.CanaryMetric, kind evidence.Kind, t *v1beta1.MetricTemplateSpec) ([]string, error) {
	switch {
	case t.Provider.Type == v1beta1.ProviderJob:
		return nil, byJob(m)
	case m.ThresholdRange == nil && m.Condition == "" && m.Comparison == nil:
		return nil, metrics.Rejectedf("it is not of type job, which alone is judged without thresholdRange, condition and " +
			"comparison; set one of them in the metric")
	case m.Comparison == nil:
		if t.Query == "" {
			return nil, metrics.Rejectedf("it has no query, and only a comparison does without")
		}
		return []string{t.Query}, nil
	}
	counters, err := countersOf(kind, t)
	return slices.Sorted(maps.Values(counters)), err
}

// byJob says why a metric cannot be judged by a Job.
func byJob(m v1beta1.CanaryMetric) error {
	for _, other := range []struct {
		set   bool
		field string
	}{
		{m.ThresholdRange != nil, "thresholdRange"}, {m.Condition != "", "condition"}, {m.Comparison != nil, "comparison"},
		{m.Reduce != "", "reduce"},
	} {
		if other.set {
			return metrics.Rejectedf("the verdict of type job is the exit code; remove the metric's %s", other.field)
		}
	}
	_, err := metrics.Vars{Variables: m.TemplateVariables}.Environment()
	return err
}

// countersOf are the queries of a template by what they count.
func countersOf(kind evidence.Kind, t *v1beta1.MetricTemplateSpec) (map[string]string, error) {
	what, query := badOf, t.BadQuery
	if kind == evidence.Mean {
		what, query = sumOf, t.SumQuery
	}
	if t.TotalQuery == "" || query == "" {
		return nil, metrics.Rejectedf("a comparison of kind %s needs totalQuery and %sQuery; add them, or judge the metric by "+
			"condition", kind, what)
	}
	return map[string]string{allOf: t.TotalQuery, what: query}, nil
}

// TemplateCounts is the same of a template's own counters.
func TemplateCounts(kind evidence.Kind, t *v1beta1.MetricTemplateSpec, canary, primary metrics.Vars) (string, error) {
	counters, err := countersOf(kind, t)
	if err != nil {
		return "", err
	}
	var parts, sides []string
	for _, v := range []metrics.Vars{canary, primary} {
		counted := map[string]string{}
		for name, query := range counters {
			rendered, err := metrics.Render(query, v)
			if err != nil {
				return "", err
			}
			counted[name] = strings.TrimSpace(rendered)
		}
		sides = append(sides, counted[allOf])
		parts = append(parts, labelled(own, v.Revision, counted)...)
	}
	if sides[0] == sides[1] {
		return "", metrics.Rejectedf("totalQuery is the same for canary and primary; tell them apart by pods, hash or revision")
	}
	return strings.Join(parts, "\nor\n"), nil
}

// labelled marks queries of one source of a revision with what they count.
func labelled(i int, revision string, counted map[string]string) []string {
	parts := make([]string, 0, len(counted))
	for _, what := range slices.Sorted(maps.Keys(counted)) {
		parts = append(parts, fmt.Sprintf(`label_replace(%s, %q, "%d/%s/%s", "", "")`, counted[what], countLabel, i, revision, what))
	}
	return parts
}

// counters are summed up by what begins to count at zero on its own: a pod, or a process of the Gateway's.
const counters = "sum by (instance, pod)"

func countedErrors(s source) map[string]string {
	return map[string]string{
		allOf: fmt.Sprintf(`%s (%s{%s,%s!=""})`, counters, s.count, s.selector, s.status),
		badOf: fmt.Sprintf(`%s (%s{%s,%s=~"5.."})`, counters, s.count, s.selector, s.status),
	}
}

func countedDurations(s source) map[string]string {
	if s.bucket == "" {
		return nil
	}
	return map[string]string{allOf: fmt.Sprintf(`sum by (instance, pod, le) (%s{%s})`, s.bucket, s.selector)}
}

func countedSums(s source) map[string]string {
	if s.bucket == "" {
		return nil
	}
	return map[string]string{
		allOf: fmt.Sprintf(`%s (%s{%s,le="+Inf"})`, counters, s.bucket, s.selector),
		sumOf: fmt.Sprintf(`%s (%ssum{%s})`, counters, strings.TrimSuffix(s.bucket, "bucket"), s.selector),
	}
}

func countedRequests(s source) map[string]string {
	return map[string]string{allOf: fmt.Sprintf(`%s (%s{%s})`, counters, s.count, s.selector)}
}

// ReadingOf sorts the answer to a query of counts.
func ReadingOf(at time.Time, samples []metrics.Sample) Reading {
	r := Reading{At: at, sources: map[int]*pair{}}
	known := gatewaySources("", "")
	known = append(known, applicationSources("", "")...)
	for _, s := range samples {
		said := strings.Split(s.Labels[countLabel], "/")
		if len(said) != 3 { //nolint:mnd // source, revision, what
			continue
		}
		i, err := strconv.Atoi(said[0])
		toMillis := 1
		switch {
		case err != nil, i < 0, i >= len(known) && i != own:
			continue
		case i < len(known):
			toMillis = known[i].toMillis
		}
		p := r.sources[i]
		if p == nil {
			p = &pair{evidence.Reading{At: at, Series: map[string]evidence.Counters{}},
				evidence.Reading{At: at, Series: map[string]evidence.Counters{}}}
			r.sources[i] = p
		}
		side := &p.primary
		if said[1] == metrics.Canary {
			side = &p.canary
		}
		name := seriesOf(s.Labels)
		side.Series[name] = added(side.Series[name], said[2], s, toMillis)
	}
	return r
}

// seriesOf names what begins to count at zero on its own, by all labels but those that tell what is counted.
func seriesOf(labels map[string]string) string {
	var name strings.Builder
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if label != countLabel && label != "le" && label != "__name__" {
			fmt.Fprintf(&name, "%s=%q,", label, labels[label])
		}
	}
	return name.String()
}

// added puts a sample to what is known of a series.
func added(c evidence.Counters, what string, s metrics.Sample, toMillis int) evidence.Counters {
	le, isBucket := s.Labels["le"]
	switch {
	case isBucket:
		bound, err := strconv.ParseFloat(le, 64)
		if err != nil {
			return c
		}
		bound *= float64(toMillis)
		if !math.IsInf(bound, 1) {
			const exact = 1e6 // what a multiplication of seconds leaves behind the point is not meant
			bound = math.Round(bound*exact) / exact
		} else {
			c.Requests = s.Value
		}
		c.Buckets = append(c.Buckets, evidence.Bucket{Le: bound, Count: s.Value})
		slices.SortFunc(c.Buckets, func(a, b evidence.Bucket) int { return cmp.Compare(a.Le, b.Le) })
	case what == badOf:
		c.Bad = s.Value
	case what == sumOf:
		c.Sum = s.Value * float64(toMillis)
	default:
		c.Requests = s.Value
	}
	return c
}

// Window is what was counted between two readings, by the first of the sources that has counted requests of the
// canary's, or else of the primary's. An error says that there is none, and is of the kind NoData.
//
// A series that the first reading does not have began to count within the window, as long as it has any others of that
// source: whatever it comes from is scraped. Where it has none, nobody knows since when there are counts, and they
// are left out.
func Window(before, after Reading) (evidence.Window, error) {
	w := evidence.Window{Start: before.At, End: after.At}
	if len(after.sources) == 0 {
		return w, metrics.NoDataf("no requests of canary and primary are counted by any source that is known")
	}
	found := false
	for _, i := range slices.Sorted(maps.Keys(after.sources)) {
		then, now := before.sources[i], after.sources[i]
		if then == nil {
			continue
		}
		canary := evidence.Between(then.canary, begun(now.canary, then))
		primary := evidence.Between(then.primary, begun(now.primary, then))
		if canary.Requests > 0 || !found && primary.Requests > 0 {
			w.Canary, w.Primary, found = canary, primary, true
		}
		if canary.Requests > 0 {
			break
		}
	}
	return w, nil
}

// begun says of the series that were not there before that they began since.
func begun(now evidence.Reading, then *pair) evidence.Reading {
	r := evidence.Reading{At: now.At, Series: maps.Clone(now.Series)}
	for name, c := range r.Series {
		c.Since = then.canary.At
		r.Series[name] = c
	}
	return r
}
