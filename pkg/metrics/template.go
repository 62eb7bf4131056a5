package metrics

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"
)

// Vars are what the functions of a query template answer.
type Vars struct {
	// Name and Namespace of the Canary, Target that it names, Service, Ingress and Route it is reached by.
	Name, Namespace, Target, Service, Ingress, Route string
	// Revision that is asked about, primary or canary, its Hash, and its ReplicaSet.
	Revision, Hash, ReplicaSet string
	// Weight of the canary, in percent.
	Weight int32
	// Interval is the window of the query.
	Interval time.Duration
	// Variables are the Canary's own.
	Variables map[string]string
}

// podBase is how much of a ReplicaSet's name stands in the names of its pods: the API server shortens
// generated names so that five random characters still fit.
const podBase = 58

// Pods is a regular expression that matches the names of the revision's pods and of no others.
func (v Vars) Pods() string {
	base := v.ReplicaSet + "-"
	if len(base) > podBase {
		base = base[:podBase]
	}
	return regexp.QuoteMeta(base) + "[a-z0-9]{5}"
}

// PromInterval is the window as Prometheus writes durations.
func (v Vars) PromInterval() string {
	if v.Interval%time.Second == 0 {
		return fmt.Sprintf("%ds", int64(v.Interval/time.Second))
	}
	return fmt.Sprintf("%dms", v.Interval.Milliseconds())
}

func (v Vars) functions() template.FuncMap {
	text := func(s string) func() string { return func() string { return s } }
	return template.FuncMap{
		"name": text(v.Name), "namespace": text(v.Namespace), "target": text(v.Target), "service": text(v.Service),
		"ingress": text(v.Ingress), "route": text(v.Route), "interval": text(v.PromInterval()),
		"revision": text(v.Revision), "pods": text(v.Pods()), "hash": text(v.Hash),
		"weight":    func() int32 { return v.Weight },
		"variables": func() map[string]string { return v.Variables },
	}
}

// Parse says whether a query is a template, and what is wrong with it.
func Parse(query string) error {
	_, err := parse(query, Vars{})
	return err
}

func parse(query string, v Vars) (*template.Template, error) {
	t, err := template.New("query").Option("missingkey=error").Funcs(v.functions()).Parse(query)
	if err != nil {
		return nil, fmt.Errorf("the query is not a template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return t, nil
}

// Render fills a query template in. A variable that the Canary does not give is an error.
func Render(query string, v Vars) (string, error) {
	t, err := parse(query, v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return "", fmt.Errorf("the query cannot be filled in: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return b.String(), nil
}
