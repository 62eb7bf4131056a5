// Package alert tells people of runs. A Message is what they are told, a Channel is where; each folder within has one
// kind of channel. When to tell what, and whether to repeat it, is for others to say.
//
// What a channel does not take gives an error of one of two kinds, which errors.Is tells apart:
//
//	Rejected   the credentials, the channel or the message are wrong: tell a person, it is of no use to repeat it soon
//	Transport  the server was not reached, is busy or in trouble: repeat it, not before RetryAfter
//
// No error holds a secret, and the address of most channels is one. What a message says is passed on as plain text: it
// mentions nobody, and formats nothing.
package alert

import (
	"context"
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Channel is where people are told. It is safe for concurrent use, gives up when its context ends, and passes the
// suite of package alerttest.
type Channel interface {
	// Send tells a message. It is told once if there is no error; after one, it may have been told all the same. Its
	// errors are *Error.
	Send(ctx context.Context, m Message) error
}

// Message is what people are told. Only ID, Severity and At are always there, and of Text and Digest one.
type Message struct {
	// ID is the same whenever the message is repeated, and that of no other. Channels that can tell it once by that.
	ID string
	// Thread is one for each Canary. Channels that can keep together what is of one thread; an incident of a thread ends
	// with the release that mends it, which is another run than the one that failed.
	Thread string
	// Severity says how much it matters.
	Severity v1beta1.AlertSeverity
	// Reason in one CamelCase word, as in RolledBack.
	Reason string
	// Text in one sentence.
	Text string
	// At is when it happened.
	At time.Time

	// Cluster that it happened in, as people call it.
	Cluster string
	// Namespace and Name of the Canary, and its Target, as in Deployment/podinfo.
	Namespace, Name, Target string
	// Phase of the Canary.
	Phase string
	// Revision that is released, and the Images of its containers.
	Revision string
	Images   []string
	// Weight of the canary now, and the greatest that it had in the run, in percent.
	Weight, MaxWeight int32
	// Step that the run is at, as in 2/5.
	Step string
	// Check that failed, nil if none did.
	Check *Check
	// Links to what helps.
	Links []Link

	// Resolved ends the incidents of the thread: there is nothing left to see to.
	Resolved bool
	// Digest is what a message stands for that is told in the place of many.
	Digest []Message

	// Body is what the template of a provider made of the message. It is told in the place of all sentences.
	Body string
}

// Check is a check that failed.
type Check struct {
	// Name of the metric.
	Name string
	// Value that was measured, and that of the primary where the two are compared.
	Value, Baseline string
	// Message says in a sentence what is wrong with it.
	Message string
}

// Link is a page.
type Link struct {
	Title, URL string
}

// Kind says what is to be done about an error. It is itself an error, for errors.Is(err, Rejected).
type Kind string

const (
	// Rejected says that a person must mend the provider.
	Rejected Kind = "rejected"
	// Transport says that telling it again may help.
	Transport Kind = "transport"
)

// Error gives the kind as it is written.
func (k Kind) Error() string { return string(k) }

// Error is a message that was not told.
type Error struct {
	Kind Kind
	// Message is one sentence for people, without secrets. What caused the error is not kept beside it: it may hold
	// what nobody should read.
	Message string
	// RetryAfter is how long the server wants to be left alone, zero where it says nothing.
	RetryAfter time.Duration
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Rejectedf makes an error that a person must mend.
func Rejectedf(format string, args ...any) *Error {
	return &Error{Kind: Rejected, Message: fmt.Sprintf(format, args...)}
}

// Transportf makes an error that may pass.
func Transportf(format string, args ...any) *Error {
	return &Error{Kind: Transport, Message: fmt.Sprintf(format, args...)}
}
