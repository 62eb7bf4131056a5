package metrics

import (
	"text/template"

	"weir.dev/weir/pkg/fill"
)

// Parse says whether a query is a template that Render takes, and what is wrong with it. Its error is of
// the kind Rejected.
func Parse(query string) error {
	_, err := compile(query, Vars{})
	return err
}

// Render fills a query template in. To name a variable that the Canary does not give, as in variables.x,
// is an error; every error is of the kind Rejected. A template is bounded in what it can take of time and
// memory, because who writes it need not be who runs Weir.
func Render(query string, v Vars) (string, error) {
	t, err := compile(query, v)
	if err != nil {
		return "", err
	}
	filled, err := t.Fill(nil)
	if err != nil {
		return "", Rejectedf("%s", err)
	}
	return filled, nil
}

func compile(query string, v Vars) (*fill.Template, error) {
	t, err := fill.Language{Text: "the query", Functions: v.functions(), Over: []string{"variables"}}.Parse(query)
	if err != nil {
		return nil, Rejectedf("%s", err)
	}
	return t, nil
}

func (v Vars) functions() template.FuncMap {
	text := func(s string) func() string { return func() string { return s } }
	return template.FuncMap{
		"name": text(v.Name), "namespace": text(v.Namespace), "target": text(v.Target), "service": text(v.Service),
		"ingress": text(v.Ingress), "route": text(v.Route), "interval": text(v.PromInterval()),
		"revision": text(v.Revision), "pods": v.Pods, "hash": text(v.Hash),
		"weight":    func() int32 { return v.Weight },
		"variables": func() map[string]string { return v.Variables },
	}
}
