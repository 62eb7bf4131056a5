package traffic

import (
	"context"
	"fmt"
	"time"
)

// nap is how long a pacer sleeps without looking up.
const nap = 50 * time.Millisecond

// pacer tells vegeta when to send the next request: each has its own time from the start, so that a delay is caught up
// and not handed on.
type pacer struct {
	ctx      context.Context
	rate     float64
	duration time.Duration
	requests uint64
}

// Pace gives the time until the next request, or stops. vegeta waits without listening, so long waits are waited for here.
func (p pacer) Pace(elapsed time.Duration, sent uint64) (wait time.Duration, stop bool) {
	due := p.due(sent)
	if p.requests > 0 && sent >= p.requests || p.duration > 0 && (elapsed >= p.duration || due >= p.duration) {
		return 0, true
	}
	wait = due - elapsed
	if wait <= nap {
		return max(wait, 0), p.ctx.Err() != nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, false
	case <-p.ctx.Done():
		return 0, true
	}
}

// due is when the request with this number is to be sent, from the start on.
func (p pacer) due(number uint64) time.Duration {
	return time.Duration(float64(number) / p.rate * float64(time.Second))
}

// Rate is for vegeta's interface.
func (p pacer) Rate(time.Duration) float64 { return p.rate }

func (p pacer) String() string { return fmt.Sprintf("%v a second", p.rate) }
