package newrelic

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"weir.dev/weir/pkg/metrics"
)

// answer is what https://docs.newrelic.com/docs/apis/insights-apis/query-insights-event-data-api says.
type answer struct {
	Results []result `json:"results"`
	Facets  []facet  `json:"facets"`
	// Series and Current come of TIMESERIES and COMPARE WITH.
	Series  json.RawMessage `json:"timeSeries"`
	Current json.RawMessage `json:"current"`
}

// result is that of one function, whose name is the key of its value.
type result map[string]json.RawMessage

type facet struct {
	Name    any      `json:"name"` // one or a list
	Results []result `json:"results"`
}

func (a answer) samples(server *metrics.Server) ([]metrics.Sample, error) {
	switch {
	case a.Series != nil:
		return nil, metrics.Rejectedf("the query gives a series of times where a number is needed; remove TIMESERIES")
	case a.Current != nil:
		return nil, metrics.Rejectedf("the query gives two times where one number is needed; remove COMPARE WITH")
	case a.Facets != nil:
		var all []metrics.Sample
		for _, f := range a.Facets {
			samples, err := samplesOf(f.Results, f.title()+" ")
			if err != nil {
				return nil, err
			}
			all = append(all, samples...)
		}
		return all, nil
	case a.Results == nil:
		return nil, server.Unreadable()
	}
	return samplesOf(a.Results, "")
}

func (f facet) title() string {
	name, err := json.Marshal(f.Name)
	if err != nil {
		return ""
	}
	return strings.Trim(string(name), `"`)
}

// samplesOf are the numbers among the results. A function of several numbers, such as percentile(), has them one
// level further in. null is a function that had nothing to work on.
func samplesOf(results []result, facet string) ([]metrics.Sample, error) {
	var samples []metrics.Sample
	for _, r := range results {
		for _, name := range slices.Sorted(maps.Keys(r)) {
			numbers := map[string]*float64{}
			var one *float64
			switch {
			case json.Unmarshal(r[name], &one) == nil:
				numbers[""] = one
			case json.Unmarshal(r[name], &numbers) == nil:
			default:
				return nil, metrics.Rejectedf("the query gives %s, which is no number; select a function that gives one, "+
					"for example count(*)", metrics.Quote(name))
			}
			for _, key := range slices.Sorted(maps.Keys(numbers)) {
				value := math.NaN()
				if number := numbers[key]; number != nil {
					value = *number
				}
				samples = append(samples, metrics.Sample{Series: strings.TrimSpace(facet + name + " " + key), Value: value})
			}
		}
	}
	return samples, nil
}
