package metrics

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
)

const (
	// longestRendered is the most bytes that a template may become, and that a string within it may have.
	longestRendered = 64 << 10
	// mostVerbs is how many verbs a printf may have: each may ask for up to a million spaces.
	mostVerbs = 16
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
	var b bounded
	if err := t.Execute(&b, nil); err != nil {
		return "", Rejectedf("the query cannot be filled in: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if strings.TrimSpace(b.String()) == "" {
		return "", Rejectedf("the query is empty")
	}
	return b.String(), nil
}

func compile(query string, v Vars) (*template.Template, error) {
	t, err := template.New("query").Option("missingkey=error").Funcs(v.functions()).Parse(query)
	if err != nil {
		return nil, Rejectedf("the query is not a template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if err := refuse(t.Root, false); err != nil {
		return nil, err
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
		// The builtin functions that make strings, with a bound.
		"printf":  boundedPrintf,
		"print":   within(fmt.Sprint),
		"println": within(fmt.Sprintln),
		"html":    within(template.HTMLEscaper), "js": within(template.JSEscaper),
		"urlquery": within(template.URLQueryEscaper),
	}
}

// bounded is a builder that refuses to grow without end.
type bounded struct{ strings.Builder }

// Write adds to what is there, up to the bound.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > longestRendered {
		return 0, fmt.Errorf("it becomes longer than %d bytes", longestRendered)
	}
	return b.Builder.Write(p)
}

// within bounds what a function may make of its arguments: a variable that doubles itself a few hundred
// times fits into the shortest of templates.
func within(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		size := 0
		for _, a := range args {
			switch a := a.(type) {
			case string:
				size += len(a)
			case map[string]string:
				return "", errors.New("variables is a map; name one of its keys")
			}
		}
		if size > longestRendered {
			return "", fmt.Errorf("a string becomes longer than %d bytes", longestRendered)
		}
		s := f(args...)
		if len(s) > longestRendered {
			return "", fmt.Errorf("a string becomes longer than %d bytes", longestRendered)
		}
		return s, nil
	}
}

func boundedPrintf(format string, args ...any) (string, error) {
	if strings.Count(format, "%") > mostVerbs {
		return "", fmt.Errorf("the format has more than %d verbs", mostVerbs)
	}
	return within(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
}
