// Package metrics asks servers for numbers. A Provider fetches and does not judge; what a number means
// is for package analysis to say.
//
// Where there is no number there is an error of one of three kinds, which errors.Is tells apart:
//
//	NoData     the server answered, and had nothing, or nothing finite
//	Rejected   the query or the credentials are wrong: tell a person, do not repeat it as it is
//	Transport  the server was not reached, or gave no answer that can be read: repeat
//
// No error holds a secret, because errors end up in a status that many may read.
package metrics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Provider answers queries. It is safe for concurrent use, keeps its connections, gives up when its
// context ends, and passes the suite of package metricstest.
type Provider interface {
	// Query gives the value of every series that the expression has at that time: at least one, and at
	// least one of them finite. Its errors are *Error.
	Query(ctx context.Context, q Query) ([]Sample, error)
}

// Query is one question.
type Query struct {
	// Expr in the provider's own language, fully rendered.
	Expr string
	// Window that the expression looks back over, for servers that want it apart from the query.
	Window time.Duration
	// At is the end of that window. Zero is the server's own now.
	At time.Time
}

// Span is the window with both its ends. Where the query names none, it is the minute before now.
func (q Query) Span() (from, to time.Time) {
	to, window := q.At, q.Window
	if to.IsZero() {
		to = time.Now()
	}
	if window <= 0 {
		window = time.Minute
	}
	return to.Add(-window), to
}

// Sample is the value of one series.
type Sample struct {
	// Series in the provider's words, for people.
	Series string
	// Labels of the series, where the server has such.
	Labels map[string]string
	// Value may be NaN or infinite where another of the same answer is not.
	Value float64
}

// Answer is what a Provider gives for the samples that it got: NoData where none of them is a number.
func Answer(samples []Sample) ([]Sample, error) {
	if len(samples) == 0 {
		return nil, NoDataf("the query gave no data")
	}
	for _, s := range samples {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			return samples, nil
		}
	}
	return nil, NoDataf("the query gave %v", samples[0].Value)
}

// Kind says what is to be done about an error. It is itself an error, for errors.Is(err, NoData).
type Kind string

const (
	// NoData says that the server has no number to give; it may have one later.
	NoData Kind = "no data"
	// Rejected says that the query or the credentials are wrong; a person must mend them.
	Rejected Kind = "rejected"
	// Transport says that the server could not be asked; asking again may help.
	Transport Kind = "transport"
)

// Error gives the kind as it is written.
func (k Kind) Error() string { return string(k) }

// Error is a query that was not answered with a number.
type Error struct {
	Kind Kind
	// Message is one sentence for people, without secrets. What caused the error is not kept beside it:
	// it may hold what nobody should read.
	Message string
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// NoData says that the server answered and had no number. It lets package analysis tell this from
// trouble without knowing providers.
func (e *Error) NoData() bool { return e.Kind == NoData }

// NoDataf makes an error of an answer without a number.
func NoDataf(format string, args ...any) *Error {
	return &Error{Kind: NoData, Message: fmt.Sprintf(format, args...)}
}

// Rejectedf makes an error that a person must mend.
func Rejectedf(format string, args ...any) *Error {
	return &Error{Kind: Rejected, Message: fmt.Sprintf(format, args...)}
}

// Transportf makes an error that may pass.
func Transportf(format string, args ...any) *Error {
	return &Error{Kind: Transport, Message: fmt.Sprintf(format, args...)}
}

// longestQuote is how much of a server's words an error repeats.
const longestQuote = 300

// without puts a mark in the place of each secret.
func without(words string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			words = strings.ReplaceAll(words, s, "…")
		}
	}
	return words
}

// Quote makes the words of a server fit for an error: on one line, not long, and without the secrets that
// it was sent, which some servers repeat.
func Quote(words string, secrets ...string) string {
	// A secret may be part of another: the longest goes first.
	secrets = slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	words = strings.Join(strings.Fields(strings.ToValidUTF8(without(words, secrets), "")), " ")
	words = without(words, secrets) // what was taken out of a secret may have hidden it until now
	if without(words, secrets) != words {
		return "…" // a mark is part of one
	}
	if len(words) > longestQuote {
		words = strings.ToValidUTF8(words[:longestQuote], "") + "…"
	}
	return words
}
