package v1beta1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// CommandAnnotation on a Canary is a command of a person's, as JSON; see Command. `kubectl weir` writes it.
const CommandAnnotation = "weir.dev/command"

// The verbs of commands.
const (
	// VerbPromote agrees, in a person's name, to all that the run waits for now: gates, a pause, the
	// promotion. With Full it skips all steps and checks that are left.
	VerbPromote = "promote"
	// VerbPause holds the run at its step. It is judged all the same.
	VerbPause = "pause"
	// VerbResume ends a pause.
	VerbResume = "resume"
	// VerbAbort ends the run and sends all traffic to the primary.
	VerbAbort = "abort"
	// VerbRetry begins a new run of a revision that was refused.
	VerbRetry = "retry"
	// VerbApprove agrees in the name of a gate.
	VerbApprove = "approve"
	// VerbSkipStep goes on to the next step without the checks of this one.
	VerbSkipStep = "skip-step"
)

// Verbs are all verbs.
func Verbs() []string {
	return []string{VerbPromote, VerbPause, VerbResume, VerbAbort, VerbRetry, VerbApprove, VerbSkipStep}
}

// Command is what a person wants done with a run. It is carried out once an ID.
//
// +k8s:deepcopy-gen=false
type Command struct {
	// ID of the command; any text that no other command of this Canary had.
	ID string `json:"id"`
	// Verb says what is to be done.
	Verb string `json:"verb"`
	// Gate is the webhook that is approved; only with the verb approve.
	Gate string `json:"gate,omitempty"`
	// Full skips what is left of the analysis; only with the verb promote.
	Full bool `json:"full,omitempty"`
	// Reason, in the person's words.
	Reason string `json:"reason,omitempty"`
	// Actor is who wants it.
	Actor string `json:"actor,omitempty"`
}

// The longest texts of a command.
const (
	maxCommandID   = 128
	maxCommandText = 512
)

// ParseCommand reads the annotation. Its error is one sentence for the person who wrote it. A field that it does
// not know is an error, too: what a command says beyond Weir's words may be what matters in it.
func ParseCommand(annotation string) (Command, error) {
	var c Command
	d := json.NewDecoder(strings.NewReader(annotation))
	d.DisallowUnknownFields()
	err := d.Decode(&c)
	if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("there is more after it")
	}
	if err != nil {
		return Command{}, fmt.Errorf(`annotation %s is not a JSON object like {"id": "1", "verb": "pause"}: %.128s`,
			CommandAnnotation, err.Error()) // it may quote what was written, which may be long
	}
	switch {
	case c.ID == "" || longest(c.ID) > maxCommandID:
		return Command{}, fmt.Errorf("annotation %s needs an id of 1 to %d characters", CommandAnnotation, maxCommandID)
	case !slices.Contains(Verbs(), c.Verb):
		return Command{}, fmt.Errorf("annotation %s has the verb %.32q; the verbs are %v", CommandAnnotation, c.Verb, Verbs())
	case c.Verb == VerbApprove && c.Gate == "":
		return Command{}, fmt.Errorf("annotation %s approves no gate; name one in its field gate", CommandAnnotation)
	case c.Gate != "" && c.Verb != VerbApprove:
		return Command{}, fmt.Errorf("annotation %s names a gate, which only the verb approve does", CommandAnnotation)
	case c.Full && c.Verb != VerbPromote:
		return Command{}, fmt.Errorf("annotation %s is full, which only the verb promote can be", CommandAnnotation)
	case longest(c.Reason, c.Actor, c.Gate) > maxCommandText:
		return Command{}, fmt.Errorf("annotation %s has a text of more than %d characters", CommandAnnotation, maxCommandText)
	}
	return c, nil
}

// longest is the number of characters of the longest text.
func longest(texts ...string) int {
	most := 0
	for _, text := range texts {
		most = max(most, utf8.RuneCountInString(text))
	}
	return most
}
