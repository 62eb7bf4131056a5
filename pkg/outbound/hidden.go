package outbound

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const (
	// longestWords is how much of a body is told, in bytes.
	longestWords = 256
	// mark stands for what is not told.
	mark = "…"
	// tellable is how short a part of a URL is too short to be a secret.
	tellable = 8
)

// Hidden is what nobody may read, the longest first. Some servers repeat what they were sent.
type Hidden []string

// Hide makes the list for calls of an address: its user, its query and its path, which may be the keys to what is
// behind it, and further secrets.
func Hide(address *url.URL, secrets ...string) Hidden {
	all := slices.Clone(secrets)
	all = append(all, address.RawQuery)
	if user := address.User; user != nil {
		password, _ := user.Password()
		basic := user.Username() + ":" + password
		// Who reads the header takes the first colon for the end of the name, even one that is part of it.
		name, rest, _ := strings.Cut(basic, ":")
		encoded := base64.StdEncoding.EncodeToString([]byte(basic))
		all = append(all, user.String(), user.Username(), password, name, rest, encoded)
	}
	parts := []string{address.Path, address.EscapedPath()}
	for _, values := range address.Query() {
		parts = append(parts, values...)
	}
	for _, part := range parts {
		if len(part) >= tellable {
			all = append(all, part)
		}
	}
	return spelled(all)
}

// spelled adds how others would write a secret, in an address or in JSON.
func spelled(secrets []string) Hidden {
	var all Hidden
	for _, s := range secrets {
		inJSON, err := json.Marshal(s)
		if s == "" || err != nil {
			continue
		}
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s), string(inJSON[1:len(inJSON)-1]))
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// In puts a mark in the place of each secret.
func (h Hidden) In(text string) string {
	for _, s := range h {
		text = strings.ReplaceAll(text, s, mark)
	}
	return text
}

// withoutStart leaves off the start of a secret at the end of a text that goes on where nobody has read.
func (h Hidden) withoutStart(text string) string {
	for _, s := range h {
		for n := min(len(s)-1, len(text)); n > 0; n-- {
			if strings.HasSuffix(text, s[:n]) {
				text = text[:len(text)-n]
				break
			}
		}
	}
	return text
}

// Words are what a server says, fit for a sentence: on one line, not long, and without what nobody may read. It is
// nothing where nothing is left. A partial body goes on.
func (h Hidden) Words(body []byte, partial bool) string {
	words := h.In(string(body))
	if partial {
		words = h.withoutStart(words)
	}
	words = shortened(oneLine(words))
	if words != h.In(words) { // what was taken out of a secret may have hidden it until now
		return ""
	}
	return words
}

// Message is an answer in one sentence. A partial body goes on.
func (h Hidden) Message(code int, body []byte, partial bool) string {
	words := h.Words(body, partial)
	switch {
	case code >= 300 && code < 400:
		words = "redirects are not followed"
	case words == "":
		words = http.StatusText(code)
	}
	if words == "" {
		return fmt.Sprintf("status %d", code)
	}
	return fmt.Sprintf("status %d: %s", code, words)
}

// oneLine keeps what can be printed, with single spaces between.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r): // what is no text is a replacement here
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// shortened cuts between two characters.
func shortened(text string) string {
	if len(text) <= longestWords {
		return text
	}
	return strings.ToValidUTF8(text[:longestWords-len(mark)], "") + mark
}
