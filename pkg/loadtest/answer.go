package loadtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"weir.dev/weir/pkg/loadtest/traffic"
)

// The statuses of refusals, by what they are called here.
const (
	badRequest   = http.StatusBadRequest
	unauthorized = http.StatusUnauthorized
	forbidden    = http.StatusForbidden
	conflict     = http.StatusConflict
	tooMany      = http.StatusTooManyRequests
	unavailable  = http.StatusServiceUnavailable
)

// answer is what a call gets.
type answer struct {
	code int
	// Message says what happened, in words. It comes first: of a webhook's answer, Weir shows the first 256 bytes.
	Message string `json:"message"`
	// Report of a load that is through.
	Report *traffic.Report `json:"report,omitempty"`
	// Output of a command, or its end.
	Output string `json:"output,omitempty"`
}

// refusal is an error that has a status of its own.
type refusal struct {
	code  int
	words string
}

func (r refusal) Error() string { return r.words }

func refuse(code int, words string, with ...any) error {
	return refusal{code: code, words: fmt.Sprintf(words, with...)}
}

// answerOf an error: trouble that is not the caller's is a 503.
func answerOf(err error) answer {
	var r refusal
	if errors.As(err, &r) {
		return answer{code: r.code, Message: r.words}
	}
	return answer{code: unavailable, Message: err.Error()}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if a.code == tooMany {
		w.Header().Set("Retry-After", "10")
	}
	w.WriteHeader(a.code)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // it is read by people
	_ = encoder.Encode(a)        // who has gone needs no answer
}

// shortened cuts between two characters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
