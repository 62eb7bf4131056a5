// Package metrics asks servers for numbers. A Provider fetches and does not judge; what a number means
// is for package analysis to say.
package metrics

import (
	"context"
	"fmt"
	"time"
)

// Provider answers queries. It is safe for concurrent use, keeps its connections, gives up when its
// context ends, and never lets a secret into an error.
type Provider interface {
	// Query gives the value of every series that the expression has at that time; no series is no error.
	// Its errors are *Error.
	Query(ctx context.Context, q Query) ([]Sample, error)
}

// Query is one question.
type Query struct {
	// Expr in the provider's own language, fully rendered.
	Expr string
	// Window that the expression looks back over.
	Window time.Duration
	// At is the end of that window.
	At time.Time
}

// Sample is the value of one series.
type Sample struct {
	// Series in the provider's words, for people.
	Series string
	// Value may be NaN or infinite.
	Value float64
}

// Kind says what is to be done about an error.
type Kind string

const (
	// Rejected: the query or the credentials are wrong; a person must mend them.
	Rejected Kind = "rejected"
	// Transport: the server could not be asked; asking again may help.
	Transport Kind = "transport"
)

// Error is a query that was not answered.
type Error struct {
	Kind Kind
	// Message is one sentence for people, without secrets.
	Message string
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Message }

// Rejectedf makes an error that a person must mend.
func Rejectedf(format string, args ...any) *Error {
	return &Error{Kind: Rejected, Message: fmt.Sprintf(format, args...)}
}

// Transportf makes an error that may pass.
func Transportf(format string, args ...any) *Error {
	return &Error{Kind: Transport, Message: fmt.Sprintf(format, args...)}
}
