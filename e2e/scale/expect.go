package main

import (
	"fmt"
	"math"
	"time"
)

const (
	// renewal is how often the Lease is renewed, by the operator's own setting.
	renewal = time.Second
	// watching is the shortest life of a watch, by client-go's setting.
	watching = 5 * time.Minute
)

// atRest says what was asked for, or looked at, while there was nothing to do.
func atRest(events []event, p costs) []string {
	var wrong []string
	var others []event
	for _, e := range events {
		if !e.background() {
			others = append(others, e)
		}
	}
	for _, r := range tally(others) {
		wrong = append(wrong,
			fmt.Sprintf("at rest: %d × %s %s, neither a watch nor the Lease", r.Requests, r.Verb, r.Resource))
	}
	within := func(every time.Duration) int { return 1 + int(math.Ceil(p.Seconds/every.Seconds())) }
	for _, r := range tally(events) {
		most := math.MaxInt
		switch {
		case r.Verb == "watch":
			most = within(watching)
		case r.Resource == "leases.coordination.k8s.io":
			most = within(renewal)
		}
		if r.Requests > most {
			wrong = append(wrong, fmt.Sprintf("at rest: %d × %s %s, where %d are enough", r.Requests, r.Verb, r.Resource, most))
		}
	}
	if p.Looks > 0 {
		wrong = append(wrong, fmt.Sprintf("at rest: %d looks at Canaries that nothing has happened to", p.Looks))
	}
	return wrong
}

// inRelease says what a release of one application should not have asked for. Watches and the Lease are not
// among the events.
func inRelease(events []event) []string {
	var wrong []string
	reads := 0
	for _, e := range events {
		what := fmt.Sprintf("in the release: %s %s %s", e.verb(), e.resource(), e.name())
		if e.ObjectRef.Namespace != releasedNamespace {
			wrong = append(wrong, what+", of another application")
		}
		if e.ResponseStatus.Code >= 300 {
			wrong = append(wrong, fmt.Sprintf("%s, refused with %d", what, e.ResponseStatus.Code))
		}
		if e.withoutEffect {
			wrong = append(wrong, what+", which changed nothing")
		}
		if e.writes() {
			continue
		}
		reads++
		if e.verb() != "get" || e.resource() != "deployments.apps" || reads > 1 {
			wrong = append(wrong, what+", where one live read before the hand-over is enough")
		}
	}
	return wrong
}
