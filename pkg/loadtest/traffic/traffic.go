// Package traffic sends requests over HTTP, or calls over gRPC, at a rate and for a time, and reports what came of them.
// It knows nothing of Canaries and webhooks.
//
// A request is sent once and counted once, whatever becomes of it. No more are under way than the pace allows: where
// answers are slow the rate is not kept, and the report says so, by the rate that was achieved and by how late requests
// were sent. Latency is counted from when a request is sent, not from when it should have been.
//
// vegeta does the sending: it holds the workers, and counts. A call over gRPC is to it a round trip like any other.
package traffic

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	// longestTimeout is how long one request may be waited for: who stops a load waits for its last requests.
	longestTimeout = time.Minute
	// leastRate is one request a day.
	leastRate = 1.0 / (24 * 60 * 60)
)

// Load is what can be sent.
type Load interface {
	// Asked is how much was asked for.
	Asked() Pace
	// Host is where to, without what of an address may be a secret.
	Host() string
	// Run sends until the pace is through or the context ends, waits for the requests that are under way, and reports.
	// Each answer is also given to observe, by one goroutine. An error says why nothing could be sent at all.
	Run(ctx context.Context, observe func(Answer)) (*Report, error)
}

// Pace says how much is sent, and how long.
type Pace struct {
	// Rate in requests a second; 0 is as fast as answers come, up to the limit.
	Rate float64
	// Concurrency is how many requests may be under way at the same time.
	Concurrency int
	// Duration after which no more are sent, and the number of Requests after which no more are; one of them may be 0.
	Duration time.Duration
	Requests int64
	// Timeout of one request.
	Timeout time.Duration

	// most is the rate where none is asked.
	most float64
}

// Limits are the most that any load may ask for.
type Limits struct {
	Rate        float64
	Concurrency int
	Duration    time.Duration
}

// Asked is the pace itself.
func (p Pace) Asked() Pace { return p }

// Answer is what came of one request.
type Answer struct {
	Latency time.Duration
	// Outcome is the status of HTTP or the code of gRPC, as in "200" and "Unavailable"; "none" where there was no answer.
	Outcome string
	// OK says that it is a 2xx or 3xx, or OK.
	OK bool
}

// within holds a pace to the limits.
func (p *Pace) within(l Limits) error {
	switch {
	case p.Rate != 0 && (math.IsNaN(p.Rate) || p.Rate < leastRate):
		return fmt.Errorf("rate %v is no number of requests a second", p.Rate)
	case p.Rate > l.Rate:
		return fmt.Errorf("rate %v is above %v requests a second, the most that is sent here: lower it, or raise --max-rate",
			p.Rate, l.Rate)
	case p.Concurrency < 1:
		return fmt.Errorf("concurrency %d is less than 1", p.Concurrency)
	case p.Concurrency > l.Concurrency:
		return fmt.Errorf("concurrency %d is above %d, the most that is under way here: lower it, or raise --max-concurrency",
			p.Concurrency, l.Concurrency)
	case p.Duration < 0 || p.Requests < 0:
		return fmt.Errorf("neither duration nor requests can be less than 0")
	case p.Duration == 0 && p.Requests == 0:
		return fmt.Errorf("a load has an end: give it a duration or a number of requests")
	case p.Duration > l.Duration:
		return fmt.Errorf("duration %s is above %s, the longest that a task takes here: shorten it, or raise --task-timeout",
			p.Duration, l.Duration)
	case p.Timeout <= 0 || p.Timeout > longestTimeout:
		return fmt.Errorf("timeout %s is not between 0s and %s", p.Timeout, longestTimeout)
	}
	p.most = l.Rate
	return nil
}
