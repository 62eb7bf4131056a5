package router

import (
	"fmt"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// PlannedMatch is a match that a field of a spec asks for.
type PlannedMatch struct {
	Field string
	Match v1beta1.RequestMatch
}

// PlannedMatches are all of a spec.
func PlannedMatches(c *v1beta1.Canary) []PlannedMatch {
	var all []PlannedMatch
	add := func(of string, matches []v1beta1.RequestMatch) {
		for i, m := range matches {
			all = append(all, PlannedMatch{fmt.Sprintf("%s.match[%d]", of, i), m})
		}
	}
	add("spec.analysis", c.Spec.Analysis.Match)
	for i, step := range c.Spec.Analysis.Steps {
		add(fmt.Sprintf("spec.analysis.steps[%d]", i), step.Match)
	}
	return all
}
