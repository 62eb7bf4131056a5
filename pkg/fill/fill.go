// Package fill fills in the templates that people write. They are Go templates, bounded in what they can take of time
// and memory, because who writes one need not be who runs Weir.
//
// Its errors are sentences for people, and hold nothing of what a template is filled in with but what the template
// itself names.
package fill

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"text/template"
)

const (
	// longestFilled is the most bytes that a template may become, and that a string within it may have.
	longestFilled = 64 << 10
	// mostVerbs is how many verbs a printf may have: each may ask for up to a million spaces.
	mostVerbs = 16
)

// Language is what a kind of templates may say.
type Language struct {
	// Text is how a sentence calls what is written, as in "the query".
	Text string
	// Functions that it may call, beside those of every Go template.
	Functions template.FuncMap
	// Over names what it may range over, as it is written: all of it must be short. It may range over nothing else.
	Over []string
}

// Template is ready to be filled in, any number of times.
type Template struct {
	text     string
	template *template.Template
}

// Parse reads a template.
func (l Language) Parse(written string) (*Template, error) {
	functions := bounds()
	maps.Copy(functions, l.Functions)
	t, err := template.New(strings.TrimPrefix(l.Text, "the ")).Option("missingkey=error").Funcs(functions).Parse(written)
	if err != nil {
		return nil, fmt.Errorf("%s is not a template: %s", l.Text, plain(err))
	}
	if err := (guard{l.Text, l.Over}).refuse(t.Root, false); err != nil {
		return nil, err
	}
	return &Template{l.Text, t}, nil
}

// Fill gives the text for some data, which must have no methods: nothing would bound what they make. To name a key that
// a map does not have is an error, and so is a text of nothing but space.
func (t *Template) Fill(data any) (string, error) {
	var b bounded
	if err := t.template.Execute(&b, data); err != nil {
		return "", fmt.Errorf("%s cannot be filled in: %s", t.text, plain(err))
	}
	if strings.TrimSpace(b.String()) == "" {
		return "", fmt.Errorf("%s is empty", t.text)
	}
	return b.String(), nil
}

func plain(err error) string { return strings.TrimPrefix(err.Error(), "template: ") }

// bounds are the functions of every Go template that make strings, with a bound.
func bounds() template.FuncMap {
	return template.FuncMap{
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
	if b.Len()+len(p) > longestFilled {
		return 0, fmt.Errorf("it becomes longer than %d bytes", longestFilled)
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
				return "", errors.New("a map is no text; name one of its keys")
			}
		}
		if size > longestFilled {
			return "", fmt.Errorf("a string becomes longer than %d bytes", longestFilled)
		}
		s := f(args...)
		if len(s) > longestFilled {
			return "", fmt.Errorf("a string becomes longer than %d bytes", longestFilled)
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
