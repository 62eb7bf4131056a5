// Command promql reads a JSON list of PromQL expressions and writes, for each, which metrics it asks for and by which
// labels, or why Prometheus would refuse it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// reading is what an expression says.
type reading struct {
	// Refused is why it is none, or empty.
	Refused string `json:"refused,omitempty"`
	// Metrics that it selects, each with the labels that it selects by; a selector without a name has the name "".
	Metrics []selected `json:"metrics,omitempty"`
	// Labels that it groups or joins by.
	Labels []string `json:"labels,omitempty"`
}

type selected struct {
	Name   string   `json:"name"`
	Labels []string `json:"labels,omitempty"`
}

func main() {
	var expressions []string
	if err := json.NewDecoder(os.Stdin).Decode(&expressions); err != nil {
		fmt.Fprintln(os.Stderr, "reading a list of expressions:", err)
		os.Exit(1)
	}
	all := make([]reading, 0, len(expressions))
	for _, e := range expressions {
		all = append(all, read(e))
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, "writing what they say:", err)
		os.Exit(1)
	}
}

func read(expression string) (r reading) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return reading{Refused: err.Error()}
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			s := selected{Name: n.Name}
			for _, m := range n.LabelMatchers {
				if m.Name != labels.MetricName {
					s.Labels = append(s.Labels, m.Name)
				}
			}
			r.Metrics = append(r.Metrics, s)
		case *parser.AggregateExpr:
			r.Labels = append(r.Labels, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				r.Labels = append(append(r.Labels, n.VectorMatching.MatchingLabels...), n.VectorMatching.Include...)
			}
		}
		return nil
	})
	return r
}
