package alert

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf16"
)

const (
	// ellipsis stands for what was cut off.
	ellipsis = "…"
	// longestLink is how long an address may be that people are sent to.
	longestLink = 2000
)

// Spelling is how a vendor wants a character written, which may depend on the one before it, 0 at the begin.
type Spelling func(before, r rune) string

// Cut makes a text fit for a field: spelled as the vendor wants it, nil for as it is, without what cannot be shown, and
// of so many characters at most, which must be positive. They are counted as UTF-16 does, and after the spelling: no
// vendor counts more than that. What is cut off ends in an ellipsis, and never amid a character.
func Cut(text string, limit int, spelled Spelling) string {
	if spelled == nil {
		spelled = func(_, r rune) string { return string(r) }
	}
	var b strings.Builder
	size, fits, before := 0, 0, rune(0)
	for _, r := range strings.ToValidUTF8(text, "") {
		if unicode.IsControl(r) && r != '\n' {
			r = ' '
		}
		s := spelled(before, r)
		before = r
		if size += Size(s); size > limit {
			return b.String()[:fits] + ellipsis
		}
		b.WriteString(s)
		if size < limit {
			fits = b.Len()
		}
	}
	return b.String()
}

// Fit writes a message in JSON that has so many bytes at most, less and less of its sentences the longer it comes out:
// body makes the message with sentences of so many characters each.
func Fit(limit int, body func(longest int) any) (json.RawMessage, error) {
	for longest := limit; ; longest /= 2 {
		written, err := Encode(body(max(longest, 1)))
		if err != nil || len(written) <= limit || longest <= 1 {
			return written, err
		}
	}
}

// Size is how long a text is, as UTF-16 counts.
func Size(text string) int {
	size := 0
	for _, r := range text {
		size += utf16.RuneLen(r)
	}
	return size
}

// Mentions tells whether a sign calls somebody: it does not in an address or in the digest of an image.
func Mentions(before, r rune) bool {
	return r == '@' && !unicode.IsLetter(before) && !unicode.IsDigit(before)
}

// InHTML spells a character where HTML is read.
func InHTML(_, r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	}
	return string(r)
}

// webPage is the address of a page as it may be written everywhere.
func webPage(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(address) > longestLink {
		return "", errors.New("it leads to no page")
	}
	safe := strings.NewReplacer(" ", "%20", "|", "%7C", "<", "%3C", ">", "%3E", `"`, "%22", "(", "%28", ")", "%29",
		"`", "%60", `\`, "%5C")
	return safe.Replace(u.String()), nil
}
