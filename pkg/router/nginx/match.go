package nginx

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// ingress-nginx refuses an annotation with other characters than these, and then knows of the header by its name
// alone.
var (
	headerName  = regexp.MustCompile(`^[-_A-Za-z0-9]+$`)
	plainValue  = regexp.MustCompile(`^[-._~a-zA-Z0-9/:]+$`)
	expressible = regexp.MustCompile(`^[-._~a-zA-Z0-9/: ^$\[\](){}*+?|&=\\]+$`)
)

// matched are the annotations that send requests to the canary whatever its weight. A value or a pattern is always
// among them: with the name alone, a request could choose by the words always and never.
func (r Router) matched(match []v1beta1.RequestMatch) (map[string]string, error) {
	if !conditional(match) {
		return nil, errors.New("annotations have room for one condition, on one header")
	}
	for name, text := range match[0].Headers {
		if !headerName.MatchString(name) {
			return nil, fmt.Errorf("ingress-nginx takes no header %s; use one of letters, digits and hyphens", name)
		}
		annotations := map[string]string{r.key("canary-by-header"): name}
		if plainValue.MatchString(text.Exact) {
			annotations[r.key("canary-by-header-value")] = text.Exact
			return annotations, nil
		}
		pattern, err := patternOf(name, text)
		if err != nil {
			return nil, err
		}
		annotations[r.key("canary-by-header-pattern")] = pattern
		return annotations, nil
	}
	return nil, nil // conditional has seen one
}

// patternOf says a text's description as an expression. Controllers look for it anywhere in the text.
func patternOf(header string, text v1beta1.StringMatch) (string, error) {
	switch {
	case text.Exact != "":
		quoted, err := quote(header, text.Exact)
		return "^" + quoted + "$", err
	case text.Prefix != "":
		quoted, err := quote(header, text.Prefix)
		return "^" + quoted, err
	}
	regex := numbered(text.Regex)
	if !expressible.MatchString(regex) {
		return "", fmt.Errorf("ingress-nginx takes no expression with other characters than letters, digits, spaces "+
			`and -._~/:^$[](){}*+?|&=\, and that of header %s has one; write it by its number, as in \x2c for a comma`, header)
	}
	return "^(" + regex + ")$", nil
}

// numbered writes those characters of an expression by their number that ingress-nginx does not take and that never
// mean anything but themselves; a semicolon is in most expressions for a cookie.
func numbered(regex string) string {
	const themselves = `;"@%`
	var out strings.Builder
	for i := 0; i < len(regex); i++ {
		c := regex[i]
		if c == '\\' && i+1 < len(regex) {
			i++
			if c = regex[i]; !strings.ContainsRune(themselves, rune(c)) {
				out.WriteByte('\\')
				out.WriteByte(c)
				continue
			}
		}
		if strings.ContainsRune(themselves, rune(c)) {
			fmt.Fprintf(&out, `\x%02x`, c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// quote writes a text as an expression for just that text, with the characters that ingress-nginx takes.
func quote(header, text string) (string, error) {
	var quoted strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c >= 0x7f || c < ' ':
			return "", fmt.Errorf("the text for header %s has a character that is not ASCII, which proxies understand in "+
				"different ways; use another", header)
		case plainValue.Match([]byte{c}) && c != '.':
			quoted.WriteByte(c)
		default:
			fmt.Fprintf(&quoted, `\x%02x`, c)
		}
	}
	return quoted.String(), nil
}
